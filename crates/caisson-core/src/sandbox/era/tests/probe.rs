use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::probe,
    script::{Process, Script},
};
use crate::{
    model::Server,
    pins::{Pin, Pins, Profile},
    registry::State,
};

/// Answers the first question in the era that is known, and nothing in the other.
async fn answer(mut process: Process, knows: &str) {
    let asked = process.hears().await;
    if asked["method"] == knows {
        let result = json!({"protocolVersion": "2025-11-25", "supportedVersions": ["2026-07-28"]});
        process.says(json!({"jsonrpc": "2.0", "id": asked["id"], "result": result})).await;
    }
    process.to_client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_mute_in_one_era_is_not_waited_for_long() {
    for knows in ["initialize", "server/discover"] {
        let (script, mut processes) = Script::new();
        tokio::spawn(async move {
            while let Some(process) = processes.recv().await {
                tokio::spawn(answer(process, knows));
            }
        });
        let began = Instant::now();
        let eras = probe::eras(&*script, Duration::from_secs(60)).await.unwrap();
        assert_eq!((eras.legacy, eras.modern), (knows == "initialize", knows != "initialize"));
        assert!(began.elapsed() < Duration::from_secs(10), "{knows}: {:?}", began.elapsed());
    }
}

/// What is learnt of a server that says this to a process's client: its parameters of `initialize`, and a method.
async fn learnt(says: impl Fn(&Value, &str) -> Option<Value> + Clone + Send + Sync + 'static) -> Pin {
    let (script, mut processes) = Script::new();
    tokio::spawn(async move {
        while let Some(mut process) = processes.recv().await {
            let says = says.clone();
            tokio::spawn(async move {
                let mut client = Value::Null;
                while let Some(heard) = process.from_client.recv().await {
                    let heard: Value = serde_json::from_slice(&heard).unwrap();
                    let method = heard["method"].as_str().unwrap();
                    if method == "initialize" {
                        client = heard["params"].clone();
                    }
                    if heard.get("id").is_some()
                        && let Some(result) = says(&client, method)
                    {
                        process.says(json!({"jsonrpc": "2.0", "id": heard["id"], "result": result})).await;
                    }
                }
            });
        }
    });
    let server: Server = serde_json::from_value(json!({
        "source": "example", "image": format!("sha256:{}", "0".repeat(64)), "command": ["/server"],
    }))
    .unwrap();
    let pin = Pins::new(State::in_memory().unwrap()).of(&"fake".parse().unwrap(), &server);
    probe::learn(&*script, &pin, Duration::from_secs(60)).await.unwrap();
    pin
}

fn says(client: &Value, method: &str) -> Value {
    match method {
        "initialize" => {
            let capabilities = json!({"tools": {}, "prompts": {}, "resources": {}});
            json!({"protocolVersion": client["protocolVersion"], "capabilities": capabilities})
        }
        "tools/list" => json!({"tools": [{"name": "a"}]}),
        "prompts/list" => json!({"prompts": []}),
        "resources/list" => json!({"resources": []}),
        _ => json!({"resourceTemplates": []}),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_to_which_all_clients_are_alike_is_known_as_such() {
    let pin = learnt(|client, method| Some(says(client, method))).await;
    assert!(pin.is_uniform());
    for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        let hello = pin.result(&Profile::plain(version), "initialize").unwrap();
        assert!(hello.get().contains(version), "{hello}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_what_a_client_can_do_is_not_uniform() {
    for differs in ["initialize", "tools/list", "resources/templates/list"] {
        let pin = learnt(move |client, method| {
            let mut result = says(client, method);
            result["_meta"] = json!(method == differs && client["capabilities"].get("sampling").is_some());
            Some(result)
        })
        .await;
        assert!(!pin.is_uniform(), "{differs}");
        assert!(pin.result(&Profile::least(), "tools/list").is_some());
        assert!(pin.result(&Profile::plain("2025-06-18"), "initialize").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_mute_to_some_is_learnt_all_the_same() {
    let began = Instant::now();
    let is_plain = |client: &Value| client["capabilities"] == json!({});
    let pin = learnt(move |client, method| {
        let hears = is_plain(client) && client["protocolVersion"] != "2025-03-26";
        hears.then(|| says(client, method))
    })
    .await;
    assert!(began.elapsed() <= Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(!pin.is_uniform());
    assert!(pin.result(&Profile::least(), "prompts/list").is_some());
    let hello = |version| pin.result(&Profile::plain(version), "initialize");
    assert!(hello("2025-03-26").is_none() && hello("2025-06-18").is_some());
}
