//! The way out: whatever a process inside connects to by name becomes a stream to the host, which decides.
//!
//! The container has no network but loopback. Each allowed name has an address of its own there, told by a
//! DNS server, with a listener on each allowed port; programs that use a proxy find one too. The rules kept
//! here only spare the host the hopeless: the host checks every connection again.

mod carry;
mod dns;
mod names;
mod proxy;
mod refusals;
mod tunnel;
mod wish;

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use caisson_wire::{self as wire, AirlockEvent, EgressName, Opener, splice::Pipes};
use rustix::process::{Resource, getrlimit};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep},
};

use self::{names::Names, refusals::Refusals};
use crate::{events::Events, hatch::Hatch};

/// Connections at a time, to names and to the proxy together: each is a stream of the pipe.
const MOST_CONNECTIONS: usize = 128;
/// Where programs ask for names.
const DNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 53);
/// Where programs that use a proxy find it.
const PROXY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 3128);
/// Ports of allowed hosts that are listened on even where they are not allowed, since programs connect to them and
/// nobody serves them inside: what was wished for can then be told. The most usual first.
const WATCHED: [u16; 18] =
    [443, 80, 22, 5432, 3306, 6379, 27017, 587, 465, 25, 993, 9200, 5672, 9092, 1433, 1521, 11211, 21];
/// At most so many of these, and no more than an eighth of the files the airlock may open.
const MOST_WATCHED: u64 = 256;
/// How long to wait when a connection cannot be accepted, for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// The way out of the container.
#[derive(Clone)]
pub(crate) struct Egress(Arc<Shared>);

struct Shared {
    opener: Opener,
    hatch: Option<Hatch>,
    pipes: Pipes,
    events: Events,
    names: watch::Sender<Arc<Names>>,
    listeners: Mutex<HashMap<EgressName, AbortHandle>>,
    /// Held while rules or hosts change.
    changing: tokio::sync::Mutex<()>,
    refusals: Mutex<Refusals>,
    room: Arc<Semaphore>,
}

impl Egress {
    /// Starts the DNS server and the proxy. Where their ports cannot be had, the host is warned.
    pub(crate) async fn start(opener: Opener, hatch: Option<Hatch>, events: Events) -> Self {
        let egress = Self(Arc::new(Shared {
            opener,
            hatch,
            pipes: Pipes::default(),
            events,
            names: watch::Sender::default(),
            listeners: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            refusals: Mutex::new(Refusals::new(Instant::now())),
            room: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        }));
        let warn = |what: &str, error: io::Error| {
            egress
                .0
                .events
                .warn(format!("{what} could not be started: {error}; allowed hosts may be out of reach"));
        };
        match UdpSocket::bind(DNS).await {
            Ok(socket) => drop(tokio::spawn(dns::serve_udp(egress.clone(), socket))),
            Err(error) => warn("the DNS server (UDP)", error),
        }
        match TcpListener::bind(DNS).await {
            Ok(listener) => drop(tokio::spawn(egress.clone().accept(listener, dns::serve_tcp))),
            Err(error) => warn("the DNS server (TCP)", error),
        }
        match TcpListener::bind(PROXY).await {
            Ok(listener) => drop(tokio::spawn(egress.clone().accept(listener, proxy::serve))),
            Err(error) => warn("the HTTP proxy", error),
        }
        egress
    }

    /// From here on this may be reached, and nothing else. Connections it does not allow are cut.
    pub(crate) async fn allow(&self, reachable: wire::Egress) {
        let _alone = self.0.changing.lock().await;
        let names = self.0.names.borrow().replaced(reachable);
        match names {
            Ok(names) => {
                self.refusals().begin_anew();
                self.change(names).await;
            }
            Err(error) => self.0.events.warn(format!("the allowed hosts were not changed: {error}")),
        }
    }

    /// Gives a host an address if a rule allows it and it has none yet.
    async fn admit(&self, host: &str) {
        let _alone = self.0.changing.lock().await;
        let names = self.0.names.borrow().admitting(host);
        match names {
            Some(Ok(names)) => self.change(names).await,
            Some(Err(error)) => self.0.events.warn(format!("a host got no address: {error}")),
            None => {}
        }
    }

    async fn change(&self, names: Names) {
        let room =
            getrlimit(Resource::Nofile).current.map_or(MOST_WATCHED, |files| MOST_WATCHED.min(files / 8));
        let wanted: HashMap<_, _> =
            names.listeners(&WATCHED, usize::try_from(room).unwrap_or_default()).into_iter().collect();
        self.0.names.send_replace(Arc::new(names));
        let gone: Vec<_> = {
            let mut listeners = self.listeners();
            listeners.extract_if(|name, _| !wanted.contains_key(name)).collect()
        };
        gone.into_iter().for_each(|(_, listener)| listener.abort());
        for (name, address) in wanted {
            if !self.listeners().contains_key(&name) {
                self.listen(name, address).await;
            }
        }
    }

    async fn listen(&self, name: EgressName, address: SocketAddrV4) {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let target = name.clone();
                let serve = move |egress, client| tunnel::to_name(egress, client, target.clone());
                let serving = self.clone().accept(listener, serve);
                self.listeners().insert(name, tokio::spawn(serving).abort_handle());
            }
            Err(error) => {
                let EgressName { host, port } = name;
                if !self.0.names.borrow().allows(&host, port) {
                    return;
                }
                self.0.events.warn(format!(
                    "no connection to {host}:{port} can be made but through the proxy: {address} is taken ({error})"
                ));
            }
        }
    }

    /// Serves connections, each as a task of its own. Those for which there is no room are closed.
    async fn accept<F>(self, listener: TcpListener, serve: impl Fn(Self, TcpStream) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                sleep(BREATHER).await;
                continue;
            };
            // A failure costs speed, nothing else.
            drop(client.set_nodelay(true));
            if let Ok(room) = self.0.room.clone().try_acquire_owned() {
                let served = serve(self.clone(), client);
                tokio::spawn(async move {
                    served.await;
                    drop(room);
                });
            }
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<EgressName, AbortHandle>> {
        self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the host of a refused wish, unless it has just been told or too many are refused.
    fn refused(&self, host: &str, port: u16) {
        if self.refusals().worth_telling(host, port, Instant::now()) {
            self.0.events.mention(AirlockEvent::Refused { host: host.to_owned(), port });
        }
    }
}
