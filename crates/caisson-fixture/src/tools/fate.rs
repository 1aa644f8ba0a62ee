//! Tools whose call ends badly.

use std::time::Duration;

use rmcp::{
    RoleServer,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock},
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::said;
use crate::server::Fixture;

/// How long a call that waits to be cancelled waits.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Deserialize, JsonSchema)]
struct Named {
    /// What to remember the call by.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Exit {
    /// The exit code.
    #[serde(default)]
    code: i32,
}

#[tool_router(router = fate_tools, vis = "pub(super)")]
impl Fixture {
    /// Fails.
    #[tool]
    async fn test_error_handling(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text(
            "This tool intentionally returns an error for testing",
        )])
    }

    /// Runs until it is cancelled, two minutes at most; `cancelled_calls` then names it.
    #[tool]
    async fn run_until_cancelled(
        &self,
        Parameters(Named { name }): Parameters<Named>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        if tokio::time::timeout(PATIENCE, context.ct.cancelled()).await.is_err() {
            return CallToolResult::error(vec![ContentBlock::text("Nobody cancelled it.")]);
        }
        self.shared.cancelled(&name);
        said("Cancelled.")
    }

    /// Names the calls of `run_until_cancelled` that were cancelled in this process.
    #[tool]
    async fn cancelled_calls(&self) -> CallToolResult {
        CallToolResult::structured(json!({"cancelled": self.shared.all_cancelled()}))
    }

    /// Ends the server's process, without an answer.
    #[tool]
    async fn exit_process(&self, Parameters(Exit { code }): Parameters<Exit>) -> CallToolResult {
        exit(code)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server that dies in the middle of a call runs no destructors"
)]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}
