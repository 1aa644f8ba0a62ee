//! Verifications: run, kept, and shown for as long as they hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Host, Paths};
use crate::{
    control::api::{ApiError, ErrorCode, Verified, VerifyReport, VerifyServer},
    model::{Event, ProbeOutcome, ProgressSink, ServerName, Verification},
    sandbox::Surroundings,
};

impl Host {
    /// Tries to break out of a server's container, or tells what was found the last time.
    pub(super) async fn verify(
        &self,
        request: VerifyServer,
        progress: &ProgressSink,
    ) -> Result<VerifyReport, ApiError> {
        let VerifyServer { server: name, last } = request;
        self.in_force(&name)?;
        let verification = if last {
            self.0.verifications.of(&name)?.ok_or_else(|| {
                ApiError::new(ErrorCode::NotFound, format!("{name} was never verified"))
                    .fix(format!("`caisson verify {name}` does it"))
            })?
        } else {
            let _held = self.0.names.hold(&name, "verified")?;
            let found = self.0.sandbox.verify(&name, self.surroundings(), progress).await?;
            self.0.verifications.keep(&name, &found)?;
            let broken = found.count(ProbeOutcome::Broken);
            // Nobody watching is fine.
            drop(self.0.events.send(Event::Verified { server: name.clone(), broken }));
            found
        };
        let stale = self.0.sandbox.stale([(&name, &verification)]).await;
        let verified = glance(&verification, stale.contains(&name));
        Ok(VerifyReport { server: name, verified, verification })
    }

    /// What is known of one server's verification.
    pub(super) async fn verified_of(&self, name: &ServerName) -> Option<Verified> {
        let found = self.0.verifications.of(name).unwrap_or_else(|error| {
            tracing::warn!(%error, "what was verified cannot be told");
            None
        })?;
        let stale = self.0.sandbox.stale([(name, &found)]).await;
        Some(glance(&found, stale.contains(name)))
    }

    /// What is known of all servers' verifications.
    pub(super) async fn verified(&self) -> BTreeMap<ServerName, Verified> {
        let all = self.0.verifications.all().unwrap_or_else(|error| {
            tracing::warn!(%error, "what was verified cannot be told");
            BTreeMap::new()
        });
        let stale: BTreeSet<_> = self.0.sandbox.stale(&all).await;
        all.iter().map(|(name, found)| (name.clone(), glance(found, stale.contains(name)))).collect()
    }

    /// What no container may see, besides what decoys show.
    fn surroundings(&self) -> Surroundings {
        let parts = &self.0;
        let files = [&parts.paths.socket, &parts.paths.state(), &parts.paths.config.join("settings.toml")]
            .map(Clone::clone);
        Surroundings {
            scratch: scratch(&parts.paths),
            absent: files.into_iter().chain(parts.engine_sockets.clone()).collect(),
        }
    }
}

/// A folder for decoys alone.
pub(super) fn scratch(paths: &Paths) -> PathBuf {
    paths.data.join("scratch").join("verify")
}

fn glance(found: &Verification, stale: bool) -> Verified {
    Verified {
        at: found.at,
        held: found.count(ProbeOutcome::Held),
        broken: found.count(ProbeOutcome::Broken),
        not_applicable: found.count(ProbeOutcome::NotApplicable),
        stale,
    }
}
