//! The engines under test. `scripts/test` starts them and names their sockets in the environment.

use std::path::PathBuf;

/// An engine, and the user Caisson runs as on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestEngine {
    /// Podman as root.
    Podman,
    /// Docker as root.
    Docker,
    /// Podman as the user `caisson-test`; Caisson then runs as that user too.
    Rootless,
}

impl TestEngine {
    /// The environment variable that names its socket.
    fn variable(self) -> &'static str {
        match self {
            Self::Podman => "CAISSON_TEST_PODMAN",
            Self::Docker => "CAISSON_TEST_DOCKER",
            Self::Rootless => "CAISSON_TEST_ROOTLESS",
        }
    }

    /// The user whose Caisson uses it, where that is not the one who runs the tests.
    pub fn user(self) -> Option<&'static str> {
        match self {
            Self::Podman | Self::Docker => None,
            Self::Rootless => Some("caisson-test"),
        }
    }

    /// Its socket; none, loudly, where it does not run.
    ///
    /// # Panics
    /// In CI: there it must run.
    pub fn socket(self) -> Option<PathBuf> {
        let variable = self.variable();
        let socket = std::env::var_os(variable).map(|at| {
            let at = at.to_string_lossy().into_owned();
            PathBuf::from(at.strip_prefix("unix://").unwrap_or(&at))
        });
        if socket.is_none() {
            assert!(std::env::var_os("CI").is_none(), "{variable} is not set: in CI this engine must run");
            eprintln!("SKIPPED: {variable} is not set, so nothing was tested on {self:?}; use `make test`");
        }
        socket
    }
}
