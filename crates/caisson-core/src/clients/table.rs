//! The clients, as data: where each keeps its file, and how an entry looks in it.
//!
//! A client whose file is JSON with one object of entries is a row here and nothing more.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use jsonc_parser::cst::CstInputValue;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    ClientError, Link, UnknownClient,
    edit::{self, Entry},
};
use crate::model::Endpoint;

/// A program that uses MCP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are called what they are called")]
pub enum Client {
    ClaudeDesktop,
    ClaudeCode,
    Cursor,
    VsCode,
    VsCodeInsiders,
    Windsurf,
    Zed,
    GeminiCli,
    LmStudio,
}

/// An operating system: where clients keep their files differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called what they are called")]
pub enum Os {
    Linux,
    MacOs,
    Windows,
}

/// The user's folders.
#[derive(Clone, Debug)]
pub struct ClientPlaces {
    /// The operating system.
    pub os: Os,
    /// The home folder.
    pub home: PathBuf,
    /// `~/.config`, `~/Library/Application Support` or `%APPDATA%`.
    pub config: PathBuf,
    /// `%LOCALAPPDATA%`, on Windows.
    pub local: Option<PathBuf>,
}

/// What is known of a client.
pub(super) struct Row {
    client: Client,
    id: &'static str,
    title: &'static str,
    /// Where its file may be, the likelier place first: the first that has its folder counts, else the last.
    files: &'static [Place],
    /// A folder that tells it is installed, where that is not the file's own.
    folder: Option<&'static str>,
    /// The object its entries stand in.
    pub(super) key: &'static str,
    /// How an entry with an address looks; none: it reads no addresses.
    url: Option<UrlShape>,
    /// Whether an entry with a command needs `"type": "stdio"`.
    typed: bool,
}

/// A file, on one system or on all. `{home}`, `{config}` and `{local}` stand for [`ClientPlaces`].
struct Place {
    only: Option<Os>,
    path: &'static str,
}

struct UrlShape {
    field: &'static str,
    kind: Option<&'static str>,
}

const fn anywhere(path: &'static str) -> Place {
    Place { only: None, path }
}

const fn on(os: Os, path: &'static str) -> Place {
    Place { only: Some(os), path }
}

const HTTP: Option<&str> = Some("http");

const ROWS: [Row; 9] = [
    Row {
        client: Client::ClaudeDesktop,
        id: "claude-desktop",
        title: "Claude Desktop",
        files: &[
            // From the Microsoft Store it sees a roaming folder of its own.
            on(
                Os::Windows,
                "{local}/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json",
            ),
            anywhere("{config}/Claude/claude_desktop_config.json"),
        ],
        folder: None,
        key: "mcpServers",
        url: None,
        typed: false,
    },
    Row {
        client: Client::ClaudeCode,
        id: "claude-code",
        title: "Claude Code",
        files: &[anywhere("{home}/.claude.json")],
        folder: Some("{home}/.claude"),
        key: "mcpServers",
        url: Some(UrlShape { field: "url", kind: HTTP }),
        typed: true,
    },
    Row {
        client: Client::Cursor,
        id: "cursor",
        title: "Cursor",
        files: &[anywhere("{home}/.cursor/mcp.json")],
        folder: None,
        key: "mcpServers",
        url: Some(UrlShape { field: "url", kind: HTTP }),
        typed: false,
    },
    Row {
        client: Client::VsCode,
        id: "vscode",
        title: "VS Code",
        files: &[anywhere("{config}/Code/User/mcp.json")],
        folder: None,
        key: "servers",
        url: Some(UrlShape { field: "url", kind: HTTP }),
        typed: true,
    },
    Row {
        client: Client::VsCodeInsiders,
        id: "vscode-insiders",
        title: "VS Code Insiders",
        files: &[anywhere("{config}/Code - Insiders/User/mcp.json")],
        folder: None,
        key: "servers",
        url: Some(UrlShape { field: "url", kind: HTTP }),
        typed: true,
    },
    Row {
        client: Client::Windsurf,
        id: "windsurf",
        title: "Windsurf",
        files: &[anywhere("{home}/.codeium/windsurf/mcp_config.json")],
        folder: None,
        key: "mcpServers",
        url: Some(UrlShape { field: "serverUrl", kind: HTTP }),
        typed: false,
    },
    Row {
        client: Client::Zed,
        id: "zed",
        title: "Zed",
        files: &[
            on(Os::Windows, "{config}/Zed/settings.json"),
            on(Os::MacOs, "{home}/.config/zed/settings.json"),
            on(Os::Linux, "{home}/.config/zed/settings.json"),
        ],
        folder: None,
        key: "context_servers",
        url: Some(UrlShape { field: "url", kind: None }),
        typed: false,
    },
    Row {
        client: Client::GeminiCli,
        id: "gemini-cli",
        title: "Gemini CLI",
        files: &[anywhere("{home}/.gemini/settings.json")],
        folder: None,
        key: "mcpServers",
        url: Some(UrlShape { field: "httpUrl", kind: None }),
        typed: false,
    },
    Row {
        client: Client::LmStudio,
        id: "lm-studio",
        title: "LM Studio",
        files: &[anywhere("{home}/.lmstudio/mcp.json")],
        folder: None,
        key: "mcpServers",
        url: Some(UrlShape { field: "url", kind: HTTP }),
        typed: false,
    },
];

/// Where a client keeps its file on a machine.
pub(super) struct Spot {
    pub(super) file: PathBuf,
    /// The folder that tells it is installed.
    pub(super) folder: PathBuf,
    pub(super) found: bool,
}

impl Client {
    /// Every client Caisson knows.
    pub const ALL: [Self; ROWS.len()] = {
        let mut all = [Self::ClaudeDesktop; ROWS.len()];
        let mut index = 0;
        while index < ROWS.len() {
            all[index] = ROWS[index].client;
            index += 1;
        }
        all
    };

    /// Its short name, for commands: `claude-desktop`.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// Its name for people: `Claude Desktop`.
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// Whether it can be given the bridge's address; else it needs [`Link::Shim`].
    pub fn reads_urls(self) -> bool {
        self.row().url.is_some()
    }

    pub(super) fn row(self) -> &'static Row {
        // Rows stand in the order of the variants, which a test checks.
        &ROWS[self as usize]
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

impl FromStr for Client {
    type Err = UnknownClient;

    fn from_str(text: &str) -> Result<Self, UnknownClient> {
        ROWS.iter()
            .find(|row| row.id == text)
            .map(|row| row.client)
            .ok_or_else(|| UnknownClient(text.to_owned()))
    }
}

impl Row {
    pub(super) fn spot(&self, places: &ClientPlaces) -> Spot {
        let spots = self.files.iter().filter_map(|place| {
            if place.only.is_some_and(|os| os != places.os) {
                return None;
            }
            let file = places.resolve(place.path)?;
            let folder = match self.folder {
                Some(folder) => places.resolve(folder)?,
                None => file.parent().unwrap_or(Path::new("")).to_owned(),
            };
            let found = folder.is_dir() || file.symlink_metadata().is_ok();
            Some(Spot { file, folder, found })
        });
        // Every row has a place on every system, which a test checks.
        let mut last = None;
        for spot in spots {
            if spot.found {
                return spot;
            }
            last = Some(spot);
        }
        last.unwrap_or_else(|| Spot { file: PathBuf::new(), folder: PathBuf::new(), found: false })
    }

    /// The entry for `server`.
    pub(super) fn entry(&self, server: &Endpoint, link: &Link) -> Result<Entry, ClientError> {
        let pair = |key: &str, value: &str| (key.to_owned(), CstInputValue::from(value));
        let text = |path: &Path| {
            let not_unicode = || ClientError::NotUnicode { client: self.client, path: path.to_owned() };
            path.to_str().map(str::to_owned).ok_or_else(not_unicode)
        };
        let mut entry = Entry::new();
        match link {
            Link::Shim { program, env } => {
                if self.typed {
                    entry.push(pair("type", "stdio"));
                }
                entry.push(pair("command", &text(program)?));
                entry.push(("args".into(), vec!["stdio".to_owned(), server.to_string()].into()));
                let env = env.iter().map(|(name, value)| Ok(pair(name, &text(Path::new(value))?)));
                let env = env.collect::<Result<Vec<_>, ClientError>>()?;
                if !env.is_empty() {
                    entry.push(("env".into(), env.into()));
                }
            }
            Link::Url { bridge, token } => {
                let shape = self.url.as_ref().ok_or(ClientError::NoUrls(self.client))?;
                if let Some(kind) = shape.kind {
                    entry.push(pair("type", kind));
                }
                let bridge = bridge.trim_end_matches('/');
                entry.push(pair(shape.field, &format!("{bridge}{}/mcp", server.path())));
                let token = String::from_utf8_lossy(token.expose());
                let bearer = Zeroizing::new(format!("Bearer {token}"));
                entry.push(("headers".into(), vec![pair("Authorization", &bearer)].into()));
            }
        }
        Ok(entry)
    }
}

impl ClientPlaces {
    fn resolve(&self, path: &str) -> Option<PathBuf> {
        let mut parts = path.split('/');
        let mut resolved = match parts.next()? {
            "{home}" => self.home.clone(),
            "{config}" => self.config.clone(),
            "{local}" => self.local.clone()?,
            other => PathBuf::from(other),
        };
        resolved.extend(parts);
        Some(resolved)
    }
}

const URL_FIELDS: [&str; 3] = ["url", "serverUrl", "httpUrl"];

/// Whether an entry leads to this server of some Caisson's on this machine.
pub(super) fn leads_to_caisson(entry: &Value, server: &Endpoint) -> bool {
    let url = URL_FIELDS.iter().find_map(|field| entry.get(field)?.as_str());
    let by_url = url.is_some_and(|url| {
        url.starts_with("http://127.0.0.1:") && url.ends_with(&format!("{}/mcp", server.path()))
    });
    by_url || args(entry).is_some_and(|args| args == ["stdio", &server.to_string()])
}

/// Whether an entry leads to the very same place as ours would.
pub(super) fn same_target(found: &Value, ours: &Entry) -> bool {
    let ours = edit::plain(&CstInputValue::Object(ours.clone()));
    let same = |field: &str| ours.get(field).is_some() && ours.get(field) == found.get(field);
    URL_FIELDS.iter().any(|field| same(field)) || (same("command") && same("args"))
}

fn args(entry: &Value) -> Option<Vec<&str>> {
    entry.get("args")?.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests;
