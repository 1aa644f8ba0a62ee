use std::{io, path::PathBuf, sync::Arc};

use super::{AuthoritiesError, FolderError, PlanError};
use crate::{
    engine::EngineError,
    model::{Digest, ServerName, SnapshotName},
    secrets::SecretError,
};

/// Why the sandbox did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SandboxError {
    /// No server of this name is installed.
    #[error("no server is called {0}; `caisson list` shows those there are")]
    NoSuchServer(ServerName),
    /// All servers are paused.
    #[error("all servers are paused; `caisson resume` lets them run again")]
    Paused,
    /// The permit is for something else.
    #[error("the permit is not for this; nothing was done")]
    WrongPermit,
    /// The server could not be started.
    #[error("{server} could not be started: {cause}")]
    Start {
        /// The server.
        server: ServerName,
        /// Why.
        cause: Arc<StartError>,
    },
    /// The server failed too often, and is not tried again by itself.
    #[error(
        "{server} failed too often and is not started again by itself; `caisson start {server}` tries again. Last: {reason}"
    )]
    GaveUp {
        /// The server.
        server: ServerName,
        /// Why it failed last.
        reason: String,
    },
    /// The server was stopped before it could do what was asked.
    #[error("{0} was stopped")]
    Stopped(ServerName),
    /// It has as many sessions as it may.
    #[error("{server} has {sessions} sessions open, the most there may be; end one of them")]
    Full {
        /// The server.
        server: ServerName,
        /// How many.
        sessions: usize,
    },
    /// It has no workspace.
    #[error("{0} has no workspace; add [permissions.workspace] to its file, or install it with --workspace")]
    NoWorkspace(ServerName),
    /// It has no snapshot of this name.
    #[error("{server} has no snapshot {snapshot}; `caisson workspace snapshots {server}` shows those it has")]
    NoSnapshot {
        /// The server.
        server: ServerName,
        /// The snapshot.
        snapshot: SnapshotName,
    },
    /// It has a snapshot of this name.
    #[error("{server} has a snapshot {snapshot} already; choose another name, or drop that one first")]
    SnapshotExists {
        /// The server.
        server: ServerName,
        /// The snapshot.
        snapshot: SnapshotName,
    },
    /// Its files are in use.
    #[error("{0} is running, and its output cannot be taken from under it; `caisson stop {0}` first")]
    Running(ServerName),
    /// There is no folder to collect into.
    #[error(
        "no folder was chosen for the output of {0}; name one with --to, or write `output` under [permissions.workspace]"
    )]
    NoDestination(ServerName),
    /// The folder to collect into cannot be written.
    #[error("no folder can be made in \"{}\": {cause}", .folder.display().to_string().escape_debug())]
    Destination {
        /// The folder the user chose.
        folder: PathBuf,
        /// What the system says.
        cause: Arc<io::Error>,
    },
    /// Files could not be copied.
    #[error("the files of {server} could not be copied: {why}")]
    Copy {
        /// The server.
        server: ServerName,
        /// Why.
        why: String,
    },
    /// Its container has ended.
    #[error("{server} has ended: {reason}")]
    Ended {
        /// The server.
        server: ServerName,
        /// Why.
        reason: String,
    },
    /// The engine did not do what was asked: no commit, no removal.
    #[error("{0}")]
    Engine(Arc<StartError>),
    /// Caisson is shutting down.
    #[error("Caisson is shutting down")]
    ShutDown,
}

/// Why a container could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A granted folder is missing or refused.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was granted is not possible on this engine.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The engine could not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image is gone.
    #[error("the engine has no image {} any more; install the server again", .0.short())]
    NoImage(Digest),
    /// A secret has no value yet, or cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The certificate authorities it was to trust could not be read.
    #[error(transparent)]
    Authorities(#[from] AuthoritiesError),
    /// The airlock could not launch the server: no such program, a file it cannot write.
    #[error("the airlock could not launch it: {0}")]
    Launch(String),
    /// The airlock did not do its part.
    #[error("{0}")]
    Airlock(String),
    /// It took too long.
    #[error("it was not ready within {0} seconds; allow more with `start_timeout` under [life]")]
    Late(u64),
    /// It was stopped meanwhile.
    #[error("it was stopped meanwhile")]
    Cancelled,
}

impl StartError {
    /// Whether trying again by itself could help: what only a user can mend is not tried again.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Airlock(_) | Self::Late(_))
    }
}

/// Why a session is of no more use, or a message was not sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The permit is for another server, or not for a message.
    #[error("the permit is not for this session; nothing was sent")]
    WrongPermit,
    /// The message is too large.
    #[error("the message of {0} bytes is larger than the {most} MiB a session carries", most = super::MOST_MESSAGE >> 20)]
    TooLarge(usize),
    /// The server wrote a line that is too long.
    #[error("the server wrote a message larger than {most} MiB; the session is over", most = super::MOST_MESSAGE >> 20)]
    LineTooLong,
    /// The server has as many sessions as it may.
    #[error("{0} sessions are open, the most there may be; end one of them")]
    Full(usize),
    /// The server could not be had, so that nothing was said to it.
    #[error("{0}")]
    NotStarted(String),
    /// The server's process, or its container, has ended.
    #[error("the server has ended: {0}")]
    Ended(String),
    /// The server does not do as MCP says.
    #[error("the server does not speak MCP: {0}")]
    Protocol(String),
    /// The pipe into the container carries no more at a time; what is on it already goes on.
    #[error(
        "the server has as many requests and connections open as it can; try again when some of them have ended"
    )]
    Crowded,
    /// The session was closed from this side.
    #[error("the session is closed")]
    Closed,
}
