//! Real MCP clients, none of them ours.

use std::process::Command;

use rmcp::{
    RoleClient, ServiceExt,
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::Value;

use crate::{Home, Said, home::said, programs};

/// A server's address, and a token for it.
#[derive(Clone, Debug)]
pub struct Access {
    /// The bridge's URL for the server.
    pub url: String,
    /// The same for clients that speak HTTP+SSE alone, where it has one.
    pub sse_url: Option<String>,
    /// A bearer token.
    pub token: String,
}

impl Access {
    /// Issues a token for `server`.
    #[track_caller]
    pub fn to(home: &Home, server: &str) -> Self {
        let issued = home.caisson(&["token", "issue", "--server", server, "--ttl", "1h", "--json"]).json();
        let field =
            |name: &str| issued[name].as_str().unwrap_or_else(|| panic!("no {name}: {issued}")).to_owned();
        Self { url: field("url"), sse_url: Some(field("sse_url")), token: field("token") }
    }
}

/// The official Python SDK over HTTP; `mode` is `auto` or `legacy`.
#[track_caller]
pub fn python_sdk(access: &Access, mode: &str) -> Value {
    let mut command = Command::new(programs::installed("python/bin/python"));
    command.arg(programs::repository().join("tests/clients/python_sdk.py"));
    command.args(["http", &access.url, &access.token, mode]);
    said(command, b"").json()
}

/// The official Python SDK on the fixture server, as a client of one era: `mode` is `legacy` or a version without
/// sessions. In a group, `prefix` stands before the server's names.
#[track_caller]
pub fn python_sdk_of_era(access: &Access, mode: &str, prefix: &str) -> Value {
    let mut command = Command::new(programs::installed("python/bin/python"));
    command.arg(programs::repository().join("tests/clients/eras.py"));
    command.args([&access.url, &access.token, mode, prefix]);
    said(command, b"").json()
}

/// The official Python SDK over HTTP+SSE.
#[track_caller]
pub fn python_sdk_by_sse(access: &Access) -> Value {
    let mut command = Command::new(programs::installed("python/bin/python"));
    command.arg(programs::repository().join("tests/clients/python_sdk.py"));
    command.args(["sse", access.sse_url.as_ref().expect("it speaks HTTP+SSE"), &access.token]);
    said(command, b"").json()
}

/// The official Python SDK over the stdio shim.
#[track_caller]
pub fn python_sdk_by_shim(home: &Home, server: &str) -> Value {
    let script = programs::repository().join("tests/clients/python_sdk.py");
    let mut command = Command::new(programs::installed("python/bin/python"));
    command.arg(script).args(["stdio", "auto", "env"]);
    command.arg(format!("CAISSON_HOME={}", home.path().display()));
    command.arg(programs::caisson()).args(["stdio", server]);
    said(command, b"").json()
}

/// The MCP Inspector's command line.
#[track_caller]
pub fn inspector(access: &Access, args: &[&str]) -> Said {
    let mut command = Command::new("node");
    let node = programs::repository().join(".setup/node/node_modules/.bin");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", node.display()));
    command.arg(programs::installed("inspector/node_modules/.bin/mcp-inspector"));
    command.args(["--cli", &access.url, "--transport", "http"]);
    command.arg("--header").arg(format!("Authorization: Bearer {}", access.token)).args(args);
    said(command, b"")
}

/// rmcp over HTTP, connected.
///
/// # Panics
/// When it cannot connect.
pub async fn rmcp(access: &Access) -> RunningService<RoleClient, ()> {
    let config =
        StreamableHttpClientTransportConfig::with_uri(access.url.clone()).auth_header(access.token.clone());
    ().serve(StreamableHttpClientTransport::from_config(config)).await.expect("rmcp connects")
}
