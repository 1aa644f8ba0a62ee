use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use caisson_wire::{Command, SecretBytes, SessionFolders};

/// Gives each process of a session folders of its own. They keep sessions out of each other's way, not apart: all
/// processes of a container have one user id.
#[derive(Clone)]
pub(crate) struct Rooms(Arc<Inner>);

/// The folder of what processes put out.
const OUTPUT: &str = "output";
/// So many folders of earlier containers are looked at.
const MOST_SWEPT: usize = 10_000;

struct Inner {
    folders: SessionFolders,
    last: AtomicU64,
}

/// The folders of one process. With it go all but what the process has put out.
pub(crate) struct Room(Place);

#[derive(Clone)]
struct Place {
    root: PathBuf,
    name: String,
}

impl Rooms {
    /// None where sessions have no folders of their own.
    pub(crate) fn new(folders: Option<SessionFolders>) -> Option<Self> {
        let folders = folders?;
        sweep(&Path::new(&folders.root).join(OUTPUT));
        Some(Self(Arc::new(Inner { folders, last: AtomicU64::new(0) })))
    }

    /// Makes the folders of a process, and tells its command of them.
    pub(crate) fn give(&self, command: &Command) -> io::Result<(Command, Room)> {
        let SessionFolders { root, prefix, variable } = &self.0.folders;
        let name = format!("{prefix}-{}", self.0.last.fetch_add(1, Ordering::Relaxed) + 1);
        let root = PathBuf::from(root);
        let make = |folder: &Path| DirBuilder::new().mode(0o700).create(folder);
        // First, so that what was made so far is removed again when more cannot be.
        let room = Room(Place { root, name });
        let place = &room.0;
        let own = place.own("sessions");
        make(&place.own(OUTPUT))?;
        make(&place.own("tmp"))?;
        make(&own)?;
        symlink(place.root.join("input"), own.join("input"))?;
        symlink(place.own(OUTPUT), own.join(OUTPUT))?;
        symlink(place.own("tmp"), own.join("tmp"))?;
        let mut command = command.clone();
        command.env.insert(variable.clone(), SecretBytes::from(own.display().to_string()));
        Ok((command, room))
    }
}

impl Place {
    /// The process's own part of a folder of the workspace.
    fn own(&self, folder: &str) -> PathBuf {
        self.root.join(folder).join(&self.name)
    }

    /// Removes what nobody needs any more. An output that holds anything stays.
    fn clear(&self) {
        // What stays although it should not goes with the container.
        drop(fs::remove_dir_all(self.own("sessions")));
        drop(fs::remove_dir_all(self.own("tmp")));
        drop(fs::remove_dir(self.own(OUTPUT)));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let place = self.0.clone();
        // A session may have left a great many files, and others wait meanwhile.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || place.clear())),
            Err(_) => place.clear(),
        }
    }
}

/// Removes outputs of earlier containers in which there is nothing: their processes were not seen to their end.
fn sweep(output: &Path) {
    let Ok(entries) = fs::read_dir(output) else { return };
    for entry in entries.flatten().take(MOST_SWEPT) {
        // Removes empty folders alone, and no links.
        drop(fs::remove_dir(entry.path()));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the files of a test need not be whole after a crash")]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Rooms) {
        let home = tempfile::tempdir().unwrap();
        for folder in ["input", OUTPUT, "tmp", "sessions"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        fs::create_dir(home.path().join("output/left-empty")).unwrap();
        let folders = SessionFolders {
            root: home.path().to_str().unwrap().into(),
            prefix: "s".into(),
            variable: "WORK".into(),
        };
        (home, Rooms::new(Some(folders)).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn each_process_has_its_own_and_leaves_its_output() {
        let (home, rooms) = workspace();
        let home = home.path();
        assert!(names(&home.join(OUTPUT)).is_empty(), "an empty output of before stayed");
        let command = Command { argv: vec!["x".into()], env: [].into(), cwd: None };
        let (first, room) = rooms.give(&command).unwrap();
        let (second, other) = rooms.give(&command).unwrap();
        let own = |command: &Command| String::from_utf8(command.env["WORK"].expose().to_vec()).unwrap();
        assert_eq!(own(&first), home.join("sessions/s-1").to_str().unwrap());
        assert_ne!(own(&first), own(&second));
        let own = PathBuf::from(own(&first));
        fs::write(own.join("output/kept"), "1").unwrap();
        fs::create_dir(own.join("tmp/deep")).unwrap();
        symlink("/etc", own.join("tmp/deep/etc")).unwrap();
        assert!(own.join("input").is_dir());
        drop((room, other));
        assert_eq!(names(&home.join(OUTPUT)), ["s-1"]);
        assert_eq!(names(&home.join("output/s-1")), ["kept"]);
        assert!(names(&home.join("tmp")).is_empty() && names(&home.join("sessions")).is_empty());
        assert!(Path::new("/etc/passwd").exists());
    }
}
