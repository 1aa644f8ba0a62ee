//! What the server asks of its client, which may be unable to answer.

#![expect(
    deprecated,
    reason = "sampling is deprecated in the newest protocol; clients of the older ones have it"
)]

use rmcp::{
    RoleServer,
    model::{
        ClientResult, CreateMessageRequest, CreateMessageRequestParams, ElicitRequest, ElicitRequestParams,
        ElicitationAction, ElicitationSchema, SamplingMessage, ServerRequest,
    },
    service::RequestContext,
};

/// Asks the user (elicitation).
pub(crate) async fn ask_user(
    context: &RequestContext<RoleServer>,
    question: String,
) -> Result<String, String> {
    if context.client_capabilities().is_none_or(|client| client.elicitation.is_none()) {
        return Err("The client cannot ask its user: it has no elicitation.".to_owned());
    }
    let params = ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: question,
        requested_schema: ElicitationSchema::builder().required_string("answer").build()?,
    };
    match context.peer.send_request(ServerRequest::ElicitRequest(ElicitRequest::new(params))).await {
        Ok(ClientResult::ElicitResult(result)) if result.action == ElicitationAction::Accept => {
            let answer = result.content.as_ref().and_then(|content| content.get("answer")?.as_str());
            Ok(format!("The user answered: {}", answer.unwrap_or("nothing")))
        }
        Ok(_) => Ok("The user did not want to answer.".to_owned()),
        Err(error) => Err(format!("The client could not ask: {error}")),
    }
}

/// Asks the client's model (sampling).
pub(crate) async fn ask_model(
    context: &RequestContext<RoleServer>,
    question: String,
) -> Result<String, String> {
    if context.client_capabilities().is_none_or(|client| client.sampling.is_none()) {
        return Err("The client cannot ask its model: it has no sampling.".to_owned());
    }
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(question)], 200);
    let request = ServerRequest::CreateMessageRequest(CreateMessageRequest::new(params));
    match context.peer.send_request(request).await {
        Ok(ClientResult::CreateMessageResult(result)) => {
            let text = result.message.content.iter().find_map(|part| part.as_text());
            let text = text.map_or("nothing in words", |text| text.text.as_str());
            Ok(format!("The model {} answered: {text}", result.model))
        }
        Ok(_) => Err("The client answered something else.".to_owned()),
        Err(error) => Err(format!("The client could not ask: {error}")),
    }
}
