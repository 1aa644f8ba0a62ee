use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
};

/// How the host has stopped sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It has sent all it will.
    Ended,
    /// It has let go of the stream.
    Gone,
}

/// Feeds a process what the host sends, and returns when the host sends no more.
///
/// A process that closed its input gets no more, but the host is read on, so that it never waits for a
/// reader that has gone.
pub(crate) async fn feed(mut from: impl AsyncRead + Unpin, to: pipe::Sender) -> Silence {
    let mut to = Some(to);
    let mut buffer = vec![0; 32 << 10];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => return Silence::Ended,
            Ok(read) => read,
            Err(_) => return Silence::Gone,
        };
        if let Some(process) = &mut to
            && process.write_all(&buffer[..read]).await.is_err()
        {
            to = None;
        }
    }
}
