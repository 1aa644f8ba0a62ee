//! Running a plan: create, attach, start, in this order, and nothing left behind when one of them fails.

use std::{fmt, time::Duration};

use bollard::{
    models::ContainerCreateBody,
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, KillContainerOptionsBuilder,
        RemoveContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::{
    Engine, EngineError, EngineKind, Owner, Pipe,
    airlock::AirlockVolume,
    attachment::Attachment,
    client::{QUICK, SLOW},
    create::{Profile, body},
    error::{meaning, tidy},
    meeting::Meeting,
};
use crate::{egress::Hatch, sandbox::Plan};

/// A container's id, as the engine gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerId(String);

impl ContainerId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ContainerId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A running container: take it apart, since its pipe is used elsewhere than its handle.
#[derive(Debug)]
pub struct Container {
    /// Its standard input and output, or what takes their place.
    pub pipe: Box<dyn Pipe>,
    /// Where its airlock is handed sockets; none where it is on a kernel of its own.
    pub hatch: Option<Hatch>,
    /// Its standard error: the airlock's own diagnostics. What nobody reads is dropped.
    pub diagnostics: mpsc::Receiver<Bytes>,
    /// Its life.
    pub handle: ContainerHandle,
}

/// The life of a running container. Clones speak of the same one.
#[derive(Clone, Debug)]
pub struct ContainerHandle {
    id: ContainerId,
    engine: Engine,
    exit: watch::Receiver<Option<Exit>>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code of its first process, where the engine told it: 128 and the signal's number when a signal
    /// ended it.
    pub code: Option<i64>,
    /// Whether memory ran out within it. Podman tells it only of the first process.
    pub out_of_memory: bool,
    /// Why there is no code: the engine went away, or forgot the container at once.
    pub lost: Option<String>,
}

/// So long, and longer with each try, a container that ends at the moment is waited for.
const ENDING: Duration = Duration::from_millis(200);

impl Engine {
    /// Runs a plan: makes sure of the airlock's volume and the plan's own, creates the container, attaches to
    /// it, starts it. Never pulls. When the caller gives up, or anything fails, no container is left.
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when the image is not there, and what else may go wrong.
    pub async fn run(&self, plan: &Plan) -> Result<Container, EngineError> {
        let Some(image) = self.image(plan.image().as_str()).await? else {
            return Err(EngineError::NotFound(format!(
                "the image {} of {}; install it again",
                plan.image(),
                plan.server()
            )));
        };
        let (airlock, profile) = self.airlock_for(plan).await?;
        for volume in plan.volumes() {
            self.ensure_volume(&volume.name, plan.labels(), Some(Owner::of(plan))).await?;
        }
        let body = |meeting: Option<&Meeting>| {
            body(plan, self.facts().kind, &airlock, &profile, &image.volumes, meeting.map(Meeting::folder))
        };
        let name = plan.container_name();
        let meetings = &self.0.meetings;
        if let Some(meeting) = meetings.prepare(plan, self.facts()) {
            match self.detached(name.clone(), body(Some(&meeting)), Some(meeting)).await {
                // An engine with a view of its own of the machine's folders.
                Err(EngineError::Refused { .. } | EngineError::NotFound(_)) if meetings.suspect() => {}
                launched => return launched,
            }
        }
        self.detached(name, body(None), None).await
    }

    /// Launches to the end, whether or not the caller gives up: dropped in the middle, a request may still have
    /// created its container.
    async fn detached(
        &self,
        name: String,
        body: ContainerCreateBody,
        meeting: Option<Meeting>,
    ) -> Result<Container, EngineError> {
        let engine = self.clone();
        let launched = tokio::spawn(async move { engine.launch(&name, body, meeting).await });
        launched
            .await
            .map_err(|error| EngineError::Refused { action: "running", text: tidy(&error.to_string()) })?
    }

    async fn airlock_for(&self, plan: &Plan) -> Result<(AirlockVolume, Profile), EngineError> {
        match self.facts().kind {
            EngineKind::Docker => Ok((self.airlock_with(None).await?.0, Profile::Inline)),
            EngineKind::Podman => {
                let (airlock, path) = self.airlock_with(Some(plan.seccomp())).await?;
                Ok((airlock, path.map_or(Profile::Inline, Profile::Path)))
            }
        }
    }

    async fn launch(
        &self,
        name: &str,
        body: ContainerCreateBody,
        meeting: Option<Meeting>,
    ) -> Result<Container, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let created = self.docker().create_container(Some(options), body);
        let id = ContainerId::from(self.call("creating a container", SLOW, created).await?.id);
        let started = self.attach_and_start(&id, meeting).await;
        if started.is_err()
            && let Err(error) = self.remove(&id).await
        {
            tracing::warn!(%id, %error, "could not remove a container that did not start");
        }
        started
    }

    async fn attach_and_start(
        &self,
        id: &ContainerId,
        meeting: Option<Meeting>,
    ) -> Result<Container, EngineError> {
        let handle = self.watch(id);
        let options =
            AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
        let attach = self.docker().attach_container(id.as_str(), Some(options));
        let (attachment, diagnostics) =
            Attachment::new(self.call("attaching to a container", QUICK, attach).await?);
        self.call("starting a container", SLOW, self.docker().start_container(id.as_str(), None)).await?;
        let (pipe, hatch) = match meeting {
            Some(meeting) => self.meet(meeting, attachment, &handle).await,
            None => (Box::new(attachment) as Box<dyn Pipe>, None),
        };
        Ok(Container { pipe, hatch, diagnostics, handle })
    }

    /// The socket on which the airlock was met, or else the attachment.
    async fn meet(
        &self,
        meeting: Meeting,
        attachment: Attachment,
        handle: &ContainerHandle,
    ) -> (Box<dyn Pipe>, Option<Hatch>) {
        let met = tokio::select! {
            met = meeting.meet() => met,
            // Its last words come over the attachment.
            _ended = handle.wait() => return (Box::new(attachment), None),
        };
        self.0.meetings.remember(met.is_some());
        match met {
            Some(met) => {
                tokio::spawn(attachment.hold());
                met
            }
            None => (Box::new(attachment), None),
        }
    }

    /// Waits for a container's end from before it starts: one that ends at once, and is removed, is not missed.
    fn watch(&self, id: &ContainerId) -> ContainerHandle {
        let (sender, exit) = watch::channel(None);
        let (engine, watched) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let exit = tokio::select! {
                exit = engine.exit_of(&watched) => exit,
                () = sender.closed() => return,
            };
            sender.send_replace(Some(exit));
        });
        ContainerHandle { id: id.clone(), engine: self.clone(), exit }
    }

    async fn exit_of(&self, id: &ContainerId) -> Exit {
        let options = WaitContainerOptionsBuilder::new().condition("next-exit").build();
        let mut waiting = self.docker().wait_container(id.as_str(), Some(options));
        let (code, lost) = match waiting.next().await {
            Some(Ok(answer)) => (Some(answer.status_code), None),
            // bollard's word for a code other than 0.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, error }))
                if error.is_empty() =>
            {
                (Some(code), None)
            }
            Some(Err(error)) => {
                let error = self.failed(meaning(self.address(), "waiting for a container's end", error));
                (None, Some(error.to_string()))
            }
            None => (None, Some("the engine said nothing of it".to_owned())),
        };
        Exit { code, out_of_memory: self.ran_out_of_memory(id).await, lost }
    }

    /// Whether memory ran out in a container; false for one that is gone already.
    pub(super) async fn ran_out_of_memory(&self, id: &ContainerId) -> bool {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Inspected {
            state: State,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct State {
            #[serde(rename = "OOMKilled")]
            out_of_memory: bool,
        }
        let path = format!("/v{}/containers/{id}/json", self.facts().api_version);
        let inspected = self.read::<Inspected>("inspecting a container", &path).await;
        inspected.is_ok_and(|inspected| inspected.state.out_of_memory)
    }

    /// What the engine says of a container, in its own words: for judging, not for running.
    ///
    /// # Errors
    /// When the engine does not know it.
    pub async fn inspect(&self, id: &ContainerId) -> Result<serde_json::Value, EngineError> {
        let path = format!("/v{}/containers/{id}/json", self.facts().api_version);
        self.read("inspecting a container", &path).await
    }

    /// Kills a container's processes. One that is not running is no error.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn kill(&self, id: &ContainerId) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
        match self
            .call("killing a container", QUICK, self.docker().kill_container(id.as_str(), Some(options)))
            .await
        {
            Err(EngineError::NotFound(_)) => Ok(()),
            // Docker's and Podman's words of one that has ended.
            Err(EngineError::Refused { text, .. })
                if text.contains("not running") || text.contains("state improper") =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// Removes a container, killing it first. One that is not there is no error.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn remove(&self, id: &ContainerId) -> Result<(), EngineError> {
        let mut tries = 0;
        loop {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let removed = self.docker().remove_container(id.as_str(), Some(options));
            match self.call("removing a container", SLOW, removed).await {
                Err(EngineError::NotFound(_)) => return Ok(()),
                // Docker's "removal of container … is already in progress".
                Err(EngineError::InUse(text)) if text.contains("already in progress") => return Ok(()),
                // Podman, of a container that ends at this very moment: "container state improper".
                Err(EngineError::Refused { text, .. }) if text.contains("state improper") && tries < 5 => {
                    tries += 1;
                    tokio::time::sleep(ENDING * tries).await;
                }
                other => return other,
            }
        }
    }
}

impl ContainerHandle {
    /// The container's id.
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Waits until the container has ended.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit.wait_for(Option::is_some).await.map(|exit| exit.clone());
        let lost = || Exit { code: None, out_of_memory: false, lost: Some("Caisson is ending".to_owned()) };
        ended.ok().flatten().unwrap_or_else(lost)
    }

    /// Asks the container's first process to end, and kills what is left after `grace` (rounded up to seconds).
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn stop(&self, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stop = self.engine.docker().stop_container(self.id.as_str(), Some(options));
        match self.engine.call("stopping a container", grace.saturating_add(QUICK), stop).await {
            Err(EngineError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Kills the container at once.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn kill(&self) -> Result<(), EngineError> {
        self.engine.kill(&self.id).await
    }

    /// Removes the container, whether it runs or not; for plans that do not remove themselves.
    ///
    /// # Errors
    /// When the engine cannot.
    pub async fn remove(&self) -> Result<(), EngineError> {
        self.engine.remove(&self.id).await
    }

    /// Whether memory ran out within it, as far as the engine knows while it runs (Docker does).
    pub async fn ran_out_of_memory(&self) -> bool {
        self.engine.ran_out_of_memory(&self.id).await
    }
}
