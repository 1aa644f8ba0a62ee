//! `tools` and `call`: what Caisson itself asks a server, in a session of its own.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::Host;
use crate::{
    bridge::{LocalClient, Servers as _},
    control::api::{ApiError, CallReply, CallTool, ErrorCode, Tool, ToolList},
    gate::{LocalCaller, Principal},
    model::Endpoint,
};

/// So long a tool may work without a word. One that reports progress may take as long as it likes, and the
/// caller can cancel.
const LONGEST_CALL: Duration = Duration::from_secs(15 * 60);

impl Host {
    pub(super) async fn tools(&self, endpoint: &Endpoint) -> Result<ToolList, ApiError> {
        let listed = self.talk(endpoint, self.0.gate.local(LocalCaller::Control)).await?.tools().await?;
        let tools = listed.iter().map(|tool| understood::<Tool>(tool)).collect::<Result<_, _>>()?;
        Ok(ToolList { tools })
    }

    pub(super) async fn call_tool(&self, call: CallTool) -> Result<CallReply, ApiError> {
        let CallTool { server, tool, arguments, allow } = call;
        let arguments = match arguments {
            Value::Null => Value::Object(serde_json::Map::new()),
            Value::Object(_) => arguments,
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(ApiError::new(ErrorCode::Invalid, "a tool's arguments are a JSON object"));
            }
        };
        let arguments = serde_json::value::to_raw_value(&arguments)
            .map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))?;
        let principal = self.0.gate.local(LocalCaller::Control);
        let principal = if allow { principal.consenting() } else { principal };
        let mut client = self.talk(&server, principal).await?.with_limit(LONGEST_CALL);
        let result: Value = understood(&client.call(&tool, &arguments).await?)?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        Ok(CallReply { is_error, result })
    }

    /// Opens a session and gets through its beginning, within the time the server has to start.
    async fn talk(&self, endpoint: &Endpoint, principal: Principal) -> Result<LocalClient, ApiError> {
        let limit = self.start_timeout(endpoint)?;
        let permit = self.0.gate.open(&principal, endpoint)?;
        let session = self.0.installed.open(permit, &principal, LocalClient::HELLO).await?;
        Ok(LocalClient::open(self.0.gate.clone(), principal, endpoint.clone(), session, limit).await?)
    }
}

fn understood<T: for<'de> Deserialize<'de>>(result: &RawValue) -> Result<T, ApiError> {
    serde_json::from_str(result.get()).map_err(|error| {
        ApiError::new(ErrorCode::Server, "the server's answer is not what MCP says").why(error.to_string())
    })
}
