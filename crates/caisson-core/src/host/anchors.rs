//! Where the record of what happened ended last, kept apart from it: in the keychain, where there is one that is open,
//! and in the state file. So it shows when the record was cut off, or replaced, while nobody looked.

use std::{sync::Arc, time::Duration};

use caisson_wire::SecretBytes;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    audit::{Anchor, Audit, AuditError},
    registry::{State, StateError},
    secrets::{KeychainStatus, Secrets},
};

/// How often it is kept anew.
pub(super) const EVERY: Duration = Duration::from_secs(300);
/// So long the keychain may take; nobody is asked for a password meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it is called, in either place.
const NAME: &str = "audit_anchor";
const KEYCHAIN: &str = "keychain";
const STATE: &str = "state file";

/// Keeps where the record ends. Cheap to clone.
#[derive(Clone)]
pub(super) struct Anchors {
    audit: Audit,
    state: State,
    secrets: Secrets,
    /// What was kept last by this process; one keeps at a time.
    last: Arc<Mutex<Option<Anchor>>>,
}

impl Anchors {
    pub(super) fn new(audit: Audit, state: State, secrets: Secrets) -> Self {
        Self { audit, state, secrets, last: Arc::default() }
    }

    /// What is kept, with the place it is kept in.
    pub(super) async fn known(&self) -> Result<Vec<(&'static str, Anchor)>, StateError> {
        let in_state = self.state.value(NAME)?.and_then(|text| text.parse().ok());
        let in_keychain = self.in_keychain().await;
        let both = [(STATE, in_state), (KEYCHAIN, in_keychain)];
        Ok(both.into_iter().filter_map(|(place, anchor)| Some((place, anchor?))).collect())
    }

    /// Keeps where the record ends, unless it is found not to be what it was: then that is noted, once, and what was kept
    /// stays, for `caisson audit verify` to be held against.
    pub(super) async fn keep(&self) -> Result<(), KeepError> {
        let mut last = self.last.lock().await;
        let head = self.audit.head().await?;
        if last.as_ref() == Some(&head) {
            return Ok(());
        }
        let first = last.is_none();
        for (place, anchor) in self.known().await? {
            if self.audit.holds(anchor.clone()).await? == Some(false) {
                if first {
                    let entry = anchor.entry;
                    tracing::error!(entry, place, "the audit is not what it was: see `caisson audit verify`");
                    self.audit.tampered(format!("the {place} knows another entry {entry}"));
                }
                *last = Some(self.audit.head().await?);
                return Ok(());
            }
        }
        self.put(&mut last).await
    }

    /// Takes the record as it is from here on.
    pub(super) async fn renew(&self) -> Result<(), KeepError> {
        let mut last = self.last.lock().await;
        self.put(&mut last).await
    }

    async fn put(&self, last: &mut Option<Anchor>) -> Result<(), KeepError> {
        let anchor = self.audit.settled_head().await?;
        self.state.set_value(NAME, &anchor.to_string())?;
        if self.may_use_keychain().await {
            let value = SecretBytes::from(anchor.to_string().into_bytes());
            let label = "Caisson: where its audit ended last";
            if let Ok(Err(error)) = timeout(PATIENCE, self.secrets.set_own(NAME, label, value)).await {
                tracing::debug!(%error, "where the audit ends is not kept in the keychain");
            }
        }
        *last = Some(anchor);
        Ok(())
    }

    async fn in_keychain(&self) -> Option<Anchor> {
        if !self.may_use_keychain().await {
            return None;
        }
        let value = timeout(PATIENCE, self.secrets.own(NAME)).await.ok()?.ok()??;
        std::str::from_utf8(value.expose()).ok()?.parse().ok()
    }

    /// Whether it is open: nobody is asked for a password for this.
    async fn may_use_keychain(&self) -> bool {
        let status = timeout(PATIENCE, self.secrets.keychain_status()).await;
        matches!(status, Ok(KeychainStatus::Ready { .. }))
    }
}

/// Why it could not be kept where the record ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    State(#[from] StateError),
}
