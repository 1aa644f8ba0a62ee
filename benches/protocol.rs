//! The messages every client sends here, and what their answers are known by.

use crate::Fallible;

/// A request, and what stands in its answer when it is one.
pub(crate) struct Request {
    pub(crate) body: String,
    pub(crate) expects: &'static str,
}

/// The notification that a session is open.
pub(crate) const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// The tool that is called.
const TOOL: &str = "greet";

impl Request {
    pub(crate) fn initialize() -> Self {
        Self {
            body: r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#.to_owned(),
            expects: "\"serverInfo\"",
        }
    }

    pub(crate) fn list() -> Self {
        Self {
            body: r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.to_owned(),
            expects: "\"inputSchema\"",
        }
    }

    /// A small call. `id` is not to be used twice in a session.
    pub(crate) fn call(id: u32) -> Self {
        Self {
            body: format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{TOOL}","arguments":{{"name":"bench"}}}}}}"#
            ),
            expects: "from inside a caisson",
        }
    }

    /// Checks that `answer` is one to this request.
    pub(crate) fn check(&self, answer: &[u8]) -> Fallible<()> {
        if answer.windows(self.expects.len()).any(|window| window == self.expects.as_bytes()) {
            return Ok(());
        }
        // Of events, the last one's data tells most.
        let answer = String::from_utf8_lossy(answer);
        let data = answer.rsplit("data: ").next().unwrap_or_default();
        Err(format!("a wrong answer: {data}").into())
    }
}
