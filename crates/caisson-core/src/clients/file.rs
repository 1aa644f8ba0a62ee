use std::{
    collections::BTreeMap,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    Client, ClientError,
    edit::{self, Fault},
};
use crate::registry::atomic;

/// Some clients keep much more than servers in their file, but not more than this.
const LONGEST: u64 = 64 << 20;

const BOM: &str = "\u{feff}";

/// A client's file as it is on the disk. It may hold tokens: ours, and others'.
pub(super) struct Content {
    /// None: there is no file.
    text: Option<Zeroizing<String>>,
    /// Whether others on the machine may read it.
    pub(super) exposed: bool,
    /// The file itself, behind symbolic links.
    target: PathBuf,
}

impl Content {
    pub(super) fn read(client: Client, path: &Path) -> Result<Self, ClientError> {
        let wrong = |source| ClientError::Read { client, path: path.to_owned(), source };
        let strange = |what| ClientError::Strange { client, path: path.to_owned(), what };
        let target = atomic::resolve(path).map_err(wrong)?;
        let found = match fs::metadata(&target) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { text: None, exposed: false, target });
            }
            Err(error) => return Err(wrong(error)),
        };
        // Asked before opening: opening a named pipe would wait for a writer.
        if found.is_dir() {
            return Err(strange("a folder"));
        } else if !found.is_file() {
            return Err(strange("not a regular file"));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        let mut file = fs::File::open(&target).map_err(wrong)?.take(LONGEST + 1);
        file.read_to_end(&mut bytes).map_err(wrong)?;
        if bytes.len() as u64 > LONGEST {
            return Err(strange("longer than 64 MiB"));
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(strange("not UTF-8 text"));
        };
        Ok(Self { text: Some(Zeroizing::new(text.to_owned())), exposed: exposed(&found), target })
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        self.text.as_ref().map(|text| text.as_bytes())
    }

    /// Its bytes once more; none when there is no file.
    pub(super) fn copy(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.bytes().map(|bytes| Zeroizing::new(bytes.to_vec()))
    }

    /// The text without a byte order mark; empty when there is no file.
    pub(super) fn text(&self) -> &str {
        let text = self.text.as_ref().map_or("", |text| text.as_str());
        text.strip_prefix(BOM).unwrap_or(text)
    }

    /// Another text as this file would hold it.
    pub(super) fn with_text(&self, text: String) -> Zeroizing<Vec<u8>> {
        let marked = self.text.as_ref().is_some_and(|text| text.starts_with(BOM));
        let text = Zeroizing::new(text);
        let mark = if marked { BOM } else { "" };
        Zeroizing::new([mark.as_bytes(), text.as_bytes()].concat())
    }

    pub(super) fn entries(&self, key: &str) -> Result<BTreeMap<String, Value>, Fault> {
        edit::entries(self.text(), key)
    }

    /// A rename would replace a read-only file all the same; that it is read-only is somebody's will.
    pub(super) fn check_writable(&self, client: Client, path: &Path) -> Result<(), ClientError> {
        let writable = match fs::metadata(&self.target) {
            Ok(found) => !found.permissions().readonly() && may_write(&self.target),
            Err(_) => true,
        };
        writable.then_some(()).ok_or_else(|| ClientError::ReadOnly { client, path: path.to_owned() })
    }
}

#[cfg(unix)]
fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_: &Path) -> bool {
    true
}

#[cfg(unix)]
fn exposed(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    found.permissions().mode() & 0o044 != 0
}

#[cfg(not(unix))]
fn exposed(_: &fs::Metadata) -> bool {
    false
}
