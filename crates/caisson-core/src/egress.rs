//! The host's end of a server's connections: resolves, checks and connects to the one address that was checked.
//!
//! It never trusts the airlock: the rules are checked here again. A name that leads into this machine or its
//! local networks is refused, whoever owns the name: otherwise an allowed name could be pointed at the user's
//! router, a database on loopback, or a cloud's metadata service (DNS rebinding).

mod address;
#[cfg(target_os = "linux")]
mod bytes_only;
mod carry;
mod greeting;
#[cfg_attr(not(target_os = "linux"), path = "egress/hatch/never.rs")]
mod hatch;
mod rules;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use caisson_wire::{HostPattern, Refusal};
use tokio::{net::TcpStream, time::timeout};

use crate::model::{HostRule, Refused};

pub use address::{Reach, reach};
#[cfg(target_os = "linux")]
pub use bytes_only::BytesOnly;
pub use carry::{CarryError, Tally, carry, carry_beside};
pub use hatch::{Hatch, Hose};
pub use rules::{Decision, HostRules, Trial};

/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a name may take to resolve.
const RESOLVE: Duration = Duration::from_secs(10);
/// What is meant where a server has only asked for a name.
const HTTPS: u16 = 443;
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 6;

/// How names become addresses.
#[derive(Clone, Debug, Default)]
pub enum Resolver {
    /// As the system does.
    #[default]
    System,
    /// By this table alone: for tests.
    Fixed(Arc<BTreeMap<String, Vec<IpAddr>>>),
}

/// Opens connections for servers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    resolver: Resolver,
}

impl Egress {
    /// Connections by names that `resolver` resolves.
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver }
    }

    /// Connects to `host`:`port` if `rules` allow it and it lies outside this machine's own networks, or they name
    /// its address too.
    ///
    /// # Errors
    /// Says why not.
    pub async fn connect(&self, rules: &HostRules, host: &str, port: u16) -> Result<Outside, NoWay> {
        match rules.decide(host, port) {
            Decision::Allowed => {}
            Decision::Blocked(rule) => {
                let detail = format!("the user has blocked {rule}");
                return Err(NoWay { why: Refused::Blocked, detail, rule: None });
            }
            Decision::Unknown => return Err(NoWay::not_allowed(host, port)),
        }
        // From here on a checked name or address is used, and nothing else the container said.
        let Ok(target) = HostRule::exactly(host, port) else {
            return Err(NoWay::new(Refused::Unresolved, "it is neither a name nor an address"));
        };
        let (name, found) = match target.host() {
            HostPattern::Name(name) => (Some(name.clone()), self.resolve(name, port).await?),
            HostPattern::Network(network) => (None, vec![network.addr()]),
            HostPattern::Beneath(_) => (None, Vec::new()),
        };
        let addresses = admissible(rules, port, found)?;
        let mut last = "it has no address".to_owned();
        for address in
            addresses.into_iter().take(MOST_ADDRESSES).map(|address| SocketAddr::new(address, port))
        {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A tool call's small writes are sent at once. A failure here costs speed, nothing else.
                    drop(stream.set_nodelay(true));
                    return Ok(Outside { stream, name, address });
                }
                Ok(Err(error)) => last = format!("{address} does not take the connection: {error}"),
                Err(_) => last = format!("{address} did not answer within {} seconds", CONNECT.as_secs()),
            }
        }
        Err(NoWay::new(Refused::Unreachable, last))
    }

    /// The addresses of a name.
    async fn resolve(&self, name: &str, port: u16) -> Result<Vec<IpAddr>, NoWay> {
        match &self.resolver {
            Resolver::Fixed(table) => Ok(table.get(name).cloned().unwrap_or_default()),
            Resolver::System => {
                let lookup = timeout(RESOLVE, tokio::net::lookup_host((name, port)));
                let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no name server answered in time");
                let found = lookup.await.map_err(late).and_then(|found| found);
                let unresolved = |error| format!("its name cannot be resolved: {error}");
                let found = found.map_err(|error| NoWay::new(Refused::Unresolved, unresolved(error)))?;
                Ok(found.map(|address| address.ip()).collect())
            }
        }
    }
}

/// Those addresses that may be connected to: at least one.
fn admissible(rules: &HostRules, port: u16, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, NoWay> {
    let mut refused = None;
    let mut open = Vec::with_capacity(found.len());
    for address in found {
        let named = |rules: &[HostRule]| rules.iter().any(|rule| rule.names_address(address, port));
        let rule = match reach(address) {
            _ if named(&rules.blocked) => None,
            Reach::Public => {
                open.push(address);
                continue;
            }
            Reach::Private(_) if named(&rules.allowed) => {
                open.push(address);
                continue;
            }
            Reach::Private(_) => HostRule::exactly(&address.to_string(), port).ok(),
            Reach::Never(_) => None,
        };
        let detail = match reach(address) {
            Reach::Public => format!("the user has blocked {address}"),
            Reach::Private(lies) | Reach::Never(lies) => format!("it leads to {address}, {lies}"),
        };
        refused = Some(NoWay { why: Refused::Closed, detail, rule });
    }
    if open.is_empty() {
        return Err(refused.unwrap_or_else(|| NoWay::new(Refused::Unresolved, "it has no address")));
    }
    Ok(open)
}

/// A connection to the outside.
#[derive(Debug)]
pub struct Outside {
    stream: TcpStream,
    /// The name it was opened by, and must ask for; none where it was opened by an address.
    name: Option<String>,
    address: SocketAddr,
}

impl Outside {
    /// The address it leads to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoWay {
    /// In a word.
    pub why: Refused,
    /// In a sentence for people, without its beginning.
    pub detail: String,
    /// What the user would have to allow; none where nothing would help.
    pub rule: Option<HostRule>,
}

impl NoWay {
    /// One that no rule would change.
    pub fn new(why: Refused, detail: impl Into<String>) -> Self {
        Self { why, detail: detail.into(), rule: None }
    }

    /// No rule is about this host and port. Where only the name was asked for (port 0), the usual port is meant.
    pub fn not_allowed(host: &str, port: u16) -> Self {
        let rule = match port {
            0 => HostRule::exactly(host, HTTPS),
            port => HostRule::exactly(host, port),
        };
        let detail = "nobody has allowed it yet".to_owned();
        Self { why: Refused::NotAllowed, detail, rule: rule.ok() }
    }

    /// As the airlock is told.
    pub fn word(&self) -> Refusal {
        match self.why {
            Refused::NotAllowed | Refused::Blocked | Refused::Mismatch | Refused::Revoked => {
                Refusal::Forbidden
            }
            Refused::Closed | Refused::Unresolved => Refusal::Unresolved,
            Refused::Unreachable | Refused::TooMany => Refusal::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests;
