mod asks;
mod fake;
mod listen;
mod requests;
mod sessions;

use std::sync::Arc;

use serde_json::{Value, json};

use self::fake::Fake;
use super::Upgrade;
use crate::{
    gate::CallerId,
    sandbox::{Exchange, SessionError, exchange::Stateless},
};

fn upgrade(fake: &Fake) -> Upgrade {
    Upgrade::new("fake".parse().unwrap(), Arc::new(fake.clone()))
}

/// A client that can be asked everything.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {
            "sampling": {}, "roots": {}, "elicitation": {"form": {}, "url": {}}, "tasks": {}
        },
    })
}

fn request(id: &Value, method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    if params["_meta"].is_null() {
        params["_meta"] = meta();
    }
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn call(name: &str, arguments: &Value) -> Value {
    request(&json!(1), "tools/call", &json!({"name": name, "arguments": arguments}))
}

async fn ask(upgrade: &Upgrade, caller: &str, request: &Value) -> Exchange {
    upgrade.ask(CallerId::for_test(caller), request.to_string().into()).await.unwrap()
}

/// What comes next; none when the exchange is over.
async fn next(exchange: &mut Exchange) -> Option<Result<Value, SessionError>> {
    let message = exchange.next().await?;
    Some(message.map(|message| serde_json::from_slice(&message).unwrap()))
}

/// All that comes: notifications, then the response.
async fn all(mut exchange: Exchange) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(message) = next(&mut exchange).await {
        all.push(message.unwrap());
    }
    all
}

/// The response; nothing may come before it.
async fn answer(upgrade: &Upgrade, caller: &str, request: &Value) -> Value {
    let mut all = all(ask(upgrade, caller, request).await).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["id"], request["id"]);
    all.remove(0)
}
