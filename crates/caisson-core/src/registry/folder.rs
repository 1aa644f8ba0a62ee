//! The folder of servers' files, as it is on the disk.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::text::{self, Broken};
use crate::model::{Server, ServerName};

/// What is in the folder.
#[derive(Default)]
pub(super) struct Content {
    pub(super) files: BTreeMap<ServerName, File>,
    pub(super) ignored: Vec<Ignored>,
}

/// One server's file.
#[derive(Clone)]
pub(super) struct File {
    /// What it was read as; none when it is no text.
    pub(super) text: Option<String>,
    /// What it says.
    pub(super) server: Result<Server, Broken>,
}

/// A `.toml` file that is no server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The file's name, safe to show.
    pub file: String,
    /// Why it is passed over.
    pub reason: String,
}

impl File {
    pub(super) fn new(text: Result<String, Broken>) -> Self {
        match text {
            Ok(text) => Self { server: text::parse(&text), text: Some(text) },
            Err(broken) => Self { text: None, server: Err(broken) },
        }
    }

    /// Whether `other` was read from the very same content.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.text == other.text && (self.text.is_some() || self.server == other.server)
    }
}

pub(super) fn path(folder: &Path, name: &ServerName) -> PathBuf {
    folder.join(format!("{name}.toml"))
}

/// Reads one server's file; none when there is no such file.
pub(super) fn read_file(path: &Path) -> io::Result<Option<File>> {
    match text::read(path) {
        Ok(text) => Ok(Some(File::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the whole folder. A file that cannot be read is a broken one; a folder that is not there is empty.
pub(super) fn read(folder: &Path) -> io::Result<Content> {
    let mut content = Content::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(content),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        let shown = name.to_string_lossy();
        // Hidden files and those of other kinds are editors' own.
        let Some(stem) = shown.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')) else {
            continue;
        };
        let name: ServerName = match stem.parse() {
            Ok(name) => name,
            Err(error) => {
                let file = shown.escape_debug().to_string();
                content.ignored.push(Ignored { file, reason: format!("{error}; rename the file") });
                continue;
            }
        };
        let file = match read_file(&path(folder, &name)) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) => File::new(Err(Broken::whole(format!("the file cannot be read: {error}")))),
        };
        content.files.insert(name, file);
    }
    content.ignored.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(content)
}
