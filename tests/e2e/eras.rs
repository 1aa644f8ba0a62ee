//! Clients of either era with servers of either era: each sees the same, in its own words.

use caisson_tests::{
    Home,
    clients::{Access, python_sdk_of_era},
    fixture::{self, Era, Over},
};
use serde_json::{Value, json};

on_engines!([podman docker] servers_with_sessions, servers_without);
on_engines!([podman docker] servers_with_sessions_over_http, servers_without_over_http);

fn servers_with_sessions(home: &Home) {
    every_client(home, Over::Stdio, Era::Legacy);
}

fn servers_without(home: &Home) {
    every_client(home, Over::Stdio, Era::Modern);
}

fn servers_with_sessions_over_http(home: &Home) {
    every_client(home, Over::Http, Era::Legacy);
}

fn servers_without_over_http(home: &Home) {
    every_client(home, Over::Http, Era::Modern);
}

fn every_client(home: &Home, over: Over, era: Era) {
    fixture::install(home, "fixture", over, era);
    let access = Access::to(home, "fixture");
    all_clients_see_all(&access, "", &format!("{era:?} server over {over:?}"));
}

/// A client of either era, and one of HTTP+SSE, use all that the fixture has, whose names have `prefix` before them.
pub(crate) fn all_clients_see_all(access: &Access, prefix: &str, server: &str) {
    let beside = Access { url: access.sse_url.clone().unwrap(), ..access.clone() };
    for (mode, version, access, text_bytes) in [
        ("legacy", "2025-11-25", access, 3_000_000),
        ("2026-07-28", "2026-07-28", access, 3_000_000),
        ("legacy", "2025-11-25", &beside, 500_000),
    ] {
        let seen = python_sdk_of_era(access, mode, prefix);
        let what = format!("a {mode} client of a {server} at {}: {seen:#}", access.url);
        assert_eq!(seen["version"], version, "{what}");
        assert_eq!(seen["echo"], json!({"a": [1, null, {"b": "\u{2028} \u{1f600}"}]}), "{what}");
        assert_eq!(seen["sampling"], "LLM response: model heard: hi there", "{what}");
        assert!(has(&seen["elicitation"], "ann@example.com"), "{what}");
        assert!(has(&seen["roots"], "file:///workspace/of-the-client"), "{what}");
        let progress = seen["progress"].as_array().map(Vec::len);
        assert_eq!(progress, Some(4), "{what}");
        assert_eq!(seen["logged"], 3, "{what}");
        assert_eq!(seen["text_bytes"], text_bytes, "{what}");
        assert_eq!(seen["binary"].as_array().map(Vec::len), Some(1), "{what}");
        assert_eq!(seen["failed"], true, "{what}");
        assert!(
            seen["cancelled"].as_array().is_some_and(|calls| calls.contains(&json!("given up"))),
            "{what}"
        );
        assert!(has_some(&seen["tools"]) && seen["prompts"] != 0 && seen["resources"] != 0, "{what}");
    }
}

fn has(text: &Value, part: &str) -> bool {
    text.as_str().is_some_and(|text| text.contains(part))
}

fn has_some(list: &Value) -> bool {
    list.as_array().is_some_and(|list| list.len() > 10)
}
