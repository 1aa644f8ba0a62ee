use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{
    super::probe,
    script::{Process, Script},
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
