//! A container in which commands run one after another: nothing else runs in it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use caisson_wire::{Command, Exit, Launch, LaunchFile, Mode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    Plan, SandboxError, SessionError,
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
    model::{EventSender, HostRule, ServerName},
};

/// Bytes kept of each of a command's outputs; of a longer one, the end.
const MOST_OUTPUT: usize = 4 << 20;
/// How long the end of a command that was killed is waited for.
const DYING: Duration = Duration::from_secs(5);

/// An open container for commands. When dropped without [`ExecContainer::end`], it ends as well.
pub(super) struct ExecContainer {
    server: ServerName,
    link: Arc<Link>,
    common: Arc<Common>,
    /// The hosts it may reach; held, since they are in force while this lives.
    _rules: watch::Sender<Arc<HostRules>>,
}

/// How a command went.
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

impl ExecContainer {
    /// Brings up the container of a plan, which may reach `hosts` and finds `files` inside. What it is refused is
    /// told to `events`, and recorded as of this `phase`.
    pub(super) async fn begin(
        common: Arc<Common>,
        plan: Plan,
        hosts: Vec<HostRule>,
        files: Vec<LaunchFile>,
        phase: Phase,
        events: EventSender,
    ) -> Result<Self, SandboxError> {
        let server = plan.server().clone();
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
            sessions: None,
            grace_ms: u64::try_from(GRACE.as_millis()).unwrap_or(u64::MAX),
        };
        let outbound = Outbound::new(OutboundParts {
            server: server.clone(),
            phase,
            egress: common.egress.clone(),
            rules,
            events,
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

    /// Its id on the engine.
    pub(super) fn container(&self) -> String {
        self.link.container()
    }

    /// Runs a command to its end. `on_output` is told what it writes, of both outputs, as it comes. One that has
    /// not ended `within` this time, or when this is cancelled, is killed.
    ///
    /// # Errors
    /// When the command cannot be started, the container ends before it, or it does not die.
    pub(super) async fn exec(
        &self,
        command: Command,
        within: Option<Duration>,
        mut on_output: impl FnMut(&[u8]) + Send,
    ) -> Result<Output, SandboxError> {
        let ended = |error: SessionError| SandboxError::Ended {
            server: self.server.clone(),
            reason: error.to_string(),
        };
        let (tap, mut errors) = mpsc::channel::<Bytes>(16);
        let (mut stream, process) = self.link.exec(command, tap).await.map_err(ended)?;
        let mut killer = Killer { link: Some(self.link.clone()), process: &process };
        // Nothing is typed into it.
        drop(stream.shutdown().await);
        let (mut stdout, mut stderr) = (Tail::default(), Tail::default());
        let mut chunk = vec![0; 16 << 10];
        let mut open = true;
        let mut end = std::pin::pin!(process.end());
        let mut link_end = self.link.end();
        let mut deadline = std::pin::pin!(sleep(within.unwrap_or(Duration::MAX)));
        let mut killed = false;
        let fate = loop {
            tokio::select! {
                biased;
                Some(bytes) = errors.recv() => {
                    on_output(&bytes);
                    stderr.push(&bytes);
                    continue;
                }
                read = stream.read(&mut chunk), if open => {
                    match read {
                        Ok(count) if count > 0 => {
                            on_output(&chunk[..count]);
                            stdout.push(&chunk[..count]);
                        }
                        Ok(_) | Err(_) => open = false,
                    }
                    continue;
                }
                fate = &mut end, if !open => break fate,
                Ok(_) = link_end.wait_for(Option::is_some) => break None,
                () = &mut deadline => {}
            }
            // Its time is up, for the first time or, for one that does not die, the second.
            if killed {
                return Err(ended(SessionError::Ended("a process of it does not die".to_owned())));
            }
            killed = true;
            self.link.kill(process.id()).await;
            deadline.set(sleep(DYING));
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

    /// Whether the container has ended by itself.
    pub(super) fn is_over(&self) -> bool {
        self.link.end().borrow().is_some()
    }

    /// Waits until the container has ended by itself, and says how.
    pub(super) async fn ended(&self) -> String {
        self.link.ended().await.reason
    }

    /// Ends the container and removes it.
    pub(super) async fn end(self) {
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

impl Drop for ExecContainer {
    fn drop(&mut self) {
        let (dock, container) = (self.common.dock.clone(), self.link.container());
        // The engine does not remove one that was to be committed. Without a runtime, the next start of Caisson
        // sweeps it away.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { dock.remove(&container).await });
        }
    }
}

impl std::fmt::Debug for ExecContainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecContainer").field("server", &self.server).finish_non_exhaustive()
    }
}
