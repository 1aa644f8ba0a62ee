//! Tools whose result is of every kind and size.

use std::sync::Arc;

use rmcp::{
    ErrorData, RoleServer,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock, JsonObject, ResourceContents},
    service::RequestContext,
    tool, tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::said;
use crate::{ask::internal, samples, server::Fixture};

/// The most bytes asked for at once.
const MOST: usize = 64 << 20;

#[derive(Deserialize, JsonSchema)]
struct Size {
    /// How many bytes, 64 MiB at most.
    bytes: usize,
}

#[derive(Deserialize, JsonSchema)]
struct Mirrored {
    /// A value that a client of the newest protocol repeats in the header `Mcp-Param-Region`.
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

#[tool_router(router = content_tools, vis = "pub(super)")]
impl Fixture {
    /// Returns text.
    #[tool]
    async fn test_simple_text(&self) -> CallToolResult {
        said("This is a simple text response for testing.")
    }

    /// Returns a picture.
    #[tool]
    async fn test_image_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::image(samples::PIXEL, "image/png")])
    }

    /// Returns sound.
    #[tool]
    async fn test_audio_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::audio(samples::SILENCE, "audio/wav")])
    }

    /// Returns a resource.
    #[tool]
    async fn test_embedded_resource(&self) -> CallToolResult {
        let text = "This is an embedded resource content.";
        let resource = ResourceContents::text(text, "test://embedded-resource").with_mime_type("text/plain");
        CallToolResult::success(vec![ContentBlock::resource(resource)])
    }

    /// Returns text, a picture and a resource.
    #[tool]
    async fn test_multiple_content_types(&self) -> CallToolResult {
        let text = json!({"test": "data", "value": 123}).to_string();
        let resource = ResourceContents::text(text, "test://mixed-content-resource");
        CallToolResult::success(vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(samples::PIXEL, "image/png"),
            ContentBlock::resource(resource.with_mime_type("application/json")),
        ])
    }

    /// Has an input schema with the words of JSON Schema 2020-12 that bridges like to lose.
    #[tool(input_schema = every_word_of_json_schema())]
    async fn json_schema_2020_12_tool(&self, arguments: JsonObject) -> CallToolResult {
        CallToolResult::structured(json!({ "arguments": arguments }))
    }

    /// Returns its arguments and the call's `_meta`, as they came.
    // Of the call's other fields rmcp keeps none that it does not know.
    #[tool(input_schema = anything())]
    async fn echo(
        &self,
        arguments: JsonObject,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let meta = serde_json::to_value(&context.meta).map_err(internal)?;
        Ok(CallToolResult::structured(json!({"arguments": arguments, "meta": meta})))
    }

    /// Returns an argument that a client of the newest protocol repeats in a header.
    #[tool]
    async fn mirrored_argument(
        &self,
        Parameters(Mirrored { region }): Parameters<Mirrored>,
    ) -> CallToolResult {
        said(region)
    }

    /// Returns text of so many bytes.
    #[tool]
    async fn produce_text(&self, Parameters(size): Parameters<Size>) -> Result<CallToolResult, ErrorData> {
        Ok(said("x".repeat(within(size)?)))
    }

    /// Returns a picture, sound and a resource of so many bytes each, which are no picture and no sound.
    #[tool]
    async fn produce_binary(&self, Parameters(size): Parameters<Size>) -> Result<CallToolResult, ErrorData> {
        let bytes = samples::bytes(within(size)?);
        let blob =
            ResourceContents::blob(bytes.clone(), "test://produced").with_mime_type("application/x-test");
        Ok(CallToolResult::success(vec![
            ContentBlock::image(bytes.clone(), "image/x-test"),
            ContentBlock::audio(bytes, "audio/x-test"),
            ContentBlock::resource(blob),
        ]))
    }
}

fn within(Size { bytes }: Size) -> Result<usize, ErrorData> {
    (bytes <= MOST)
        .then_some(bytes)
        .ok_or_else(|| ErrorData::invalid_params(format!("bytes is {MOST} at most"), None))
}

fn anything() -> Arc<JsonObject> {
    object(json!({"type": "object", "additionalProperties": true}))
}

fn every_word_of_json_schema() -> Arc<JsonObject> {
    object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    }))
}

fn object(schema: serde_json::Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}
