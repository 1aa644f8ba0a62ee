//! Tools that tell the client something besides their result: progress, logs, changes.

#![expect(deprecated, reason = "logging is deprecated in the newest protocol, and asked for there too")]

use std::time::Duration;

use rmcp::{
    ErrorData, RoleServer,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam},
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::said;
use crate::{era::is_modern, resources::WATCHED, server::Fixture, shared::Change};

/// The pause between two of the suite's notifications.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest a call that reports progress may take.
const LONGEST: Duration = Duration::from_secs(600);

#[derive(Deserialize, JsonSchema)]
struct Steps {
    /// How often to report.
    steps: u32,
    /// Milliseconds before each report.
    #[serde(default)]
    delay_ms: u64,
}

#[tool_router(router = event_tools, vis = "pub(super)")]
impl Fixture {
    /// Logs three lines.
    #[tool]
    async fn test_tool_with_logging(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        self.log(&context, "Tool execution started").await;
        tokio::time::sleep(PAUSE).await;
        self.log(&context, "Tool processing data").await;
        tokio::time::sleep(PAUSE).await;
        self.log(&context, "Tool execution completed").await;
        said("Logged three lines.")
    }

    /// Logs a line, if the client wants to know.
    #[tool]
    async fn test_logging_tool(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        self.log(&context, "A line of the log").await;
        said("Logged a line for those who want it.")
    }

    /// Reports progress three times.
    #[tool]
    async fn test_tool_with_progress(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        report(&context, 0, 100).await;
        tokio::time::sleep(PAUSE).await;
        report(&context, 50, 100).await;
        tokio::time::sleep(PAUSE).await;
        report(&context, 100, 100).await;
        said("Reported progress three times.")
    }

    /// Is to close the stream of its answer in the middle, which rmcp lets no tool do: it answers a little late.
    #[tool]
    async fn test_reconnection(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        // So that there is a stream at all: a bridge may answer a call with nothing before its result in plain JSON.
        self.log(&context, "Reconnection test begun").await;
        tokio::time::sleep(PAUSE).await;
        said("Reconnection test completed.")
    }

    /// Reports progress so many times.
    #[tool]
    async fn report_progress(
        &self,
        Parameters(Steps { steps, delay_ms }): Parameters<Steps>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let delay = Duration::from_millis(delay_ms);
        if delay.saturating_mul(steps) > LONGEST {
            return Err(ErrorData::invalid_params("that takes longer than ten minutes", None));
        }
        for step in 1..=steps {
            tokio::time::sleep(delay).await;
            report(&context, step, steps).await;
        }
        Ok(said(format!("Reported progress {steps} times.")))
    }

    /// Says that the list of tools has changed, which it has not: the suite wants the notification, and compares
    /// lists that another of its scenarios must not change.
    #[tool]
    async fn test_trigger_tool_change(&self) -> CallToolResult {
        self.shared.tell(Change::Tools);
        said("Told of a change of the tools.")
    }

    /// Says that the list of prompts has changed.
    #[tool]
    async fn test_trigger_prompt_change(&self) -> CallToolResult {
        self.shared.tell(Change::Prompts);
        said("Told of a change of the prompts.")
    }

    /// Says that the list of resources has changed.
    #[tool]
    async fn trigger_resource_change(&self) -> CallToolResult {
        self.shared.tell(Change::Resources);
        said("Told of a change of the resources.")
    }

    /// Puts `extra_tool` on the list of tools, or takes it off, and tells of the change.
    #[tool]
    async fn change_tools(&self) -> CallToolResult {
        let there = self.shared.toggle_extra_tool();
        self.shared.tell(Change::Tools);
        said(if there { "extra_tool is on the list." } else { "extra_tool is off the list." })
    }

    /// Is on the list after `change_tools` only.
    #[tool]
    async fn extra_tool(&self) -> CallToolResult {
        said("The extra tool.")
    }

    /// Changes the resource test://watched-resource, and tells those who subscribed to it.
    #[tool]
    async fn touch_resource(&self) -> CallToolResult {
        self.shared.touch();
        self.shared.tell(Change::Resource(WATCHED.to_owned()));
        said(format!("Touched {} times.", self.shared.touches()))
    }

    /// Logs a line of level info, if the client wants that.
    async fn log(&self, context: &RequestContext<RoleServer>, line: &str) {
        let least = if is_modern(context) { context.meta.log_level() } else { Some(self.session.level()) };
        if least.is_some_and(|least| least as u8 <= LoggingLevel::Info as u8) {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
            // A client that has gone learns nothing.
            drop(context.peer.notify_logging_message(message.with_logger("caisson-fixture")).await);
        }
    }
}

/// Reports progress, if the client gave a token for it.
async fn report(context: &RequestContext<RoleServer>, done: u32, total: u32) {
    if let Some(token) = context.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, f64::from(done))
            .with_total(f64::from(total))
            .with_message(format!("{done} of {total}"));
        // A client that has gone learns nothing.
        drop(context.peer.notify_progress(progress).await);
    }
}
