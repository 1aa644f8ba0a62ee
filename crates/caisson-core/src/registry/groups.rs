//! `groups.toml`: servers that clients are shown as one. A table a group; its key is the group's name.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{
    RegistryError, atomic,
    document::{self, RewriteError},
    lock::FolderLock,
    make_private,
    text::{self, Broken},
};
use crate::model::Groups;

const TEMPLATE: &str = include_str!("groups.toml");

/// The groups, as their file says.
pub(super) struct GroupsFile {
    folder: PathBuf,
    path: PathBuf,
    /// What is in force: the last good version of the file.
    good: watch::Sender<Arc<Groups>>,
    /// What the file was read as.
    read: Mutex<Result<String, Broken>>,
}

/// What came of looking at the file.
pub(super) enum Look {
    Same,
    /// Other groups are in force.
    Changed,
    /// It is broken; what was in force stays.
    Broken(Broken),
}

impl GroupsFile {
    /// The file in the folder `config`, which is not read yet.
    pub(super) fn new(config: &Path) -> Self {
        let (good, _) = watch::channel(Arc::default());
        let (folder, path) = (config.to_owned(), config.join("groups.toml"));
        Self { folder, path, good, read: Mutex::new(Ok(String::new())) }
    }

    /// What is in force, at each moment.
    pub(super) fn groups(&self) -> watch::Receiver<Arc<Groups>> {
        self.good.subscribe()
    }

    /// What is wrong with the file, if anything.
    pub(super) fn broken(&self) -> Option<Broken> {
        let text = self.read().clone();
        text.and_then(|text| text::parse::<Groups>(&text)).err()
    }

    /// Compares the file with what is known.
    pub(super) fn look(&self) -> Look {
        let now = match text::read(&self.path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Broken::whole(format!("the file cannot be read: {error}"))),
        };
        let mut read = self.read();
        if *read == now {
            return Look::Same;
        }
        read.clone_from(&now);
        match now.and_then(|text| text::parse::<Groups>(&text)) {
            Ok(groups) => self.set(groups),
            Err(broken) => Look::Broken(broken),
        }
    }

    /// Rewrites the file from what it says to what `change` makes of it.
    pub(super) fn edit<E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Groups) -> Result<(), E>,
    ) -> Result<(), E> {
        let wrong = |source| RegistryError::Write { path: self.path.clone(), source };
        let broken = |broken| RegistryError::Broken { path: self.path.clone(), broken };
        make_private(&self.folder).map_err(wrong)?;
        let _lock = FolderLock::take(&self.folder).map_err(wrong)?;
        let text = match text::read(&self.path) {
            Ok(read) => read.map_err(broken)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => Err(RegistryError::Read { path: self.path.clone(), source })?,
        };
        let mut groups: Groups = text::parse(&text).map_err(broken)?;
        change(&mut groups)?;
        let is_new = text.is_empty();
        let mut text = document::rewrite(&text, &groups).map_err(|error| match error {
            RewriteError::Broken(found) => broken(found),
            RewriteError::Unwritable(why) => {
                RegistryError::Unwritable { name: "groups.toml".to_owned(), why }
            }
        })?;
        if is_new {
            text.insert_str(0, TEMPLATE);
        }
        atomic::write(&self.path, text.as_bytes(), 0o600).map_err(wrong)?;
        *self.read() = Ok(text);
        self.set(groups);
        Ok(())
    }

    fn set(&self, groups: Groups) -> Look {
        let changed = self.good.send_if_modified(|good| {
            let changed = **good != groups;
            *good = Arc::new(groups);
            changed
        });
        if changed { Look::Changed } else { Look::Same }
    }

    // What a panic may have left undone, the next look does.
    fn read(&self) -> MutexGuard<'_, Result<String, Broken>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Group;

    fn group(servers: &[&str]) -> Group {
        Group::new(servers.iter().map(|name| name.parse().unwrap()).collect(), false).unwrap()
    }

    #[test]
    fn comments_survive_and_a_broken_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = GroupsFile::new(folder.path());
        let groups = file.groups();
        assert!(matches!(file.look(), Look::Same) && groups.borrow().is_empty());

        let write = |text: &str| atomic::write(&file.path, text.as_bytes(), 0o600).unwrap();
        write("# mine\n[work]\nservers = [\"a\", \"b\"] # two\n");
        assert!(matches!(file.look(), Look::Changed) && matches!(file.look(), Look::Same));
        let add = |groups: &mut Groups| {
            groups.insert("home".parse().unwrap(), group(&["c"]));
            Ok::<_, RegistryError>(())
        };
        file.edit(add).unwrap();
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.starts_with("# mine\n[work]\nservers = [\"a\", \"b\"] # two\n"), "{text}");
        assert!(text.contains("[home]\nservers = [\"c\"]\n"), "{text}");
        assert_eq!(groups.borrow().len(), 2);

        write("[work]\nservers = [\"a\", \"a\"]\n");
        let Look::Broken(broken) = file.look() else { panic!("it is broken") };
        assert!(
            broken.to_string().starts_with("line 1") && broken.to_string().contains("a is named twice"),
            "{broken}"
        );
        assert_eq!(file.broken(), Some(broken));
        assert_eq!(groups.borrow().len(), 2);
        assert!(matches!(file.edit(add), Err(RegistryError::Broken { .. })));

        std::fs::remove_file(&file.path).unwrap();
        assert!(matches!(file.look(), Look::Changed) && groups.borrow().is_empty());
    }

    #[test]
    fn a_new_file_explains_itself() {
        let folder = tempfile::tempdir().unwrap();
        let file = GroupsFile::new(folder.path());
        file.edit(|groups| {
            groups.insert("work".parse().unwrap(), group(&["a"]));
            Ok::<_, RegistryError>(())
        })
        .unwrap();
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(text.starts_with('#') && text.contains("[work]"), "{text}");
        assert!(file.broken().is_none() && file.groups().borrow().len() == 1);
    }
}
