use caisson_core::{
    control::api::{ListTools, Tool},
    model::Endpoint,
};
use serde_json::Value;

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, escape, style, wrap},
};

/// List the tools a server or group offers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson tools everything
  caisson tools everything --json")]
pub(crate) struct Args {
    /// The server, or group/NAME
    server: Endpoint,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let list = reach::call(&ListTools { server: args.server }).await?;
    if screen.json {
        screen.json(&list)?;
        return Ok(exit::OK);
    }
    if list.tools.is_empty() {
        screen.note("It offers no tools.");
    }
    for tool in &list.tools {
        screen.text(&text(tool, screen))?;
    }
    Ok(exit::OK)
}

/// A tool's name and arguments, and what it says of itself.
fn text(tool: &Tool, screen: &Screen) -> String {
    let mut text = style::strong(screen.color, &escape::line(&tool.name));
    text.push_str(&arguments(&tool.input_schema));
    text.push('\n');
    if let Some(description) = &tool.description {
        for line in wrap(escape::lines(description).trim_end(), screen.width.saturating_sub(4)) {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// The names of the arguments, optional ones in brackets.
fn arguments(schema: &Value) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return String::new() };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    properties
        .keys()
        .map(|name| {
            let shown = escape::line(name);
            if required.contains(&name.as_str()) { format!(" {shown}") } else { format!(" [{shown}]") }
        })
        .collect()
}
