//! The resources and the template.

use rmcp::{
    ErrorData,
    model::{
        CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResponse,
        ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    },
};
use serde_json::json;

use crate::{samples, shared::Shared};

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
/// The resource that changes when it is touched.
pub(crate) const WATCHED: &str = "test://watched-resource";
const TEMPLATE: &str = "test://template/{id}/data";

pub(crate) fn list() -> ListResourcesResult {
    let resource = |uri, name, description, kind| {
        Resource::new(uri, name).with_description(description).with_mime_type(kind)
    };
    ListResourcesResult::with_all_items(vec![
        resource(TEXT, "static-text", "Text that never changes.", "text/plain"),
        resource(BINARY, "static-binary", "A picture that never changes.", "image/png"),
        resource(WATCHED, "watched-resource", "Text that says how often it was touched.", "text/plain"),
    ])
}

pub(crate) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(TEMPLATE, "template")
        .with_description("Data of one id.")
        .with_mime_type("application/json");
    ListResourceTemplatesResult::with_all_items(vec![template])
}

/// Reads a resource. `hinted` results say how long and for whom they may be cached.
pub(crate) fn read(uri: &str, shared: &Shared, hinted: bool) -> Result<ReadResourceResponse, ErrorData> {
    let contents = match uri {
        TEXT => text(uri, "This is the content of the static text resource."),
        BINARY => ResourceContents::blob(samples::PIXEL, uri).with_mime_type("image/png"),
        WATCHED => text(uri, format!("Touched {} times.", shared.touches())),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let Some(id) = id else {
                return Err(ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri}))));
            };
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
    };
    let result = ReadResourceResult::new(vec![contents]);
    // What changes is for the asker alone, so that a cache that mixes principals up is found out.
    let result = match (hinted, uri == WATCHED) {
        (false, _) => result,
        (true, false) => result.with_ttl_ms(60_000).with_cache_scope(CacheScope::Public),
        (true, true) => result.with_ttl_ms(0).with_cache_scope(CacheScope::Private),
    };
    Ok(result.into())
}

fn text(uri: &str, text: impl Into<String>) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type("text/plain")
}
