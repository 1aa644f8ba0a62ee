//! Connections a server opens: each is checked against the rules in force, here, whatever the airlock says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use caisson_wire::{Connection, Refusal, Stream, frame};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use super::logs::Logs;
use crate::{
    egress::Egress,
    model::{Event, EventSender, HostRule, ServerName},
};

/// Connections of one server at a time.
const MOST_CONNECTIONS: usize = 128;
/// The same refusal is told once in so long a time.
const QUIET: Duration = Duration::from_secs(30);
/// Different refusals told of in that time.
const MOST_REFUSALS: usize = 32;

/// The hosts a server may reach, as they are at each moment.
pub(super) type Rules = watch::Receiver<Arc<[HostRule]>>;

/// What one container's connections need.
#[derive(Debug)]
pub(super) struct Outbound {
    server: ServerName,
    egress: Egress,
    rules: Rules,
    events: EventSender,
    logs: Logs,
    room: Semaphore,
    told: Mutex<HashMap<(String, u16), Instant>>,
}

impl Outbound {
    pub(super) fn new(
        server: ServerName,
        egress: Egress,
        rules: Rules,
        events: EventSender,
        logs: Logs,
    ) -> Self {
        let room = Semaphore::new(MOST_CONNECTIONS);
        Self { server, egress, rules, events, logs, room, told: Mutex::default() }
    }

    /// Serves one connection from its request to its end.
    pub(super) async fn serve(&self, mut stream: Stream, host: &str, port: u16) {
        let Ok(_place) = self.room.try_acquire() else {
            let full = format!("it has {MOST_CONNECTIONS} connections, the most a server may have");
            return self.refuse(stream, Refusal::Unreachable, host, port, full).await;
        };
        let rules = self.rules.borrow().clone();
        let mut outside = match self.egress.connect(&rules, host, port).await {
            Ok(outside) => outside,
            Err((why, detail)) => return self.refuse(stream, why, host, port, detail).await,
        };
        if frame::write(&mut stream, &Connection::Open).await.is_err() {
            return;
        }
        let mut rules = self.rules.clone();
        let revoked = rules.wait_for(|rules| !rules.iter().any(|rule| rule.allows(host, port)));
        tokio::select! {
            // Each direction closes on its own; an error of either ends both, and both sides see it.
            _ = tokio::io::copy_bidirectional(&mut stream, &mut outside) => {}
            Ok(_) = revoked => self.tell(host, port, "the user has taken the permission back"),
        }
    }

    async fn refuse(&self, mut stream: Stream, why: Refusal, host: &str, port: u16, detail: String) {
        self.tell(host, port, &detail);
        // The airlock may be gone by now; then nobody needs the answer.
        drop(frame::write(&mut stream, &Connection::Refused { why, detail }).await);
        drop(tokio::io::AsyncWriteExt::shutdown(&mut stream).await);
    }

    /// Tells people of a refusal, the same one only once in a while: a server may try in a loop.
    pub(super) fn tell(&self, host: &str, port: u16, reason: &str) {
        let host: String = host.chars().take(255).collect::<String>().escape_debug().collect();
        if !self.is_news(&host, port) {
            return;
        }
        self.logs.note(&format!("refused a connection to {host}:{port}: {reason}"));
        let server = self.server.clone();
        // Nobody watching is fine.
        drop(self.events.send(Event::EgressRefused { server, host, port, reason: reason.to_owned() }));
    }

    fn is_news(&self, host: &str, port: u16) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < QUIET);
        let key = (host.to_owned(), port);
        if told.contains_key(&key) || told.len() >= MOST_REFUSALS {
            return false;
        }
        told.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_of_refusals_is_told_of_once_in_a_while() {
        let (events, mut seen) = tokio::sync::broadcast::channel(256);
        let (_keep, rules) = watch::channel(Arc::from([]));
        let logs = Logs::new(|| UNIX_EPOCH);
        let outbound = Outbound::new("s".parse().unwrap(), Egress::default(), rules, events, logs);
        for round in 0..1000 {
            outbound.tell("a.example", 443, "no");
            outbound.tell(&format!("{round}.example\u{1b}[2J"), 443, "no");
        }
        assert_eq!(seen.len(), MOST_REFUSALS);
        while let Ok(Event::EgressRefused { host, .. }) = seen.try_recv() {
            assert!(!host.contains('\u{1b}'), "{host}");
        }
        tokio::time::advance(QUIET).await;
        outbound.tell("a.example", 443, "no");
        assert_eq!(seen.len(), 1);
    }
}
