use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::audit::AuditEntry;
use crate::model::{Endpoint, Event, Progress, ServerName};

/// A server's recent log lines, and with `follow` every later one as [`NoticeBody::Log`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReadLogs {
    /// The server.
    pub server: ServerName,
    /// How many recent lines at most; none means all that are kept.
    #[serde(default)]
    #[ts(optional)]
    pub tail: Option<u32>,
    /// Send later lines too, until [`EndSubscription`].
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub follow: bool,
}

/// The answer to [`ReadLogs`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LogTail {
    /// Recent lines, oldest first.
    pub lines: Vec<LogLine>,
}

/// A line a server wrote to standard error. The text is the server's word: show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LogLine {
    /// When, in milliseconds since 1970 (UTC).
    pub at: u64,
    /// Which of its processes, one for each session.
    pub process: u64,
    /// The line, without its end.
    pub text: String,
}

/// Every event from here on, as [`NoticeBody::Event`], until [`EndSubscription`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SubscribeEvents {}

/// Ends what a request with `follow` or [`SubscribeEvents`] began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EndSubscription {
    /// That request's id.
    pub request: u64,
}

/// Cancels a request of the same connection that runs. It answers with the error `cancelled`, unless it was
/// faster. The end of a connection cancels all its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Cancel {
    /// That request's id.
    pub request: u64,
}

/// Opens an MCP session and turns the connection into it: after the answer's line, each line either way is a
/// message of MCP, until either side closes. Any other request of the connection must have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OpenSession {
    /// The server or group.
    pub server: Endpoint,
    /// Who asks, for people: `stdio`.
    pub client: String,
}

/// Something the server sends without being asked, about a request of the same connection: the parameters of
/// the notification `notice`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Notice {
    /// The request it is about.
    pub request: u64,
    /// What it says.
    #[serde(flatten)]
    pub body: NoticeBody,
}

/// What a [`Notice`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "notice", content = "data", rename_all = "snake_case")]
pub enum NoticeBody {
    /// A running request went a step further.
    Progress(Progress),
    /// A log line.
    Log(LogLine),
    /// An event.
    Event(Event),
    /// An entry of the record.
    Audit(Box<AuditEntry>),
    /// So many notices were lost because this connection reads too slowly: ask for the whole state again.
    Lost(u64),
    /// The subscription has ended: the server was removed, or Caisson shuts down.
    End,
}
