//! The attached standard input and output of a container, as one stream of bytes each way.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bollard::container::{AttachContainerResults, LogOutput};
use bytes::{Buf as _, Bytes};
use futures::{Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};

/// So many pieces of standard error wait for a reader; more are dropped.
const DIAGNOSTICS: usize = 64;

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// The container's standard input (written to) and output (read from). Shutting down the writing side ends
/// the container's input; dropping the attachment does so too.
pub(super) struct Attachment {
    output: Output,
    input: Pin<Box<dyn AsyncWrite + Send>>,
    /// What came and has not been read yet.
    rest: Bytes,
    diagnostics: mpsc::Sender<Bytes>,
}

impl Attachment {
    /// The attachment, and the other end of standard error. It moves only while the attachment is read.
    pub(super) fn new(attached: AttachContainerResults) -> (Self, mpsc::Receiver<Bytes>) {
        let AttachContainerResults { output, input } = attached;
        let (diagnostics, receiver) = mpsc::channel(DIAGNOSTICS);
        (Self { output, input, rest: Bytes::new(), diagnostics }, receiver)
    }

    /// Holds the container's input open and moves its standard error, until the container ends.
    pub(super) async fn hold(mut self) {
        // Nothing comes on standard output: it leads nowhere once the airlock speaks elsewhere.
        drop(tokio::io::copy(&mut self, &mut tokio::io::sink()).await);
    }
}

impl AsyncRead for Attachment {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            match ready!(this.output.poll_next_unpin(context)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(LogOutput::StdOut { message })) => this.rest = message,
                // Podman sends standard error even to those who asked for output alone.
                Some(Ok(LogOutput::StdErr { message })) => drop(this.diagnostics.try_send(message)),
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Ok(LogOutput::Console { .. })) => {
                    let why = "the engine sent bytes that belong to no stream, or cut one short";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            }
        }
        let count = this.rest.len().min(into.remaining());
        into.put_slice(&this.rest[..count]);
        this.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Attachment {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().input.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().input.as_mut().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().input.as_mut().poll_shutdown(context)
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    fn pipe(frames: Vec<LogOutput>) -> (Attachment, mpsc::Receiver<Bytes>) {
        let output = Box::pin(stream::iter(frames.into_iter().map(Ok)));
        Attachment::new(AttachContainerResults { output, input: Box::pin(tokio::io::sink()) })
    }

    #[tokio::test]
    async fn streams_are_told_apart() {
        let out = |text: &'static str| LogOutput::StdOut { message: Bytes::from(text) };
        let err = |text: &'static str| LogOutput::StdErr { message: Bytes::from(text) };
        let (mut pipe, mut diagnostics) = pipe(vec![out("one "), err("oops"), out(""), out("two")]);
        let mut read = String::new();
        pipe.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "one two");
        assert_eq!(diagnostics.recv().await.as_deref(), Some(&b"oops"[..]));
    }

    #[tokio::test]
    async fn standard_error_that_nobody_reads_is_dropped() {
        let err = LogOutput::StdErr { message: Bytes::from_static(b"x") };
        let (mut pipe, diagnostics) = pipe(vec![err; 1000]);
        assert_eq!(pipe.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(diagnostics.len(), DIAGNOSTICS);
    }

    #[tokio::test]
    async fn bytes_of_no_stream_are_an_error() {
        let (mut pipe, _diagnostics) =
            pipe(vec![LogOutput::Console { message: Bytes::from_static(b"HTTP") }]);
        assert_eq!(pipe.read(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
