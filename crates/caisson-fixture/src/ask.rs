//! Asking the client something, in either era.

#![expect(
    deprecated,
    reason = "sampling and roots are deprecated in the newest protocol, and asked for there too"
)]

use rmcp::{
    ErrorData, RoleServer,
    model::{
        ClientCapabilities, InputRequest, InputRequests, InputRequiredResult, InputResponses, ServerRequest,
    },
    service::RequestContext,
};
use serde_json::{Value, json};

use crate::era::is_modern;

/// What became of questions.
pub(crate) enum Asked {
    /// The client's answers, by the questions' keys.
    Answered(InputResponses),
    /// A client of the modern era has to call again, with the answers.
    Required(InputRequiredResult),
}

/// Puts `questions` to the client: a map of requests by keys of our choice.
///
/// A client of the legacy era is sent each as a request of its own and waited for. One of the modern era brought
/// the answers along, or is told to call again with them.
///
/// # Errors
/// When the client has not declared that it can answer, or answers with an error.
pub(crate) async fn ask(
    context: &RequestContext<RoleServer>,
    brought: Option<InputResponses>,
    questions: Value,
) -> Result<Asked, ErrorData> {
    let questions: InputRequests = serde_json::from_value(questions).map_err(internal)?;
    for question in questions.values() {
        able(context, question)?;
    }
    if is_modern(context) {
        let brought = brought.unwrap_or_default();
        let complete = questions.keys().all(|key| brought.get(key).is_some_and(Value::is_object));
        return Ok(if complete {
            Asked::Answered(brought)
        } else {
            Asked::Required(InputRequiredResult::from_input_requests(questions))
        });
    }
    let mut answers = InputResponses::new();
    for (key, question) in questions {
        let answer = context.peer.send_request(request(question)?).await.map_err(internal)?;
        answers.insert(key, serde_json::to_value(answer).map_err(internal)?);
    }
    Ok(Asked::Answered(answers))
}

/// Asks the user for the fields of a form, all of them text.
pub(crate) fn form(message: &str, fields: &[&str]) -> Value {
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|field| ((*field).to_owned(), json!({"type": "string"}))).collect();
    form_of(message, json!({"type": "object", "properties": properties, "required": fields}))
}

/// Asks the user for what `schema` says.
pub(crate) fn form_of(message: &str, schema: Value) -> Value {
    json!({"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}})
}

/// Asks the client's model.
pub(crate) fn prompt(text: &str, tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": text}});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": tokens}})
}

/// Asks for the client's roots.
pub(crate) fn roots() -> Value {
    json!({"method": "roots/list", "params": {}})
}

/// Whether the client says that it can answer.
pub(crate) fn can(context: &RequestContext<RoleServer>, question: &Value) -> bool {
    serde_json::from_value(question.clone()).is_ok_and(|question| able(context, &question).is_ok())
}

fn able(context: &RequestContext<RoleServer>, question: &InputRequest) -> Result<(), ErrorData> {
    let client = context.client_capabilities().unwrap_or_default();
    let none = ClientCapabilities::builder();
    let (able, required) = match question {
        InputRequest::CreateMessage(_) => (client.sampling.is_some(), none.enable_sampling().build()),
        InputRequest::Elicitation(_) => (client.elicitation.is_some(), none.enable_elicitation().build()),
        InputRequest::ListRoots(_) => (client.roots.is_some(), none.enable_roots().build()),
        other => return Err(internal(format!("{other:?} is no question of ours"))),
    };
    able.then_some(()).ok_or_else(|| ErrorData::missing_required_client_capability(required))
}

fn request(question: InputRequest) -> Result<ServerRequest, ErrorData> {
    Ok(match question {
        InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
        InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
        InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
        other => return Err(internal(format!("{other:?} is no question of ours"))),
    })
}

pub(crate) fn internal(error: impl ToString) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}
