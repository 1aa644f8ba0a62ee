//! Writes Caisson into AI clients' configuration, and takes it out again. Never changes what is not ours.
//!
//! A client's file belongs to the user and to that client: comments, order, indentation and other entries stay.
//! Before every change the file is copied into Caisson's own folder. As long as nobody else has changed it since,
//! disconnecting puts back the very bytes that were there.

mod backup;
mod edit;
mod error;
mod file;
mod record;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use caisson_wire::SecretBytes;
use zeroize::Zeroizing;

pub use edit::Fault;
pub use error::{ClientError, UnknownClient};
pub use table::{Client, ClientPlaces, Os};

use self::{backup::Backups, edit::Entry, file::Content, record::Record, table::Row};
use crate::{
    model::Endpoint,
    registry::{State, atomic},
};

/// A client that rewrites its file at the very moment we do is waited out so often.
const TRIES: usize = 3;
/// A file made new may hold a token.
const NEW_FILE_MODE: u32 = 0o600;

/// The clients on this machine. Cheap to clone. All calls read and write files: call them from a blocking thread.
#[derive(Clone)]
pub struct Clients(Arc<Shared>);

struct Shared {
    places: ClientPlaces,
    state: State,
    backups: Backups,
    /// One change at a time.
    changing: Mutex<()>,
}

/// How a client reaches Caisson.
#[derive(Clone, Debug)]
pub enum Link {
    /// It starts `caisson stdio SERVER`. Every client can.
    Shim {
        /// The `caisson` program, absolute.
        program: PathBuf,
        /// The variables without which it would look for Caisson elsewhere: clients do not hand on the user's
        /// environment.
        env: BTreeMap<String, OsString>,
    },
    /// It speaks to the bridge. See [`Client::reads_urls`].
    Url {
        /// The bridge, such as `http://127.0.0.1:7332`.
        bridge: String,
        /// The client's own token.
        token: SecretBytes,
    },
}

/// A client, and what of ours is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// The client.
    pub client: Client,
    /// Whether it seems to be installed.
    pub found: bool,
    /// Its configuration file, which may not be there yet.
    pub file: PathBuf,
    /// Servers and groups connected by Caisson.
    pub servers: Vec<Endpoint>,
    /// Servers Caisson had connected, and something else took out.
    pub dropped: Vec<Endpoint>,
    /// What is wrong with its file, or with who may read it.
    pub problem: Option<String>,
}

/// What was done to a client's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file.
    pub file: PathBuf,
    /// The file as it was before; none when there was no file, or nothing changed.
    pub backup: Option<PathBuf>,
    /// The servers whose entries were written or taken out.
    pub servers: Vec<Endpoint>,
}

impl Clients {
    /// Clients in `places`; `data` is Caisson's own folder, for backups.
    pub fn new(places: ClientPlaces, state: State, data: &Path) -> Self {
        let backups = Backups::new(data.join("backups"));
        Self(Arc::new(Shared { places, state, backups, changing: Mutex::new(()) }))
    }

    /// Every client Caisson knows, found ones first.
    pub fn list(&self) -> Vec<ClientStatus> {
        let mut all: Vec<ClientStatus> = Client::ALL.iter().map(|client| self.status(*client)).collect();
        all.sort_by_key(|status| !status.found);
        all
    }

    /// How a client is.
    pub fn status(&self, client: Client) -> ClientStatus {
        let spot = client.row().spot(&self.0.places);
        let mut status = ClientStatus {
            client,
            found: spot.found,
            file: spot.file.clone(),
            servers: Vec::new(),
            dropped: Vec::new(),
            problem: None,
        };
        match self.0.inspect(client, &spot.file) {
            Ok(Inspected { ours, dropped, exposed }) => {
                status.servers = ours;
                status.dropped = dropped;
                if exposed && client.reads_urls() && !status.servers.is_empty() {
                    status.problem = Some(format!(
                        "others on this machine can read {} and the token in it. Run: chmod 600 {0}",
                        spot.file.display()
                    ));
                }
            }
            Err(error) => status.problem = Some(error.to_string()),
        }
        status
    }

    /// Writes entries for `servers` into the client's file, or brings those that are there up to date.
    ///
    /// # Errors
    /// When the client is not there, its file cannot be read, understood or written, or has another entry of one of
    /// the names. The file is then as it was.
    pub fn connect(&self, client: Client, servers: &[Endpoint], link: &Link) -> Result<Change, ClientError> {
        let row = client.row();
        let entries = servers
            .iter()
            .map(|server| Ok((server.clone(), row.entry(server, link)?)))
            .collect::<Result<Vec<_>, ClientError>>()?;
        let spot = row.spot(&self.0.places);
        if !spot.found {
            return Err(ClientError::NotFound { client, folder: spot.folder });
        }
        self.0.change(client, &spot.file, |before| before.connect(&entries))
    }

    /// Takes the entries for `servers`, or all of Caisson's when none are named, out of the client's file.
    ///
    /// # Errors
    /// When the file cannot be read, understood or written. It is then as it was.
    pub fn disconnect(&self, client: Client, servers: &[Endpoint]) -> Result<Change, ClientError> {
        let file = client.row().spot(&self.0.places).file;
        self.0.change(client, &file, |before| before.disconnect(servers))
    }
}

struct Inspected {
    ours: Vec<Endpoint>,
    dropped: Vec<Endpoint>,
    exposed: bool,
}

/// A file as it was found, and what is known of it.
struct Before<'a> {
    client: Client,
    row: &'static Row,
    path: &'a Path,
    content: Content,
    record: Record,
    backups: &'a Backups,
}

/// What is to become of it.
struct After {
    /// None: the file goes.
    bytes: Option<Zeroizing<Vec<u8>>>,
    /// The servers that are connected then.
    connected: BTreeSet<Endpoint>,
    /// Those whose entries changed.
    servers: Vec<Endpoint>,
}

impl Shared {
    fn inspect(&self, client: Client, path: &Path) -> Result<Inspected, ClientError> {
        let before = self.before(client, path)?;
        let ours = before.ours()?;
        let dropped = before.record.servers.iter().filter(|server| !ours.contains(*server));
        Ok(Inspected {
            dropped: dropped.cloned().collect(),
            exposed: before.content.exposed,
            ours: ours.into_iter().collect(),
        })
    }

    fn before<'a>(&'a self, client: Client, path: &'a Path) -> Result<Before<'a>, ClientError> {
        let content = Content::read(client, path)?;
        let record = Record::load(&self.state, path)?;
        Ok(Before { client, row: client.row(), path, content, record, backups: &self.backups })
    }

    fn change(
        &self,
        client: Client,
        path: &Path,
        decide: impl Fn(&Before<'_>) -> Result<After, ClientError>,
    ) -> Result<Change, ClientError> {
        // It guards no value, so a panic has left none half-changed.
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TRIES {
            let before = self.before(client, path)?;
            let after = decide(&before)?;
            if let Some(change) = self.carry_out(&before, after)? {
                return Ok(change);
            }
        }
        Err(ClientError::Restless { client, path: path.to_owned() })
    }

    /// None when the file was changed by another program meanwhile: nothing was done then.
    fn carry_out(&self, before: &Before<'_>, after: After) -> Result<Option<Change>, ClientError> {
        let (client, path) = (before.client, before.path);
        let old = before.content.bytes();
        let new = after.bytes.as_ref().map(|bytes| bytes.as_slice());
        let changed = old != new;
        if changed {
            before.content.check_writable(client, path)?;
        }
        let mut change = Change { file: path.to_owned(), backup: None, servers: after.servers };
        let record = before.next_record(new, after.connected)?;
        let record = match old {
            Some(old) if changed || record.is_new() => {
                let copy = self.backups.keep(client, path, old, before.record.original.as_deref());
                let folder = || self.backups.folder().to_owned();
                let copy = copy.map_err(|source| ClientError::Backup { client, folder: folder(), source })?;
                change.backup = changed.then(|| copy.clone());
                record.with_copy(copy)
            }
            Some(_) | None => record,
        };
        if changed {
            if Content::read(client, path)?.bytes() != old {
                return Ok(None);
            }
            put(path, new).map_err(|source| ClientError::Write { client, path: path.to_owned(), source })?;
        }
        if let Err(error) = record.save(&self.state, path) {
            // What is not remembered could not be undone later; so it is undone here.
            if changed {
                put(path, old).map_err(|source| ClientError::Write {
                    client,
                    path: path.to_owned(),
                    source,
                })?;
            }
            return Err(error.into());
        }
        Ok(Some(change))
    }
}

fn put(path: &Path, bytes: Option<&[u8]>) -> std::io::Result<()> {
    match bytes {
        Some(bytes) => atomic::write(path, bytes, NEW_FILE_MODE),
        None => atomic::remove(&atomic::resolve(path)?),
    }
}

impl Before<'_> {
    /// Whether nobody has changed the file since Caisson wrote it.
    fn untouched(&self) -> bool {
        self.record.wrote(self.content.bytes())
    }

    /// Our servers whose entries stand in the file.
    fn ours(&self) -> Result<BTreeSet<Endpoint>, ClientError> {
        let known = &self.record.servers;
        let entries = self.content.entries(self.row.key).map_err(|fault| self.fault(fault))?;
        // A name alone proves nothing: the user may have taken ours out and written another.
        let ours = known.iter().filter(|server| {
            entries.get(server.name()).is_some_and(|entry| table::leads_to_caisson(entry, server))
        });
        Ok(ours.cloned().collect())
    }

    /// What is to be remembered when the file is `new` and these servers are connected.
    fn next_record(&self, new: Option<&[u8]>, connected: BTreeSet<Endpoint>) -> Result<Record, ClientError> {
        let there = self.content.entries(self.row.key).map_err(|fault| self.fault(fault))?;
        let stands = |server: &Endpoint| there.contains_key(server.name());
        Ok(if self.untouched() {
            let added = |server: &&Endpoint| !self.record.servers.contains(*server);
            let clean = !connected.iter().filter(added).any(stands);
            self.record.then(new, clean, connected)
        } else {
            let clean = !connected.iter().any(stands);
            Record::begin(new, clean, connected)
        })
    }

    fn connect(&self, wanted: &[(Endpoint, Entry)]) -> Result<After, ClientError> {
        let there = self.content.entries(self.row.key).map_err(|fault| self.fault(fault))?;
        let mut connected = self.ours()?;
        for (index, (server, entry)) in wanted.iter().enumerate() {
            // A client's file has one entry of a name: not for a server and a group both.
            if wanted[..index].iter().any(|(other, _)| other.name() == server.name()) {
                return Err(self.taken(server));
            }
            let Some(found) = there.get(server.name()) else { continue };
            // Of the same program or address it is ours, although the record of it was lost.
            if !connected.contains(server) && !table::same_target(found, entry) {
                return Err(self.taken(server));
            }
        }
        let bytes = if wanted.is_empty() {
            self.content.copy()
        } else {
            let text = edit::put(self.content.text(), self.row.key, wanted);
            Some(self.content.with_text(text.map_err(|fault| self.fault(fault))?))
        };
        connected.extend(wanted.iter().map(|(server, _)| server.clone()));
        let servers = wanted.iter().map(|(server, _)| server.clone()).collect();
        Ok(After { bytes, connected, servers })
    }

    fn disconnect(&self, wanted: &[Endpoint]) -> Result<After, ClientError> {
        let ours = self.ours()?;
        let (gone, connected): (BTreeSet<Endpoint>, BTreeSet<Endpoint>) =
            ours.into_iter().partition(|server| wanted.is_empty() || wanted.contains(server));
        let bytes = if gone.is_empty() {
            self.content.copy()
        } else {
            match self.original(&connected) {
                Some(original) => original,
                None => {
                    let text = edit::take(self.content.text(), self.row.key, &gone);
                    Some(self.content.with_text(text.map_err(|fault| self.fault(fault))?))
                }
            }
        };
        Ok(After { bytes, connected, servers: gone.into_iter().collect() })
    }

    /// The file as it was before Caisson, if it may be put back: nothing of ours stays, and nobody else changed it.
    #[expect(clippy::option_option, reason = "the inner one is the file, which may not have been there")]
    fn original(&self, connected: &BTreeSet<Endpoint>) -> Option<Option<Zeroizing<Vec<u8>>>> {
        if !connected.is_empty() || !self.untouched() || !self.record.clean {
            return None;
        }
        match &self.record.original {
            None => Some(None),
            // A copy that was removed or changed is no copy.
            Some(copy) => self.backups.read(copy).map(Some),
        }
    }

    fn taken(&self, server: &Endpoint) -> ClientError {
        ClientError::Taken { client: self.client, path: self.path.to_owned(), server: server.clone() }
    }

    fn fault(&self, fault: Fault) -> ClientError {
        ClientError::Fault { client: self.client, path: self.path.to_owned(), fault }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
