use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The widest networks a pattern may name, in bits of their prefix: all of 10.0.0.0/8, all of fc00::/7.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 7;

/// Hosts, as a rule names them: one name, all names beneath one, or addresses.
///
/// Names are DNS names (RFC 1123, with the underscores that are in use), kept in lower case without a final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// This name alone: `api.example.com`.
    Name(String),
    /// Every name beneath this one, however deep, and not the name itself: `*.example.com` holds `example.com` here.
    Beneath(String),
    /// Addresses, for which no name is asked: `10.1.2.3`, `10.0.0.0/8`, `fd00::/8`.
    Network(IpNet),
}

/// Why a text is no host pattern; the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// No name, and no address either.
    #[error("a host is a DNS name such as api.example.com, *.example.com, or an address")]
    NoName,
    /// A star for a whole top-level domain, or anywhere but in front.
    #[error("a star stands for all names beneath one of at least two parts: *.example.com")]
    Star,
    /// Bits beyond the prefix.
    #[error("its address has bits beyond its prefix: 10.0.0.0/8 names a network, 10.1.2.3/8 does not")]
    Prefix,
    /// Nearly everything.
    #[error("it names too much: a network is at most a /{WIDEST_V4}, or a /{WIDEST_V6} of IPv6")]
    TooWide,
}

impl HostPattern {
    /// Whether `host`, a name or an address, is one of these. Case and a final dot do not count.
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self {
            Self::Name(name) => name.eq_ignore_ascii_case(host),
            Self::Beneath(parent) => {
                let Some(at) = host.len().checked_sub(parent.len() + 1) else { return false };
                at > 0
                    && host.is_char_boundary(at)
                    && host.as_bytes()[at] == b'.'
                    && host[at + 1..].eq_ignore_ascii_case(parent)
                    && is_name(host)
            }
            Self::Network(network) => host.parse().is_ok_and(|address| contains(network, address)),
        }
    }

    /// Whether an address that a name leads to is one of these.
    pub fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => contains(network, address),
            Self::Name(_) | Self::Beneath(_) => false,
        }
    }
}

/// An IPv4 address in an IPv6 spelling (RFC 4291, 2.5.5.2) is that address.
fn contains(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address.to_canonical())
}

/// Whether this is a DNS name, in any case, and not an address.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last_is_a_number =
        text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label) && !last_is_a_number
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let network = bare
            .parse()
            .ok()
            .or_else(|| bare.parse::<IpAddr>().ok().map(|it| IpNet::from(it.to_canonical())));
        if let Some(network) = network {
            return checked(network).map(Self::Network);
        }
        let plain = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if let Some(parent) = plain.strip_prefix("*.") {
            return match is_name(parent) && parent.contains('.') {
                true => Ok(Self::Beneath(parent.to_owned())),
                false => Err(HostPatternError::Star),
            };
        }
        match is_name(&plain) {
            true => Ok(Self::Name(plain)),
            false if plain.contains('*') => Err(HostPatternError::Star),
            false => Err(HostPatternError::NoName),
        }
    }
}

fn checked(network: IpNet) -> Result<IpNet, HostPatternError> {
    let widest = match network {
        IpNet::V4(_) => WIDEST_V4,
        IpNet::V6(_) => WIDEST_V6,
    };
    if network.addr() != network.network() {
        Err(HostPatternError::Prefix)
    } else if network.prefix_len() < widest {
        Err(HostPatternError::TooWide)
    } else {
        Ok(network)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, HostPatternError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

/// IPv6 in brackets, so that a port can follow.
impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Beneath(parent) => write!(f, "*.{parent}"),
            Self::Network(IpNet::V4(network)) if network.prefix_len() == 32 => {
                write!(f, "{}", network.addr())
            }
            Self::Network(IpNet::V4(network)) => write!(f, "{network}"),
            Self::Network(IpNet::V6(network)) if network.prefix_len() == 128 => {
                write!(f, "[{}]", network.addr())
            }
            Self::Network(IpNet::V6(network)) => write!(f, "[{network}]"),
        }
    }
}

/// What stands beneath this is another name for an address, for programs that have no use of a proxy: the dots or
/// colons of the address written as dashes, `10-1-2-3.caisson.internal`, `fd00--1.caisson.internal`. The zone is one
/// that no registry gives out (ICANN reserved `internal` for private use in 2024).
const ADDRESSES: &str = ".caisson.internal";

/// The address that a name of the zone `caisson.internal` stands for.
pub fn address_of(name: &str) -> Option<IpAddr> {
    let dashed = name.strip_suffix(ADDRESSES)?;
    dashed.replace('-', ".").parse().ok().or_else(|| {
        dashed.replace('-', ":").parse::<Ipv6Addr>().ok().map(|address| IpAddr::from(address).to_canonical())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn texts() {
        for (text, meant) in [
            ("API.Example.com.", "api.example.com"),
            ("localhost", "localhost"),
            ("*.Internal.example.com", "*.internal.example.com"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fd00::1", "[fd00::1]"),
            ("[fd00::1]", "[fd00::1]"),
            ("[fd00::/8]", "[fd00::/8]"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(pattern(text).to_string(), meant);
            assert_eq!(pattern(meant), pattern(text), "{meant} is read as it is written");
        }
        use HostPatternError::{NoName, Prefix, Star, TooWide};
        for (text, why) in [
            ("", NoName),
            ("a b", NoName),
            ("-a.com", NoName),
            ("a..b", NoName),
            ("https://a.com", NoName),
            ("1.2.3.4.5", NoName),
            ("10.1", NoName),
            ("*", Star),
            ("*.com", Star),
            ("a.*.com", Star),
            ("*.*.example.com", Star),
            ("*.10.0.0.1", Star),
            ("10.1.2.3/8", Prefix),
            ("0.0.0.0/0", TooWide),
            ("8.0.0.0/7", TooWide),
            ("::/0", TooWide),
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_itself_alone() {
        let name = pattern("api.example.com");
        assert!(name.matches("API.example.com."));
        for other in ["evil-api.example.com", "api.example.com.evil.com", "example.com", "", "."] {
            assert!(!name.matches(other), "{other}");
        }
    }

    #[test]
    fn a_star_is_what_lies_beneath() {
        let star = pattern("*.example.com");
        for beneath in ["a.example.com", "A.B.Example.com.", "x_y.example.com"] {
            assert!(star.matches(beneath), "{beneath}");
        }
        for other in [
            "example.com",
            ".example.com",
            "evilexample.com",
            "a.example.com.evil.com",
            "a b.example.com",
            "ä.example.com",
            "*.example.com",
        ] {
            assert!(!star.matches(other), "{other}");
        }
    }

    #[test]
    fn a_network_is_its_addresses_in_every_spelling() {
        let network = pattern("10.0.0.0/8");
        for inside in ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"] {
            assert!(network.matches(inside) && network.holds(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["11.0.0.1", "::10.0.0.1", "10.0.0.1.example.com", "10.1", "0x0a000001", "167772161"] {
            assert!(!network.matches(outside), "{outside}");
        }
        assert!(!pattern("api.example.com").holds("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn names_for_addresses() {
        for (name, address) in [
            ("10-1-2-3.caisson.internal", Some("10.1.2.3")),
            ("fd00--1.caisson.internal", Some("fd00::1")),
            ("--ffff-10.1.2.3.caisson.internal", Some("10.1.2.3")),
            ("10-1-2.caisson.internal", None),
            ("10-1-2-3.example.com", None),
            ("caisson.internal", None),
        ] {
            assert_eq!(address_of(name), address.map(|address| address.parse().unwrap()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,40}", host in ".{0,40}") {
            if let Ok(pattern) = text.parse::<HostPattern>() {
                prop_assert_eq!(&pattern.to_string().parse::<HostPattern>(), &Ok(pattern.clone()));
                pattern.matches(&host);
            }
            prop_assert!(address_of(&host).is_none_or(|_| host.ends_with(".caisson.internal")));
        }
    }
}
