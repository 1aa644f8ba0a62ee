//! Writes a file whole or not at all.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A temporary file's name begins and ends so: hidden, and of no kind anybody reads. Between stands the process
/// that writes it, so that what a dead one has left can be told.
const TEMPORARY: &str = ".caisson-";
const ENDING: &str = ".tmp";

/// As many links as Linux follows in one path.
const MOST_LINKS: usize = 40;

/// Replaces the content of the file at `path`, or makes it.
///
/// The bytes go to a temporary file in the same folder, are flushed to the disk, and take the file's place in one
/// step: a crash, a full disk or a missing right leaves the old file as it was. A symbolic link stays a link; the
/// file it leads to is replaced. A file that is there keeps its mode; a new one gets `mode` (Unix permission bits).
///
/// # Errors
/// Whatever the system says; the old file is then unchanged. What is there but is no regular file is not replaced.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let target = resolve(path)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let before = match fs::symlink_metadata(&target) {
        Ok(found) if !found.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // What a crash has left may hold a token. A folder that cannot be listed can still be written.
    drop(sweep(folder));
    // Made readable by its owner alone; removed when dropped before `persist`.
    let prefix = format!("{TEMPORARY}{}-", std::process::id());
    let mut file = tempfile::Builder::new().prefix(&prefix).suffix(ENDING).tempfile_in(folder)?;
    file.write_all(bytes)?;
    dress(file.as_file(), before.as_ref(), mode)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|failed| failed.error)?;
    flush_folder(folder)
}

/// Removes a file, and flushes its folder so that it stays removed after a power cut.
///
/// # Errors
/// Whatever the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    path.parent().map_or(Ok(()), flush_folder)
}

/// Removes the temporary files of writers that have died.
///
/// # Errors
/// When the folder cannot be listed, or a file not removed.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let writer = name
            .to_str()
            .and_then(|name| name.strip_prefix(TEMPORARY)?.strip_suffix(ENDING)?.split_once('-'))
            .and_then(|(process, _)| process.parse().ok());
        if writer.is_some_and(is_dead) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Follows `path` through symbolic links to the file they lead to, which may be missing.
///
/// # Errors
/// When the links go in a circle, or cannot be read.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&path) {
            // A relative target counts from the link's own folder; an absolute one replaces it.
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // No link (EINVAL), or nothing there yet: this is the file.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "its symbolic links go in a circle"))
}

#[cfg(unix)]
fn dress(file: &fs::File, before: Option<&fs::Metadata>, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let mode = match before {
        Some(before) => {
            let mine = file.metadata()?;
            // Run by root on a user's file, it stays the user's.
            if (mine.uid(), mine.gid()) != (before.uid(), before.gid()) {
                fchown(file, Some(before.uid()), Some(before.gid()))?;
            }
            before.mode() & 0o7777
        }
        None => mode,
    };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn dress(_: &fs::File, _: Option<&fs::Metadata>, _: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_dead(process: i32) -> bool {
    use rustix::{io::Errno, process};
    process::Pid::from_raw(process).is_some_and(|id| process::test_kill_process(id) == Err(Errno::SRCH))
}

#[cfg(not(unix))]
fn is_dead(_: i32) -> bool {
    false
}

#[cfg(unix)]
fn flush_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn flush_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_gets_the_mode_and_an_old_one_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one", 0o640).unwrap();
        assert_eq!(mode(&path), 0o640);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        write(&path, b"two", 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o604);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real/target", folder.path().join("middle")).unwrap();
        symlink(folder.path().join("middle"), folder.path().join("link")).unwrap();
        for text in ["made through a dangling link", "and again"] {
            write(&folder.path().join("link"), text.as_bytes(), 0o600).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("real/target")).unwrap(), text);
        }
        assert!(fs::symlink_metadata(folder.path().join("link")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(folder.path().join("middle")).unwrap().is_symlink());
    }

    #[test]
    fn a_circle_a_folder_and_a_missing_folder_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        fs::create_dir(folder.path().join("dir")).unwrap();
        for bad in ["loop", "dir", "none/file"] {
            write(&folder.path().join(bad), b"x", 0o600).unwrap_err();
        }
        assert_eq!(names(folder.path()), ["dir", "loop"]);
    }

    #[test]
    fn what_dead_writers_left_goes_and_what_living_ones_write_stays() {
        let folder = tempfile::tempdir().unwrap();
        let living = format!(".caisson-{}-x.tmp", std::process::id());
        // No process has this number: it is beyond the kernel's largest.
        for left in [&living, ".caisson-99999999-x.tmp", ".caisson-notes.tmp", ".caisson-1-x"] {
            fs::File::create(folder.path().join(left)).unwrap();
        }
        write(&folder.path().join("a"), b"x", 0o600).unwrap();
        assert_eq!(names(folder.path()), [".caisson-1-x", &living, ".caisson-notes.tmp", "a"]);
    }

    #[test]
    fn many_writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::thread::scope(|scope| {
            for n in 0..8_u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write(path, &[n; 5000], 0o600).unwrap();
                    }
                });
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 5000 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        let Some(disk) = crate::registry::small_disk::SmallDisk::new(64) else { return };
        let path = disk.path().join("a");
        write(&path, b"old", 0o600).unwrap();
        disk.fill();
        let error = write(&path, &[b'x'; 8192], 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(disk.path()), ["a", "full"]);
    }
}
