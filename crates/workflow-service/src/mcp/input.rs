//! The input of a client, which tells when it ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;

/// A reader that sets a flag at its end, so that tools that wait for runs do not keep the session open.
pub(super) struct Input<R> {
    reader: R,
    closing: watch::Sender<bool>,
}

impl<R> Input<R> {
    pub(super) fn new(reader: R, closing: watch::Sender<bool>) -> Self {
        Self { reader, closing }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Input<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(context, buffer));
        if read.is_err() || (buffer.filled().len() == before && buffer.remaining() > 0) {
            self.closing.send_replace(true);
        }
        Poll::Ready(read)
    }
}
