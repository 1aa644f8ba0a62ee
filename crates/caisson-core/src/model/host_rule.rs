use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The port of a rule that names none: HTTPS.
const DEFAULT_PORT: u16 = 443;

/// A host and TCP port a server may reach, written `host` or `host:port`.
///
/// The host is a DNS name (RFC 1123), kept in lower case without a final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct HostRule {
    host: String,
    port: u16,
}

/// Why a text is no host rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a host to allow: {why}", .text.escape_debug())]
pub struct HostRuleError {
    text: String,
    why: &'static str,
}

impl HostRule {
    /// The DNS name, lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a connection to `host`:`port` is what this rule allows. Case and a final dot do not count.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host))
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let fault = |why| HostRuleError { text: text.to_owned(), why };
        let (host, port) = match text.rsplit_once(':') {
            None => (text, DEFAULT_PORT),
            Some((host, port)) => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                Ok(_) | Err(_) => return Err(fault("its port is not a number from 1 to 65535")),
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if host.is_empty() || host.len() > 253 || !host.split('.').all(label) {
            return Err(fault("a host is a DNS name such as api.example.com, with an optional :port"));
        }
        if host.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err(fault("an address is not a name; name the host instead"));
        }
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HostRule {
    type Error = HostRuleError;

    fn try_from(text: String) -> Result<Self, HostRuleError> {
        text.parse()
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (text, meant) in [
            ("api.example.com", "api.example.com:443"),
            ("API.Example.com.:80", "api.example.com:80"),
            ("localhost:5432", "localhost:5432"),
        ] {
            assert_eq!(text.parse::<HostRule>().map(|rule| rule.to_string()), Ok(meant.to_owned()));
        }
        for bad in
            ["", ":80", "a:0", "a:65536", "a b", "-a.com", "a..b", "https://a.com", "1.2.3.4", "[::1]:80"]
        {
            assert!(bad.parse::<HostRule>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_rule_allows_its_own_host_and_port_alone() {
        let rule: HostRule = "api.example.com".parse().unwrap();
        assert!(rule.allows("API.example.com.", 443));
        assert!(!rule.allows("api.example.com", 80));
        assert!(!rule.allows("evil-api.example.com", 443));
        assert!(!rule.allows("api.example.com.evil.com", 443));
    }
}
