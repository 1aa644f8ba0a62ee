use std::{fmt, net::IpAddr, str::FromStr};

use caisson_wire::{HostPattern, HostPatternError};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The port of a rule that names none: HTTPS.
const DEFAULT_PORT: u16 = 443;

/// Hosts and a TCP port of theirs, written `host` or `host:port`. The host is a name (`api.example.com`), all names
/// beneath one (`*.example.com`), an address (`10.1.2.3`, `[fd00::1]`) or a network (`10.0.0.0/8`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(try_from = "String", into = "String")]
#[ts(type = "string")]
pub struct HostRule {
    host: HostPattern,
    port: u16,
}

/// Why a text is no host rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is not a host to allow: {why}", .text.escape_debug())]
pub struct HostRuleError {
    text: String,
    why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("its port is not a number from 1 to 65535")]
    Port,
    #[error("an address of IPv6 with a port stands in brackets: [fd00::1]:443")]
    Brackets,
    #[error(transparent)]
    Host(#[from] HostPatternError),
}

impl HostRule {
    /// The hosts.
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a connection to `host`:`port` is what this rule is about. Case and a final dot do not count.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.matches(host)
    }

    /// Whether the rule names this address, or its network, and port.
    pub fn names_address(&self, address: IpAddr, port: u16) -> bool {
        self.port == port && self.host.holds(address)
    }

    /// The rule for this one host and port.
    ///
    /// # Errors
    /// When `host` is no name and no address.
    pub fn exactly(host: &str, port: u16) -> Result<Self, HostRuleError> {
        let fault = |why| HostRuleError { text: host.to_owned(), why };
        if port == 0 {
            return Err(fault(Why::Port));
        }
        let rule = Self { host: host.parse().map_err(|why| fault(Why::Host(why)))?, port };
        match rule.host {
            HostPattern::Name(_) => Ok(rule),
            HostPattern::Network(network) if network.prefix_len() == network.max_prefix_len() => Ok(rule),
            HostPattern::Network(_) | HostPattern::Beneath(_) => {
                Err(fault(Why::Host(HostPatternError::NoName)))
            }
        }
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let fault = |why| HostRuleError { text: text.to_owned(), why };
        let bracketed = text.starts_with('[');
        let (host, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
            None => (text, DEFAULT_PORT),
            // An address of IPv6, whole.
            Some((host, _)) if !bracketed && host.contains(':') => {
                return Err(fault(Why::Brackets));
            }
            Some((host, port)) => match port.parse() {
                Ok(port) if port != 0 => (host, port),
                Ok(_) | Err(_) => return Err(fault(Why::Port)),
            },
        };
        Ok(Self { host: host.parse().map_err(|why| fault(Why::Host(why)))?, port })
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
            ("*.Example.com:5432", "*.example.com:5432"),
            ("10.1.2.3:5432", "10.1.2.3:5432"),
            ("10.0.0.0/8", "10.0.0.0/8:443"),
            ("[fd00::1]", "[fd00::1]:443"),
            ("[fd00::/8]:80", "[fd00::/8]:80"),
        ] {
            let rule = text.parse::<HostRule>().map(|rule| rule.to_string());
            assert_eq!(rule, Ok(meant.to_owned()));
            assert_eq!(meant.parse::<HostRule>().map(|rule| rule.to_string()), rule);
        }
        for bad in [
            "",
            ":80",
            "a:0",
            "a:65536",
            "a b",
            "-a.com",
            "a..b",
            "https://a.com",
            "fd00::1",
            "[a]:80",
            "0.0.0.0/0",
        ] {
            assert!(bad.parse::<HostRule>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_rule_is_about_its_own_hosts_and_port_alone() {
        let rule: HostRule = "api.example.com".parse().unwrap();
        assert!(rule.matches("API.example.com.", 443));
        assert!(!rule.matches("api.example.com", 80));
        assert!(!rule.matches("evil-api.example.com", 443));
        let rule: HostRule = "10.0.0.0/8:80".parse().unwrap();
        assert!(rule.names_address("10.0.0.1".parse().unwrap(), 80));
        assert!(!rule.names_address("10.0.0.1".parse().unwrap(), 81));
    }

    #[test]
    fn one_host_and_port() {
        let rule = |host, port| HostRule::exactly(host, port).map(|rule| rule.to_string());
        assert_eq!(rule("A.example.com", 22), Ok("a.example.com:22".to_owned()));
        assert_eq!(rule("fd00::1", 22), Ok("[fd00::1]:22".to_owned()));
        for (host, port) in
            [("*.example.com", 22), ("10.0.0.0/8", 22), ("a", 0), ("a:b", 1), ("\u{1b}[2J", 443)]
        {
            assert!(rule(host, port).is_err(), "{host}");
        }
    }
}
