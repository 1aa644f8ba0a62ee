//! The user's rules on tool calls, and the questions they leave to a person.

use serde_json::Value;

use super::{Host, count};
use crate::{
    control::api::{
        AllowCall, ApiError, ApprovalList, CheckPolicy, CheckedPolicy, DenyCall, ErrorCode, PolicyView,
        RevokeGrant,
    },
    gate::{
        approvals::{ApprovalError, Grant},
        policy::Arguments,
    },
    model::{Preset, Question},
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

    pub(super) fn list_approvals(&self) -> ApprovalList {
        let approvals = self.0.gate.approvals();
        ApprovalList {
            waiting: approvals.list(),
            settled: approvals.history(),
            grants: approvals.grants(),
            locked: approvals.is_locked(),
        }
    }

    pub(super) fn allow_call(&self, allow: AllowCall) -> Result<Question, ApiError> {
        Ok(self.0.gate.approvals().allow(allow.id, allow.lasting)?)
    }

    pub(super) fn deny_call(&self, deny: DenyCall) -> Result<Question, ApiError> {
        Ok(self.0.gate.approvals().deny(deny.id)?)
    }

    pub(super) fn revoke_grant(&self, revoke: RevokeGrant) -> Result<Grant, ApiError> {
        Ok(self.0.gate.approvals().revoke(revoke.id)?)
    }

    pub(super) fn lock_calls(&self, locked: bool) -> Result<(), ApiError> {
        Ok(self.0.gate.approvals().lock(locked)?)
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
