//! `settings.toml`: what holds for all servers.

mod audit;

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

pub use audit::{AuditSettings, KeptArguments};
use serde::{Deserialize, Serialize};

use super::{
    atomic,
    text::{self, Broken},
};
use crate::otlp::CollectorUrl;

/// The port of the bridge. Fixed, so that addresses in clients' files stay good.
const PORT: u16 = 7332;

/// Ten minutes. SDK clients wait one minute, or for ever, unless they are told otherwise; who waits longer than this
/// waits for nothing.
const REQUEST_TIMEOUT: u64 = 600;
/// Far more than a client makes that is not running wild.
const REQUESTS_PER_SECOND: u32 = 10_000;

const TEMPLATE: &str = include_str!("settings.toml");

/// What `settings.toml` says. Read once, when Caisson starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The container engine.
    pub engine: EngineSetting,
    /// The port on 127.0.0.1 clients connect to.
    pub port: u16,
    /// Whether agents in containers can reach the bridge by a Unix socket.
    pub agent_socket: bool,
    /// How many seconds a server may say nothing on a request.
    pub request_timeout: u64,
    /// How many requests a client may make a second.
    pub requests_per_second: u32,
    /// Certificates to trust beside the usual ones, a PEM file, absolute: a company's own authority.
    pub ca_bundle: Option<PathBuf>,
    /// The npm registry, where it is not the public one.
    pub npm_registry: Option<RegistryUrl>,
    /// The Python package index (PEP 503), where it is not the public one.
    pub pypi_index: Option<RegistryUrl>,
    /// The record of what happened.
    pub audit: AuditSettings,
    /// Where the record is sent to.
    pub otlp: OtlpSettings,
    /// What becomes of the numbers.
    pub metrics: MetricsSettings,
}

/// What `settings.toml` says of OpenTelemetry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpSettings {
    /// The collector; none means that nothing is sent.
    pub collector: Option<CollectorUrl>,
}

/// What becomes of the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// Whether the bridge tells them at `/metrics`, in Prometheus' format, to who has a token for them.
    pub prometheus: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineSetting::Auto,
            port: PORT,
            agent_socket: true,
            request_timeout: REQUEST_TIMEOUT,
            requests_per_second: REQUESTS_PER_SECOND,
            ca_bundle: None,
            npm_registry: None,
            pypi_index: None,
            audit: AuditSettings::default(),
            otlp: OtlpSettings::default(),
            metrics: MetricsSettings::default(),
        }
    }
}

/// Which container engine to use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EngineSetting {
    /// The first that answers.
    #[default]
    Auto,
    /// Podman, wherever it is found.
    Podman,
    /// Docker, wherever it is found.
    Docker,
    /// The engine at this address: `unix:///path`, `npipe://…`, `tcp://…`, `ssh://…`.
    Address(String),
}

/// A registry's address: `https://` (or `http://`), a host, perhaps a port and a path; no user or password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryUrl(String);

/// Why a setting's value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No engine.
    #[error("\"{}\" is no engine: write auto, podman, docker, or an address such as unix:///run/podman.sock", .0.escape_debug())]
    Engine(String),
    /// No registry address. Not shown: it may hold a password.
    #[error("this is no registry's address: {0}. Write it as https://registry.example.com/path")]
    Url(&'static str),
}

/// Why the settings could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read or written.
    #[error("the settings {} cannot be used: {source}. Check that the file is yours", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is broken.
    #[error("the settings {} are wrong in {broken}\nCorrect the line, or remove the file to use the defaults", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        broken: Broken,
    },
}

impl Settings {
    /// Reads `settings.toml` in the folder `config`; without one, the defaults hold.
    ///
    /// # Errors
    /// When the file cannot be read or is broken.
    pub fn load(config: &Path) -> Result<Self, SettingsError> {
        let path = config.join("settings.toml");
        match text::read(&path) {
            Ok(Ok(text)) => Self::parse(&text).map_err(|broken| SettingsError::Broken { path, broken }),
            Ok(Err(broken)) => Err(SettingsError::Broken { path, broken }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(SettingsError::Io { path, source }),
        }
    }

    /// Puts a file with every setting explained and none changed into `config`, unless there is one.
    ///
    /// # Errors
    /// When the folder takes no file.
    pub fn explain(config: &Path) -> Result<(), SettingsError> {
        let path = config.join("settings.toml");
        if path.symlink_metadata().is_ok() {
            return Ok(());
        }
        atomic::write(&path, TEMPLATE.as_bytes(), 0o600).map_err(|source| SettingsError::Io { path, source })
    }

    fn parse(text: &str) -> Result<Self, Broken> {
        let settings: Self = text::parse(text)?;
        let wrong = |key: &str, why: &str| Err(Broken::new(text, key_position(text, key), why));
        if settings.port == 0 {
            return wrong("port", "the port must be from 1 to 65535, so that clients find it again");
        }
        if settings.request_timeout == 0 {
            return wrong("request_timeout", "0 seconds would leave no time for any answer");
        }
        if settings.requests_per_second == 0 {
            return wrong("requests_per_second", "0 would refuse every request");
        }
        if settings.audit.entries == 0 {
            return wrong("audit", "0 entries would keep nothing of what happened");
        }
        if settings.ca_bundle.as_ref().is_some_and(|path| !path.is_absolute()) {
            return wrong("ca_bundle", "the path must be absolute");
        }
        Ok(settings)
    }
}

/// Where `key` stands in a text that was parsed; the start of the text if it is not found.
fn key_position(text: &str, key: &str) -> usize {
    toml_edit::Document::parse(text)
        .ok()
        .and_then(|document| document.get(key).and_then(toml_edit::Item::span))
        .map_or(0, |span| span.start)
}

impl FromStr for EngineSetting {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        match text {
            "auto" => Ok(Self::Auto),
            "podman" => Ok(Self::Podman),
            "docker" => Ok(Self::Docker),
            address => {
                let good = ["unix:///", "npipe://", "tcp://", "ssh://", "http://", "https://"]
                    .iter()
                    .any(|scheme| address.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
                good.then(|| Self::Address(address.to_owned()))
                    .ok_or_else(|| SettingError::Engine(address.to_owned()))
            }
        }
    }
}

impl fmt::Display for EngineSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Podman => f.write_str("podman"),
            Self::Docker => f.write_str("docker"),
            Self::Address(address) => f.write_str(address),
        }
    }
}

impl RegistryUrl {
    /// The address as text, as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistryUrl {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let uri: hyper::Uri =
            text.parse().map_err(|_| SettingError::Url("it has characters no address has"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(SettingError::Url("it does not begin with https:// or http://"));
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err(SettingError::Url("it holds a user or password, and this file is no place for secrets"))
            }
            Some(authority) if authority.host().is_empty() => Err(SettingError::Url("it names no host")),
            None => Err(SettingError::Url("it names no host")),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! text_value {
    ($name:ty) => {
        impl TryFrom<String> for $name {
            type Error = SettingError;
            fn try_from(text: String) -> Result<Self, SettingError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
text_value!(EngineSetting);
text_value!(RegistryUrl);

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, Result<Settings, SettingsError>) {
        let folder = tempfile::tempdir().unwrap();
        atomic::write(&folder.path().join("settings.toml"), text.as_bytes(), 0o600).unwrap();
        let settings = Settings::load(folder.path());
        (folder, settings)
    }

    #[test]
    fn without_a_file_or_with_an_explained_one_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap(), Settings::default());
        Settings::explain(folder.path()).unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap(), Settings::default());
    }

    #[test]
    fn every_line_of_the_explanation_is_a_setting() {
        let uncommented: String =
            TEMPLATE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
        let settings = Settings::parse(&uncommented).unwrap();
        assert_eq!(settings.engine, EngineSetting::Auto);
        assert!(
            settings.ca_bundle.is_some() && settings.npm_registry.is_some() && settings.pypi_index.is_some()
        );
        assert!(settings.metrics.prometheus);
    }

    #[test]
    fn an_explanation_replaces_nothing() {
        let (folder, _) = written("port = 1234\n");
        Settings::explain(folder.path()).unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap().port, 1234);
    }

    #[test]
    fn wrong_settings_are_named_with_their_line() {
        for (text, part) in [
            ("engine = \"auto\"\nprot = 1\n", "line 2, column 1: unknown field `prot`"),
            ("engine = \"containerd\"\n", "line 1, column 10: \"containerd\" is no engine"),
            ("\nport = 70000\n", "line 2, column 8: "),
            ("\nport = 0\n", "line 2, column 8: the port must be"),
            ("request_timeout = 0\n", "line 1, column 19: 0 seconds"),
            ("requests_per_second = 0\n", "line 1, column 23: 0 would"),
            ("[otlp]\ncollector = \"https://x\"\n", "line 2, column 13: "),
            ("[audit]\nentries = 0\n", "0 entries would keep nothing"),
            ("[audit]\narguments = \"all\"\n", "line 2, column 13: "),
            ("ca_bundle = \"certs.pem\"\n", "line 1, column 13: the path must be absolute"),
            ("[metrics]\nprometheus = 1\n", "line 2, column 14: "),
            ("npm_registry = \"ftp://x/\"\n", "does not begin with https"),
        ] {
            let (_folder, settings) = written(text);
            let shown = settings.unwrap_err().to_string();
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated_by_the_value() {
        let error = "https://me:hunter2@registry.example.com/".parse::<RegistryUrl>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
