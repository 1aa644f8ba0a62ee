//! Connections a server opens: each is checked against the rules in force, here, whatever the airlock says.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use caisson_wire::{
    self as wire, Connection, EgressRule, Handed, Stream,
    frame::{self, FrameError},
};
use tokio::{
    io::AsyncWriteExt,
    sync::{Semaphore, watch},
    time::{Instant, timeout},
};

use super::{logs::Logs, traffic::Book};
use crate::{
    audit::{Audit, Happening, Phase},
    egress::{
        CarryError, Decision, Egress, Hatch, Hose, HostRules, NoWay, Outside, Tally, carry, carry_beside,
    },
    model::{Event, EventSender, HostRule, Pace, Refused, ServerName},
};

/// Connections of one server at a time.
const MOST_CONNECTIONS: usize = 128;
/// New connections of one server a second, in the long run.
const PACE: f64 = 32.0;
/// New connections at once, after a time of rest.
const BURST: f64 = 256.0;
/// The same refusal is told once in so long a time.
const QUIET: Duration = Duration::from_secs(30);
/// Different refusals told of in that time.
const MOST_REFUSALS: usize = 32;

/// How long an airlock may take to fetch a socket.
const FETCHING: Duration = Duration::from_secs(10);
/// The largest frame in which it says whether it has.
const LARGEST_ANSWER: usize = 64;

/// An airlock did what none does, and what: the end of its container.
#[derive(Debug)]
pub(super) struct Breach(pub(super) String);

/// What a server may reach, as it is at each moment.
pub(super) type Rules = watch::Receiver<Arc<HostRules>>;

/// The rules as the airlock is told of them.
pub(super) fn told(rules: &HostRules) -> wire::Egress {
    let rule = |rule: &HostRule| EgressRule { host: rule.host().clone(), port: rule.port() };
    wire::Egress { rules: rules.allowed.iter().map(rule).collect(), learning: rules.trial.is_some() }
}

/// What one container's connections need.
pub(super) struct OutboundParts {
    pub(super) server: ServerName,
    pub(super) phase: Phase,
    pub(super) egress: Egress,
    pub(super) rules: Rules,
    pub(super) events: EventSender,
    pub(super) audit: Audit,
    pub(super) logs: Logs,
    pub(super) book: Book,
}

/// The host's end of one container's connections.
pub(super) struct Outbound {
    parts: OutboundParts,
    room: Semaphore,
    pace: Mutex<Pace>,
    told: Mutex<HashMap<(String, u16, bool), Instant>>,
}

impl Outbound {
    pub(super) fn new(parts: OutboundParts) -> Self {
        let pace = Pace::new(PACE, BURST, Instant::now());
        let room = Semaphore::new(MOST_CONNECTIONS);
        Self { parts, room, pace: Mutex::new(pace), told: Mutex::default() }
    }

    /// Serves one connection from its request to its end: through a socket handed in at the hatch, where there is one
    /// and the airlock gets it, else on the stream.
    pub(super) async fn serve(
        &self,
        mut stream: Stream,
        host: &str,
        port: u16,
        hatch: Option<&Hatch>,
    ) -> Result<(), Breach> {
        let Ok(_place) = self.room.try_acquire() else {
            let full = format!("it has {MOST_CONNECTIONS} connections, the most a server may have");
            self.refuse(stream, host, port, NoWay::new(Refused::TooMany, full)).await;
            return Ok(());
        };
        if !self.pace.lock().unwrap_or_else(PoisonError::into_inner).step(Instant::now()) {
            let fast = format!("it opens connections faster than {PACE} a second");
            self.refuse(stream, host, port, NoWay::new(Refused::TooMany, fast)).await;
            return Ok(());
        }
        let rules = self.parts.rules.borrow().clone();
        let outside = match self.parts.egress.connect(&rules, host, port).await {
            Ok(outside) => outside,
            Err(no) => {
                self.refuse(stream, host, port, no).await;
                return Ok(());
            }
        };
        let hose = match open(&mut stream, hatch).await {
            Ok(hose) => hose,
            Err(FrameError::Io(_)) => return Ok(()),
            Err(error @ (FrameError::TooLarge(_) | FrameError::Json(_))) => {
                return Err(Breach(format!("its airlock cannot be understood: {error}")));
            }
        };
        // Dropping the stream resets it: the server sees that the connection was cut.
        if let Some(no) = self.carried(stream, hose, outside, host, port).await? {
            self.tell(host, port, &no);
        }
        Ok(())
    }

    /// Carries a connection to its end. Says why, where it was cut.
    async fn carried(
        &self,
        stream: Stream,
        hose: Option<Hose>,
        outside: Outside,
        host: &str,
        port: u16,
    ) -> Result<Option<NoWay>, Breach> {
        let named = host.to_owned();
        let connected = Happening::Connected { host: named.clone(), port, address: outside.address() };
        self.note(connected);
        let (began, tally) = (Instant::now(), self.parts.book.opened(host, port));
        let _open = Open { outbound: self, host: named, port, tally: tally.clone(), began };
        let mut rules = self.parts.rules.clone();
        let revoked = rules.wait_for(|rules| rules.decide(host, port) != Decision::Allowed);
        let carrying = async {
            match hose {
                Some(hose) => carry_beside(hose, stream, outside, &tally).await,
                None => carry(stream, outside, &tally).await,
            }
        };
        tokio::select! {
            carried = carrying => match carried {
                Err(CarryError::Mismatch(why)) => Ok(Some(NoWay::new(Refused::Mismatch, why))),
                Err(breach @ CarryError::Breach(_)) => Err(Breach(breach.to_string())),
                // A connection that breaks is everyday life.
                Ok(()) | Err(CarryError::Io(_)) => Ok(None),
            },
            Ok(_) = revoked => {
                Ok(Some(NoWay::new(Refused::Revoked, "the user has taken the permission back")))
            }
        }
    }

    async fn refuse(&self, mut stream: Stream, host: &str, port: u16, no: NoWay) {
        self.tell(host, port, &no);
        let refused = Connection::Refused { why: no.word(), detail: no.detail };
        // The airlock may be gone by now; then nobody needs the answer.
        drop(frame::write(&mut stream, &refused).await);
        drop(stream.shutdown().await);
    }

    /// The airlock has refused a connection by itself, by the rules it was told.
    pub(super) fn refused_inside(&self, host: &str, port: u16) {
        let no = match self.parts.rules.borrow().decide(host, port) {
            Decision::Blocked(rule) => NoWay::new(Refused::Blocked, format!("the user has blocked {rule}")),
            // A rule may have come this moment.
            Decision::Unknown | Decision::Allowed => NoWay::not_allowed(host, port),
        };
        self.tell(host, port, &no);
    }

    /// Tells people of a refusal, the same one only once in a while: a server may try in a loop.
    fn tell(&self, host: &str, port: u16, no: &NoWay) {
        // A name has at most so many bytes (RFC 1035, 2.3.4).
        let host: String = host.chars().take(255).collect();
        self.parts.book.refused(&host, port, no);
        if !self.is_news(&host, port, no.rule.is_some()) {
            return;
        }
        let (server, why, reason) = (self.parts.server.clone(), no.why, no.detail.clone());
        self.note(Happening::Refused { host: host.clone(), port, why, reason: reason.clone() });
        let host: String = host.escape_debug().collect();
        self.parts.logs.note(&format!("refused a connection to {host}:{port}: {reason}"));
        if why == Refused::Blocked {
            return;
        }
        // Nobody watching is fine.
        let rule = no.rule.clone();
        drop(self.parts.events.send(Event::EgressRefused { server, host, port, why, reason, rule }));
    }

    fn is_news(&self, host: &str, port: u16, askable: bool) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < QUIET);
        let key = (host.to_owned(), port, askable);
        if told.contains_key(&key) || told.len() >= MOST_REFUSALS {
            return false;
        }
        told.insert(key, now);
        true
    }

    fn note(&self, happening: Happening) {
        self.parts.audit.note(&self.parts.server, self.parts.phase, happening);
    }
}

/// Tells the airlock that a connection is open, and which way its bytes take.
async fn open(stream: &mut Stream, hatch: Option<&Hatch>) -> Result<Option<Hose>, FrameError> {
    // Where nothing can be handed in, the stream does as well.
    let Some((number, hose)) = hatch.and_then(|hatch| hatch.hand().ok()) else {
        frame::write(stream, &Connection::Open).await?;
        return Ok(None);
    };
    frame::write(stream, &Connection::Beside { number }).await?;
    let answer = timeout(FETCHING, frame::read_within(stream, LARGEST_ANSWER)).await;
    match answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))? {
        Some(Handed::Taken) => Ok(Some(hose)),
        Some(Handed::Missing) => Ok(None),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

/// A connection that is open. However it ends, its end is noted.
struct Open<'a> {
    outbound: &'a Outbound,
    host: String,
    port: u16,
    tally: Arc<Tally>,
    began: Instant,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let Self { outbound, host, port, tally, began } = self;
        outbound.parts.book.closed(host, *port, tally);
        outbound.note(Happening::Closed {
            host: std::mem::take(host),
            port: *port,
            sent: tally.sent(),
            received: tally.received(),
            lasted: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_of_refusals_is_told_of_once_in_a_while() {
        let (events, mut seen) = tokio::sync::broadcast::channel(256);
        let (_keep, rules) = watch::channel(Arc::default());
        let outbound = Outbound::new(OutboundParts {
            server: "s".parse().unwrap(),
            phase: Phase::Run,
            egress: Egress::default(),
            rules,
            events,
            audit: Audit::in_memory(|| UNIX_EPOCH).unwrap(),
            logs: Logs::new(|| UNIX_EPOCH),
            book: Book::new(|| UNIX_EPOCH),
        });
        for round in 0..1000 {
            outbound.refused_inside("a.example", 443);
            outbound.refused_inside(&format!("{round}.example\u{1b}[2J"), 443);
        }
        assert_eq!(seen.len(), MOST_REFUSALS);
        while let Ok(Event::EgressRefused { host, .. }) = seen.try_recv() {
            assert!(!host.contains('\u{1b}'), "{host}");
        }
        tokio::time::advance(QUIET).await;
        outbound.refused_inside("a.example", 443);
        assert_eq!(seen.len(), 1);
    }
}
