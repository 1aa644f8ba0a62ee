use std::{ffi::OsString, io, path::Path, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::{
    io::{ReadHalf as Half, WriteHalf as OtherHalf, split},
    net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions},
};

use super::SocketError;

/// `ERROR_PIPE_BUSY`: every instance has a client; the next one comes in a moment.
const PIPE_BUSY: i32 = 231;

pub(crate) type ReadHalf = Half<Ends>;
pub(crate) type WriteHalf = OtherHalf<Ends>;

/// Either end of a named pipe.
#[derive(Debug)]
pub(crate) enum Ends {
    Server(NamedPipeServer),
    Client(NamedPipeClient),
}

/// Listens on a named pipe. Windows' default rights let only its owner, administrators and the system write
/// to it, and a client must be able to write to connect.
#[derive(Debug)]
pub struct Listener {
    name: OsString,
    next: NamedPipeServer,
}

impl Listener {
    /// Listens on the pipe that belongs to `path`.
    ///
    /// # Errors
    /// When another process has that pipe, or the system refuses.
    pub fn bind(path: &Path, _uid: u32) -> Result<Self, SocketError> {
        let name = pipe_name(path);
        // The first instance or none: nobody can have put a pipe of the same name in our place.
        let options =
            ServerOptions::new().first_pipe_instance(true).reject_remote_clients(true).create(&name);
        let next = options.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => SocketError::Taken(path.to_owned()),
            _ => SocketError::Io { path: path.to_owned(), source },
        })?;
        Ok(Self { name, next })
    }

    pub(crate) async fn accept(&mut self) -> io::Result<(ReadHalf, WriteHalf)> {
        self.next.connect().await?;
        let next = ServerOptions::new().reject_remote_clients(true).create(&self.name)?;
        Ok(split(Ends::Server(std::mem::replace(&mut self.next, next))))
    }
}

pub(crate) async fn connect(path: &Path) -> io::Result<(ReadHalf, WriteHalf)> {
    let name = pipe_name(path);
    let mut tries = 0;
    loop {
        match ClientOptions::new().open(&name) {
            Ok(client) => return Ok(split(Ends::Client(client))),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) && tries < 100 => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Pipes stand in one flat namespace: a digest of the path keeps two homes apart.
fn pipe_name(path: &Path) -> OsString {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let hex: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!(r"\\.\pipe\caisson-{hex}").into()
}

mod io_impl {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Ends;

    macro_rules! forward {
        ($self:ident, $end:ident => $call:expr) => {
            match $self.get_mut() {
                Ends::Server($end) => $call,
                Ends::Client($end) => $call,
            }
        };
    }

    impl AsyncRead for Ends {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            forward!(self, end => Pin::new(end).poll_read(cx, buf))
        }
    }

    impl AsyncWrite for Ends {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            forward!(self, end => Pin::new(end).poll_write(cx, buf))
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            forward!(self, end => Pin::new(end).poll_flush(cx))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            forward!(self, end => Pin::new(end).poll_shutdown(cx))
        }
    }
}
