//! Which folders of the user's may be shown to a server at all.
//!
//! A folder is refused when it is, lies in, or contains a place that gives a server more than a folder: keys,
//! cloud credentials, browser profiles, the engine's socket. Symlinks are resolved first, on both sides, and
//! the resolved folder is what is mounted. Between this check and the mount another program of the user's may
//! still swap a folder for a symlink; the check is made again right before each start to keep that time short.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use crate::model::FolderGrant;

/// Places on this machine that a plan must know of. Handed in by whoever reads the environment.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The user's home folder.
    pub home: PathBuf,
    /// Caisson's own: its config, data and artifacts folders, its socket, and the engine's socket.
    pub own: Vec<PathBuf>,
}

/// Why a folder is not shown to a server.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no such folder.
    #[error("the folder {} does not exist; create it, or change the grant", shown(.0))]
    Missing(PathBuf),
    /// It is no folder.
    #[error("{} is not a folder; grant the folder it lies in", shown(.0))]
    NotAFolder(PathBuf),
    /// It is not absolute.
    #[error("{} does not begin at the root; write the whole path", shown(.0))]
    Relative(PathBuf),
    /// It cannot be told to an engine.
    #[error("{} is not UTF-8, and no engine can be told of it", shown(.0))]
    NotUnicode(PathBuf),
    /// It cannot be looked at.
    #[error("{} cannot be looked at: {cause}", shown(.folder))]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It gives more than a folder.
    #[error("{} is never shown to a server: {why}. Grant a folder of its own", through(.folder, .resolved))]
    Refused {
        /// The folder, as granted.
        folder: PathBuf,
        /// Where it really is.
        resolved: PathBuf,
        /// Why not.
        why: String,
    },
}

fn shown(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().escape_debug())
}

fn through(folder: &Path, resolved: &Path) -> String {
    if folder == resolved {
        shown(folder)
    } else {
        format!("{} (which is {})", shown(folder), shown(resolved))
    }
}

/// A server's folder grants: resolved and found harmless. Made by [`Folders::resolve`] alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders(Vec<FolderGrant>);

impl Folders {
    /// Resolves the grants on this machine and checks each. Blocks on the disk.
    ///
    /// # Errors
    /// For the first folder that is missing or refused.
    pub fn resolve(grants: &[FolderGrant], places: &Places) -> Result<Self, FolderError> {
        if grants.is_empty() {
            return Ok(Self::default());
        }
        let closed = Closed::new(places, |path| std::fs::canonicalize(path).ok());
        let resolve = |grant: &FolderGrant| {
            let folder = &grant.host;
            if !folder.is_absolute() {
                return Err(FolderError::Relative(folder.clone()));
            }
            let resolved = std::fs::canonicalize(folder).map_err(|cause| {
                if cause.kind() == io::ErrorKind::NotFound {
                    FolderError::Missing(folder.clone())
                } else {
                    FolderError::Io { folder: folder.clone(), cause }
                }
            })?;
            if !resolved.is_dir() {
                return Err(FolderError::NotAFolder(folder.clone()));
            }
            if resolved.to_str().is_none() {
                return Err(FolderError::NotUnicode(folder.clone()));
            }
            // The path as written is checked too: a name such as `.ssh` says enough, wherever it leads.
            match closed.why(&resolved).or_else(|| closed.why(folder)) {
                Some(why) => Err(FolderError::Refused { folder: folder.clone(), resolved, why }),
                None => Ok(FolderGrant { host: resolved, ..grant.clone() }),
            }
        };
        grants.iter().map(resolve).collect::<Result<_, _>>().map(Self)
    }

    /// Whether nothing is granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The grants, the host's side resolved.
    pub fn iter(&self) -> impl Iterator<Item = &FolderGrant> {
        self.0.iter()
    }

    #[cfg(test)]
    pub(crate) fn unchecked(grants: Vec<FolderGrant>) -> Self {
        Self(grants)
    }
}

/// Folders of the home that hold more than files: closed themselves, all beneath, and all that contain them.
const HOME: [(&[&str], &str); 9] = [
    (&[".ssh", ".gnupg", ".pki"], "it holds keys"),
    (
        &[
            ".aws",
            ".azure",
            ".config/gcloud",
            ".kube",
            ".oci",
            ".config/doctl",
            ".config/hub",
            ".config/gh",
            ".terraform.d",
            ".fly",
            ".netrc",
            ".git-credentials",
            ".config/git/credentials",
            ".npmrc",
            ".pypirc",
            ".cargo/credentials.toml",
            ".vault-token",
            "AppData/Roaming/gcloud",
            "AppData/Roaming/GitHub CLI",
        ],
        "it holds credentials of clouds and registries",
    ),
    (
        &[
            ".docker",
            ".config/containers",
            ".local/share/containers",
            ".local/share/docker",
            ".colima",
            ".orbstack",
            ".rd",
            ".lima",
            ".podman",
        ],
        "it holds a container engine's socket or settings",
    ),
    (
        &[
            ".password-store",
            ".local/share/keyrings",
            ".local/share/kwalletd",
            ".config/op",
            ".1password",
            ".config/1Password",
            ".config/Bitwarden",
            ".config/keepassxc",
            "Library/Keychains",
            "Library/Application Support/1Password",
            "Library/Application Support/Bitwarden",
            "Library/Group Containers/2BUA8C4S2C.com.1password",
            "AppData/Local/Microsoft/Credentials",
            "AppData/Local/Microsoft/Vault",
            "AppData/Roaming/Microsoft/Credentials",
            "AppData/Roaming/Microsoft/Protect",
            "AppData/Roaming/Microsoft/Vault",
            "AppData/Roaming/Bitwarden",
            "AppData/Local/1Password",
        ],
        "it holds passwords",
    ),
    (
        &[
            ".mozilla",
            ".config/mozilla",
            ".librewolf",
            ".config/google-chrome",
            ".config/google-chrome-beta",
            ".config/chromium",
            ".config/microsoft-edge",
            ".config/BraveSoftware",
            ".config/vivaldi",
            ".config/opera",
            "snap/firefox",
            "snap/chromium",
            "snap/brave",
            ".var/app/org.mozilla.firefox",
            ".var/app/com.google.Chrome",
            ".var/app/org.chromium.Chromium",
            ".var/app/com.microsoft.Edge",
            ".var/app/com.brave.Browser",
            "Library/Application Support/Google/Chrome",
            "Library/Application Support/Chromium",
            "Library/Application Support/Firefox",
            "Library/Application Support/Microsoft Edge",
            "Library/Application Support/BraveSoftware",
            "Library/Application Support/Vivaldi",
            "Library/Application Support/Arc",
            "Library/Safari",
            "Library/Cookies",
            "Library/Containers/com.apple.Safari",
            "AppData/Local/Google/Chrome",
            "AppData/Local/Chromium",
            "AppData/Local/Microsoft/Edge",
            "AppData/Local/BraveSoftware",
            "AppData/Local/Vivaldi",
            "AppData/Roaming/Mozilla",
            "AppData/Roaming/Opera Software",
        ],
        "it holds a browser's profile, with its cookies and passwords",
    ),
    (
        &[
            ".thunderbird",
            "snap/thunderbird",
            "Library/Mail",
            "Library/Messages",
            "Library/Thunderbird",
            "AppData/Roaming/Thunderbird",
            ".config/Signal",
            "Library/Application Support/Signal",
            "AppData/Roaming/Signal",
        ],
        "it holds the user's mail or messages",
    ),
    (
        &[
            ".claude",
            ".cursor",
            ".codex",
            ".gemini",
            ".codeium",
            ".config/Claude",
            ".config/goose",
            "Library/Application Support/Claude",
            "AppData/Roaming/Claude",
        ],
        "it holds an AI client's settings and keys",
    ),
    (
        &[
            ".config/autostart",
            ".config/systemd",
            ".local/bin",
            "Library/LaunchAgents",
            "AppData/Roaming/Microsoft/Windows/Start Menu",
        ],
        "programs in it are started for the user",
    ),
    (&[".bash_history", ".zsh_history", ".local/share/fish"], "it holds what the user typed"),
];

/// Names that are closed wherever they stand: other users' homes, copies and backups.
const ANYWHERE: [&str; 6] = [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".password-store"];

/// Closed themselves, with all beneath and all that contain them.
const SYSTEM: [&str; 14] = [
    "/boot",
    "/dev",
    "/etc",
    "/proc",
    "/run",
    "/sys",
    "/var/run",
    "/var/lib/docker",
    "/var/lib/containers",
    "/private/etc",
    "/private/var/run",
    "/private/var/db",
    "/System",
    "C:/Windows",
];

/// Closed as such; a folder beneath may be granted.
const SHARED: [&str; 22] = [
    "/bin",
    "/home",
    "/lib",
    "/lib64",
    "/mnt",
    "/media",
    "/opt",
    "/root",
    "/sbin",
    "/srv",
    "/tmp",
    "/usr",
    "/var",
    "/Applications",
    "/Library",
    "/Users",
    "/Volumes",
    "/private/tmp",
    "C:/Program Files",
    "C:/Program Files (x86)",
    "C:/ProgramData",
    "C:/Users",
];

/// Every closed place of one machine, as written and as resolved.
struct Closed {
    /// Closed with all beneath and all that contain it.
    deep: Vec<(PathBuf, String)>,
    /// Closed with all that contain it.
    shallow: Vec<(PathBuf, String)>,
}

impl Closed {
    fn new(places: &Places, resolve: impl Fn(&Path) -> Option<PathBuf>) -> Self {
        let mut closed = Self { deep: Vec::new(), shallow: Vec::new() };
        let mut deep = |path: PathBuf, why: &str| {
            if let Some(resolved) = resolve(&path).filter(|resolved| *resolved != path) {
                closed.deep.push((resolved, why.to_owned()));
            }
            closed.deep.push((path, why.to_owned()));
        };
        for (folders, why) in HOME {
            folders.iter().for_each(|folder| deep(places.home.join(folder), why));
        }
        places.own.iter().for_each(|folder| deep(folder.clone(), "it is Caisson's own, or the engine's"));
        SYSTEM.iter().for_each(|folder| deep(folder.into(), "it belongs to the system"));
        let mut homes = vec![places.home.clone()];
        homes.extend(resolve(&places.home));
        for home in homes {
            closed.shallow.push((home, "it is the home folder".to_owned()));
        }
        for folder in SHARED {
            closed.shallow.push((folder.into(), "it is shared by all programs of this machine".to_owned()));
        }
        closed
    }

    /// Why `folder` may not be granted; none when it may.
    fn why(&self, folder: &Path) -> Option<String> {
        if folder.parent().is_none() {
            return Some("it is the whole machine".to_owned());
        }
        let named = |part: Component<'_>| {
            let Component::Normal(name) = part else { return None };
            ANYWHERE.into_iter().find(|closed| name.eq_ignore_ascii_case(closed))
        };
        if let Some(name) = folder.components().find_map(named) {
            return Some(format!("a folder {name} holds keys or credentials"));
        }
        let shallow = self.shallow.iter().find(|(place, _)| holds(folder, place));
        let deep = || self.deep.iter().find(|(place, _)| holds(folder, place) || holds(place, folder));
        let (place, why) = shallow.or_else(deep)?;
        Some(if holds(place, folder) && !holds(folder, place) {
            format!("it lies in {}: {why}", shown(place))
        } else if holds(folder, place) && !holds(place, folder) {
            format!("it contains {}: {why}", shown(place))
        } else {
            why.clone()
        })
    }
}

/// Whether `outer` is `inner` or contains it. Case does not count: on some systems it does not, and on the
/// others a folder that differs by case alone is not worth the risk.
fn holds(outer: &Path, inner: &Path) -> bool {
    let mut inner = inner.components();
    outer
        .components()
        .all(|part| inner.next().is_some_and(|of| of.as_os_str().eq_ignore_ascii_case(part.as_os_str())))
}

#[cfg(test)]
mod tests;
