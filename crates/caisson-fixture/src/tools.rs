//! The tools, by what they are for.

mod asking;
mod content;
mod events;
mod fate;
mod rounds;

use rmcp::{
    handler::server::tool::ToolRouter,
    model::{CallToolResult, ContentBlock, ToolAnnotations},
};

use crate::server::Fixture;

/// The tool that is on the list only after `change_tools`.
pub(crate) const EXTRA: &str = "extra_tool";

pub(crate) fn all() -> ToolRouter<Fixture> {
    let mut tools = Fixture::asking_tools()
        + Fixture::content_tools()
        + Fixture::event_tools()
        + Fixture::fate_tools()
        + Fixture::round_tools();
    // All of them, so that no test waits for a person to approve a call it did not mean to be asked about.
    for route in tools.map.values_mut() {
        route.attr.annotations = Some(ToolAnnotations::new().read_only(true).open_world(false));
    }
    tools
}

fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
