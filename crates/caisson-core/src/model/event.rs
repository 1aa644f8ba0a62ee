use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use ts_rs::TS;

use super::{
    CallCounts, HostRule, Outcome, PinKind, Progress, Question, QuestionId, Refused, ServerName, ServerState,
};

/// Something that happened, for everyone who watches: the CLI, the window, the tray.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A server's state is now this.
    State {
        /// The server.
        server: ServerName,
        /// Its state.
        state: ServerState,
    },
    /// A server's file appeared or changed, and the new version is in force.
    Changed {
        /// The server.
        server: ServerName,
    },
    /// A server was removed.
    Removed {
        /// The server.
        server: ServerName,
    },
    /// A server's file is broken; the last good version stays in force.
    Broken {
        /// The server.
        server: ServerName,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// The groups have changed, or their file is broken and what was in force stays.
    Groups {
        /// What is wrong with the file, with line and column.
        broken: Option<String>,
    },
    /// An install went a step further.
    Install {
        /// The server being installed.
        server: ServerName,
        /// The step.
        progress: Progress,
    },
    /// A verification went a step further.
    Verify {
        /// The server being verified.
        server: ServerName,
        /// The step.
        progress: Progress,
    },
    /// A server was verified.
    Verified {
        /// The server.
        server: ServerName,
        /// How many probes got through, or did not answer.
        broken: usize,
    },
    /// A server tried to reach what it may not.
    EgressRefused {
        /// The server.
        server: ServerName,
        /// The host it named.
        host: String,
        /// The TCP port; 0 when only the name was asked for.
        port: u16,
        /// Why it was refused.
        why: Refused,
        /// The same in words.
        reason: String,
        /// What the user would have to allow; none where nothing would help.
        rule: Option<HostRule>,
    },
    /// A server looked for a file or folder of the user's that it does not see.
    FolderMissed {
        /// The server.
        server: ServerName,
        /// The folder that would have to be shown. The server has named it: show it escaped.
        folder: PathBuf,
        /// Whether it wanted to change something in it.
        write: bool,
    },
    /// What a server may reach was changed, or a trial began or ended.
    Rules {
        /// The server.
        server: ServerName,
    },
    /// A person is asked whether a call may go through.
    Asked {
        /// What.
        question: Box<Question>,
    },
    /// A question was settled.
    Answered {
        /// The question.
        id: QuestionId,
        /// How.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// Everything is refused, or things take their course again.
    Locked {
        /// Whether everything is refused.
        locked: bool,
    },
    /// `policy.toml` has changed, or is broken and what was in force stays.
    Policy {
        /// What is wrong with it, with line and column.
        broken: Option<String>,
    },
    /// A server says something else of itself than was accepted, and that is kept from clients.
    Quarantined {
        /// The server.
        server: ServerName,
        /// What it is.
        kind: PinKind,
        /// What it is called. The server has named it: show it escaped.
        name: String,
        /// Whether there was none of that name; else it was changed.
        is_new: bool,
    },
    /// What a server says of itself was accepted or refused.
    Reviewed {
        /// The server.
        server: ServerName,
    },
    /// Calls of a server were counted. Told at most once in a few seconds, and only while somebody watches.
    Counted {
        /// The server.
        server: ServerName,
        /// What became of all its calls.
        #[serde(flatten)]
        counts: CallCounts,
    },
    /// All servers were paused, or may run again.
    Paused {
        /// Whether they are paused.
        paused: bool,
    },
}

/// The one stream of events. A slow watcher loses the oldest; it asks for the whole state again.
pub type EventSender = broadcast::Sender<Event>;
