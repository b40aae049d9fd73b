//! One request on one connection.

use std::pin::{Pin, pin};

use futures::channel::mpsc;
use futures::future::{Either, poll_fn, select};
use futures::sink::SinkExt as _;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::connect::Stream;
use super::error::SendError;

/// Sends a request, and passes its response to `read`, while the connection lives.
pub(super) async fn exchange<T>(
    stream: Box<dyn Stream>,
    request: Request<String>,
    read: impl AsyncFnOnce(Response<Incoming>) -> T,
) -> Result<T, SendError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let work = async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        Ok(read(response).await)
    };
    match select(pin!(work), pin!(connection)).await {
        Either::Left((result, _)) => result,
        // What was received before the end of the connection can still be read.
        Either::Right((_, work)) => work.await,
    }
}

/// Passes on the pieces of a body as they come, at the pace of their reader.
pub(super) async fn forward(mut body: Incoming, mut chunks: mpsc::Sender<Result<Bytes, SendError>>) {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let chunk = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => Ok(data),
            // Trailers.
            Ok(Err(_)) => continue,
            Err(error) => Err(broken(&error)),
        };
        let is_last = chunk.is_err();
        // The reader is gone if it has read enough.
        if chunks.send(chunk).await.is_err() || is_last {
            return;
        }
    }
}

fn broken(error: &hyper::Error) -> SendError {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    SendError::Broken(format!("the connection broke: {error}{source}"))
}
