//! The server: what it says of itself, and how it tells clients of changes in either era.

#![expect(deprecated, reason = "logging and resources/subscribe are gone from the newest protocol only")]

use std::borrow::Cow;

use rmcp::{
    ErrorData, Peer, RoleServer, ServerHandler,
    handler::server::{prompt::PromptContext, router::prompt::PromptRouter, tool::ToolRouter},
    model::{
        CacheScope, CompleteRequestParams, CompleteResult, DiscoverResult, GetPromptRequestParams,
        GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
        ReadResourceRequestParams, ReadResourceResponse, ResourceUpdatedNotificationParam,
        ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter,
        Tool, UnsubscribeRequestParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
    tool_handler,
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    era::{Era, is_modern},
    prompts, resources,
    shared::{Change, Session, Shared},
    tools,
};

/// The server; one for each session of the legacy era.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) era: Era,
    pub(crate) shared: Shared,
    pub(crate) session: Session,
    tools: ToolRouter<Self>,
    prompts: PromptRouter<Self>,
}

impl Fixture {
    pub(crate) fn new(era: Era) -> Self {
        let (tools, prompts) = (tools::all(), prompts::all());
        Self { era, shared: Shared::new(), session: Session::new(), tools, prompts }
    }

    /// The same server for another session.
    pub(crate) fn session(&self) -> Self {
        Self { session: Session::new(), ..self.clone() }
    }

    fn is_listed(&self, tool: &Tool) -> bool {
        tool.name != tools::EXTRA || self.shared.has_extra_tool()
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let implementation = Implementation::new("caisson-fixture", env!("CARGO_PKG_VERSION"))
            .with_title("Caisson's fixture server");
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions("Has something for every feature of the protocol.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.era.versions()
    }

    async fn discover(&self, _context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut about =
            DiscoverResult::from_server_info(self.era.versions().into_owned(), ServerHandler::get_info(self));
        (about.ttl_ms, about.cache_scope) = (60_000, CacheScope::Public);
        Ok(about)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.tools.list_all().into_iter().filter(|tool| self.is_listed(tool)).collect();
        let list = ListToolsResult::with_all_items(tools);
        // Only the newest protocol has hints for caches.
        let hinted = is_modern(&context);
        Ok(if hinted { list.with_ttl_ms(60_000).with_cache_scope(CacheScope::Public) } else { list })
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        prompts::complete(&request)
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(self.prompts.list_all()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name == prompts::ASKING {
            return prompts::asking(request, &context).await;
        }
        let context = PromptContext::new(self, request.name, request.arguments, context);
        self.prompts.get_prompt(context).await
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(resources::list())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&request.uri, &self.shared, is_modern(&context))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        if is_modern(&context) {
            return Err(ErrorData::method_not_found::<rmcp::model::SetLevelRequestMethod>());
        }
        self.session.set_level(request.level);
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.session.subscribe(request.uri);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.session.unsubscribe(&request.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.shared.accept();
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.shared.changes_since_accepted();
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                change = next(&mut changes) => change,
            };
            let Some(change) = change else { return Ok(()) };
            let sink = subscription.sink();
            // What this subscription did not ask for, its sink refuses.
            drop(match change {
                Change::Tools => sink.notify_tool_list_changed().await,
                Change::Prompts => sink.notify_prompt_list_changed().await,
                Change::Resources => sink.notify_resource_list_changed().await,
                Change::Resource(uri) => sink.notify_resource_updated(uri).await,
            });
        }
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        tokio::spawn(tell(self.shared.changes(), self.session.clone(), context.peer));
    }
}

/// Tells a client of the legacy era of every change it may know, until it has gone.
async fn tell(mut changes: Receiver<Change>, session: Session, client: Peer<RoleServer>) {
    while let Some(change) = next(&mut changes).await {
        let told = match change {
            Change::Tools => client.notify_tool_list_changed().await,
            Change::Prompts => client.notify_prompt_list_changed().await,
            Change::Resources => client.notify_resource_list_changed().await,
            Change::Resource(uri) if session.is_subscribed(&uri) => {
                client.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await
            }
            Change::Resource(_) => Ok(()),
        };
        if told.is_err() || client.is_transport_closed() {
            return;
        }
    }
}

/// The next change; what a slow client missed is lost to it.
async fn next(changes: &mut Receiver<Change>) -> Option<Change> {
    loop {
        match changes.recv().await {
            Ok(change) => return Some(change),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}
