//! The user's rules on tool calls, and the questions they leave to a person.

use serde_json::Value;

use super::{Host, count};
use crate::{
    audit::Part,
    control::api::{
        AllowCall, ApiError, ApprovalList, CheckPolicy, CheckedPolicy, DenyCall, ErrorCode, PolicyView,
        RevokeGrant,
    },
    gate::{
        approvals::{ApprovalError, Grant},
        policy::Arguments,
    },
    model::{Offer, Preset, Quarantined, Question},
    sandbox::Tried,
};

impl Host {
    pub(super) fn show_policy(&self) -> PolicyView {
        let policy = self.0.gate.policy();
        PolicyView {
            file: self.0.registry.policy_file().to_owned(),
            preset: policy.preset(),
            rules: count(policy.len()),
            timeout: policy.approvals().timeout,
            broken: self.0.registry.policy_broken().map(|broken| broken.to_string()),
            locked: self.0.gate.approvals().is_locked(),
        }
    }

    pub(super) async fn set_preset(&self, preset: Preset) -> Result<PolicyView, ApiError> {
        let registry = self.0.registry.clone();
        let set = tokio::task::spawn_blocking(move || registry.set_preset(preset)).await;
        set.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        Ok(self.show_policy())
    }

    pub(super) fn check_policy(&self, check: &CheckPolicy) -> Result<CheckedPolicy, ApiError> {
        let CheckPolicy { server, tool, arguments, client } = check;
        self.in_force(server)?;
        let invalid = |why: String| ApiError::new(ErrorCode::Invalid, why);
        if !matches!(arguments, Value::Null | Value::Object(_)) {
            return Err(invalid("a tool's arguments are a JSON object".into()));
        }
        let raw = serde_json::value::to_raw_value(arguments).map_err(|error| invalid(error.to_string()))?;
        let arguments = Arguments::read(Some(&raw)).map_err(|error| invalid(error.to_string()))?;
        let ruling = self.0.gate.explain(client.as_deref().unwrap_or("you"), server, tool, &arguments);
        let marks = self.0.gate.definition(server, tool).map(|definition| definition.marks);
        Ok(CheckedPolicy { because: ruling.by.to_string(), ruling, marks })
    }

    pub(super) fn list_approvals(&self) -> Result<ApprovalList, ApiError> {
        let approvals = self.0.gate.approvals();
        Ok(ApprovalList {
            waiting: approvals.list(),
            settled: approvals.history(),
            grants: approvals.grants(),
            offers: self.offers()?,
            locked: approvals.is_locked(),
        })
    }

    /// What servers are kept from and nobody has decided on.
    fn offers(&self) -> Result<Vec<Offer>, ApiError> {
        let mut offers = Vec::new();
        for (server, _) in self.0.sandbox.states() {
            // One that is removed meanwhile is kept from nothing.
            let tried = self.0.sandbox.traffic(&server).map(|traffic| traffic.tried).unwrap_or_default();
            offers.extend(tried.into_iter().filter_map(|Tried { rule, reason, .. }| {
                Some(Offer::Reach { server: server.clone(), rule: rule?, reason })
            }));
        }
        let changed = self.0.gate.review().quarantined(None)?.into_iter().filter(|one| !one.refused);
        offers.extend(changed.map(|Quarantined { server, kind, name, is_new, .. }| Offer::Change {
            server,
            kind,
            name,
            is_new,
        }));
        Ok(offers)
    }

    pub(super) fn allow_call(&self, allow: AllowCall) -> Result<Question, ApiError> {
        Ok(self.0.gate.approvals().allow(allow.id, allow.lasting)?)
    }

    pub(super) fn deny_call(&self, deny: DenyCall) -> Result<Question, ApiError> {
        Ok(self.0.gate.approvals().deny(deny.id)?)
    }

    pub(super) fn revoke_grant(&self, revoke: RevokeGrant) -> Result<Grant, ApiError> {
        let grant = self.0.gate.approvals().revoke(revoke.id)?;
        let change = format!("taken back from {}", grant.client);
        self.configured(Some(&grant.server), Part::Grant, &grant.tool, &change);
        Ok(grant)
    }

    pub(super) fn lock_calls(&self, locked: bool) -> Result<(), ApiError> {
        self.0.gate.approvals().lock(locked)?;
        self.configured(None, Part::Lock, "", if locked { "locked" } else { "unlocked" });
        Ok(())
    }
}

impl From<ApprovalError> for ApiError {
    fn from(error: ApprovalError) -> Self {
        let code = match &error {
            ApprovalError::Unknown(_) | ApprovalError::NoGrant(_) => ErrorCode::NotFound,
            ApprovalError::Lifetime => ErrorCode::Invalid,
            ApprovalError::State(_) => ErrorCode::Storage,
        };
        Self::new(code, error.to_string())
    }
}
