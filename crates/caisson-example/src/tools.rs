use std::{fmt, time::Duration};

use rmcp::{
    ErrorData, RoleServer,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock, ProgressNotificationParam},
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{client, escape::Attempts, look::Surroundings, server::Example};

/// The furthest `count` goes, and the longest it waits between two numbers.
const FURTHEST: u32 = 1000;
const LONGEST_DELAY: u64 = 10_000;

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Whom to greet.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    /// How far to count, 1000 at most.
    to: u32,
    /// Milliseconds between two numbers, 10000 at most.
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Question {
    /// What to ask.
    question: String,
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    /// The note.
    note: String,
}

#[tool_router(vis = "pub(crate)")]
impl Example {
    /// Tells what this server sees of the place it runs in: user, capabilities, network, limits.
    #[tool(annotations(title = "Look around", read_only_hint = true, open_world_hint = false))]
    async fn look_around(&self) -> Result<CallToolResult, ErrorData> {
        shown(&Surroundings::look())
    }

    /// Tries a few ways out of the container, and tells which were refused. Nothing is harmed.
    #[tool(annotations(title = "Try to escape", read_only_hint = true, open_world_hint = true))]
    async fn try_to_escape(&self) -> Result<CallToolResult, ErrorData> {
        shown(&Attempts::make().await)
    }

    /// Greets somebody.
    #[tool(annotations(title = "Greet", read_only_hint = true, open_world_hint = false))]
    async fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> String {
        format!("Hello, {name}, from inside a caisson.")
    }

    /// Counts, and tells how far it has come.
    #[tool(annotations(title = "Count", read_only_hint = true, open_world_hint = false))]
    async fn count(
        &self,
        Parameters(Count { to, delay_ms }): Parameters<Count>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if to > FURTHEST || delay_ms > LONGEST_DELAY {
            let why = format!("to is {FURTHEST} at most, and delay_ms {LONGEST_DELAY}");
            return Err(ErrorData::invalid_params(why, None));
        }
        let token = context.meta.get_progress_token();
        for number in 1..=to {
            let cancelled = context.ct.cancelled();
            if tokio::time::timeout(Duration::from_millis(delay_ms), cancelled).await.is_ok() {
                return Ok(failed(format!("Cancelled at {number} of {to}.")));
            }
            if let Some(token) = &token {
                let progress = ProgressNotificationParam::new(token.clone(), f64::from(number))
                    .with_total(f64::from(to))
                    .with_message(format!("{number} of {to}"));
                // A client that has gone learns nothing; the next wait finds out.
                drop(context.peer.notify_progress(progress).await);
            }
        }
        Ok(said(format!("Counted to {to}.")))
    }

    /// Asks the user a question through the client (elicitation).
    #[tool(annotations(title = "Ask the user", read_only_hint = true, open_world_hint = false))]
    async fn ask(
        &self,
        Parameters(Question { question }): Parameters<Question>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        told(client::ask_user(&context, question).await)
    }

    /// Asks the client's model a question (sampling).
    #[tool(annotations(title = "Ask the model", read_only_hint = true, open_world_hint = true))]
    async fn sample(
        &self,
        Parameters(Question { question }): Parameters<Question>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResult {
        told(client::ask_model(&context, question).await)
    }

    /// Adds a note to those kept in the state folder.
    #[tool(annotations(
        title = "Add a note",
        read_only_hint = false,
        destructive_hint = false,
        open_world_hint = false
    ))]
    async fn notes_add(&self, Parameters(Note { note }): Parameters<Note>) -> CallToolResult {
        told(self.notes.add(&note).map(|number| format!("Noted. There are {number} notes.")))
    }

    /// Lists the notes kept in the state folder.
    #[tool(annotations(title = "List notes", read_only_hint = true, open_world_hint = false))]
    async fn notes_list(&self) -> CallToolResult {
        told(
            self.notes
                .list()
                .map(|notes| if notes.is_empty() { "There are none.".into() } else { notes.join("\n") }),
        )
    }

    /// Throws all notes away.
    #[tool(annotations(
        title = "Clear notes",
        read_only_hint = false,
        destructive_hint = true,
        open_world_hint = false
    ))]
    async fn notes_clear(&self) -> CallToolResult {
        told(self.notes.clear().map(|number| format!("{number} notes were thrown away.")))
    }
}

/// The same for people and for programs.
fn shown(seen: &(impl fmt::Display + Serialize)) -> Result<CallToolResult, ErrorData> {
    let value =
        serde_json::to_value(seen).map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let mut result = CallToolResult::structured(value);
    result.content = vec![ContentBlock::text(seen.to_string())];
    Ok(result)
}

fn said(text: String) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

fn failed(text: String) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(text)])
}

fn told(outcome: Result<String, String>) -> CallToolResult {
    outcome.map_or_else(failed, said)
}
