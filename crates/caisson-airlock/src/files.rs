use std::{
    fs::{DirBuilder, File, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path},
};

use caisson_wire::{FileMode, LaunchFile};

/// Why a file of the launch could not be written. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("\"{}\" is not an absolute path without \"..\"", .0.escape_debug())]
    Path(String),
    #[error("{} could not be written: {error}; is there a writable tmpfs?", .path.escape_debug())]
    Io { path: String, error: io::Error },
}

/// Writes a file before any other process runs. What is there already is never overwritten.
pub(crate) fn write(file: &LaunchFile) -> Result<(), FileError> {
    let path = Path::new(&file.path);
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let (Some(folder), true, true) = (path.parent(), plain, path.is_absolute()) else {
        return Err(FileError::Path(file.path.clone()));
    };
    let mode = match file.mode {
        FileMode::Secret => 0o400,
        FileMode::Public => 0o444,
    };
    let written = DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| {
        let mut to = File::options().write(true).create_new(true).mode(mode).open(path)?;
        to.write_all(file.content.expose())?;
        // Whatever the umask took away.
        to.set_permissions(Permissions::from_mode(mode))
    });
    written.map_err(|error| FileError::Io { path: file.path.clone(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, mode: FileMode) -> LaunchFile {
        LaunchFile { path: path.to_str().unwrap().to_owned(), content: "hunter2".into(), mode }
    }

    #[test]
    fn files_and_their_folders_are_for_the_user_alone() {
        let home = tempfile::tempdir().unwrap();
        for (name, mode, bits) in [("A", FileMode::Secret, 0o400), ("B", FileMode::Public, 0o444)] {
            let path = home.path().join("run/secrets").join(name);
            write(&file(&path, mode)).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, bits);
            assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o7777, 0o700);
            assert_eq!(std::fs::read(&path).unwrap(), b"hunter2");
            assert!(write(&file(&path, mode)).is_err(), "written twice");
        }
    }

    #[test]
    fn odd_paths_are_refused_and_contents_never_told() {
        for path in ["", "a", "../a", "/run/../etc/passwd", "/"] {
            let error = write(&file(Path::new(path), FileMode::Secret)).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = write(&file(Path::new("/proc/nowhere/a"), FileMode::Secret)).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
