//! How much one client may ask for: so many requests a second, and so many at a time. One that has run wild then
//! learns to wait, and leaves room for the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::refusal::Refusal;
use crate::{gate::CallerId, model::Pace};

/// Seconds' worth of requests that may come at once, after a time without any.
const BURST: f64 = 5.0;
/// Clients that are remembered though they ask for nothing at the moment.
const MOST_REMEMBERED: usize = 1024;

/// What every client has asked for lately.
pub(super) struct Rates {
    per_second: u32,
    at_once: usize,
    clients: Mutex<HashMap<CallerId, Client>>,
}

struct Client {
    pace: Pace,
    /// Requests that are being answered.
    underway: usize,
}

/// One request's turn. Over when dropped.
pub(super) struct Turn {
    rates: Arc<Rates>,
    caller: CallerId,
}

impl Rates {
    pub(super) fn new(per_second: u32, at_once: usize) -> Arc<Self> {
        Arc::new(Self { per_second, at_once, clients: Mutex::default() })
    }

    /// Gives `caller` a turn, if it has one left.
    pub(super) fn take(self: &Arc<Self>, caller: CallerId) -> Result<Turn, Refusal> {
        let (rate, now) = (f64::from(self.per_second), Instant::now());
        let mut clients = self.clients();
        if clients.len() > MOST_REMEMBERED {
            // Whoever has its whole burst is as good as new.
            clients.retain(|_, client| client.underway > 0 || !client.pace.is_rested(now));
        }
        let new = || Client { pace: Pace::new(rate, rate * BURST, now), underway: 0 };
        let client = clients.entry(caller.clone()).or_insert_with(new);
        if client.underway >= self.at_once {
            return Err(Refusal::TooManyRequests(self.at_once));
        }
        if !client.pace.step(now) {
            return Err(Refusal::TooFast(self.per_second));
        }
        client.underway += 1;
        drop(clients);
        Ok(Turn { rates: Arc::clone(self), caller })
    }

    // No panic happens while the lock is held.
    fn clients(&self) -> MutexGuard<'_, HashMap<CallerId, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(client) = self.rates.clients().get_mut(&self.caller) {
            client.underway = client.underway.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_the_rate() {
        let rates = Rates::new(2, 100);
        let ask = |name: &str| rates.take(CallerId::for_test(name)).map(drop);
        for _ in 0..10 {
            ask("a").unwrap();
        }
        assert_eq!(ask("a"), Err(Refusal::TooFast(2)));
        ask("b").unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!([ask("a"), ask("a"), ask("a")], [Ok(()), Ok(()), Err(Refusal::TooFast(2))]);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..20).filter(|_| ask("a").is_ok()).count(), 10);
    }

    #[tokio::test]
    async fn so_many_at_a_time() {
        let rates = Rates::new(1000, 2);
        let ask = || rates.take(CallerId::for_test("a"));
        let (first, _second) = (ask().ok(), ask().ok().unwrap());
        assert_eq!(ask().err(), Some(Refusal::TooManyRequests(2)));
        drop(first);
        assert!(ask().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_no_more_is_forgotten() {
        let rates = Rates::new(1000, 2);
        for number in 0..2000 {
            drop(rates.take(CallerId::for_test(&number.to_string())));
            tokio::time::advance(Duration::from_millis(2)).await;
        }
        assert!(rates.clients().len() <= MOST_REMEMBERED + 1);
    }
}
