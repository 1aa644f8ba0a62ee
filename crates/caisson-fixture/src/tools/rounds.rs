//! Tools of the suite that want to be called again with answers, several times or with a state of theirs.
//!
//! A client of the legacy era is asked at once and notices nothing of the rounds.

use rmcp::{
    ErrorData, RoleServer,
    handler::server::tool::{InputResponses, RequestState},
    model::{CallToolResponse, InputRequiredResult, RequestStateCodec},
    service::RequestContext,
    tool, tool_router,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::said;
use crate::{
    ask::{Asked, ask, form, form_of, internal, prompt, roots},
    era::is_modern,
    server::Fixture,
};

/// What states are sealed with. It is known to all, so a state outlives the process, and guards nothing.
const KEY: &[u8] = b"a key of a fixture, which guards nothing";

/// What a tool tells itself of the rounds before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// What the user answered first.
    name: Option<String>,
}

type Context = RequestContext<RoleServer>;
type Outcome = Result<CallToolResponse, ErrorData>;

#[tool_router(router = round_tools, vis = "pub(super)")]
impl Fixture {
    /// Greets the user by the name they give.
    #[tool]
    async fn test_input_required_result_elicitation(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let question = json!({"user_name": form("What is your name?", &["name"])});
        Ok(match ask(&context, brought, question).await? {
            Asked::Required(required) => required.into(),
            Asked::Answered(answers) => {
                let name = answers["user_name"]["content"]["name"].as_str().unwrap_or("nobody");
                said(format!("Hello, {name}!")).into()
            }
        })
    }

    /// Says what the client's model answers.
    #[tool]
    async fn test_input_required_result_sampling(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let question = json!({"capital_question": prompt("What is the capital of France?", 100)});
        Ok(match ask(&context, brought, question).await? {
            Asked::Required(required) => required.into(),
            Asked::Answered(answers) => {
                let text = answers["capital_question"]["content"]["text"].as_str();
                said(text.unwrap_or("no answer in words")).into()
            }
        })
    }

    /// Says which roots the client has.
    #[tool]
    async fn test_input_required_result_list_roots(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        Ok(match ask(&context, brought, json!({"client_roots": roots()})).await? {
            Asked::Required(required) => required.into(),
            Asked::Answered(answers) => said(format!("Roots: {}", answers["client_roots"]["roots"])).into(),
        })
    }

    /// Checks that its state came back.
    #[tool]
    async fn test_input_required_result_request_state(
        &self,
        InputResponses(brought): InputResponses,
        RequestState(state): RequestState,
        context: Context,
    ) -> Outcome {
        confirmed(&context, brought, state).await
    }

    /// Refuses a state that is not its own.
    #[tool]
    async fn test_input_required_result_tampered_state(
        &self,
        InputResponses(brought): InputResponses,
        RequestState(state): RequestState,
        context: Context,
    ) -> Outcome {
        confirmed(&context, brought, state).await
    }

    /// Asks the user, the model and for roots at once.
    #[tool]
    async fn test_input_required_result_multiple_inputs(
        &self,
        InputResponses(brought): InputResponses,
        RequestState(state): RequestState,
        context: Context,
    ) -> Outcome {
        opened(state.as_deref())?;
        let questions = json!({
            "user_name": form("What is your name?", &["name"]),
            "greeting": prompt("Generate a greeting", 50),
            "client_roots": roots(),
        });
        Ok(match ask(&context, brought, questions).await? {
            Asked::Required(required) => again(required, &State::default())?,
            Asked::Answered(answers) => {
                let keys: Vec<_> = answers.keys().map(String::as_str).collect();
                said(format!("Answered: {}", keys.join(", "))).into()
            }
        })
    }

    /// Asks the user twice, one after the other.
    #[tool]
    async fn test_input_required_result_multi_round(
        &self,
        InputResponses(brought): InputResponses,
        RequestState(state): RequestState,
        context: Context,
    ) -> Outcome {
        let before = opened(state.as_deref())?.unwrap_or_default();
        let name = match before.name {
            Some(name) => name,
            None => {
                let question = json!({"step1": form("Step 1: What is your name?", &["name"])});
                match ask(&context, brought.clone(), question).await? {
                    Asked::Required(required) => return again(required, &State::default()),
                    Asked::Answered(answers) => {
                        answers["step1"]["content"]["name"].as_str().unwrap_or("nobody").to_owned()
                    }
                }
            }
        };
        let question = json!({"step2": form("Step 2: What is your favorite color?", &["color"])});
        Ok(match ask(&context, brought, question).await? {
            Asked::Required(required) => again(required, &State { name: Some(name) })?,
            Asked::Answered(answers) => {
                let color = answers["step2"]["content"]["color"].as_str().unwrap_or("none");
                said(format!("{name} likes {color}.")).into()
            }
        })
    }
}

/// Has the user confirm, and the state come back.
async fn confirmed(
    context: &Context,
    brought: Option<rmcp::model::InputResponses>,
    state: Option<String>,
) -> Outcome {
    let ours = opened(state.as_deref())?.is_some() || !is_modern(context);
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    Ok(match ask(context, brought, json!({"confirm": form_of("Please confirm", schema)})).await? {
        Asked::Required(required) => again(required, &State::default())?,
        Asked::Answered(_) if ours => said("state-ok").into(),
        Asked::Answered(_) => return Err(ErrorData::invalid_params("the state did not come back", None)),
    })
}

/// Has the call come again, with `state`.
fn again(required: InputRequiredResult, state: &State) -> Outcome {
    let state = codec()?.seal_json(state).map_err(internal)?;
    Ok(InputRequiredResult::new(required.input_requests, Some(state)).into())
}

fn opened(state: Option<&str>) -> Result<Option<State>, ErrorData> {
    let open = |sealed| {
        codec()?.open_json(sealed).map_err(|error| ErrorData::invalid_params(error.to_string(), None))
    };
    state.map(open).transpose()
}

fn codec() -> Result<RequestStateCodec, ErrorData> {
    RequestStateCodec::try_new(KEY).map_err(internal)
}
