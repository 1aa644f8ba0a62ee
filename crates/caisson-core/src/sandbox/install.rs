//! An install: a container in which commands run one after another, and which becomes an image.

use std::{collections::BTreeMap, sync::Arc};

use caisson_wire::{Command, LaunchFile};

use super::{
    Plan, PlanKind, SandboxError, StartError,
    exec::{ExecContainer, Output},
    start::Common,
};
use crate::{audit::Phase, model::HostRule};

/// An open install. When dropped without [`Install::end`], its container ends as well.
#[derive(Debug)]
pub struct Install {
    container: ExecContainer,
    common: Arc<Common>,
}

impl Install {
    /// Brings up the container of an install, which may reach `hosts` and finds `files` inside.
    pub(super) async fn begin(
        common: Arc<Common>,
        plan: Plan,
        hosts: Vec<HostRule>,
        files: Vec<LaunchFile>,
    ) -> Result<Self, SandboxError> {
        let server = plan.server().clone();
        if plan.kind() == PlanKind::Server {
            let cause = Arc::new(StartError::Airlock("the plan is one of a server".to_owned()));
            return Err(SandboxError::Start { server, cause });
        }
        let events = common.events.clone();
        let container =
            ExecContainer::begin(common.clone(), plan, hosts, files, Phase::Install, events).await?;
        Ok(Self { container, common })
    }

    /// Runs a command to its end. `on_output` is told what it writes, of both outputs, as it comes. When this
    /// is cancelled, the command is killed.
    ///
    /// # Errors
    /// When the command cannot be started or the container ends before it.
    pub async fn exec(
        &self,
        command: Command,
        on_output: impl FnMut(&[u8]) + Send,
    ) -> Result<Output, SandboxError> {
        self.container.exec(command, None, on_output).await
    }

    /// Makes an image of the container as it is, and names it `tag`. Its content's digest is the answer.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn commit(
        &self,
        tag: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<crate::model::Digest, SandboxError> {
        let committed = self.common.dock.commit(&self.container.container(), tag, labels).await;
        committed.map_err(|cause| SandboxError::Engine(Arc::new(cause)))
    }

    /// The container's id on the engine.
    pub fn container(&self) -> String {
        self.container.container()
    }

    /// Ends the container and removes it.
    pub async fn end(self) {
        self.container.end().await;
    }
}
