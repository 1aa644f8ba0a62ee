//! Files of the user's that a server looked for in vain, read from what it prints and answers. Only a guess for people:
//! nothing is granted by it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};
use ts_rs::TS;

use super::{Folders, Places, traffic::Book};
use crate::model::{Event, EventSender, FolderGrant, Server, ServerName};

/// How programs say that a file is not there or may not be used: libc's words (strerror(3)), and the names of their
/// numbers.
const NOT_THERE: [&str; 5] =
    ["no such file or directory", "enoent", "not found", "does not exist", "no such directory"];
const NOT_ALLOWED: [&str; 5] =
    ["permission denied", "eacces", "eperm", "operation not permitted", "access denied"];
const NOT_WRITABLE: [&str; 2] = ["read-only file system", "erofs"];
/// Bytes of one message that are read.
const MOST_READ: usize = 16 << 10;
/// Paths taken from one message.
const MOST_PATHS: usize = 4;
/// The longest path there is (PATH_MAX).
const LONGEST: usize = 4096;
/// What lies beneath these is the container's own.
const OURS: [&str; 20] = [
    "/app",
    "/bin",
    "/boot",
    "/caisson",
    "/dev",
    "/etc",
    "/home/server",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/workspace",
];

/// A file or folder of the user's that a server looked for and does not see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
pub struct Missed {
    /// The folder that would have to be shown.
    pub folder: PathBuf,
    /// Whether it wanted to change something in it.
    pub write: bool,
}

/// What is needed to tell people of what a server misses.
pub(super) struct Missing {
    pub(super) server: ServerName,
    pub(super) folders: watch::Receiver<Arc<Server>>,
    pub(super) missed: broadcast::Receiver<(PathBuf, bool)>,
    pub(super) places: Places,
    pub(super) book: Book,
    pub(super) events: EventSender,
}

/// Looks at each path a server has missed, and tells people of the folders that could be shown to it, each once.
pub(super) async fn watch(mut missing: Missing) {
    loop {
        let (path, write) = match missing.missed.recv().await {
            Ok(missed) => missed,
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let granted = missing.folders.borrow().permissions.folders.clone();
        let places = missing.places.clone();
        // A folder may lie on a disk that is slow or asleep.
        let looked = tokio::task::spawn_blocking(move || folder_for(&path, write, &granted, &places)).await;
        let Ok(Some(found)) = looked else { continue };
        if missing.book.missed(found.clone()) {
            let Missed { folder, write } = found;
            // Nobody watching is fine.
            drop(missing.events.send(Event::FolderMissed { server: missing.server.clone(), folder, write }));
        }
    }
}

/// The folder that would have to be shown for this path; none where there is nothing of the kind, it is shown already,
/// or may not be. Blocks on the disk.
fn folder_for(path: &Path, write: bool, granted: &[FolderGrant], places: &Places) -> Option<Missed> {
    let folder = if path.is_dir() {
        path
    } else if path.exists() || write {
        path.parent()?
    } else {
        return None;
    };
    let covers = |grant: &FolderGrant| folder.starts_with(&grant.inside) && (grant.write || !write);
    if granted.iter().any(covers) {
        return None;
    }
    let grant = FolderGrant { host: folder.to_owned(), inside: folder.to_owned(), write };
    Folders::resolve(&[grant], places).ok()?;
    Some(Missed { folder: folder.to_owned(), write })
}

/// The paths that `text`, an error of a server's, is about, and whether it wanted to write there. Pure.
pub(super) fn paths(text: &[u8]) -> Vec<(PathBuf, bool)> {
    let text = &text[..text.len().min(MOST_READ)];
    if !text.contains(&b'/') {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(text);
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let write = says(&NOT_WRITABLE);
    if !write && !says(&NOT_THERE) && !says(&NOT_ALLOWED) {
        return Vec::new();
    }
    let mut paths = Vec::new();
    for (at, _) in text.match_indices('/') {
        let before = text[..at].chars().next_back();
        let starts =
            before.is_none_or(|before| before.is_whitespace() || "'\"`(=[:,\u{2018}".contains(before));
        if !starts || text[at..].starts_with("//") {
            continue;
        }
        // A quoted path ends with its quote, and may hold blanks; another one ends where a path would not go on.
        let end = match before {
            Some('\'' | '"' | '`') => before,
            Some('\u{2018}') => Some('\u{2019}'),
            Some(_) | None => None,
        };
        let stops = |c: char| match end {
            Some(end) => c == end || c == '\n' || c == '\\',
            None => c.is_whitespace() || "'\"`)(]<>;,:\\".contains(c),
        };
        let path = text[at..].split(stops).next().unwrap_or_default();
        let path = path.trim_end_matches(['.', '/']);
        if path.len() > 1 && path.len() <= LONGEST && is_the_users(Path::new(path)) {
            let path = PathBuf::from(path);
            if !paths.iter().any(|(known, _)| *known == path) {
                paths.push((path, write));
            }
        }
        if paths.len() == MOST_PATHS {
            break;
        }
    }
    paths
}

/// Whether this may be a file of the user's: not one of the container's own, and no way around.
fn is_the_users(path: &Path) -> bool {
    !OURS.iter().any(|ours| path.starts_with(ours))
        && !path.components().any(|part| part.as_os_str() == ".." || part.as_os_str() == ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, bool)> {
        paths(text.as_bytes()).into_iter().map(|(path, write)| (path.display().to_string(), write)).collect()
    }

    #[test]
    fn errors_of_many_languages() {
        for (text, path, write) in [
            (
                "Error: ENOENT: no such file or directory, open '/Users/me/my notes/a.md'",
                "/Users/me/my notes/a.md",
                false,
            ),
            (
                "FileNotFoundError: [Errno 2] No such file or directory: '/home/me/a.txt'",
                "/home/me/a.txt",
                false,
            ),
            ("open /home/me/a.txt: no such file or directory", "/home/me/a.txt", false),
            ("cat: /home/me/a.txt: Permission denied", "/home/me/a.txt", false),
            ("java.nio.file.NoSuchFileException: /data/x (No such file or directory)", "/data/x", false),
            (r#"{"text":"ENOENT: no such file or directory, stat \"/home/me/b\""}"#, "/home/me/b", false),
            ("OSError: [Errno 30] Read-only file system: '/home/me/out'", "/home/me/out", true),
            (
                "mkdir: cannot create directory \u{2018}/home/me/new\u{2019}: Read-only file system",
                "/home/me/new",
                true,
            ),
            ("the folder /home/me/notes/ does not exist.", "/home/me/notes", false),
        ] {
            assert_eq!(found(text), [(path.to_owned(), write)], "{text}");
        }
    }

    #[test]
    fn what_is_no_such_error() {
        for text in [
            "listening on /home/me/socket",
            "ENOENT: no such file or directory, open '/usr/lib/x'",
            "ENOENT: open '/home/server/.cache'",
            "ENOENT: open '/home/me/../../etc/passwd'",
            "ENOENT: a/b, https://example.com/x",
            "ENOENT: / // ./x",
            "",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
        let many: String = (0..100).map(|n| format!("ENOENT '/home/me/{n}' ")).collect();
        assert_eq!(found(&many).len(), MOST_PATHS);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            drop(paths(&[b"ENOENT /".as_slice(), &bytes].concat()));
        }
    }
}
