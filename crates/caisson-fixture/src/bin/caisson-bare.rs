//! The least there can be of an MCP server: it answers on standard output what it is asked on standard input, from
//! memory and in order. Behind it, a measure of bridges measures bridges.

use std::{
    error::Error,
    io::{self, BufRead as _, Write as _},
};

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<&'a str>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let Message { id: Some(id), method: Some(method) } = serde_json::from_str(&line)? else { continue };
        let answer = answer(method);
        output.write_all(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{answer}}}\n").as_bytes())?;
    }
    Ok(())
}

/// What it says to a method, as the member of a response.
fn answer(method: &str) -> &'static str {
    match method {
        "initialize" => {
            r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bare","version":"1"}}"#
        }
        "tools/list" => {
            r#""result":{"tools":[{"name":"greet","inputSchema":{"type":"object","properties":{"name":{"type":"string"}}}}]}"#
        }
        "tools/call" => r#""result":{"content":[{"type":"text","text":"Hello from inside a caisson."}]}"#,
        "ping" => r#""result":{}"#,
        _ => r#""error":{"code":-32601,"message":"There is no such method."}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_json() {
        for method in ["initialize", "tools/list", "tools/call", "ping", "other"] {
            let object: serde_json::Value = serde_json::from_str(&format!("{{{}}}", answer(method))).unwrap();
            assert_eq!(object.as_object().map(serde_json::Map::len), Some(1), "{method}");
        }
    }
}
