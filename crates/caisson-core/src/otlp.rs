//! Sends the record of what happened to an OpenTelemetry collector that the user has named, and to nobody else.
//!
//! OTLP over HTTP, JSON encoded (OpenTelemetry protocol 1.x, "OTLP/HTTP"). What is sent is read from the record, from where
//! the collector's last yes was: while it is away nothing is lost, and no call waits for it.

mod collector;
mod records;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::sleep;

pub use collector::{CollectorError, CollectorUrl};

use self::{collector::Collector, records::Resource};
use crate::{
    audit::{Audit, AuditQuery, Take},
    registry::{State, StateError},
};

/// Entries sent at once.
const AT_ONCE: u32 = 512;
/// What follows within that is sent together.
const TOGETHER: Duration = Duration::from_secs(1);
/// The pauses after failures: twice as long each time.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Under which key the state keeps the number of the last entry that the collector has.
const CURSOR: &str = "otlp_logs";

/// Sends the record.
#[derive(Debug)]
pub struct Exporter {
    audit: Audit,
    state: State,
    collector: Collector,
    resource: Resource,
}

impl Exporter {
    /// Sends `audit` to the collector at this address; `instance` tells this Caisson from others. How far it has come is
    /// kept in `state`.
    pub fn new(audit: Audit, state: State, collector: CollectorUrl, instance: String) -> Self {
        Self { audit, state, collector: Collector::new(collector), resource: Resource { instance } }
    }

    /// Sends what is in the record from when a collector was first named, and what comes later. Runs for as long as it is
    /// not aborted.
    pub async fn run(self) {
        if let Err(error) = self.send().await {
            tracing::error!(%error, "the record is not sent to the collector any more");
        }
    }

    async fn send(&self) -> Result<(), SendError> {
        let mut length = self.audit.length();
        let mut sent = match self.state.value(CURSOR)?.and_then(|text| text.parse().ok()) {
            Some(sent) => sent,
            None => self.audit.head().await?.entry,
        };
        let mut pause = SHORTEST;
        loop {
            self.state.set_value(CURSOR, &sent.to_string())?;
            while *length.borrow_and_update() <= sent {
                if length.changed().await.is_err() {
                    return Ok(());
                }
                sleep(TOGETHER).await;
            }
            let later = AuditQuery {
                after: Some(sent),
                limit: AT_ONCE,
                take: Take::Earliest,
                ..AuditQuery::default()
            };
            let entries = self.audit.export(later).await?;
            let Some(last) = entries.last() else {
                // A record that was replaced by a shorter one begins anew.
                sent = *length.borrow();
                continue;
            };
            match self.collector.send("/v1/logs", self.resource.logs(&entries)).await {
                Ok(()) => (sent, pause) = (last.seq, SHORTEST),
                Err(error @ CollectorError::NotTaken { .. }) => {
                    let (first, last) = (sent + 1, last.seq);
                    tracing::error!(%error, first, last, "the collector will never have these entries");
                    sent = last;
                }
                Err(error) => {
                    tracing::warn!(%error, seconds = pause.as_secs(), "the record is sent again later");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
            }
        }
    }
}

/// Why nothing is sent any more.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    #[error(transparent)]
    State(#[from] StateError),
}
