use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where a server comes from, as the user writes it and its file keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub enum Source {
    /// `npm:PACKAGE[@VERSION]`: a package of the npm registry.
    Npm {
        /// The package, with its scope.
        package: String,
        /// A version, range or tag; none means the newest.
        version: Option<String>,
    },
    /// `pypi:PACKAGE[==VERSION]`: a package of the Python Package Index (`@` is taken for `==`).
    Pypi {
        /// The project's name.
        package: String,
        /// An exact version; none means the newest.
        version: Option<String>,
    },
    /// `oci:REFERENCE`: an image in a registry, or one the engine has already.
    Oci {
        /// The image reference, such as `docker.io/mcp/time:latest` or `name@sha256:…`.
        reference: String,
    },
    /// `dir:PATH`, or a path that begins with `/` or `.`: a folder with a `Dockerfile`.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// `example`: the server that comes with Caisson and needs no registry.
    Example,
}

/// Why a text is no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not a source: {why}. Sources are npm:PACKAGE[@VERSION], pypi:PACKAGE[==VERSION], oci:IMAGE, dir:FOLDER and example",
    .text.escape_debug()
)]
pub struct SourceError {
    text: String,
    why: &'static str,
}

/// What npm and PyPI allow in a package's name (npm: "package.json", name; PyPI: PEP 508), and nothing an
/// installer could take for an option, a path or a URL.
fn is_package(name: &str) -> bool {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| plain(scope) && plain(name)),
            None => plain(name),
        }
}

/// A version, range or tag without blanks and without anything an installer could take for another thing.
fn is_version(version: &str) -> bool {
    !version.is_empty()
        && version.len() <= 128
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+!^~*<>=".contains(&b))
}

fn package(text: &str, separators: &[&str]) -> Result<(String, Option<String>), &'static str> {
    // A scope's own '@' comes first and separates nothing.
    let search_from = usize::from(text.starts_with('@'));
    let split = separators.iter().find_map(|sep| {
        let at = text[search_from..].find(sep)? + search_from;
        Some((&text[..at], Some(&text[at + sep.len()..])))
    });
    let (name, version) = split.unwrap_or((text, None));
    if !is_package(name) {
        return Err("the package's name has characters no registry allows");
    }
    if version.is_some_and(|version| !is_version(version)) {
        return Err("the version has characters no version has");
    }
    Ok((name.to_owned(), version.map(str::to_owned)))
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let fault = |why| SourceError { text: text.to_owned(), why };
        if text == "example" {
            return Ok(Self::Example);
        }
        if text.starts_with(['/', '.', '~']) {
            return Ok(Self::Folder { path: text.into() });
        }
        match text.split_once(':') {
            Some(("npm", rest)) => {
                let (package, version) = package(rest, &["@"]).map_err(fault)?;
                Ok(Self::Npm { package, version })
            }
            Some(("pypi", rest)) => {
                let (package, version) = package(rest, &["==", "@"]).map_err(fault)?;
                if package.starts_with('@') {
                    return Err(fault("PyPI has no scopes"));
                }
                Ok(Self::Pypi { package, version })
            }
            Some(("oci", reference)) => {
                let good = reference.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b));
                good.then(|| Self::Oci { reference: reference.to_owned() })
                    .ok_or_else(|| fault("the image reference has characters none has"))
            }
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Folder { path: path.into() }),
            _ => Err(fault("it does not say what kind it is")),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npm { package, version: Some(version) } => write!(f, "npm:{package}@{version}"),
            Self::Npm { package, version: None } => write!(f, "npm:{package}"),
            Self::Pypi { package, version: Some(version) } => write!(f, "pypi:{package}=={version}"),
            Self::Pypi { package, version: None } => write!(f, "pypi:{package}"),
            Self::Oci { reference } => write!(f, "oci:{reference}"),
            Self::Folder { path } => write!(f, "dir:{}", path.display()),
            Self::Example => f.write_str("example"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_and_written_back() {
        for (text, meant) in [
            ("npm:@modelcontextprotocol/server-everything", "npm:@modelcontextprotocol/server-everything"),
            ("npm:@a/b@^1.2.0-rc.1", "npm:@a/b@^1.2.0-rc.1"),
            ("npm:left-pad@latest", "npm:left-pad@latest"),
            ("pypi:mcp-server-time@1.0", "pypi:mcp-server-time==1.0"),
            ("pypi:mcp-server-time==1!2.0.post1", "pypi:mcp-server-time==1!2.0.post1"),
            ("oci:docker.io/mcp/time:latest", "oci:docker.io/mcp/time:latest"),
            ("./server", "dir:./server"),
            ("dir:server", "dir:server"),
            ("example", "example"),
        ] {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string(), meant);
            assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
        }
    }

    #[test]
    fn what_an_installer_could_misread_is_no_source() {
        for bad in [
            "",
            "npm:",
            "npm:--registry=http://evil",
            "npm:../x",
            "npm:a b",
            "npm:a@",
            "npm:a@file:../x",
            "npm:a@https://evil/x.tgz",
            "npm:@a",
            "npm:git+ssh://x",
            "pypi:-r/etc/passwd",
            "pypi:@a/b",
            "pypi:a==1;x",
            "oci:",
            "oci:-v",
            "dir:",
            "ftp:x",
            "server",
        ] {
            assert!(bad.parse::<Source>().is_err(), "{bad:?}");
        }
    }
}
