use std::{fmt, io, path::PathBuf};

use super::{Client, Fault};
use crate::{model::Endpoint, registry::StateError};

/// Why a client's file was not changed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client is not installed.
    #[error("{client} was not found: there is no folder {}. Install it and start it once", folder.display())]
    NotFound {
        /// The client.
        client: Client,
        /// The folder it would have made.
        folder: PathBuf,
    },
    /// The client starts programs and reads no addresses.
    #[error("{0} cannot be given an address; it starts `caisson stdio` instead")]
    NoUrls(Client),
    /// A path that no JSON text can hold.
    #[error("the path {} is not Unicode, so {client} cannot be told of it. Move it elsewhere", path.display())]
    NotUnicode {
        /// The client.
        client: Client,
        /// The path.
        path: PathBuf,
    },
    /// There is an entry of that name, and it is not Caisson's.
    #[error(
        "{client} has an entry named {server} already, which is not Caisson's and stays as it is. Rename or remove it in {}, \
         or install the server under another name: caisson install SOURCE --name {server}-caisson", path.display()
    )]
    Taken {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
        /// The name.
        server: Endpoint,
    },
    /// The file is not what such a file must be.
    #[error("{client}'s file {} was not changed: {fault}", path.display())]
    Fault {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The file cannot be read.
    #[error("{client}'s file {} cannot be read: {source}. Check that it is yours", path.display())]
    Read {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is something else where the file should be, or it is too long.
    #[error("{client}'s file {} was not changed: it is {what}. Move it away", path.display())]
    Strange {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The file may not be written.
    #[error(
        "{client}'s file {} is read-only, so it was not changed. Make it writable, or, if another tool manages it, \
         add the servers there: `caisson token issue` gives address and token", path.display()
    )]
    ReadOnly {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
    },
    /// The file as it was could not be copied first.
    #[error("{client}'s file was not changed, since no copy of it could be made in {}: {source}", folder.display())]
    Backup {
        /// The client.
        client: Client,
        /// The folder of copies.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("{client}'s file {} was not changed: {source}. Check that its folder is yours and the disk has space", path.display())]
    Write {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program writes the file all the time.
    #[error("{client} keeps changing its file {}. Close it and try again", path.display())]
    Restless {
        /// The client.
        client: Client,
        /// Its file.
        path: PathBuf,
    },
    /// What was written could not be remembered, so it was taken back.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The text names no client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownClient(pub(super) String);

impl fmt::Display for UnknownClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Client::ALL.iter().map(|client| client.id()).collect();
        let shown: String = self.0.chars().take(40).flat_map(char::escape_debug).collect();
        write!(f, "\"{shown}\" is no client. Clients are {}", known.join(", "))
    }
}

impl std::error::Error for UnknownClient {}
