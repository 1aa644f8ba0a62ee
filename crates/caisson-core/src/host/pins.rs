//! What servers say of themselves, and what the user has accepted of it.

use std::{collections::BTreeSet, time::Duration};

use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::{Host, count};
use crate::{
    audit::{Happening, Phase},
    control::api::{ApiError, DecidePins, DecidedPins, ErrorCode, PinList, PinsView, ShowPins},
    gate::review::{Accepted, ReviewError, Tools, warnings},
    model::{Event, PinKind, ServerName},
};

/// A server that changes tells of each thing by itself: so long they are gathered.
const GATHERED: Duration = Duration::from_secs(1);

impl Host {
    pub(super) fn show_pins(&self, show: &ShowPins) -> Result<PinList, ApiError> {
        if let Some(name) = &show.server {
            self.listed(name)?;
        }
        let (review, policy) = (self.0.gate.review(), self.0.gate.policy());
        let (mut all, mut tools) = (Vec::new(), Tools::new());
        for listed in self.0.registry.list() {
            let accepted = review.accepted(&listed.name)?;
            let named = accepted.iter().filter(|one| one.kind == PinKind::Tool);
            tools.extend(named.map(|tool| (listed.name.clone(), tool.name.clone())));
            all.push((listed.name, accepted));
        }
        all.retain(|(name, _)| show.server.as_ref().is_none_or(|only| only == name));
        let view = |(server, accepted): (ServerName, Vec<Accepted>)| {
            Ok(PinsView {
                mode: policy.pins().of(&server),
                accepted: count(accepted.len()),
                quarantined: review.quarantined(Some(&server))?,
                warnings: warnings(&server, &accepted, &tools, policy.scanner()),
                server,
            })
        };
        Ok(PinList { servers: all.into_iter().map(view).collect::<Result<_, ApiError>>()? })
    }

    /// Asks servers anew that were found to say something else than is pinned, so that clients are not told it when they
    /// have stopped. Runs for as long as it is not aborted.
    pub(super) async fn keep_pins_current(self) {
        let mut events = self.0.events.subscribe();
        loop {
            let mut changed = BTreeSet::new();
            match events.recv().await {
                Ok(Event::Quarantined { server, .. }) => changed.insert(server),
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            sleep(GATHERED).await;
            while let Ok(event) = events.try_recv() {
                if let Event::Quarantined { server, .. } = event {
                    changed.insert(server);
                }
            }
            for server in &changed {
                if let Err(error) = self.0.sandbox.relearn(server).await {
                    tracing::debug!(%server, %error, "what it says of itself now was not learnt");
                }
            }
        }
    }

    pub(super) async fn decide_pins(&self, decide: &DecidePins) -> Result<DecidedPins, ApiError> {
        let DecidePins { server, name, digest, accept } = decide;
        let decided = self.0.gate.review().decide(server, name.as_deref(), digest.as_ref(), *accept)?;
        for one in &decided {
            let (kind, name) = (one.kind, one.name.clone());
            self.0.audit.note(server, Phase::Run, Happening::Reviewed { kind, name, accepted: *accept });
        }
        // Clients must not be told, from what is kept, what was accepted before.
        if let Err(error) = self.0.sandbox.relearn(server).await {
            tracing::debug!(%server, %error, "what it says of itself now was not learnt");
        }
        Ok(DecidedPins { decided })
    }
}

impl From<ReviewError> for ApiError {
    fn from(error: ReviewError) -> Self {
        let code = match &error {
            ReviewError::Unknown { .. } => ErrorCode::NotFound,
            ReviewError::ChangedAgain { .. } => ErrorCode::Refused,
            ReviewError::State(_) => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}
