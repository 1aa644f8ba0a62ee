use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::PathBuf,
};

/// The file in the state folder, one note a line.
const FILE: &str = "notes.txt";
/// The longest note, in bytes.
const LONGEST: usize = 4096;
/// The most notes.
const MOST: usize = 1000;

/// Notes kept in the state folder: they outlive the container if that folder does.
#[derive(Clone, Debug)]
pub(crate) struct Notes(PathBuf);

impl Notes {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Adds a note; how many there are with it.
    pub(crate) fn add(&self, note: &str) -> Result<usize, String> {
        let note = note.split_whitespace().collect::<Vec<_>>().join(" ");
        if note.is_empty() || note.len() > LONGEST {
            return Err(format!("a note has 1 to {LONGEST} bytes"));
        }
        let number = self.list()?.len();
        if number >= MOST {
            return Err(format!("there are {MOST} notes, the most there may be: clear them first"));
        }
        let added = File::options()
            .create(true)
            .append(true)
            .open(self.0.join(FILE))
            .and_then(|mut file| file.write_all(format!("{note}\n").as_bytes()));
        added.map_err(|error| self.fault(&error))?;
        Ok(number + 1)
    }

    /// All notes, oldest first.
    pub(crate) fn list(&self) -> Result<Vec<String>, String> {
        if !self.0.is_dir() {
            return Err(self.fault(&ErrorKind::NotFound.into()));
        }
        match fs::read_to_string(self.0.join(FILE)) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Throws all notes away; how many there were.
    pub(crate) fn clear(&self) -> Result<usize, String> {
        let number = self.list()?.len();
        match fs::remove_file(self.0.join(FILE)) {
            Ok(()) => Ok(number),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.fault(&error)),
        }
    }

    fn fault(&self, error: &io::Error) -> String {
        format!(
            "Notes are kept in {}, and that cannot be used: {error}. Grant the server a state folder of that name.",
            self.0.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path().into());
        assert_eq!(notes.list(), Ok(vec![]));
        assert_eq!((notes.add("one"), notes.add(" two\nlines ")), (Ok(1), Ok(2)));
        assert_eq!(Notes::new(folder.path().into()).list(), Ok(vec!["one".into(), "two lines".into()]));
        assert_eq!((notes.clear(), notes.clear()), (Ok(2), Ok(0)));
        assert!(notes.add(" ").is_err());
        assert!(notes.add(&"x".repeat(5000)).is_err());
        assert!(Notes::new("/nowhere".into()).add("x").unwrap_err().contains("state folder"));
    }
}
