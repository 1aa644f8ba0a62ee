//! The host's end of a server's connections: resolves, checks and connects to the one address that was checked.
//!
//! It never trusts the airlock: the rules are checked here again. A name that leads into this machine or its
//! local networks is refused, whoever owns the name: otherwise an allowed name could be pointed at the user's
//! router, a database on loopback, or a cloud's metadata service (DNS rebinding).

mod address;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use caisson_wire::Refusal;
use tokio::{net::TcpStream, time::timeout};

use crate::model::HostRule;

pub use address::{Reach, reach};

/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a name may take to resolve.
const RESOLVE: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 6;

/// How names become addresses.
#[derive(Clone, Debug, Default)]
pub enum Resolver {
    /// As the system does. Only public addresses are then connected to.
    #[default]
    System,
    /// By this table alone, and to whatever address it says: for tests.
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

    /// Connects to `host`:`port` if one of `rules` allows it and it lies outside this machine's own networks.
    ///
    /// # Errors
    /// Says why not, in a word for the airlock and in a sentence for people.
    pub async fn connect(
        &self,
        rules: &[HostRule],
        host: &str,
        port: u16,
    ) -> Result<TcpStream, (Refusal, String)> {
        let Some(rule) = rules.iter().find(|rule| rule.allows(host, port)) else {
            return Err((Refusal::Forbidden, "the user has not allowed this host and port".to_owned()));
        };
        // From here on the rule's own spelling is used, and nothing the container said.
        let addresses = self.resolve(rule).await?;
        let mut last = "it has no address".to_owned();
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A tool call's small writes are sent at once. A failure here costs speed, nothing else.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Ok(Err(error)) => last = format!("{address} does not take the connection: {error}"),
                Err(_) => last = format!("{address} did not answer within {} seconds", CONNECT.as_secs()),
            }
        }
        Err((Refusal::Unreachable, last))
    }

    /// The addresses of a rule's host that may be connected to: at least one.
    async fn resolve(&self, rule: &HostRule) -> Result<Vec<SocketAddr>, (Refusal, String)> {
        let unresolved = |why: String| (Refusal::Unresolved, why);
        let found: Vec<SocketAddr> = match &self.resolver {
            Resolver::Fixed(table) => {
                let addresses = table.get(rule.host()).map(Vec::as_slice).unwrap_or_default();
                return if addresses.is_empty() {
                    Err(unresolved("it has no address".to_owned()))
                } else {
                    Ok(addresses.iter().map(|address| SocketAddr::new(*address, rule.port())).collect())
                };
            }
            Resolver::System => {
                let lookup = timeout(RESOLVE, tokio::net::lookup_host((rule.host(), rule.port())));
                let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no name server answered in time");
                let found = lookup.await.map_err(late).and_then(|found| found);
                found.map_err(|error| unresolved(format!("its name cannot be resolved: {error}")))?.collect()
            }
        };
        let mut refused = None;
        let mut public = Vec::with_capacity(found.len());
        for address in found {
            match reach(address.ip()) {
                Reach::Public => public.push(address),
                Reach::Closed(why) => refused = Some(format!("its name leads to {}, {why}", address.ip())),
            }
        }
        if public.is_empty() {
            return Err(unresolved(refused.unwrap_or_else(|| "it has no address".to_owned())));
        }
        Ok(public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(rule: &str, host: &str, port: u16) -> (Refusal, String) {
        let rules = [rule.parse().unwrap()];
        Egress::default().connect(&rules, host, port).await.unwrap_err()
    }

    #[tokio::test]
    async fn only_what_a_rule_names_is_connected_to() {
        for (host, port) in [("b.example", 443), ("a.example", 80), ("a.example.evil", 443), ("", 443)] {
            assert_eq!(refusal("a.example:443", host, port).await.0, Refusal::Forbidden, "{host}:{port}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let (why, detail) = refusal("localhost:80", "LOCALHOST.", 80).await;
        assert_eq!(why, Refusal::Unresolved);
        assert!(detail.contains("this machine"), "{detail}");
    }

    #[tokio::test]
    async fn a_fixed_table_is_followed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let table = BTreeMap::from([("a.example".to_owned(), vec![IpAddr::from([127, 0, 0, 1])])]);
        let egress = Egress::new(Resolver::Fixed(Arc::new(table)));
        let rules =
            [format!("a.example:{port}").parse().unwrap(), format!("b.example:{port}").parse().unwrap()];
        egress.connect(&rules, "a.example", port).await.unwrap();
        assert_eq!(egress.connect(&rules, "b.example", port).await.unwrap_err().0, Refusal::Unresolved);
        drop(listener);
        assert_eq!(egress.connect(&rules, "a.example", port).await.unwrap_err().0, Refusal::Unreachable);
    }
}
