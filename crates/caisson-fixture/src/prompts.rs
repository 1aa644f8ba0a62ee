//! The prompts, and the completion of their arguments.

use rmcp::{
    ErrorData, RoleServer,
    handler::server::{router::prompt::PromptRouter, wrapper::Parameters},
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, PromptMessage, Reference, ResourceContents, Role,
    },
    prompt, prompt_router,
    service::RequestContext,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    ask::{Asked, ask, form, internal},
    samples,
    server::Fixture,
};

/// The prompt that asks the user before it answers.
pub(crate) const ASKING: &str = "test_input_required_result_prompt";
/// What may be completed: the values of any argument of any prompt.
const VALUES: [&str; 4] = ["paris", "park", "party", "london"];

#[derive(Deserialize, JsonSchema)]
struct Two {
    /// First test argument
    arg1: String,
    /// Second test argument
    arg2: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Embedded {
    /// URI of the resource to embed
    resource_uri: String,
}

pub(crate) fn all() -> PromptRouter<Fixture> {
    Fixture::prompts()
}

#[prompt_router(router = "prompts")]
impl Fixture {
    /// A prompt without arguments.
    #[prompt]
    async fn test_simple_prompt(&self) -> Vec<PromptMessage> {
        vec![user("This is a simple prompt for testing.")]
    }

    /// A prompt with two arguments.
    #[prompt]
    async fn test_prompt_with_arguments(
        &self,
        Parameters(Two { arg1, arg2 }): Parameters<Two>,
    ) -> Vec<PromptMessage> {
        vec![user(&format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]
    }

    /// A prompt with a resource in it.
    #[prompt]
    async fn test_prompt_with_embedded_resource(
        &self,
        Parameters(Embedded { resource_uri }): Parameters<Embedded>,
    ) -> Vec<PromptMessage> {
        let resource = ResourceContents::text("Embedded resource content for testing.", resource_uri)
            .with_mime_type("text/plain");
        let resource = PromptMessage::new(Role::User, ContentBlock::resource(resource));
        vec![resource, user("Please process the embedded resource above.")]
    }

    /// A prompt with a picture in it.
    #[prompt]
    async fn test_prompt_with_image(&self) -> Vec<PromptMessage> {
        let image = ContentBlock::image(samples::PIXEL, "image/png");
        vec![PromptMessage::new(Role::User, image), user("Please analyze the image above.")]
    }

    /// A prompt that asks the user something first.
    #[prompt]
    async fn test_input_required_result_prompt(&self) -> Result<GetPromptResult, ErrorData> {
        // rmcp hands a prompt of its router no answers: `asking` serves this one, and here it is but listed.
        Err(internal("the prompt was served by the wrong function"))
    }
}

/// Serves [`ASKING`].
pub(crate) async fn asking(
    request: GetPromptRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<GetPromptResponse, ErrorData> {
    let question = json!({"user_context": form("What context should the prompt use?", &["context"])});
    Ok(match ask(context, request.input_responses, question).await? {
        Asked::Required(required) => required.into(),
        Asked::Answered(answers) => {
            let context = answers["user_context"]["content"]["context"].as_str().unwrap_or("nothing");
            GetPromptResult::new(vec![user(&format!("Use this context: {context}"))]).into()
        }
    })
}

/// Completes an argument of a prompt or of the resource template.
pub(crate) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let values = match &request.r#ref {
        Reference::Prompt(_) => VALUES.as_slice(),
        Reference::Resource(_) => &["123", "124"],
        _ => &[],
    };
    let begun = request.argument.value.as_str();
    let values = values.iter().filter(|value| value.starts_with(begun)).map(ToString::to_string).collect();
    Ok(CompleteResult::new(CompletionInfo::with_all_values(values).map_err(internal)?))
}

fn user(text: &str) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}
