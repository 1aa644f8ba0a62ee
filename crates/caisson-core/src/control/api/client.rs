use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::model::Endpoint;

/// All clients Caisson knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ListClients {}

/// The answer to [`ListClients`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ClientList {
    /// The clients, found ones first.
    pub clients: Vec<ClientView>,
}

/// A program that uses MCP servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ClientView {
    /// Its short name, for commands: `claude-desktop`.
    pub client: String,
    /// Its name for people: `Claude Desktop`.
    pub title: String,
    /// Whether it seems to be installed.
    pub found: bool,
    /// Its configuration file.
    pub file: PathBuf,
    /// Servers and groups connected to it by Caisson.
    pub servers: Vec<Endpoint>,
    /// What is wrong with its file.
    pub problem: Option<String>,
}

/// Writes servers and groups into a client's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ConnectClient {
    /// The client's short name.
    pub client: String,
    /// Which servers and groups; none means all servers that are installed.
    #[serde(default)]
    #[ts(as = "Option<Vec<Endpoint>>", optional)]
    pub servers: Vec<Endpoint>,
}

/// Takes servers and groups out of a client's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DisconnectClient {
    /// The client's short name.
    pub client: String,
    /// Which servers and groups; none means all that Caisson connected.
    #[serde(default)]
    #[ts(as = "Option<Vec<Endpoint>>", optional)]
    pub servers: Vec<Endpoint>,
}

/// Gives a client a new token: writes it into the client's configuration, and revokes the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RotateClient {
    /// The client's short name.
    pub client: String,
}

/// The answer to [`ConnectClient`], [`DisconnectClient`] and [`RotateClient`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ClientChange {
    /// The client's name for people.
    pub title: String,
    /// Its configuration file.
    pub file: PathBuf,
    /// Where the file as it was before is kept; none when there was no file, or nothing changed.
    pub backup: Option<PathBuf>,
    /// The servers and groups whose entries were written or taken out.
    pub servers: Vec<Endpoint>,
}
