mod inputs;
mod opening;
mod requests;
mod subscriptions;

use serde_json::{Value, json};

use super::{super::downgrade, fake::Pair};

fn open() -> Pair {
    Pair::new(|caller, below| downgrade::session("legacy".parse().unwrap(), caller, below))
}

/// The parameters of `initialize`.
fn client(capabilities: Value) -> Value {
    json!({
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "clientInfo": {"name": "client", "version": "1", "x": [1]},
    })
}

/// A server, as it says of itself.
fn server(capabilities: Value) -> Value {
    json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28"],
        "capabilities": capabilities,
        "instructions": "be kind",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "server", "version": "2", "title": "S"}},
    })
}

/// A session that was initialized, without the notification of it.
async fn initialized(client_capabilities: Value, server_capabilities: Value) -> Pair {
    let mut pair = open();
    pair.request(0, "initialize", client(client_capabilities)).await;
    pair.asked().await.answer(server(server_capabilities)).await;
    assert_eq!(pair.told().await["id"], 0);
    pair
}
