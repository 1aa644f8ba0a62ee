use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
};

use caisson_wire::EgressName;

/// Hosts that get an address while the airlock lives. A server is granted a handful.
const MOST_HOSTS: usize = 4096;
/// Ports that are listened on at a time.
const MOST_LISTENERS: usize = 1024;

/// The names that may be reached, and the address each has inside.
///
/// A host keeps its address while the airlock lives, allowed or not: what a program has remembered never
/// leads to another host.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, Host>);

#[derive(Clone, Debug)]
struct Host {
    address: Ipv4Addr,
    ports: BTreeSet<u16>,
}

/// Why names cannot be allowed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NamesError {
    #[error("more than {MOST_HOSTS} different hosts have been allowed; restart the server")]
    TooManyHosts,
    #[error("more than {MOST_LISTENERS} ports of hosts are allowed")]
    TooManyPorts,
}

impl Names {
    /// The same hosts at the same addresses, with these names allowed and no others.
    pub(super) fn replaced(&self, allowed: Vec<EgressName>) -> Result<Self, NamesError> {
        if allowed.len() > MOST_LISTENERS {
            return Err(NamesError::TooManyPorts);
        }
        let mut hosts = self.0.clone();
        hosts.values_mut().for_each(|host| host.ports.clear());
        for EgressName { host, port } in allowed {
            let number = hosts.len();
            if number >= MOST_HOSTS {
                return Err(NamesError::TooManyHosts);
            }
            let new = || Host { address: address(number), ports: BTreeSet::new() };
            hosts.entry(plain(&host)).or_insert_with(new).ports.insert(port);
        }
        Ok(Self(hosts))
    }

    /// Whether this name may be reached at this port.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        self.0.get(&plain(host)).is_some_and(|host| host.ports.contains(&port))
    }

    /// The address inside of a name that may be reached at some port.
    pub(super) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        self.0.get(&plain(host)).filter(|host| !host.ports.is_empty()).map(|host| host.address)
    }

    /// Where to listen for each name.
    pub(super) fn listeners(&self) -> impl Iterator<Item = (EgressName, SocketAddrV4)> {
        self.0.iter().flat_map(|(name, host)| {
            host.ports
                .iter()
                .map(|&port| (EgressName { host: name.clone(), port }, SocketAddrV4::new(host.address, port)))
        })
    }
}

/// Lower case, without a final dot.
pub(super) fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// One of 127.77.0.1 to 127.77.16.0: loopback that nobody else is likely to use.
fn address(number: usize) -> Ipv4Addr {
    let [.., high, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(host: &str, port: u16) -> EgressName {
        EgressName { host: host.into(), port }
    }

    #[test]
    fn a_host_keeps_its_address() {
        let first = Names::default()
            .replaced(vec![name("a.com", 443), name("B.com.", 80), name("a.com", 80)])
            .unwrap();
        let (a, b) = (first.address("a.com").unwrap(), first.address("b.com").unwrap());
        assert_ne!(a, b);
        assert!(first.allows("A.com.", 443) && first.allows("a.com", 80) && !first.allows("b.com", 443));
        assert_eq!(first.listeners().count(), 3);

        let second = first.replaced(vec![name("c.com", 443), name("b.com", 443)]).unwrap();
        assert_eq!(second.address("a.com"), None);
        assert!(!second.allows("a.com", 443) && !second.allows("b.com", 80));
        assert_eq!(second.address("b.com"), Some(b));
        assert!(![Some(a), Some(b)].contains(&second.address("c.com")));

        let third = second.replaced(vec![name("a.com", 443)]).unwrap();
        assert_eq!(third.address("a.com"), Some(a));
    }

    #[test]
    fn hosts_are_bounded() {
        let many = (0..MOST_LISTENERS).map(|n| name(&format!("{n}.com"), 443)).collect();
        let names = Names::default().replaced(many).unwrap();
        assert!(names.listeners().all(|(_, address)| address.ip().octets()[..2] == [127, 77]));
        assert!(Names::default().replaced(vec![name("a.com", 443); MOST_LISTENERS + 1]).is_err());
        let mut names = Names::default();
        let mut hosts = (0..=MOST_HOSTS).map(|n| name(&format!("{n}.com"), 443));
        let refused = loop {
            match names.replaced(hosts.by_ref().take(512).collect()) {
                Ok(more) => names = more,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, NamesError::TooManyHosts));
        assert_eq!(names.0.len(), MOST_HOSTS);
    }
}
