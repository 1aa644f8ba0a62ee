//! Tools that ask the client once: the user, its model, its roots.

use rmcp::{
    ErrorData, RoleServer,
    handler::server::{tool::InputResponses, wrapper::Parameters},
    model::CallToolResponse,
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::said;
use crate::{
    ask::{Asked, ask, can, form, form_of, prompt, roots},
    server::Fixture,
};

/// The key of the only question of a tool.
const ANSWER: &str = "answer";

#[derive(Deserialize, JsonSchema)]
struct Prompt {
    /// The prompt to send to the LLM
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
struct Message {
    /// The message to show the user
    message: String,
}

type Context = RequestContext<RoleServer>;
type Outcome = Result<CallToolResponse, ErrorData>;

#[tool_router(router = asking_tools, vis = "pub(super)")]
impl Fixture {
    /// Asks the client's model.
    #[tool]
    async fn test_sampling(
        &self,
        Parameters(Prompt { prompt: text }): Parameters<Prompt>,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        once(&context, brought, prompt(&text, 100), |answer| {
            format!("LLM response: {}", answer["content"]["text"].as_str().unwrap_or("none in words"))
        })
        .await
    }

    /// Asks the user for a name and an address.
    #[tool]
    async fn test_elicitation(
        &self,
        Parameters(Message { message }): Parameters<Message>,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let schema = json!({
            "type": "object",
            "properties": {
                "username": {"type": "string", "description": "User's response"},
                "email": {"type": "string", "description": "User's email address"},
            },
            "required": ["username", "email"],
        });
        once(&context, brought, form_of(&message, schema), |answer| {
            format!("User response: {}", shown(answer))
        })
        .await
    }

    /// Asks the user with a default for each kind of field.
    #[tool]
    async fn test_elicitation_sep1034_defaults(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "John Doe"},
                "age": {"type": "integer", "default": 30},
                "score": {"type": "number", "default": 95.5},
                "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
                "verified": {"type": "boolean", "default": true},
            },
        });
        once(&context, brought, form_of("Review these values", schema), completed).await
    }

    /// Asks the user with each kind of choice.
    #[tool]
    async fn test_elicitation_sep1330_enums(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let options = ["option1", "option2", "option3"];
        let titled = json!([
            {"const": "value1", "title": "First Option"},
            {"const": "value2", "title": "Second Option"},
            {"const": "value3", "title": "Third Option"},
        ]);
        let schema = json!({
            "type": "object",
            "properties": {
                "untitledSingle": {"type": "string", "enum": options},
                "titledSingle": {"type": "string", "oneOf": titled},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
                "titledMulti": {"type": "array", "items": {"anyOf": titled}},
            },
        });
        once(&context, brought, form_of("Choose", schema), completed).await
    }

    /// Needs a client that has sampling.
    #[tool]
    async fn test_missing_capability(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        once(&context, brought, prompt("Say anything", 10), shown).await
    }

    /// Asks the user, on the stream of its answer.
    #[tool]
    async fn test_streaming_elicitation(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        once(&context, brought, form("What is your name?", &["name"]), shown).await
    }

    /// Asks for what the client says it can answer, and nothing else.
    #[tool]
    async fn test_input_required_result_capabilities(
        &self,
        InputResponses(brought): InputResponses,
        context: Context,
    ) -> Outcome {
        let questions = [
            ("user_name", form("What is your name?", &["name"])),
            ("greeting", prompt("Generate a greeting", 50)),
            ("client_roots", roots()),
        ];
        let possible: serde_json::Map<_, _> = questions
            .into_iter()
            .filter(|(_, question)| can(&context, question))
            .map(|(key, question)| (key.to_owned(), question))
            .collect();
        Ok(match ask(&context, brought, Value::Object(possible)).await? {
            Asked::Required(required) => required.into(),
            Asked::Answered(answers) => said(format!("{} answers", answers.len())).into(),
        })
    }

    /// Asks for the client's roots.
    #[tool]
    async fn list_client_roots(&self, InputResponses(brought): InputResponses, context: Context) -> Outcome {
        once(&context, brought, roots(), |answer| answer["roots"].to_string()).await
    }
}

/// Asks one question, and says what `told` makes of the answer.
async fn once(
    context: &Context,
    brought: Option<rmcp::model::InputResponses>,
    question: Value,
    told: impl FnOnce(&Value) -> String,
) -> Outcome {
    Ok(match ask(context, brought, json!({ ANSWER: question })).await? {
        Asked::Required(required) => required.into(),
        Asked::Answered(answers) => said(told(&answers[ANSWER])).into(),
    })
}

fn completed(answer: &Value) -> String {
    format!("Elicitation completed: {}", shown(answer))
}

fn shown(answer: &Value) -> String {
    format!("action={}, content={}", answer["action"].as_str().unwrap_or("none"), answer["content"])
}
