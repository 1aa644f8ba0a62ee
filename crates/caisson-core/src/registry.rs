//! What is installed: one TOML file a server, one for groups of them, and the state that is no text, in SQLite.
//!
//! The files belong to the user, who edits them: an edit is in force at once, a broken one is reported and the last
//! good version stays, and Caisson's own changes leave everything else in a file as it was.

pub mod atomic;
mod document;
mod error;
mod folder;
mod groups;
mod lock;
mod policy;
pub mod settings;
#[cfg(test)]
#[cfg(unix)]
pub(crate) mod small_disk;
pub mod state;
pub(crate) mod text;
mod verifications;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc},
};

use tokio::sync::{broadcast, watch as follow};

pub use error::RegistryError;
pub use folder::Ignored;
pub use settings::{AuditSettings, EngineSetting, KeptArguments, RegistryUrl, Settings, SettingsError};
pub use state::{State, StateError};
pub use text::Broken;
pub use verifications::Verifications;

use self::{
    document::RewriteError,
    folder::File,
    groups::{GroupsFile, Look},
    lock::FolderLock,
    policy::PolicyFile,
    watch::Wake,
};
use crate::{
    gate::policy::Policy,
    model::{Event, EventSender, Groups, Preset, Server, ServerName},
};

/// So many changes a slow listener may leave unread before it loses the oldest.
const CHANGES: usize = 256;

/// The servers that are installed, as their files say. Cheap to clone; all clones see the same.
///
/// Reading is from memory. What writes takes the disk's time, up to seconds when another process writes:
/// call it from a blocking thread.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

/// A server, as its file says.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// What it is called.
    pub name: ServerName,
    /// What is in force: the last good version of its file. None when there was none since Caisson started.
    pub server: Option<Server>,
    /// What is wrong with its file, if anything.
    pub broken: Option<Broken>,
}

/// A change of what is in force, whoever made it.
#[derive(Clone, Debug, PartialEq)]
pub struct RegistryChange {
    /// The server.
    pub name: ServerName,
    /// What is in force for it from here on; none: it was removed.
    pub server: Option<Server>,
}

struct Shared {
    folder: PathBuf,
    events: EventSender,
    changes: broadcast::Sender<RegistryChange>,
    wake: mpsc::Sender<Wake>,
    known: RwLock<Known>,
    groups: GroupsFile,
    policy: PolicyFile,
    /// Held while the folder is read or written and events are sent, so that events come in the order of changes.
    /// The set: files that were not found the last time, and are looked for once more.
    missing: Mutex<BTreeSet<ServerName>>,
}

#[derive(Default)]
struct Known {
    servers: BTreeMap<ServerName, Entry>,
    ignored: Vec<Ignored>,
}

struct Entry {
    file: File,
    good: Option<Server>,
}

impl Registry {
    /// Reads the files in `config/servers`, which is made if it is not there, and watches them from here on.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(config: &Path, events: EventSender) -> Result<Self, RegistryError> {
        let folder = config.join("servers");
        let wrong = |source| RegistryError::Folder { path: folder.clone(), source };
        make_private(&folder).map_err(wrong)?;
        // A folder that may be read but not written is good enough to run what is installed.
        if let Err(error) = atomic::sweep(&folder) {
            tracing::warn!(%error, "the folder of servers could not be tidied up");
        }
        let (wake, woken) = mpsc::channel();
        let shared = Arc::new(Shared {
            folder: folder.clone(),
            events,
            changes: broadcast::Sender::new(CHANGES),
            wake: wake.clone(),
            known: RwLock::default(),
            groups: GroupsFile::new(config),
            policy: PolicyFile::new(config),
            missing: Mutex::default(),
        });
        let folders = vec![config.to_owned(), folder.clone()];
        watch::start(Arc::downgrade(&shared), folders, wake, woken).map_err(RegistryError::Watch)?;
        let registry = Self(shared);
        registry.0.read_first().map_err(wrong)?;
        Ok(registry)
    }

    /// Every server, by name.
    pub fn list(&self) -> Vec<Listed> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let listed = known.servers.iter().map(|(name, entry)| Listed {
            name: name.clone(),
            server: entry.good.clone(),
            broken: entry.file.server.as_ref().err().cloned(),
        });
        listed.collect()
    }

    /// The files in the folder that look like a server's and are none, for their names.
    pub fn ignored(&self) -> Vec<Ignored> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).ignored.clone()
    }

    /// What is in force for a server.
    pub fn get(&self, name: &ServerName) -> Option<Server> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.servers.get(name).and_then(|entry| entry.good.clone())
    }

    /// Whether there is a file for `name`, also a broken one.
    pub fn contains(&self, name: &ServerName) -> bool {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).servers.contains_key(name)
    }

    /// A server's file.
    pub fn file(&self, name: &ServerName) -> PathBuf {
        folder::path(&self.0.folder, name)
    }

    /// The groups in force, at each moment.
    pub fn groups(&self) -> follow::Receiver<Arc<Groups>> {
        self.0.groups.groups()
    }

    /// What is wrong with the file of the groups, if anything; what was in force before then stays.
    pub fn groups_broken(&self) -> Option<Broken> {
        self.0.groups.broken()
    }

    /// The policy in force, at each moment.
    pub fn policy(&self) -> follow::Receiver<Arc<Policy>> {
        self.0.policy.policy()
    }

    /// The file of the policy.
    pub fn policy_file(&self) -> &Path {
        self.0.policy.path()
    }

    /// What is wrong with the policy's file, if anything; what was in force before then stays.
    pub fn policy_broken(&self) -> Option<Broken> {
        self.0.policy.broken()
    }

    /// Changes what is done about calls that no rule is about.
    ///
    /// # Errors
    /// When the file is broken, or cannot be written. Nothing was changed.
    pub fn set_preset(&self, preset: Preset) -> Result<(), RegistryError> {
        self.0.policy.set_preset(preset)?;
        self.0.tell(Event::Policy { broken: None });
        Ok(())
    }

    /// Changes the groups, on the ground of what their file says at that moment.
    ///
    /// # Errors
    /// When `change` fails, the file cannot be written, or it was edited and is broken. It is then as it was.
    pub fn edit_groups<E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Groups) -> Result<(), E>,
    ) -> Result<(), E> {
        let _alone = self.0.alone();
        self.0.groups.edit(change)?;
        self.0.tell(Event::Groups { broken: None });
        Ok(())
    }

    /// Every change from here on, one after the other. Who lags behind and loses some asks [`Self::list`] again.
    pub fn changes(&self) -> broadcast::Receiver<RegistryChange> {
        self.0.changes.subscribe()
    }

    /// Writes a server's file, new or changed where the server changed.
    ///
    /// # Errors
    /// When the file cannot be written, or was edited and is broken. It is then as it was.
    pub fn put(&self, name: &ServerName, server: &Server) -> Result<(), RegistryError> {
        self.0.write(name, |_| Ok(server.clone())).map(drop)
    }

    /// Writes a new server's file.
    ///
    /// # Errors
    /// As [`Self::put`], and when there is a server of this name, even one another process has just made.
    pub fn add(&self, name: &ServerName, server: &Server) -> Result<(), RegistryError> {
        let new = |there: Option<Server>| match there {
            None => Ok(server.clone()),
            Some(_) => Err(RegistryError::Exists(name.clone())),
        };
        self.0.write(name, new).map(drop)
    }

    /// Changes a server, on the ground of what its file says at that moment, and answers what it is then.
    ///
    /// # Errors
    /// As [`Self::put`], and when there is no such server.
    pub fn edit(&self, name: &ServerName, change: impl FnOnce(&mut Server)) -> Result<Server, RegistryError> {
        self.0.write(name, |there| {
            let mut server = there.ok_or_else(|| RegistryError::Missing(name.clone()))?;
            change(&mut server);
            Ok(server)
        })
    }

    /// Removes a server's file. False when there is none.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self, name: &ServerName) -> Result<bool, RegistryError> {
        let shared = &self.0;
        let _alone = shared.alone();
        let path = self.file(name);
        let wrong = |source| RegistryError::Write { path: path.clone(), source };
        let _lock = FolderLock::take(&shared.folder).map_err(wrong)?;
        match atomic::remove(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(wrong(error)),
        }
        shared.forget(name);
        Ok(true)
    }
}

impl Shared {
    fn alone(&self) -> MutexGuard<'_, BTreeSet<ServerName>> {
        // What a panic may have left undone, the next look at the folder does.
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before anybody can listen: no events.
    fn read_first(&self) -> io::Result<()> {
        let _alone = self.alone();
        if let Err(error) = self.policy.explain() {
            tracing::debug!(%error, "policy.toml was not made");
        }
        if let Look::Broken(broken) = self.policy.look() {
            tracing::warn!("the policy is broken, so a person is asked about every call: {broken}");
        }
        if let Look::Broken(broken) = self.groups.look() {
            tracing::warn!("the file of groups is broken in {broken}");
        }
        let content = folder::read(&self.folder)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.ignored = content.ignored;
        for (name, file) in content.files {
            if let Err(broken) = &file.server {
                tracing::warn!(server = %name, "the file is broken in {broken}");
            }
            let good = file.server.clone().ok();
            known.servers.insert(name, Entry { file, good });
        }
        Ok(())
    }

    /// Compares the folder with what is known. True when it is to be looked at once more, soon.
    fn look(&self) -> bool {
        let mut missing = self.alone();
        match self.policy.look() {
            Look::Same => {}
            Look::Changed => self.tell(Event::Policy { broken: None }),
            Look::Broken(broken) => self.tell(Event::Policy { broken: Some(broken.to_string()) }),
        }
        match self.groups.look() {
            Look::Same => {}
            Look::Changed => self.tell(Event::Groups { broken: None }),
            Look::Broken(broken) => self.tell(Event::Groups { broken: Some(broken.to_string()) }),
        }
        let content = match folder::read(&self.folder) {
            Ok(content) => content,
            Err(error) => {
                tracing::warn!(%error, "the folder of servers cannot be read; what is known stays in force");
                return false;
            }
        };
        let gone: BTreeSet<ServerName> = {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            if known.ignored != content.ignored {
                for ignored in &content.ignored {
                    tracing::warn!(file = ignored.file, "passed over: {}", ignored.reason);
                }
                known.ignored = content.ignored;
            }
            known.servers.keys().filter(|name| !content.files.contains_key(*name)).cloned().collect()
        };
        for (name, file) in content.files {
            self.learn(&name, file);
        }
        let before = mem::take(&mut *missing);
        for name in gone {
            if before.contains(&name) {
                self.forget(&name);
            } else {
                missing.insert(name);
            }
        }
        !missing.is_empty()
    }

    /// Takes note of a server's file, and tells what changed by it.
    fn learn(&self, name: &ServerName, file: File) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.servers.remove(name);
        let same = before.as_ref().is_some_and(|before| before.file.same(&file));
        let was_broken = before.as_ref().is_some_and(|before| before.file.server.is_err());
        let good = before.and_then(|before| before.good);
        let said = file.server.clone();
        let now = said.clone().ok().or_else(|| good.clone());
        known.servers.insert(name.clone(), Entry { file, good: now });
        drop(known);
        if same {
            return;
        }
        match said {
            Ok(server) => {
                let changed = good.as_ref() != Some(&server);
                if changed {
                    drop(self.changes.send(RegistryChange { name: name.clone(), server: Some(server) }));
                }
                // Also when a broken file says again what is in force: the report of it has served.
                if changed || was_broken {
                    self.tell(Event::Changed { server: name.clone() });
                }
            }
            Err(broken) => self.tell(Event::Broken { server: name.clone(), reason: broken.to_string() }),
        }
    }

    fn forget(&self, name: &ServerName) {
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner).servers.remove(name);
        if known.is_some() {
            drop(self.changes.send(RegistryChange { name: name.clone(), server: None }));
            self.tell(Event::Removed { server: name.clone() });
        }
    }

    /// Nobody listening is no error.
    fn tell(&self, event: Event) {
        drop(self.events.send(event));
    }

    /// Rewrites a server's file from what it says now (none: there is no file) to what `change` makes of it.
    fn write(
        &self,
        name: &ServerName,
        change: impl FnOnce(Option<Server>) -> Result<Server, RegistryError>,
    ) -> Result<Server, RegistryError> {
        let _alone = self.alone();
        let path = folder::path(&self.folder, name);
        let wrong = |source| RegistryError::Write { path: path.clone(), source };
        make_private(&self.folder).map_err(wrong)?;
        let _lock = FolderLock::take(&self.folder).map_err(wrong)?;
        let there =
            folder::read_file(&path).map_err(|source| RegistryError::Read { path: path.clone(), source })?;
        let said = there.as_ref().map(|file| file.server.clone()).transpose();
        let said = said.map_err(|broken| RegistryError::Broken { path: path.clone(), broken })?;
        let server = change(said)?;
        let text = match there.and_then(|file| file.text) {
            Some(text) => document::rewrite(&text, &server),
            None => document::fresh(&server),
        };
        let text = text.map_err(|error| match error {
            RewriteError::Broken(broken) => RegistryError::Broken { path: path.clone(), broken },
            RewriteError::Unwritable(why) => RegistryError::Unwritable { name: format!("{name}.toml"), why },
        })?;
        atomic::write(&path, text.as_bytes(), 0o600).map_err(wrong)?;
        self.learn(name, File::new(Ok(text)));
        Ok(server)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.wake.send(Wake::Stop));
    }
}

/// Makes the folder, if it is not there, for the user alone.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
