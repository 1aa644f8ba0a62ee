//! A disk of a few pages, for tests of what happens when it is full.

use std::{fs, io::Write as _, path::Path, process::Command};

/// Mounted on a folder of its own until dropped.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None, and a word about it, where the machine does not let us mount.
    pub(crate) fn new(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "caisson-test"])
            .arg(folder.path())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            println!("skipped: mounting a small disk needs root");
            return None;
        }
        Some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut file = fs::File::create(self.path().join("full")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.path().join("full")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).status());
    }
}
