use std::io::Read;

use caisson_core::{
    control::{
        ControlClient,
        api::{CallTool, NoticeBody, SubscribeEvents},
    },
    model::{Endpoint, Event},
};
use serde_json::Value;

use super::{Outcome, approvals};
use crate::{
    exit,
    failure::Failure,
    prompt, reach,
    show::{Screen, escape},
};

/// The largest arguments, in bytes.
const LARGEST: u64 = 16 << 20;

/// Call a tool and print its result
///
/// Text is printed as it is, with control characters made visible; other content is described. With --json
/// the whole result is printed. Where the policy wants to ask you, you are asked here. The exit code is 8 when the tool says it failed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson call everything echo '{\"message\":\"hello\"}'
  caisson call everything echo - < arguments.json
  caisson call memory read_graph --json
  caisson call memory delete_entities --allow '{\"entityNames\":[\"x\"]}'")]
pub(crate) struct Args {
    /// The server, or group/NAME
    server: Endpoint,
    /// The tool
    tool: String,
    /// Its arguments, a JSON object; `-` reads them from standard input
    #[arg(value_name = "JSON")]
    arguments: Option<String>,
    /// Say yes beforehand, should the policy want to ask you
    #[arg(long)]
    allow: bool,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let text = args.arguments;
    let arguments = prompt::aside(move || arguments(text.as_deref())).await?;
    let Args { server, tool, allow, .. } = args;
    let call = CallTool { server, tool, arguments, allow };
    let client = reach::client().await?;
    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await?;
    let reply = client.call(&call);
    tokio::pin!(reply);
    let reply = loop {
        tokio::select! {
            reply = &mut reply => break reply?,
            Some(notice) = events.notice() => see(&client, &call, notice, screen).await?,
        }
    };
    if screen.json {
        screen.json(&reply.result)?;
    } else {
        screen.text(&readable(&reply.result))?;
    }
    Ok(if reply.is_error { exit::TOOL } else { exit::OK })
}

/// A question about the call is asked here, where there is a terminal; else it is said where it can be answered.
async fn see(
    client: &ControlClient,
    call: &CallTool,
    notice: NoticeBody,
    screen: &Screen,
) -> Result<(), Failure> {
    let NoticeBody::Event(Event::Asked { question }) = notice else { return Ok(()) };
    let is_group = call.server.server().is_none();
    if &*question.client != "you" || !(is_group || question.tool == call.tool) {
        return Ok(());
    }
    screen.note(escape::line(&approvals::asked(&question)));
    if prompt::possible() && !screen.json {
        approvals::answer(client, &question, screen).await?;
    } else {
        screen
            .note(format!("It waits for your answer: `caisson approvals allow {}`, or `deny`", question.id));
    }
    Ok(())
}

pub(super) fn arguments(text: Option<&str>) -> Result<Value, Failure> {
    let mut input = String::new();
    let text = match text {
        None => return Ok(Value::Null),
        Some("-") => {
            let read = std::io::stdin().lock().take(LARGEST).read_to_string(&mut input);
            read.map_err(|error| Failure::usage("the arguments could not be read").why(error.to_string()))?;
            &input
        }
        Some(text) => text,
    };
    let value = serde_json::from_str(text).map_err(|error| error.to_string());
    value
        .and_then(|value: Value| if value.is_object() { Ok(value) } else { Err("it is no object".into()) })
        .map_err(|why| {
            Failure::usage("the arguments are not a JSON object")
                .why(why)
                .fix("write them in single quotes: '{\"name\": \"value\"}'")
        })
}

/// A result as text (MCP 2025-11-25, "Tools: tool result").
fn readable(result: &Value) -> String {
    let mut text = String::new();
    for block in result.get("content").and_then(Value::as_array).into_iter().flatten() {
        text.push_str(&content(block));
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    if text.is_empty() {
        let structured = result.get("structuredContent").unwrap_or(result);
        text = serde_json::to_string_pretty(structured).unwrap_or_default();
        text = escape::lines(&text).into_owned();
        text.push('\n');
    }
    text
}

fn content(block: &Value) -> String {
    let field =
        |name: &str| escape::line(block.get(name).and_then(Value::as_str).unwrap_or("?")).into_owned();
    // Base64: four characters for three bytes.
    let bytes = |data: &Value| data.as_str().map_or(0, |data| data.trim_end_matches('=').len() * 3 / 4);
    match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            escape::lines(block.get("text").and_then(Value::as_str).unwrap_or_default()).into_owned()
        }
        Some(kind @ ("image" | "audio")) => {
            format!(
                "[{kind}, {}, {} bytes]",
                field("mimeType"),
                bytes(block.get("data").unwrap_or(&Value::Null))
            )
        }
        Some("resource_link") => format!("[link to {}: {}]", field("name"), field("uri")),
        Some("resource") => {
            let resource = block.get("resource").unwrap_or(&Value::Null);
            let uri = escape::line(resource.get("uri").and_then(Value::as_str).unwrap_or("?")).into_owned();
            match resource.get("text").and_then(Value::as_str) {
                Some(text) => format!("[{uri}]\n{}", escape::lines(text)),
                None => format!("[{uri}, {} bytes]", bytes(resource.get("blob").unwrap_or(&Value::Null))),
            }
        }
        _ => escape::line(&block.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_reads_well_and_harms_no_terminal() {
        let result = json!({"content": [
            {"type": "text", "text": "two\nlines\u{1b}[2J"},
            {"type": "image", "mimeType": "image/png", "data": "AAAAAAA="},
            {"type": "resource", "resource": {"uri": "a\u{7}:b", "text": "inside"}},
            {"type": "resource_link", "name": "n", "uri": "file:///x"},
            {"type": "new\u{1b}"},
        ]});
        let text = readable(&result);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        insta::assert_snapshot!(text);
        assert_eq!(readable(&json!({"structuredContent": {"a": 1}})), "{\n  \"a\": 1\n}\n");
    }

    #[test]
    fn only_an_object_is_arguments() {
        assert_eq!(arguments(None).unwrap(), Value::Null);
        assert_eq!(arguments(Some("{\"a\":1}")).unwrap(), json!({"a": 1}));
        for bad in ["", "[]", "1", "{", "null"] {
            assert_eq!(arguments(Some(bad)).unwrap_err().exit, exit::USAGE);
        }
    }
}
