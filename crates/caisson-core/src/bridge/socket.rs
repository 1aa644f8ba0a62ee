//! The bridge's Unix socket: for an agent in a container, which is shown the socket's folder and needs no network.
//!
//! Whoever reaches it is still nobody: a token lets in, as on loopback, since a container's user may be any. So the
//! socket itself is open, and the folder can be mounted; but it holds nothing else, and lies in one that is closed to
//! everybody but the user. Another user of this machine reaches it by no path.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::SocketAddr,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::sleep,
};

use super::error::SocketError;

/// Whoever is shown the folder may pass through it and look; the user alone may write.
const FOLDER_MODE: u32 = 0o755;
/// Connecting takes the right to write.
const SOCKET_MODE: u32 = 0o666;

/// How often it is looked whether the socket is still at its place.
const LOOK: Duration = Duration::from_secs(2);

/// The socket, listened on. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    uid: u32,
    /// What tells our file from another that was put in its place: device and inode, which is in use as long as the
    /// listener is.
    file: (u64, u64),
}

impl Socket {
    /// Listens on `path`, whose folder is made where it is missing, inside one that is closed to all but the user
    /// `uid`. Whatever socket is there is replaced: none but the owner of the home may listen on it.
    ///
    /// # Errors
    /// When the path is longer than the system takes, one of the folders is another user's or open to others, the
    /// inner one holds something else, or the system refuses.
    pub(super) fn bind(path: &Path, uid: u32) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        SocketAddr::from_pathname(path).map_err(|source| {
            if source.kind() == io::ErrorKind::InvalidInput {
                SocketError::TooLong { path: path.to_owned(), length: path.as_os_str().len() }
            } else {
                failed(source)
            }
        })?;
        let folder = path.parent().unwrap_or(path);
        let closed = folder.parent().unwrap_or(folder);
        closed_folder(closed, uid, failed)?;
        own_folder(folder, uid, failed)?;
        for found in fs::read_dir(folder).map_err(failed)? {
            let found = found.map_err(failed)?;
            if found.path() != path || !found.file_type().map_err(failed)?.is_socket() {
                return Err(SocketError::NotAlone(found.path()));
            }
        }
        // Made outside of the folder that is mounted: who may write there could put a link in its place, and it would be
        // the file behind that link that is opened to all.
        let made = closed.join(path.file_name().unwrap_or_default());
        match fs::remove_file(&made) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&made).map_err(failed)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
        let file = identity(&made).map_err(failed)?;
        fs::rename(&made, path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), uid, file })
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    /// Returns when it is not at its place any more: who was shown the folder to write in can take it away.
    pub(super) async fn lost(&self) {
        while self.is_there() {
            sleep(LOOK).await;
        }
    }

    /// Listens at its place again.
    ///
    /// # Errors
    /// As for [`Self::bind`].
    pub(super) fn renew(&mut self) -> Result<(), SocketError> {
        *self = Self::bind(&self.path, self.uid)?;
        Ok(())
    }

    fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.file)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What another has put there is not ours to remove.
        if self.is_there()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the bridge's socket was not removed");
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// The folder around the socket's own: through it nobody else gets.
fn closed_folder(
    folder: &Path,
    uid: u32,
    failed: impl Fn(io::Error) -> SocketError,
) -> Result<(), SocketError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&failed)?;
    let found = fs::metadata(folder).map_err(&failed)?;
    if found.uid() != uid {
        return Err(SocketError::Foreign(folder.to_owned()));
    }
    if found.mode() & 0o077 != 0 {
        return Err(SocketError::Open(folder.to_owned()));
    }
    Ok(())
}

/// The socket's own folder. A link in its place would lead the mount elsewhere.
fn own_folder(folder: &Path, uid: u32, failed: impl Fn(io::Error) -> SocketError) -> Result<(), SocketError> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(folder).map_err(&failed)?;
    if !found.is_dir() {
        return Err(SocketError::NotAFolder(folder.to_owned()));
    }
    if found.uid() != uid {
        return Err(SocketError::Foreign(folder.to_owned()));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE)).map_err(&failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener as Std};

    use super::*;

    fn uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    /// A closed folder, and the socket's path in it.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run/bridge/mcp.sock");
        (root, path)
    }

    #[tokio::test]
    async fn it_is_open_in_a_folder_of_its_own_behind_a_closed_one() {
        let (root, path) = place();
        let socket = Socket::bind(&path, uid()).unwrap();
        assert_eq!((mode(&root.path().join("run")), mode(path.parent().unwrap())), (0o700, 0o755));
        assert_eq!(mode(&path), 0o666);
        for (folder, holds) in [("run", "bridge"), ("run/bridge", "mcp.sock")] {
            let found = fs::read_dir(root.path().join(folder)).unwrap();
            let names: Vec<_> = found.map(|found| found.unwrap().file_name()).collect();
            assert_eq!(names, [holds]);
        }
        drop(socket);
        assert!(!path.exists());
        // One that a crash has left, and one that somebody else listens on.
        drop(Std::bind(&path).unwrap());
        assert!(path.exists());
        drop(Socket::bind(&path, uid()).unwrap());
        let impostor = Std::bind(&path).unwrap();
        let socket = Socket::bind(&path, uid()).unwrap();
        let (heard, _) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        assert!(heard.is_ok());
        drop(impostor);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_its_place_is_noticed_and_goes() {
        let (_root, path) = place();
        let mut socket = Socket::bind(&path, uid()).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(60), socket.lost()).await.is_err());
        fs::remove_file(&path).unwrap();
        let impostor = Std::bind(&path).unwrap();
        socket.lost().await;
        socket.renew().unwrap();
        let (heard, _) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        assert!(heard.is_ok());
        drop(impostor);
        // What was put there at the very end is not ours to remove.
        fs::remove_file(&path).unwrap();
        let other = Std::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(other);
    }

    #[tokio::test]
    async fn what_would_show_more_or_let_others_in_is_refused() {
        let refused = |prepare: &dyn Fn(&Path), uid: u32| {
            let (root, path) = place();
            fs::DirBuilder::new().mode(0o700).create(root.path().join("run")).unwrap();
            prepare(&root.path().join("run"));
            Socket::bind(&path, uid).map(drop).unwrap_err()
        };
        let open = |run: &Path| fs::set_permissions(run, fs::Permissions::from_mode(0o711)).unwrap();
        assert!(matches!(refused(&open, uid()), SocketError::Open(_)));
        assert!(matches!(refused(&|_| {}, uid() + 1), SocketError::Foreign(_)));
        let link = |run: &Path| symlink("/tmp", run.join("bridge")).unwrap();
        assert!(matches!(refused(&link, uid()), SocketError::NotAFolder(_)));
        let beside = |run: &Path| {
            fs::create_dir(run.join("bridge")).unwrap();
            drop(fs::File::create(run.join("bridge/control.sock")).unwrap());
        };
        assert!(matches!(refused(&beside, uid()), SocketError::NotAlone(_)));
        let file = |run: &Path| {
            fs::create_dir(run.join("bridge")).unwrap();
            symlink("/etc/passwd", run.join("bridge/mcp.sock")).unwrap();
        };
        assert!(matches!(refused(&file, uid()), SocketError::NotAlone(_)));

        let long = tempfile::tempdir().unwrap().path().join("x".repeat(100)).join("mcp.sock");
        let error = Socket::bind(&long, uid()).map(drop).unwrap_err();
        assert!(matches!(&error, SocketError::TooLong { .. }), "{error}");
        assert!(!long.parent().unwrap().exists(), "nothing was made");
    }
}
