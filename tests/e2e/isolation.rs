//! Many clients of one server at once, whose ids and progress tokens are the same on purpose: each sees its own
//! answers and notifications, and nobody else's.

use std::sync::Arc;

use caisson_tests::{
    Home,
    clients::Access,
    fixture::{self, Era, Over},
    raw::RawClient,
};
use serde_json::{Value, json};

on_engines!([podman docker] fifty_sessions, fifty_clients_without_sessions);

/// How many clients there are at a time.
const CLIENTS: usize = 50;
/// How many calls each makes.
const CALLS: usize = 5;

fn fifty_sessions(home: &Home) {
    fixture::install(home, "fixture", Over::Stdio, Era::Legacy);
    together(home, false);
}

fn fifty_clients_without_sessions(home: &Home) {
    fixture::install(home, "fixture", Over::Stdio, Era::Modern);
    together(home, true);
}

fn together(home: &Home, stands_alone: bool) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let access = Arc::new(Access::to(home, "fixture"));
        let clients = (0..CLIENTS).map(|number| {
            let access = Arc::clone(&access);
            tokio::spawn(async move { one(&access, number, stands_alone).await })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("no client fails");
        }
    });
}

/// One client: calls that report progress, each with the id and token that all others use too.
async fn one(access: &Access, number: usize, stands_alone: bool) {
    let mut client = RawClient::open(access, stands_alone).await;
    for round in 0..CALLS {
        let mine = format!("client {number} round {round}");
        let heard = client.call(7, "echo", json!({"mine": mine, "steps": 1}), json!("token")).await;
        let answer = heard.last().expect("there is an answer");
        assert_eq!(answer["id"], 7, "{answer}");
        assert_eq!(answer["result"]["structuredContent"]["arguments"]["mine"], mine, "{answer}");

        let steps = number % 4 + 1;
        let arguments = json!({"steps": steps, "delay_ms": 1});
        let heard = client.call(8, "report_progress", arguments, json!("token")).await;
        let progress: Vec<&Value> =
            heard.iter().filter(|message| message["method"] == "notifications/progress").collect();
        assert_eq!(progress.len(), steps, "client {number} heard {heard:?}");
        assert!(progress.iter().all(|message| message["params"]["progressToken"] == "token"), "{heard:?}");
        assert!(
            progress.iter().all(|message| message["params"]["total"] == json!(steps as f64)
                || message["params"]["total"] == json!(steps)),
            "{heard:?}"
        );
        assert_eq!(heard.last().expect("an answer")["id"], 8, "{heard:?}");
    }
}
