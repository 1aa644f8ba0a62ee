use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{FolderGrant, MemorySize};

/// A server's workspace: `/workspace/input` to read, `/workspace/output` to write, `/workspace/tmp` that is thrown
/// away. What it puts out stays in a volume of its own until the user has it collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
pub struct Workspace {
    /// A folder of the user's that it may read, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<PathBuf>,
    /// A folder of the user's, absolute, into which its output is collected. It never sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,
    /// Who shares it.
    pub per: WorkspacePer,
    /// The most that is collected or kept in a snapshot at a time.
    pub size: MemorySize,
}

/// Who shares a workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum WorkspacePer {
    /// All sessions of the server.
    #[default]
    Server,
    /// Nobody: each session's process has folders of its own in it.
    Session,
}

impl Default for Workspace {
    fn default() -> Self {
        Self { input: None, output: None, per: WorkspacePer::Server, size: MemorySize::mib(1 << 10) }
    }
}

impl Workspace {
    /// Where it is inside.
    pub const ROOT: &'static str = "/workspace";
    /// Where its input is inside.
    pub const INPUT: &'static str = "/workspace/input";
    /// Where its output is inside.
    pub const OUTPUT: &'static str = "/workspace/output";
    /// Where what is thrown away is inside.
    pub const TMP: &'static str = "/workspace/tmp";
    /// Where the folders of single sessions are inside.
    pub const SESSIONS: &'static str = "/workspace/sessions";

    /// The input, as any folder that is shown to a server.
    pub fn grant(&self) -> Option<FolderGrant> {
        let host = self.input.clone()?;
        Some(FolderGrant { host, inside: Self::INPUT.into(), write: false })
    }

    /// The folder its output is collected into, as one that is written: it is checked as such.
    pub fn destination(&self) -> Option<FolderGrant> {
        let host = self.output.clone()?;
        Some(FolderGrant { host, inside: Self::OUTPUT.into(), write: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_needs_to_be_written() {
        let read = |text: &str| toml::from_str::<Workspace>(text);
        assert_eq!(read("").unwrap(), Workspace::default());
        let full = read("input = \"/in\"\noutput = \"/out\"\nper = \"session\"\nsize = \"2GiB\"").unwrap();
        assert_eq!((full.per, full.size), (WorkspacePer::Session, MemorySize::mib(2048)));
        assert_eq!(full.grant().unwrap().inside, PathBuf::from("/workspace/input"));
        for bad in ["per = \"client\"", "size = \"much\"", "write = true"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
