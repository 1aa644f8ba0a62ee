use super::{Sandbox, SandboxError};
use crate::{engine::ContainerUse, model::ServerName};

/// How a server's containers have fared since Caisson started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// The container that runs.
    pub running: Option<Running>,
    /// Containers that came up.
    pub starts: u64,
    /// Containers that could not be brought up, or have ended by themselves.
    pub failures: u64,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id on the engine.
    pub container: String,
    /// Since when, in milliseconds since 1970 (UTC).
    pub since: u64,
}

impl Vitals {
    pub(super) fn came_up(&mut self, container: String, since: u64) {
        self.starts += 1;
        self.running = Some(Running { container, since });
    }

    pub(super) fn failed(&mut self) {
        self.failures += 1;
    }

    pub(super) fn is_gone(&mut self) {
        self.running = None;
    }
}

impl Sandbox {
    /// How a server's containers have fared.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn vitals(&self, name: &ServerName) -> Result<Vitals, SandboxError> {
        self.handle(name, |handle| handle.vitals.borrow().clone())
    }

    /// What a container uses at this moment, as the engine counts it.
    pub async fn uses(&self, running: &Running) -> ContainerUse {
        self.0.common.dock.uses(&running.container).await
    }
}
