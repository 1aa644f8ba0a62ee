use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{router::prompt::PromptRouter, tool::ToolRouter, wrapper::Parameters},
    model::{
        Implementation, ListResourcesResult, PaginatedRequestParams, PromptMessage,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource, ResourceContents,
        Role, ServerCapabilities, ServerConfig,
    },
    prompt, prompt_handler, prompt_router,
    service::RequestContext,
    tool_handler,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{look::Surroundings, notes::Notes};

/// The resource that says what `look_around` says.
const SURROUNDINGS: &str = "caisson://surroundings";

/// The server. One for each session; they share nothing but the notes.
#[derive(Clone)]
pub(crate) struct Example {
    pub(crate) notes: Notes,
    tools: ToolRouter<Self>,
    prompts: PromptRouter<Self>,
}

#[derive(Deserialize, JsonSchema)]
struct Inspection {
    /// What to look at most closely, such as the network.
    focus: Option<String>,
}

#[prompt_router]
impl Example {
    pub(crate) fn new(notes: Notes) -> Self {
        Self { notes, tools: Self::tool_router(), prompts: Self::prompt_router() }
    }

    /// Asks for a report on how well the server is confined.
    #[prompt]
    async fn inspect(&self, Parameters(Inspection { focus }): Parameters<Inspection>) -> Vec<PromptMessage> {
        let focus = focus.map(|focus| format!(" Look most closely at this: {focus}.")).unwrap_or_default();
        let text = format!(
            "Call look_around and try_to_escape, then tell me in plain words what this server can see, \
             what it can reach, and what is refused to it.{focus}"
        );
        vec![PromptMessage::new_text(Role::User, text)]
    }
}

#[tool_handler(router = self.tools)]
#[prompt_handler(router = self.prompts)]
impl ServerHandler for Example {
    fn get_info(&self) -> ServerConfig {
        let capabilities =
            ServerCapabilities::builder().enable_tools().enable_resources().enable_prompts().build();
        let implementation = Implementation::new("caisson-example", env!("CARGO_PKG_VERSION"))
            .with_title("Caisson's example server");
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions("Shows what an MCP server sees, and cannot reach, from inside its caisson.")
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let surroundings = Resource::new(SURROUNDINGS, "surroundings")
            .with_description("What the server sees of the place it runs in.")
            .with_mime_type("application/json");
        Ok(ListResourcesResult::with_all_items(vec![surroundings]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != SURROUNDINGS {
            return Err(ErrorData::resource_not_found(format!("There is only {SURROUNDINGS}."), None));
        }
        let text = serde_json::to_string_pretty(&Surroundings::look())
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        let contents = ResourceContents::text(text, SURROUNDINGS).with_mime_type("application/json");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
