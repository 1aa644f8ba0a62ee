//! What npm's `--json` error says, as an error of ours.

use serde::Deserialize;

use crate::catalog::{CatalogError, error::shown};

#[derive(Debug, Default, Deserialize)]
struct Report {
    error: Fault,
}

#[derive(Debug, Default, Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    detail: String,
}

/// The error in what npm printed on standard output; `stderr` tells where there is none.
pub(super) fn read(package: &str, host: &str, stdout: &str, stderr: &str) -> CatalogError {
    let Ok(Report { error: Fault { code, summary, detail } }) = serde_json::from_str(stdout) else {
        return CatalogError::Failed { what: package.to_owned(), reason: shown(stderr) };
    };
    let (host, reason) = (host.to_owned(), shown(&summary));
    match code.as_str() {
        "E404" => {
            let package = quoted_package(&detail).map_or(package.to_owned(), |(name, _)| shown(name));
            CatalogError::NoSuchPackage { registry: host, package }
        }
        "ETARGET" | "ENOVERSIONS" => {
            let named = summary
                .split_whitespace()
                .last()
                .and_then(|spec| spec.trim_end_matches('.').rsplit_once('@'));
            let (package, version) = named.unwrap_or((package, "latest"));
            let (package, version) = (shown(package), shown(version));
            CatalogError::NoSuchVersion { registry: host, package, version, available: Vec::new() }
        }
        "EBADPLATFORM" | "EBADENGINE" | "ENOTSUP" => {
            CatalogError::WrongPlatform { package: package.to_owned(), reason }
        }
        "E401" | "E403" | "ENEEDAUTH" => CatalogError::Refused { host, reason },
        "ENOSPC" | "EDQUOT" => CatalogError::DiskFull { what: package.to_owned() },
        "SELF_SIGNED_CERT_IN_CHAIN"
        | "DEPTH_ZERO_SELF_SIGNED_CERT"
        | "UNABLE_TO_GET_ISSUER_CERT"
        | "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
        | "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        | "CERT_HAS_EXPIRED"
        | "ERR_TLS_CERT_ALTNAME_INVALID" => CatalogError::Certificate { host, reason },
        code if is_network(code) => CatalogError::Unreachable { host, reason },
        code => {
            let reason = shown(&format!("{code} {summary}\n{detail}"));
            CatalogError::Failed { what: package.to_owned(), reason }
        }
    }
}

/// Codes of Node's sockets and resolver, of npm's fetcher, and HTTP's 5xx as npm spells them.
fn is_network(code: &str) -> bool {
    const CODES: [&str; 13] = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "EAI_FAIL",
        "ECONNREFUSED",
        "ECONNRESET",
        "ECONNABORTED",
        "EHOSTUNREACH",
        "ENETUNREACH",
        "ETIMEDOUT",
        "EPIPE",
        "EPROTO",
        "ERR_SOCKET_TIMEOUT",
        "FETCH_ERROR",
    ];
    CODES.contains(&code) || matches!(code.as_bytes(), [b'E', b'5', _, _])
}

/// The package in `The requested resource 'NAME@RANGE' could not be found`.
fn quoted_package(detail: &str) -> Option<(&str, &str)> {
    detail.split('\'').nth(1)?.rsplit_once('@').filter(|(name, _)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as npm 11 printed it.
    #[test]
    fn failures_are_told_apart() {
        let read = |json: &str| read("@a/server", "npm.test", json, "").to_string();
        for (json, told) in [
            (
                r#"{"error":{"code":"E404","summary":"Not Found - GET https://npm.test/@a%2fserver","detail":"The requested resource '@a/server@*' could not be found or you do not have permission to access it.\n\nNote that you can also install from a\ntarball, folder, http url, or git url."}}"#,
                "npm.test has no package named @a/server.",
            ),
            (
                r#"{"error":{"code":"E404","summary":"Not Found - GET https://npm.test/gone","detail":"The requested resource 'gone@^1.0.0' could not be found or you do not have permission to access it."}}"#,
                "npm.test has no package named gone.",
            ),
            (
                r#"{"error":{"code":"ETARGET","summary":"No matching version found for @a/server@99.99.99.","detail":"In most cases you or one of your dependencies are requesting a package version that doesn't exist."}}"#,
                "npm.test has no version 99.99.99 of @a/server",
            ),
            (
                r#"{"error":{"code":"EBADPLATFORM","summary":"Unsupported platform for @a/server@0.25.0: wanted {\"os\":\"darwin\",\"cpu\":\"arm64\"} (current: {\"os\":\"linux\",\"cpu\":\"x64\"})","detail":"Valid os:   darwin\nActual os:  linux\nValid cpu:  arm64\nActual cpu: x64"}}"#,
                "@a/server does not run here: Unsupported platform for @a/server@0.25.0: wanted {\"os\":\"darwin\",\"cpu\":\"arm64\"}",
            ),
            (
                r#"{"error":{"code":"EBADENGINE","summary":"Unsupported engine\nNot compatible with your version of node/npm: a@1.0.0","detail":"Required: {\"node\":\">=99\"}"}}"#,
                "@a/server does not run here: Unsupported engine / Not compatible",
            ),
            (
                r#"{"error":{"code":"ECONNREFUSED","summary":"FetchError: request to https://npm.test/a failed, reason: connect ECONNREFUSED 127.0.0.1:9","detail":"If you are behind a proxy, please make sure that the 'proxy' config is set properly."}}"#,
                "npm.test cannot be reached: FetchError:",
            ),
            (
                r#"{"error":{"code":"ENOTFOUND","summary":"request to https://npm.test/a failed, reason: getaddrinfo ENOTFOUND npm.test","detail":""}}"#,
                "npm.test cannot be reached: request to",
            ),
            (
                r#"{"error":{"code":"E503","summary":"503 Service Unavailable - GET https://npm.test/a","detail":""}}"#,
                "npm.test cannot be reached: 503",
            ),
            (
                r#"{"error":{"code":"SELF_SIGNED_CERT_IN_CHAIN","summary":"request to https://npm.test/a failed, reason: self-signed certificate in certificate chain","detail":""}}"#,
                "the certificate of npm.test is not trusted: request to",
            ),
            (
                r#"{"error":{"code":"ENOSPC","summary":"ENOSPC: no space left on device, write","detail":""}}"#,
                "the disk is full, so @a/server could not be installed.",
            ),
            (
                r#"{"error":{"code":"E403","summary":"403 Forbidden - GET https://npm.test/a","detail":""}}"#,
                "npm.test refused: 403 Forbidden",
            ),
            (
                r#"{"error":{"code":"EINTEGRITY","summary":"sha512-x integrity checksum failed","detail":"more"}}"#,
                "installing @a/server failed: EINTEGRITY sha512-x integrity checksum failed / more",
            ),
        ] {
            assert!(read(json).starts_with(told), "{}\n{told}", read(json));
        }
    }

    #[test]
    fn what_is_no_report_is_still_told() {
        for stdout in ["", "garbage", "[]", "{}"] {
            let error = read("a", "npm.test", stdout, "Killed\u{1b}").to_string();
            assert_eq!(error, "installing a failed: Killed\\u{1b}");
        }
    }
}
