use std::collections::BTreeMap;

use serde::Deserialize;

/// What Caisson reads of npm's lockfile (docs.npmjs.com, "package-lock.json", lockfileVersion 3).
#[derive(Debug, Deserialize)]
pub(super) struct Lock {
    packages: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    bin: BTreeMap<String, String>,
    #[serde(default)]
    has_install_script: bool,
}

impl Lock {
    /// The exact version that was installed of `package`.
    pub(super) fn version(&self, package: &str) -> Option<&str> {
        self.entry(package)?.version.as_deref()
    }

    /// The programs `package` brings.
    pub(super) fn programs(&self, package: &str) -> Vec<String> {
        self.entry(package).map(|entry| entry.bin.keys().cloned().collect()).unwrap_or_default()
    }

    /// The packages that would have run a script at install.
    pub(super) fn with_scripts(&self) -> Vec<String> {
        let name = |path: &str| path.rsplit("node_modules/").next().unwrap_or(path).to_owned();
        self.packages
            .iter()
            .filter(|(_, entry)| entry.has_install_script)
            .map(|(path, _)| name(path))
            .collect()
    }

    fn entry(&self, package: &str) -> Option<&Entry> {
        self.packages.get(&format!("node_modules/{package}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"{
      "name": "server", "lockfileVersion": 3, "requires": true,
      "packages": {
        "": { "dependencies": { "@modelcontextprotocol/server-memory": "2026.8.31", "esbuild": "0.28.2" } },
        "node_modules/@modelcontextprotocol/server-memory": {
          "version": "2026.8.31",
          "resolved": "https://npm.test/@modelcontextprotocol/server-memory/-/server-memory-2026.8.31.tgz",
          "integrity": "sha512-ljj==", "license": "SEE LICENSE IN LICENSE",
          "dependencies": { "@modelcontextprotocol/sdk": "^1.30.0" },
          "bin": { "mcp-server-memory": "dist/index.js" }
        },
        "node_modules/x/node_modules/esbuild": {
          "version": "0.28.2", "hasInstallScript": true, "bin": { "esbuild": "bin/esbuild" }, "cpu": ["ppc64"]
        }
      }
    }"#;

    #[test]
    fn a_lockfile_is_read() {
        let lock: Lock = serde_json::from_str(SAMPLE).unwrap();
        assert_eq!(lock.version("@modelcontextprotocol/server-memory"), Some("2026.8.31"));
        assert_eq!(lock.programs("@modelcontextprotocol/server-memory"), ["mcp-server-memory"]);
        assert_eq!(lock.with_scripts(), ["esbuild"]);
        assert_eq!(lock.version("left-pad"), None);
        assert!(lock.programs("left-pad").is_empty());
    }
}
