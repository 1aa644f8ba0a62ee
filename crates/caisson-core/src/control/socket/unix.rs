use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream as StdStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::{
    UnixListener, UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::SocketError;

pub(crate) type ReadHalf = OwnedReadHalf;
pub(crate) type WriteHalf = OwnedWriteHalf;

/// Listens on a Unix socket, 0600 in a 0700 folder. The socket goes when this is dropped.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    path: PathBuf,
    uid: u32,
}

impl Listener {
    /// Listens on `path` for processes of the user `uid`. A socket that nobody answers on is replaced.
    ///
    /// # Errors
    /// When someone answers there, something else is in the way, or the system refuses.
    pub fn bind(path: &Path, uid: u32) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            own_folder(folder, uid, failed)?;
        }
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(SocketError::NotASocket(path.to_owned()));
            }
            if StdStream::connect(path).is_ok() {
                return Err(SocketError::Taken(path.to_owned()));
            }
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), uid })
    }

    /// The next connection of the same user. Others are turned away without a word.
    ///
    /// # Errors
    /// When the system cannot accept, for example because no file descriptor is left.
    pub(crate) async fn accept(&mut self) -> io::Result<(ReadHalf, WriteHalf)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.uid => return Ok(stream.into_split()),
                Ok(peer) => {
                    tracing::warn!(uid = peer.uid(), "turned away another user on the control socket")
                }
                Err(error) => tracing::warn!(%error, "turned away a peer whose user is not known"),
            }
        }
    }
}

#[cfg(test)]
impl Listener {
    pub(crate) fn pretend_uid(&mut self, uid: u32) {
        self.uid = uid;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was not removed");
        }
    }
}

/// Makes `folder` if it is missing; it must be the user's own and is closed to everyone else.
fn own_folder(folder: &Path, uid: u32, failed: impl Fn(io::Error) -> SocketError) -> Result<(), SocketError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
    let found = fs::metadata(folder).map_err(&failed)?;
    if found.uid() != uid {
        return Err(SocketError::ForeignFolder(folder.to_owned()));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(&failed)?;
    }
    Ok(())
}

pub(crate) async fn connect(path: &Path) -> io::Result<(ReadHalf, WriteHalf)> {
    Ok(UnixStream::connect(path).await?.into_split())
}
