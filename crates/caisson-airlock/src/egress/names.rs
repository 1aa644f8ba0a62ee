use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
};

use caisson_wire::{Egress, EgressName, EgressRule, HostPattern, address_of};
use ipnet::IpNet;

/// Hosts that get an address while the airlock lives. A server is granted a handful, and a rule with a star stands
/// for those that are asked for.
const MOST_HOSTS: usize = 4096;
/// Ports that are listened on at a time.
pub(super) const MOST_LISTENERS: usize = 1024;

/// The rules in force, and the address each host has inside.
///
/// A host keeps its address while the airlock lives, allowed or not: what a program has remembered never
/// leads to another host.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    rules: Vec<EgressRule>,
    /// Whatever is wished for is put to the host.
    learning: bool,
    hosts: BTreeMap<String, Ipv4Addr>,
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
    /// The same hosts at the same addresses, with these rules in force and no others.
    pub(super) fn replaced(&self, reachable: Egress) -> Result<Self, NamesError> {
        let Egress { rules, learning } = reachable;
        if rules.len() > MOST_LISTENERS {
            return Err(NamesError::TooManyPorts);
        }
        let mut names = Self { rules: Vec::new(), learning, hosts: self.hosts.clone() };
        for rule in &rules {
            match &rule.host {
                HostPattern::Name(name) => names.give_address(name)?,
                // Loopback inside is the container's own: there the host's can stand under its own address.
                HostPattern::Network(network) => names.hosts.extend(loopback(network)),
                HostPattern::Beneath(_) => {}
            }
        }
        Ok(Self { rules, ..names })
    }

    /// With an address for `host`; none if it has one, or may not be reached.
    pub(super) fn admitting(&self, host: &str) -> Option<Result<Self, NamesError>> {
        let host = plain(host);
        if self.hosts.contains_key(&host) || !self.may_be_reached(&host) {
            return None;
        }
        let mut names = self.clone();
        Some(names.give_address(&host).map(|()| names))
    }

    fn give_address(&mut self, host: &str) -> Result<(), NamesError> {
        let number = self.hosts.len();
        if !self.hosts.contains_key(host) && number >= MOST_HOSTS {
            return Err(NamesError::TooManyHosts);
        }
        self.hosts.entry(host.to_owned()).or_insert_with(|| address(number));
        Ok(())
    }

    /// Whether this host may be reached at this port.
    pub(super) fn allows(&self, host: &str, port: u16) -> bool {
        self.learning || self.ports(host).contains(&port)
    }

    /// Whether this host may be reached at some port.
    fn may_be_reached(&self, host: &str) -> bool {
        self.learning || !self.ports(host).is_empty()
    }

    /// The ports at which a host may be reached.
    fn ports(&self, host: &str) -> BTreeSet<u16> {
        let host = meant(host);
        self.rules.iter().filter(|rule| rule.host.matches(&host)).map(|rule| rule.port).collect()
    }

    /// The address inside of a host that may be reached at some port.
    pub(super) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        let address = self.hosts.get(&plain(host)).copied();
        address.filter(|_| self.may_be_reached(host))
    }

    /// Where to listen for each host that may be reached: at the ports allowed, and then at others of `watched`, up
    /// to `room`, so that a wish for them can be told of.
    pub(super) fn listeners(&self, watched: &[u16], room: usize) -> Vec<(EgressName, SocketAddrV4)> {
        let at = |host: &str, address: Ipv4Addr, port| {
            (EgressName { host: host.to_owned(), port }, SocketAddrV4::new(address, port))
        };
        let hosts: Vec<_> =
            self.hosts.iter().map(|(host, address)| (host, *address, self.ports(host))).collect();
        let allowed = hosts.iter().flat_map(|(host, address, ports)| {
            ports.iter().map(|port| at(host, *address, *port)).collect::<Vec<_>>()
        });
        // Port by port, so that each host has its share of the room.
        let others = watched.iter().flat_map(|port| {
            let watch = |(host, address, ports): &(&String, Ipv4Addr, BTreeSet<u16>)| {
                let ours = address.octets()[..2] == ZONE && self.may_be_reached(host);
                (ours && !ports.contains(port)).then(|| at(host, *address, *port))
            };
            hosts.iter().filter_map(watch).collect::<Vec<_>>()
        });
        allowed.take(MOST_LISTENERS).chain(others.take(room)).collect()
    }
}

/// The loopback address of IPv4 that a network is, if it is one.
fn loopback(network: &IpNet) -> Option<(String, Ipv4Addr)> {
    match network.addr() {
        IpAddr::V4(address) if network.prefix_len() == 32 && address.is_loopback() => {
            Some((address.to_string(), address))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// Lower case, without a final dot.
pub(super) fn plain(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// What the host is asked for: an address, where the name stands for one.
pub(super) fn meant(host: &str) -> String {
    let host = plain(host);
    address_of(&host).map_or(host, |address| address.to_string())
}

/// Loopback that nobody else is likely to use.
const ZONE: [u8; 2] = [127, 77];

/// One of 127.77.0.1 to 127.77.16.0.
fn address(number: usize) -> Ipv4Addr {
    let [.., high, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(ZONE[0], ZONE[1], high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: &str, port: u16) -> EgressRule {
        EgressRule { host: host.parse().unwrap(), port }
    }

    fn reachable(rules: Vec<EgressRule>) -> Egress {
        Egress { rules, learning: false }
    }

    #[test]
    fn in_a_trial_every_host_may_be_asked_for() {
        let trial = Names::default().replaced(Egress { rules: Vec::new(), learning: true }).unwrap();
        let trial = trial.admitting("a.com").unwrap().unwrap();
        assert!(trial.address("a.com").is_some() && trial.allows("a.com", 8080));
        assert_eq!(trial.listeners(&[443, 22], 9).len(), 2);
        let over = trial.replaced(Egress::default()).unwrap();
        assert!(over.address("a.com").is_none() && over.listeners(&[443], 9).is_empty());
    }

    #[test]
    fn a_host_keeps_its_address() {
        let first = Names::default()
            .replaced(reachable(vec![rule("a.com", 443), rule("B.com.", 80), rule("a.com", 80)]))
            .unwrap();
        let (a, b) = (first.address("a.com").unwrap(), first.address("b.com").unwrap());
        assert_ne!(a, b);
        assert!(first.allows("A.com.", 443) && first.allows("a.com", 80) && !first.allows("b.com", 443));
        assert_eq!(first.listeners(&[], 0).len(), 3);

        let second = first.replaced(reachable(vec![rule("c.com", 443), rule("b.com", 443)])).unwrap();
        assert_eq!(second.address("a.com"), None);
        assert!(!second.allows("a.com", 443) && !second.allows("b.com", 80));
        assert_eq!(second.address("b.com"), Some(b));
        assert!(![Some(a), Some(b)].contains(&second.address("c.com")));

        let third = second.replaced(reachable(vec![rule("a.com", 443)])).unwrap();
        assert_eq!(third.address("a.com"), Some(a));
    }

    #[test]
    fn what_a_star_stands_for_gets_an_address_when_asked_for() {
        let names = Names::default().replaced(reachable(vec![rule("*.example.com", 5432)])).unwrap();
        assert_eq!(names.address("db.example.com"), None);
        assert!(names.admitting("example.com").is_none() && names.admitting("db.example.org").is_none());
        let names = names.admitting("DB.example.com").unwrap().unwrap();
        assert!(names.address("db.example.com").is_some());
        assert!(names.admitting("db.example.com").is_none(), "it has one");
        assert_eq!(names.listeners(&[], 0)[0].0, EgressName { host: "db.example.com".into(), port: 5432 });
        let none = names.replaced(Egress::default()).unwrap();
        assert_eq!(none.address("db.example.com"), None);
        assert_eq!(none.listeners(&[443], 9), []);
    }

    #[test]
    fn an_address_has_a_name_for_those_who_need_one() {
        let names = Names::default().replaced(reachable(vec![rule("10.0.0.0/8", 5432)])).unwrap();
        assert!(
            names.allows("10.1.2.3", 5432)
                && !names.allows("10.1.2.3", 22)
                && !names.allows("11.1.2.3", 5432)
        );
        assert!(names.admitting("11-1-2-3.caisson.internal").is_none());
        let names = names.admitting("10-1-2-3.caisson.internal").unwrap().unwrap();
        assert!(names.address("10-1-2-3.caisson.internal").is_some());
        assert_eq!(meant("10-1-2-3.caisson.internal"), "10.1.2.3");
    }

    #[test]
    fn the_hosts_own_loopback_stands_where_it_does_outside() {
        let names = Names::default().replaced(reachable(vec![rule("127.0.0.1", 5432)])).unwrap();
        let listeners = names.listeners(&[443], 9);
        let host = EgressName { host: "127.0.0.1".into(), port: 5432 };
        assert_eq!(listeners, [(host, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5432))]);
    }

    #[test]
    fn other_ports_are_watched_after_those_allowed() {
        let names =
            Names::default().replaced(reachable(vec![rule("a.com", 443), rule("b.com", 22)])).unwrap();
        let ports = |room| {
            let listeners = names.listeners(&[22, 443], room);
            listeners.into_iter().map(|(name, _)| (name.host, name.port)).collect::<Vec<_>>()
        };
        let at = |host: &str, port| (host.to_owned(), port);
        assert_eq!(ports(9), [at("a.com", 443), at("b.com", 22), at("a.com", 22), at("b.com", 443)]);
        assert_eq!(ports(1).len(), 3);
    }

    #[test]
    fn hosts_are_bounded() {
        let many = (0..MOST_LISTENERS).map(|n| rule(&format!("a{n}.com"), 443)).collect();
        let names = Names::default().replaced(reachable(many)).unwrap();
        assert!(names.listeners(&[80], 0).iter().all(|(_, address)| address.ip().octets()[..2] == ZONE));
        assert!(Names::default().replaced(reachable(vec![rule("a.com", 443); MOST_LISTENERS + 1])).is_err());
        let mut names = Names::default().replaced(reachable(vec![rule("*.example.com", 443)])).unwrap();
        let refused = (0..=MOST_HOSTS)
            .find_map(|n| match names.admitting(&format!("a{n}.example.com")).unwrap() {
                Ok(more) => {
                    names = more;
                    None
                }
                Err(error) => Some((n, error)),
            })
            .unwrap();
        assert!(matches!(refused, (MOST_HOSTS, NamesError::TooManyHosts)));
    }
}
