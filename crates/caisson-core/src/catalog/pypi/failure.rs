//! What pip's messages say, as an error of ours. pip has no machine-readable errors (pip 25.3); the phrases
//! read here have stood unchanged since pip 10, and what matches none of them is shown as it is.

use crate::catalog::error::shown;

/// Why an install failed, as far as its own output tells.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No file of this requirement fits; `fitting` are the versions that have one.
    NoMatch {
        package: String,
        version: Option<String>,
        fitting: Vec<String>,
    },
    Unreachable(String),
    Certificate(String),
    WrongPython(String),
    DiskFull,
    Other(String),
}

/// Reads what `pip install` wrote to standard error.
pub(super) fn read(stderr: &str) -> Failure {
    let line =
        |phrases: &[&str]| stderr.lines().find(|line| phrases.iter().any(|phrase| line.contains(phrase)));
    if line(&["No space left on device", "Disk quota exceeded"]).is_some() {
        return Failure::DiskFull;
    }
    if let Some(line) = line(&["SSLError", "CERTIFICATE_VERIFY_FAILED"]) {
        return Failure::Certificate(cause(line));
    }
    if let Some(line) = line(&[
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProtocolError",
        "ConnectionResetError",
        "ProxyError",
        "500 Server Error",
        "502 Server Error",
        "503 Server Error",
    ]) {
        return Failure::Unreachable(cause(line));
    }
    let Some(no_match) = line(&["Could not find a version that satisfies the requirement"]) else {
        return match line(&["requires a different Python"]) {
            Some(line) => Failure::WrongPython(shown(line.trim_start_matches("ERROR: "))),
            None => Failure::Other(shown(stderr)),
        };
    };
    let (package, version, fitting) = requirement(no_match);
    match line(&["Ignored the following versions that require a different python version"]) {
        Some(line) if fitting.is_empty() => Failure::WrongPython(shown(line.trim_start_matches("ERROR: "))),
        Some(_) | None => Failure::NoMatch { package, version, fitting },
    }
}

/// The versions `pip index versions` lists, oldest first; source code counts too.
pub(super) fn versions(stdout: &str) -> Vec<String> {
    let listed = stdout.lines().find_map(|line| line.strip_prefix("Available versions: "));
    listed.unwrap_or_default().rsplit(", ").filter(|version| !version.is_empty()).map(shown).collect()
}

/// Reads `… the requirement NAME==VERSION (from PARENT) (from versions: 1.0, 1.1)`.
fn requirement(line: &str) -> (String, Option<String>, Vec<String>) {
    let rest = line.split("the requirement ").nth(1).unwrap_or_default();
    let spec = rest.split_whitespace().next().unwrap_or_default();
    let end = spec.find(['=', '<', '>', '!', '~', '[', ';']).unwrap_or(spec.len());
    let version = spec[end..].rsplit_once("==").map(|(_, version)| shown(version));
    let fitting =
        rest.rsplit_once("(from versions: ").map_or("", |(_, list)| list.trim_end().trim_end_matches(')'));
    let fitting = fitting.split(", ").filter(|version| !matches!(*version, "" | "none")).map(shown).collect();
    (shown(&spec[..end]), version, fitting)
}

/// The end of a message of nested causes, which says most.
fn cause(line: &str) -> String {
    // Where in its own source OpenSSL's binding noticed says nothing.
    let line = line.split(" (_ssl.c:").next().unwrap_or(line);
    let message = line.rsplit(": ").find(|part| part.contains(' ')).unwrap_or(line);
    shown(message.trim_end_matches(['\'', ')', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as pip 23.0.1 wrote it.
    #[test]
    fn failures_are_told_apart() {
        let no_match = |package: &str, version: Option<&str>, fitting: &[&str]| Failure::NoMatch {
            package: package.into(),
            version: version.map(Into::into),
            fitting: fitting.iter().map(ToString::to_string).collect(),
        };
        for (stderr, failure) in [
            (
                "ERROR: Could not find a version that satisfies the requirement no-such (from versions: none)\nERROR: No matching distribution found for no-such\n",
                no_match("no-such", None, &[]),
            ),
            (
                "ERROR: Could not find a version that satisfies the requirement mcp-server-time==99.99 (from versions: 0.5.1, 2026.10.19)\n",
                no_match("mcp-server-time", Some("99.99"), &["0.5.1", "2026.10.19"]),
            ),
            (
                "ERROR: Could not find a version that satisfies the requirement b[x]<3,>=2 (from a) (from versions: none)\n",
                no_match("b", None, &[]),
            ),
            (
                "ERROR: Ignored the following versions that require a different python version: 2.0 Requires-Python >=3.12\nERROR: Could not find a version that satisfies the requirement a==2.0 (from versions: none)\n",
                Failure::WrongPython(
                    "Ignored the following versions that require a different python version: 2.0 Requires-Python >=3.12".into(),
                ),
            ),
            (
                "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f3c1fbdff10>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/left/\nERROR: Could not find a version that satisfies the requirement left (from versions: none)\n",
                Failure::Unreachable("[Errno 111] Connection refused".into()),
            ),
            (
                "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006)'))': /simple/left/\n",
                Failure::Certificate("self-signed certificate in certificate chain".into()),
            ),
            (
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
                Failure::DiskFull,
            ),
            ("ERROR: \u{1b}[1mboom", Failure::Other("ERROR: \\u{1b}[1mboom".into())),
        ] {
            assert_eq!(read(stderr), failure, "{stderr}");
        }
    }

    #[test]
    fn the_index_lists_source_code_too() {
        let listed = "pycrypto (2.6.1)\nAvailable versions: 2.6.1, 2.6, 2.5\n";
        assert_eq!(versions(listed), ["2.5", "2.6", "2.6.1"]);
        assert!(versions("").is_empty());
    }
}
