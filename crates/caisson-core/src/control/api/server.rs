use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use super::Verified;
use crate::model::{Digest, Endpoint, Server, ServerName, ServerState};

/// All servers, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListServers {}

/// The answer to [`ListServers`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ServerList {
    /// The servers.
    pub servers: Vec<ServerView>,
    /// Whether all servers are paused.
    pub paused: bool,
}

/// A server at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ServerView {
    /// Its name.
    pub name: ServerName,
    /// Where it came from; none while its file was never readable.
    pub source: Option<String>,
    /// Where it stands in its life.
    pub state: ServerState,
    /// What is wrong with its file, with line and column; the last good version stays in force.
    pub broken: Option<String>,
    /// Its address for clients that speak Streamable HTTP.
    pub url: String,
    /// What its last verification found; none when it was never verified.
    #[serde(default)]
    pub verified: Option<Verified>,
}

/// Everything about one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ShowServer {
    /// The server.
    pub server: ServerName,
}

/// The answer to [`ShowServer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ServerDetails {
    /// The server at a glance.
    pub view: ServerView,
    /// What its file says.
    pub definition: Option<Server>,
    /// Its file.
    pub file: PathBuf,
    /// Names of the secrets it was granted and the keychain does not hold.
    pub missing_secrets: Vec<String>,
}

/// The plan a server would run under at its next start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GetPlan {
    /// The server.
    pub server: ServerName,
}

/// A plan: the very values the container is created from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct PlanView {
    /// A digest over the whole plan.
    pub hash: Digest,
    /// The plan in people's words, the most telling first.
    pub rows: Vec<PlanRow>,
    /// What this engine cannot enforce.
    pub warnings: Vec<String>,
    /// The plan itself.
    pub plan: Value,
}

/// One statement of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlanRow {
    /// What it is about: `Network`.
    pub what: String,
    /// What holds: `none`.
    pub value: String,
    /// Why, or what it means.
    pub why: String,
}

/// Starts a server and waits until it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StartServer {
    /// The server.
    pub server: ServerName,
}

/// Stops a server; its sessions end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct StopServer {
    /// The server.
    pub server: ServerName,
}

/// Stops a server and starts it again, under its plan as of this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RestartServer {
    /// The server.
    pub server: ServerName,
}

/// Removes a server: container, client entries, tokens' reach, secrets, image where nothing else uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemoveServer {
    /// The server.
    pub server: ServerName,
    /// Keep what it stored between runs, for a later install under the same name.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub keep_state: bool,
}

/// The answer to [`RemoveServer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RemovedServer {
    /// What was removed, for people: `container`, `secret TOKEN`, `entry in Cursor`.
    pub removed: Vec<String>,
    /// What was left behind although it should not have been, and why.
    pub problems: Vec<String>,
}

/// The tools a server or group offers. Starts servers when needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListTools {
    /// The server or group.
    pub server: Endpoint,
}

/// The answer to [`ListTools`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ToolList {
    /// The tools, as the server orders them.
    pub tools: Vec<Tool>,
}

/// A tool, as the server describes it. All of it is the server's word: show it escaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it says it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    #[serde(default, rename = "inputSchema")]
    pub input_schema: Value,
    /// What it says of its own effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
}

/// Calls a tool in a session of its own. Starts the server when needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CallTool {
    /// The server or group.
    pub server: Endpoint,
    /// The tool.
    pub tool: String,
    /// The arguments: an object, or none.
    #[serde(default)]
    pub arguments: Value,
    /// Whether the user has said yes already, should they be asked. What is denied stays denied.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub allow: bool,
}

/// The answer to [`CallTool`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CallReply {
    /// Whether the tool says it failed.
    pub is_error: bool,
    /// The whole result, as the server sent it (MCP, `CallToolResult`).
    pub result: Value,
}
