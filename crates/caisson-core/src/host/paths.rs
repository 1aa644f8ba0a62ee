use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::model::ServerName;

/// The longest path of a Unix socket that every system takes, in bytes (macOS: 104 with the final NUL).
const LONGEST_SOCKET: usize = 103;

/// Where everything is. The program's edge finds it out, once; nothing else looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder of `settings.toml` and `servers/NAME.toml`.
    pub config: PathBuf,
    /// The folder of `state.sqlite`, `daemon.lock` and logs.
    pub data: PathBuf,
    /// The control socket; on Windows its pipe's name is made from this.
    pub socket: PathBuf,
    /// The folder of `airlock-linux-ARCH` and `example-linux-ARCH`.
    pub artifacts: PathBuf,
    /// The user's home folder.
    pub home: PathBuf,
    /// Where systems keep the certificate authorities they trust; the first that exists counts.
    pub authorities: Vec<PathBuf>,
    /// The environment variables that led here. A client starts the shim with few variables: these must be
    /// among them, or it looks for Caisson elsewhere.
    pub variables: BTreeMap<String, OsString>,
}

/// Why paths cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    /// The user's home folder is not known.
    #[error("the user has no home folder")]
    NoHome,
    /// A path is relative.
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
    /// The socket's path is longer than systems take.
    #[error("the control socket's path is {length} bytes long, and a socket's path may have {LONGEST_SOCKET}: {}", .path.display())]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
}

impl Paths {
    /// Everything under one folder, as `CAISSON_HOME` asks for.
    pub fn under(root: &Path, artifacts: PathBuf, home: PathBuf) -> Self {
        Self {
            config: root.join("config"),
            data: root.join("data"),
            socket: root.join("run").join("control.sock"),
            artifacts,
            home,
            authorities: Vec::new(),
            variables: BTreeMap::new(),
        }
    }

    /// Checks what the system would only refuse later and less clearly.
    ///
    /// # Errors
    /// When a path is relative, or the socket's is too long.
    pub fn check(&self) -> Result<(), PathsError> {
        let all = [&self.config, &self.data, &self.socket, &self.artifacts, &self.home];
        if let Some(relative) = all.into_iter().find(|path| !path.is_absolute()) {
            return Err(PathsError::Relative(relative.clone()));
        }
        let length = self.socket.as_os_str().len();
        if cfg!(unix) && length > LONGEST_SOCKET {
            return Err(PathsError::SocketTooLong { path: self.socket.clone(), length });
        }
        Ok(())
    }

    /// `settings.toml`.
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.toml")
    }

    /// The file of one server.
    pub fn server_file(&self, name: &ServerName) -> PathBuf {
        self.config.join("servers").join(format!("{name}.toml"))
    }

    /// The state's database.
    pub fn state(&self) -> PathBuf {
        self.data.join("state.sqlite")
    }

    /// The record of what happened.
    pub fn audit(&self) -> PathBuf {
        self.data.join("audit.sqlite")
    }

    /// The lock of the one process that owns the state.
    pub fn lock(&self) -> PathBuf {
        self.data.join("daemon.lock")
    }

    /// The folder of the sockets on which containers' pipes are opened.
    pub fn pipes(&self) -> PathBuf {
        self.socket.with_file_name("pipes")
    }

    /// The socket on which agents in containers reach the bridge, alone in its folder, which is mounted into them.
    pub fn agent_socket(&self) -> PathBuf {
        self.socket.with_file_name("bridge").join("mcp.sock")
    }

    /// The log of a daemon that was started in the background.
    pub fn daemon_log(&self) -> PathBuf {
        self.data.join("daemon.log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_that_no_system_takes_is_refused() {
        let long = format!("/tmp/{}", "x".repeat(100));
        let paths = Paths::under(Path::new(&long), "/a".into(), "/h".into());
        assert!(matches!(paths.check(), Err(PathsError::SocketTooLong { length: 122, .. })));
        let paths = Paths::under(Path::new("/tmp/x"), "/a".into(), "/h".into());
        assert_eq!(paths.check(), Ok(()));
        assert!(matches!(
            Paths::under(Path::new("x"), "/a".into(), "/h".into()).check(),
            Err(PathsError::Relative(_))
        ));
    }
}
