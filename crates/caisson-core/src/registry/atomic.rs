//! Writes a file whole or not at all.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A temporary file's name begins so; whoever lists the folder passes over it.
pub(crate) const TEMPORARY: &str = ".caisson-";

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
    // Made readable by its owner alone; removed when dropped before `persist`.
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).suffix(".tmp").tempfile_in(folder)?;
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

    /// `/dev/full` answers every write with ENOSPC, but a temporary file cannot be put there; a file size limit
    /// would hit the whole test process. So: a folder nothing can be made in.
    #[test]
    fn a_folder_that_takes_no_file_leaves_the_old_one() {
        let error = write(Path::new("/proc/self/status"), b"x", 0o600).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}
