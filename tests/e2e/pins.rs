//! What is pinned of a server answers clients while it does not run.

use std::time::Duration;

use caisson_tests::{
    Home,
    clients::Access,
    fixture::{self, Era, Over},
    home::eventually,
    raw::RawClient,
};
use serde_json::{Value, json};

on_engines!([podman docker] a_stopped_server_answers_every_client);

const VERSIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The version without sessions.
const NEWEST: &str = "2026-07-28";

/// A client of any version that says it can do much is told what a server is and which tools it has; no container is
/// started for it.
fn a_stopped_server_answers_every_client(home: &Home) {
    for (name, era) in [("legacy", Era::Legacy), ("modern", Era::Modern), ("both", Era::Both)] {
        fixture::install(home, name, Over::Stdio, era);
        home.caisson(&["stop", name]).ok();
        eventually(Duration::from_secs(10), "it has stopped", || home.containers().is_empty());
        let access = Access::to(home, name);
        tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
            for version in VERSIONS.into_iter().filter(|version| era != Era::Modern || *version == NEWEST) {
                for capabilities in able() {
                    answers(home, &access, version, &capabilities).await;
                }
            }
        });
        let state = home.caisson(&["list", "--json"]).json();
        assert!(!state.to_string().contains("running"), "a server {name} was started: {state}");
    }
}

/// What clients say that they can do.
fn able() -> [Value; 4] {
    [
        json!({"sampling": {}}),
        json!({"elicitation": {}}),
        json!({"roots": {"listChanged": true}}),
        json!({
            "sampling": {"tools": {}, "context": {}}, "elicitation": {"form": {}, "url": {}},
            "roots": {"listChanged": true}, "experimental": {"x": {}},
        }),
    ]
}

async fn answers(home: &Home, access: &Access, version: &str, capabilities: &Value) {
    let what = format!("{version} {capabilities} at {}", access.url);
    let (mut client, about) = RawClient::of_version(access, version, capabilities.clone()).await;
    let told = &about["result"];
    let versions = [&told["protocolVersion"], &told["supportedVersions"]];
    assert!(versions.iter().any(|told| told.to_string().contains(version)), "{what}: {about}");
    let listed = client.result(1, "tools/list", json!({})).await;
    assert!(listed["tools"].as_array().is_some_and(|tools| tools.len() > 10), "{what}: {listed}");
    assert_eq!(home.containers(), [""; 0], "started for {what}");
}
