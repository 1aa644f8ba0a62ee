//! An install: a container in which commands run one after another, and which becomes an image.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use caisson_wire::{Command, Exit, Launch, LaunchFile, Mode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
};

use super::{
    Plan, PlanKind, SandboxError, SessionError, StartError,
    link::{Link, LinkParts},
    logs::Logs,
    outbound::{Outbound, OutboundParts, told},
    process::{Fate, Process},
    start::{Common, GRACE},
    traffic::Book,
};
use crate::{
    audit::Phase,
    egress::HostRules,
    model::{HostRule, ServerName},
};

/// Bytes kept of each of a command's outputs; of a longer one, the end.
const MOST_OUTPUT: usize = 4 << 20;

/// An open install. When dropped without [`Install::end`], its container ends as well.
pub struct Install {
    server: ServerName,
    link: Arc<Link>,
    common: Arc<Common>,
    /// The hosts it may reach; held, since they are in force while this lives.
    _rules: watch::Sender<Arc<HostRules>>,
}

/// How a command of an install went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// The end of what it wrote to standard output, at most 4 MiB.
    pub stdout: Vec<u8>,
    /// The end of what it wrote to standard error, at most 4 MiB.
    pub stderr: Vec<u8>,
}

/// Keeps the end of what is pushed.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        // Cut in large steps, so that a flood does not move every byte every time.
        if self.0.len() > 2 * MOST_OUTPUT {
            self.0.drain(..self.0.len() - MOST_OUTPUT);
        }
    }

    fn take(mut self) -> Vec<u8> {
        let over = self.0.len().saturating_sub(MOST_OUTPUT);
        self.0.drain(..over);
        self.0
    }
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
        if plan.kind() != PlanKind::Install {
            let cause = Arc::new(StartError::Airlock("the plan is not one of an install".to_owned()));
            return Err(SandboxError::Start { server, cause });
        }
        common.sweep().await;
        let failed = |cause| SandboxError::Start { server: server.clone(), cause: Arc::new(cause) };
        let limits = plan.process_limits();
        let vessel = common.run(plan).await.map_err(failed)?;
        let container = vessel.hull.id();
        let (sender, rules) = watch::channel(Arc::new(HostRules::allowing(hosts)));
        let logs = Logs::new(common.clock);
        let launch = Launch {
            mode: Mode::Exec,
            command: Command { argv: Vec::new(), env: BTreeMap::new(), cwd: None },
            files,
            egress: told(&rules.borrow().clone()),
            limits,
            grace_ms: u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX),
        };
        let outbound = Outbound::new(OutboundParts {
            server: server.clone(),
            phase: Phase::Install,
            egress: common.egress.clone(),
            rules,
            events: common.events.clone(),
            audit: common.audit.clone(),
            logs: logs.clone(),
            book: Book::new(common.clock),
        });
        let link = match Link::launch(vessel, launch, LinkParts { logs, outbound }).await {
            Ok(link) => link,
            Err(cause) => {
                common.dock.remove(&container).await;
                return Err(failed(cause));
            }
        };
        Ok(Self { server, link, common, _rules: sender })
    }

    /// Runs a command to its end. `on_output` is told what it writes, of both outputs, as it comes. When this
    /// is cancelled, the command is killed.
    ///
    /// # Errors
    /// When the command cannot be started or the container ends before it.
    pub async fn exec(
        &self,
        command: Command,
        mut on_output: impl FnMut(&[u8]) + Send,
    ) -> Result<Output, SandboxError> {
        let ended = |error: SessionError| SandboxError::Ended {
            server: self.server.clone(),
            reason: error.to_string(),
        };
        let (tap, mut errors) = mpsc::channel::<Bytes>(16);
        let (mut stream, process) = self.link.exec(command, tap).await.map_err(ended)?;
        let mut killer = Killer { link: Some(self.link.clone()), process: &process };
        // Nothing is typed into an install.
        drop(stream.shutdown().await);
        let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
        let mut chunk = vec![0; 16 << 10];
        let mut open = true;
        let mut end = std::pin::pin!(process.end());
        let mut link_end = self.link.end();
        let fate = loop {
            tokio::select! {
                biased;
                Some(bytes) = errors.recv() => {
                    on_output(&bytes);
                    stderr.push(&bytes);
                }
                read = stream.read(&mut chunk), if open => match read {
                    Ok(count) if count > 0 => {
                        on_output(&chunk[..count]);
                        stdout.push(&chunk[..count]);
                    }
                    Ok(_) | Err(_) => open = false,
                },
                fate = &mut end, if !open => break fate,
                Ok(_) = link_end.wait_for(Option::is_some) => break None,
            }
        };
        killer.link = None;
        while let Ok(bytes) = errors.try_recv() {
            on_output(&bytes);
            stderr.push(&bytes);
        }
        match fate {
            Some(Fate::Exited(exit)) => Ok(Output { exit, stdout: stdout.take(), stderr: stderr.take() }),
            Some(Fate::NotStarted(why)) => Err(ended(SessionError::Ended(why))),
            None => Err(ended(SessionError::Ended(self.link.ended().await.reason))),
        }
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
        let committed = self.common.dock.commit(&self.link.container(), tag, labels).await;
        committed.map_err(|cause| SandboxError::Engine(Arc::new(cause)))
    }

    /// Ends the container and removes it.
    pub async fn end(self) {
        self.link.stop(GRACE).await;
        self.common.dock.remove(&self.link.container()).await;
    }
}

/// Kills a command that nobody waits for any more.
struct Killer<'a> {
    link: Option<Arc<Link>>,
    process: &'a Process,
}

impl Drop for Killer<'_> {
    fn drop(&mut self) {
        if let (Some(link), Ok(runtime)) = (self.link.take(), tokio::runtime::Handle::try_current()) {
            let process = self.process.id();
            runtime.spawn(async move { link.kill(process).await });
        }
    }
}

impl Drop for Install {
    fn drop(&mut self) {
        let (dock, container) = (self.common.dock.clone(), self.link.container());
        // The container is not removed by the engine, since it was to be committed. Without a runtime, the next
        // start of Caisson sweeps it away.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { dock.remove(&container).await });
        }
    }
}

impl std::fmt::Debug for Install {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Install").field("server", &self.server).finish_non_exhaustive()
    }
}
