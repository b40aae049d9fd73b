//! The HTTP client of providers: HTTP/1.1 on connections of their own, with TLS by rustls.
//!
//! A thread of this process with a tokio runtime of its own carries out all requests, so that the futures that wait
//! for them work on any executor. Dropping such a future cancels the request and closes its connection.
//!
//! `network`: which addresses may be reached. `connect`: looks a host up, checks its addresses, connects to one that
//! was checked. `exchange`: one request on one connection. `request`: follows redirects.

mod checkup;
mod connect;
mod encode;
mod error;
mod excerpt;
mod exchange;
mod headers;
mod limits;
mod network;
mod request;
mod runtime;
mod target;
mod tls;
mod within;

use std::sync::Arc;

use futures::channel::{mpsc, oneshot};
use futures::stream::StreamExt as _;
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};

pub(crate) use self::checkup::checkup;
pub(crate) use self::encode::{encoded, with_query};
pub(crate) use self::error::SendError;
pub(crate) use self::excerpt::excerpt;
pub(crate) use self::headers::header;
pub(crate) use self::limits::resets;
pub use self::network::{InvalidHost, Network};
pub(crate) use self::request::Outgoing;
pub(crate) use self::target::{parse, shown};
pub(crate) use self::within::{Unfinished, within};

use self::connect::Connector;

/// Makes requests.
#[derive(Debug, Clone)]
pub(crate) struct Client(Arc<Connector>);

/// The head of a response, and its body to come.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The address that answered, without its query.
    pub(crate) url: String,
    body: mpsc::Receiver<Result<Bytes, SendError>>,
    _request: Cancel,
}

/// Cancels a request when it is dropped.
#[derive(Debug)]
struct Cancel(tokio::task::AbortHandle);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    pub(crate) fn new(network: Network) -> Self {
        Self(Arc::new(Connector::new(network)))
    }

    /// Sends a request. Must be polled on no particular executor.
    pub(crate) async fn send(&self, request: Outgoing) -> Result<Incoming, SendError> {
        let ((head, answered), (chunks, body)) = (oneshot::channel(), mpsc::channel(4));
        let handle = runtime::handle()
            .map_err(|error| SendError::Unreachable(format!("cannot start the HTTP client: {error}")))?;
        let task = handle.spawn(request::carry_out(self.0.clone(), request, head, chunks));
        let cancel = Cancel(task.abort_handle());
        let answered = answered.await;
        let ended = || SendError::Broken("the HTTP client ended the request".to_owned());
        let (url, head) = answered.map_err(|_| ended())??;
        Ok(Incoming { status: head.status, headers: head.headers, url, body, _request: cancel })
    }
}

impl Incoming {
    /// The next piece of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, SendError>> {
        self.body.next().await
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

#[cfg(test)]
mod tests;
