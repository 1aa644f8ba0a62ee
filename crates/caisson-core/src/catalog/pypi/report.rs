use std::{collections::BTreeMap, fmt::Write};

use serde::Deserialize;

use crate::catalog::program::normal;

/// What Caisson reads of pip's installation report (pip documentation, "Installation Report", version 1).
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    install: Vec<Item>,
}

#[derive(Debug, Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct DownloadInfo {
    #[serde(default)]
    archive_info: Option<ArchiveInfo>,
}

#[derive(Debug, Deserialize)]
struct ArchiveInfo {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Report {
    /// The exact version that was installed of `package`.
    pub(super) fn version(&self, package: &str) -> Option<&str> {
        let wanted = normal(package);
        let item = self.install.iter().find(|item| normal(&item.metadata.name) == wanted)?;
        Some(&item.metadata.version)
    }

    /// Every package with version and hash, as pip takes it back: `pip install --require-hashes -r`.
    pub(super) fn requirements(&self) -> String {
        let mut lines: Vec<String> = self.install.iter().map(Item::requirement).collect();
        lines.sort();
        lines.concat()
    }
}

impl Item {
    fn requirement(&self) -> String {
        let mut line = format!("{}=={}", self.metadata.name, self.metadata.version);
        for (algorithm, hash) in self.download_info.archive_info.iter().flat_map(|info| &info.hashes) {
            // Writing to a string does not fail.
            let _ = write!(line, " --hash={algorithm}:{hash}");
        }
        // A name or version with a line break would become a line of its own.
        line.retain(|c| !c.is_control());
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_becomes_requirements() {
        let report: Report = serde_json::from_str(
            r#"{"version":"1","pip_version":"23.0.1","install":[
              {"download_info":{"url":"https://files.test/mcp_server_time-1.0-py3-none-any.whl",
                "archive_info":{"hash":"sha256=5c09","hashes":{"sha256":"5c09"}}},
               "is_direct":false,"requested":true,
               "metadata":{"metadata_version":"2.5","name":"MCP_server.time","version":"1.0","summary":"…"}},
              {"download_info":{"url":"x","archive_info":{"hashes":{"sha256":"aa"}}},
               "metadata":{"name":"anyio","version":"4.16.0\nevil @ http://evil"}},
              {"download_info":{"url":"x","vcs_info":{}},"metadata":{"name":"b","version":"2"}}
            ],"environment":{}}"#,
        )
        .unwrap();
        assert_eq!(report.version("mcp-server-time"), Some("1.0"));
        assert_eq!(report.version("time"), None);
        assert_eq!(
            report.requirements(),
            "MCP_server.time==1.0 --hash=sha256:5c09\nanyio==4.16.0evil @ http://evil --hash=sha256:aa\nb==2\n"
        );
    }
}
