//! Agents in containers: without a network, with the bridge's socket and a token for one tool.

use std::{
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use caisson_tests::{
    Home,
    home::eventually,
    internet::{self, CLIENTS},
};
use serde_json::{Value, json};

on_engines!([podman docker] one_tool_by_the_socket);

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

/// A container of no user of this machine's, that may do nothing and reach nothing but what it is shown.
struct Agent<'h> {
    home: &'h Home,
    name: String,
    token: String,
}

impl<'h> Agent<'h> {
    fn start(home: &'h Home, folder: &Path, token: &str) -> Self {
        internet::bring_clients(home);
        let name = format!("agent-{}", home.id());
        let mount = format!("{}:/run/caisson:ro", folder.display());
        let limits = ["--network", "none", "--cap-drop", "ALL", "--user", "4711:4711"];
        let run = [&["run", "--detach", "--name", &name, "--volume", &mount], &limits[..]].concat();
        home.engine_cli(&[&run[..], &[CLIENTS, "sleep", "600"]].concat());
        Self { home, name, token: token.to_owned() }
    }

    /// What a command inside says, and whether it succeeded.
    fn run(&self, args: &[&str]) -> (bool, String) {
        let output = self.home.engine_command(&[&["exec", &self.name], args].concat()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// The status and the whole answer to a message that is posted with these headers.
    fn post(&self, path: &str, headers: &[&str], body: &str) -> (u16, String) {
        let mut args = vec!["curl", "--silent", "--include", "--max-time", "60", "--path-as-is"];
        args.extend(["--unix-socket", "/run/caisson/mcp.sock", "--data", body]);
        for header in ["Content-Type: application/json", "Accept: application/json, text/event-stream"] {
            args.extend(["--header", header]);
        }
        headers.iter().for_each(|header| args.extend(["--header", header]));
        let url = format!("http://caisson{path}");
        args.push(&url);
        let (_, said) = self.run(&args);
        (said.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), said)
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// The answer to a request that stands alone.
    fn ask(&self, method: &str, params: &Value) -> (u16, String) {
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let name = format!("Mcp-Name: {}", params["name"].as_str().unwrap_or_default());
        let method = format!("Mcp-Method: {method}");
        let mut headers = vec!["MCP-Protocol-Version: 2026-07-28", &method];
        if params["name"].is_string() {
            headers.push(&name);
        }
        let bearer = self.bearer();
        headers.push(&bearer);
        self.post("/s/example/mcp", &headers, &body)
    }

    fn call(&self, tool: &str) -> (u16, String) {
        self.ask("tools/call", &json!({"name": tool, "arguments": {}}))
    }

    /// Opens a session, and gives its headers.
    fn session(&self) -> [String; 3] {
        let (status, said) = self.post("/s/example/mcp", &[&self.bearer()], INITIALIZE);
        assert_eq!(status, 200, "{said}");
        let id = said.lines().find(|line| line.to_lowercase().starts_with("mcp-session-id:")).unwrap();
        [self.bearer(), id.trim().to_owned(), "MCP-Protocol-Version: 2025-11-25".to_owned()]
    }

    /// Listens to a session for as long as it lasts.
    fn listen(&self, session: &[String; 3]) -> Child {
        let mut args = vec!["exec", &self.name, "curl", "--silent", "--no-buffer", "--include"];
        args.extend(["--unix-socket", "/run/caisson/mcp.sock", "--header", "Accept: text/event-stream"]);
        session.iter().for_each(|header| args.extend(["--header", header]));
        args.push("http://caisson/s/example/mcp");
        self.home.engine_command(&args).stdout(Stdio::null()).spawn().unwrap()
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        drop(self.home.engine_command(&["rm", "--force", &self.name]).output());
    }
}

fn one_tool_by_the_socket(home: &Home) {
    home.caisson(&["install", "example", "--state", "/state", "--yes"]).ok();
    home.caisson(&["install", "example", "--name", "other", "--yes"]).ok();
    let issue = ["token", "issue", "--server", "example", "--tools", "notes_list", "--ttl", "15m"];
    let issued = home.caisson(&[&issue[..], &["--subject", "job-42", "--json"]].concat()).json();
    let text = |field: &str| issued[field].as_str().unwrap().to_owned();
    let socket = text("socket");
    let mut agent = Agent::start(home, Path::new(&socket).parent().unwrap(), &text("token"));

    // It sees one tool, in either era, and calls that one alone.
    let (status, listed) = agent.ask("tools/list", &json!({}));
    assert!(status == 200 && listed.contains("\"notes_list\"") && !listed.contains("notes_add"), "{listed}");
    let session = agent.session();
    let headers = session.each_ref().map(String::as_str);
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let (status, listed) = agent.post("/s/example/mcp", &headers, list);
    assert!(status == 200 && listed.contains("\"notes_list\"") && !listed.contains("notes_add"), "{listed}");
    assert!(agent.call("notes_list").1.contains("none"));
    let (status, refused) = agent.call("notes_clear");
    assert!(status == 403 && refused.contains("does not allow the tool"), "{refused}");

    // All it is shown is the socket, which it cannot put another in the place of.
    assert_eq!(agent.run(&["ls", "-A", "/run/caisson"]).1.trim(), "mcp.sock");
    for tampering in [
        &["rm", "/run/caisson/mcp.sock"][..],
        &["touch", "/run/caisson/other"],
        &["chmod", "777", "/run/caisson"],
        &["curl", "--silent", "--unix-socket", "/run/caisson/../control.sock", "http://x/"],
        &["curl", "--silent", "--unix-socket", "/run/control.sock", "http://x/"],
        &["curl", "--silent", &text("url")],
    ] {
        let (succeeded, said) = agent.run(tampering);
        assert!(!succeeded, "{tampering:?}: {said}");
    }

    // By it, a token lets in: to what it is for, and by no other path.
    let bearer = agent.bearer();
    for (path, headers, expected) in [
        ("/s/example/mcp", vec![], 401),
        ("/s/example/mcp", vec!["Authorization: Bearer csn_wrong"], 401),
        ("/s/example/mcp", vec![&bearer, "Origin: http://evil.example.com"], 403),
        ("/s/example/mcp", vec![&bearer, "Host: evil.example.com"], 200),
        ("/s/other/mcp", vec![&bearer], 403),
        ("/s/example/../other/mcp", vec![&bearer], 404),
        ("/s/example/../../control.sock", vec![&bearer], 404),
    ] {
        let (status, said) = agent.post(path, &headers, INITIALIZE);
        assert_eq!(status, expected, "{path} {headers:?}: {said}");
    }
    // Another user of this machine finds no way to it.
    let stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "stat", &socket];
    let found = std::process::Command::new(stranger[0]).args(&stranger[1..]).output().unwrap();
    assert!(!found.status.success(), "{found:?}");

    // It ends with its token, at once, whatever it has open.
    let mut listening = agent.listen(&session);
    std::thread::sleep(Duration::from_secs(1));
    assert!(listening.try_wait().unwrap().is_none(), "it listens");
    let rotated = home.caisson(&["token", "rotate", &text("id"), "--json"]).json();
    assert_eq!(agent.call("notes_list").0, 401);
    assert_eq!(agent.post("/s/example/mcp", &headers, list).0, 401);
    eventually(Duration::from_secs(20), "its stream ends", || listening.try_wait().unwrap().is_some());
    rotated["token"].as_str().unwrap().clone_into(&mut agent.token);
    assert!(agent.call("notes_list").1.contains("none"));
    home.caisson(&["token", "revoke", rotated["id"].as_str().unwrap()]).ok();
    assert_eq!(agent.call("notes_list").0, 401);

    let audit = home.caisson(&["audit", "example", "--json"]).ok();
    let of_job = |what: &str| -> Vec<(Value, Value, Value)> {
        let entries = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let entries = entries.filter(|entry| entry["what"] == what && entry["client"] == "job-42");
        entries
            .map(|entry| (entry["tool"].clone(), entry["token"].clone(), entry["expires"].clone()))
            .collect()
    };
    let by = |tool: &str, id: &Value| (json!(tool), id.clone(), issued["expires_at"].clone());
    let called = [by("notes_list", &issued["id"]), by("notes_list", &rotated["id"])];
    assert_eq!(of_job("called"), called);
    assert_eq!(of_job("denied"), [by("notes_clear", &issued["id"])]);
}
