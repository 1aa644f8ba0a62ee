//! Several servers shown to clients as one.

use std::{fs, time::Duration};

use caisson_tests::{
    Home,
    clients::{Access, inspector, rmcp},
    fixture::{self, Era, Over},
    home::eventually,
};
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

use crate::{clients::user_file, eras::all_clients_see_all};

on_engines!([podman docker] clients_of_every_kind, servers_that_do_not_run);
on_engines!([podman] two_tools_for_all, an_edit_applies_at_once, connected_and_removed);

fn tools(home: &Home, endpoint: &str) -> Vec<String> {
    let list = home.caisson(&["tools", endpoint, "--json"]).json();
    list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

fn state(home: &Home, server: &str) -> Value {
    let list = home.caisson(&["list", "--json"]).json();
    let servers = list["servers"].as_array().unwrap();
    servers.iter().find(|view| view["name"] == server).unwrap()["state"].clone()
}

/// Sampling, elicitation, roots, progress, logs, cancellation, large and binary results: all of it within a group.
fn clients_of_every_kind(home: &Home) {
    fixture::install(home, "old", Over::Stdio, Era::Legacy);
    fixture::install(home, "new.one", Over::Http, Era::Modern);
    home.caisson(&["install", "example", "--yes"]).ok();
    // Both fixtures claim the same resources, so they are in groups of their own.
    for (server, prefix) in [("old", "old__"), ("new.one", "new-one__")] {
        home.caisson(&["group", "set", "work", "example", server]).ok();
        all_clients_see_all(&Access::to(home, "group/work"), prefix, &format!("{server} in a group"));
    }
}

/// A group is listed without starting anything, and a call starts the one server it is for.
fn servers_that_do_not_run(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    fixture::install(home, "fixture", Over::Stdio, Era::Both);
    home.caisson(&["group", "set", "work", "example", "fixture"]).ok();
    // What a server says to one client alone is not known before it has said it to that one.
    tools(home, "group/work");
    home.caisson(&["stop", "example"]).ok();
    home.caisson(&["stop", "fixture"]).ok();
    let listed = tools(home, "group/work");
    assert!(listed.iter().any(|tool| tool == "example__look_around"), "{listed:?}");
    assert!(listed.iter().any(|tool| tool == "fixture__echo"), "{listed:?}");
    for server in ["example", "fixture"] {
        assert_eq!(state(home, server)["state"], "stopped", "{server}");
    }
    home.caisson(&["call", "group/work", "example__look_around", "{}"]).ok();
    assert_eq!(state(home, "example")["state"], "running");
    assert_eq!(state(home, "fixture")["state"], "stopped");
}

fn two_tools_for_all(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    fixture::install(home, "fixture", Over::Stdio, Era::Both);
    home.caisson(&["group", "set", "all", "example", "fixture", "--search"]).ok();
    assert_eq!(tools(home, "group/all"), ["find_tools", "call_tool"]);
    let access = Access::to(home, "group/all");
    let found = inspector(
        &access,
        &["--method", "tools/call", "--tool-name", "find_tools", "--tool-arg", "query=look around"],
    );
    assert!(found.ok().contains("example__look_around"));
    let called = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = rmcp(&access).await;
        let arguments = json!({"name": "fixture__echo", "arguments": {"message": "found"}});
        let mut call = CallToolRequestParams::new("call_tool");
        call.arguments = arguments.as_object().cloned();
        let called = client.call_tool(call).await.unwrap();
        client.cancel().await.unwrap();
        called
    });
    assert_eq!(called.structured_content.unwrap()["arguments"], json!({"message": "found"}));
}

fn an_edit_applies_at_once(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["install", "example", "--name", "second", "--yes"]).ok();
    home.caisson(&["group", "set", "work", "example"]).ok();
    let file = home.path().join("config/groups.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("[\"example\"]", "[\"example\", \"second\"] # both")).unwrap();
    eventually(Duration::from_secs(10), "the edit applies", || {
        tools(home, "group/work").iter().any(|tool| tool == "second__look_around")
    });

    let broken = fs::read_to_string(&file).unwrap().replace("\"second\"", "\"example\"");
    fs::write(&file, broken).unwrap();
    eventually(Duration::from_secs(10), "the mistake is reported", || {
        let list = home.caisson(&["group", "list", "--json"]).json();
        list["broken"].as_str().is_some_and(|broken| broken.contains("example is named twice"))
    });
    assert!(tools(home, "group/work").iter().any(|tool| tool == "second__look_around"));
    let refused = home.caisson(&["group", "set", "work", "example"]);
    assert!(!refused.status.success() && refused.err.contains("broken"), "{}", refused.err);
}

fn connected_and_removed(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let unknown = home.caisson(&["group", "set", "work", "example", "nobody"]);
    assert!(unknown.status.code() == Some(3) && unknown.err.contains("nobody"), "{}", unknown.err);
    home.caisson(&["group", "set", "work", "example"]).ok();
    let cursor = user_file(home, ".cursor/mcp.json");
    fs::write(&cursor, "{}").unwrap();
    home.caisson(&["connect", "cursor", "group/work"]).ok();
    let entries = || -> Value { serde_json::from_str(&fs::read_to_string(&cursor).unwrap()).unwrap() };
    let entry = entries()["mcpServers"]["work"].clone();
    let bearer = entry["headers"]["Authorization"].as_str().unwrap().to_owned();
    let access = Access {
        url: entry["url"].as_str().unwrap().to_owned(),
        sse_url: None,
        token: bearer.strip_prefix("Bearer ").unwrap().to_owned(),
    };
    assert!(access.url.ends_with("/g/work/mcp"), "{}", access.url);
    assert!(inspector(&access, &["--method", "tools/list"]).ok().contains("example__look_around"));

    home.caisson(&["group", "remove", "work"]).ok();
    assert!(entries()["mcpServers"]["work"].is_null(), "{}", entries());
    assert!(!inspector(&access, &["--method", "tools/list"]).status.success());
    assert_eq!(home.caisson(&["group", "remove", "work"]).status.code(), Some(3));
    assert_eq!(home.caisson(&["tools", "group/work"]).status.code(), Some(3));
    home.caisson(&["call", "example", "look_around", "{}"]).ok();
}
