//! `policy.toml`: the user's rules on tool calls.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;
use toml_edit::{DocumentMut, value};

use super::{
    RegistryError, atomic,
    groups::Look,
    lock::FolderLock,
    make_private,
    text::{self, Broken},
};
use crate::{
    gate::policy::{Policy, TEMPLATE},
    model::Preset,
};

/// The policy, as its file says.
pub(super) struct PolicyFile {
    folder: PathBuf,
    path: PathBuf,
    /// What is in force: the last good version of the file.
    good: watch::Sender<Arc<Policy>>,
    /// What the file was read as; none before it was read.
    read: Mutex<Option<Result<String, Broken>>>,
}

impl PolicyFile {
    /// The file in the folder `config`, which is not read yet. Until it is, each call is asked about.
    pub(super) fn new(config: &Path) -> Self {
        let (good, _) = watch::channel(Arc::new(Policy::strictest()));
        Self { folder: config.to_owned(), path: config.join("policy.toml"), good, read: Mutex::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in force, at each moment.
    pub(super) fn policy(&self) -> watch::Receiver<Arc<Policy>> {
        self.good.subscribe()
    }

    /// What is wrong with the file, if anything; what was in force before then stays.
    pub(super) fn broken(&self) -> Option<Broken> {
        let read = self.read().clone()?;
        read.and_then(|text| Policy::parse(&text)).err()
    }

    /// Compares the file with what is known.
    pub(super) fn look(&self) -> Look {
        let now = match text::read(&self.path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Broken::whole(format!("the file cannot be read: {error}"))),
        };
        let mut read = self.read();
        if read.as_ref() == Some(&now) {
            return Look::Same;
        }
        *read = Some(now.clone());
        match now.and_then(|text| Policy::parse(&text)) {
            Ok(policy) => self.set(policy),
            Err(broken) => Look::Broken(broken),
        }
    }

    /// Puts a file with everything explained and nothing changed there, unless there is one.
    pub(super) fn explain(&self) -> io::Result<()> {
        if self.path.symlink_metadata().is_ok() {
            Ok(())
        } else {
            atomic::write(&self.path, TEMPLATE.as_bytes(), 0o600)
        }
    }

    /// Rewrites the file so that it says this preset, and leaves all else as it is.
    pub(super) fn set_preset(&self, preset: Preset) -> Result<(), RegistryError> {
        let wrong = |source| RegistryError::Write { path: self.path.clone(), source };
        let broken = |broken| RegistryError::Broken { path: self.path.clone(), broken };
        make_private(&self.folder).map_err(wrong)?;
        let _lock = FolderLock::take(&self.folder).map_err(wrong)?;
        let text = match text::read(&self.path) {
            Ok(read) => read.map_err(broken)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => TEMPLATE.to_owned(),
            Err(source) => return Err(RegistryError::Read { path: self.path.clone(), source }),
        };
        Policy::parse(&text).map_err(broken)?;
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            broken(Broken::new(&text, error.span().map_or(0, |span| span.start), error.message()))
        })?;
        // A preset's name is a text in JSON, too.
        let name = serde_json::to_value(preset).unwrap_or_default();
        document["preset"] = value(name.as_str().unwrap_or_default());
        let text = document.to_string();
        let policy = Policy::parse(&text).map_err(broken)?;
        atomic::write(&self.path, text.as_bytes(), 0o600).map_err(wrong)?;
        *self.read() = Some(Ok(text));
        self.set(policy);
        Ok(())
    }

    fn set(&self, policy: Policy) -> Look {
        let changed = self.good.send_if_modified(|good| {
            let changed = **good != policy;
            *good = Arc::new(policy);
            changed
        });
        if changed { Look::Changed } else { Look::Same }
    }

    // What a panic may have left undone, the next look does.
    fn read(&self) -> MutexGuard<'_, Option<Result<String, Broken>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_changes_nothing_and_a_missing_one_is_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = PolicyFile::new(folder.path());
        let policy = file.policy();
        let write = |text: &str| atomic::write(file.path(), text.as_bytes(), 0o600).unwrap();
        write("preset = 'never'\n");
        let Look::Broken(broken) = file.look() else { panic!("it is broken") };
        assert_eq!(broken.line, 1);
        assert_eq!(policy.borrow().preset(), Preset::AskForEverything, "it fails closed");
        write("preset = 'never-ask'\n");
        assert!(matches!(file.look(), Look::Changed) && matches!(file.look(), Look::Same));
        write("preset = 'never-ask'\n[[rule]]\nthen = 'denny'\n");
        assert!(matches!(file.look(), Look::Broken(_)) && file.broken().unwrap().line == 3);
        assert!(matches!(file.set_preset(Preset::AskForChanges), Err(RegistryError::Broken { .. })));
        assert_eq!(policy.borrow().preset(), Preset::NeverAsk);
        std::fs::remove_file(file.path()).unwrap();
        assert!(matches!(file.look(), Look::Changed));
        assert_eq!(**policy.borrow(), Policy::default());
    }

    #[test]
    fn a_preset_is_set_beside_everything_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = PolicyFile::new(folder.path());
        file.explain().unwrap();
        file.set_preset(Preset::NeverAsk).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(
            text.contains("# Who may call which tools") && text.contains("preset = \"never-ask\""),
            "{text}"
        );
        assert_eq!(file.policy().borrow().preset(), Preset::NeverAsk);
        assert!(matches!(file.look(), Look::Same));
        let text = b"# mine\n[[rule]] # first\nthen = 'deny'\n";
        atomic::write(file.path(), text, 0o600).unwrap();
        file.set_preset(Preset::AskForChanges).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("# mine") && text.contains("[[rule]] # first"), "{text}");
        assert_eq!(file.policy().borrow().len(), 1);
    }
}
