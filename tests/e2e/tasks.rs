//! Calls that outlive the request that began them: the tasks of 2025-11-25 cross the bridge, and are their client's.

use std::time::Duration;

use caisson_tests::{Home, clients::Access, raw::RawClient};
use serde_json::{Value, json};
use tokio::time::sleep;

on_engines!([podman docker] over_stdio, over_http);

/// The one version that has them.
const VERSION: &str = "2025-11-25";
/// Tells how a task gets on.
const STATUS: &str = "notifications/tasks/status";
const TOOL: &str = "simulate-research-query";

fn over_stdio(home: &Home) {
    home.caisson(&["install", "npm:@modelcontextprotocol/server-everything", "--yes"]).ok();
    tasks_are_their_clients(home);
}

fn over_http(home: &Home) {
    let http = ["--arg", "streamableHttp", "--http", "3001/mcp", "--yes"];
    home.caisson(&[&["install", "npm:@modelcontextprotocol/server-everything"][..], &http].concat()).ok();
    tasks_are_their_clients(home);
}

fn tasks_are_their_clients(home: &Home) {
    let accesses = [Access::to(home, "everything"), Access::to(home, "everything")];
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let (mut one, about) = RawClient::of_version(&accesses[0], VERSION, json!({})).await;
        assert!(about["result"]["capabilities"]["tasks"]["cancel"].is_object(), "{about}");
        let (mut other, _) = RawClient::of_version(&accesses[1], VERSION, json!({})).await;
        let (heard, overheard) = (one.listen().await, other.listen().await);

        let finished = begin(&mut one).await;
        let given_up = begin(&mut one).await;
        let theirs = begin(&mut other).await;
        let mut mine = [finished.clone(), given_up.clone()];
        mine.sort();
        assert_eq!(listed(&mut one).await, mine);
        assert_eq!(listed(&mut other).await, std::slice::from_ref(&theirs));
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let answer = other.ask(3, method, json!({"taskId": given_up})).await.pop().expect("an answer");
            assert!(answer["error"].is_object(), "{method} of another's task: {answer}");
        }

        let cancelled = one.result(4, "tasks/cancel", json!({"taskId": given_up})).await;
        assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
        let state = one.result(5, "tasks/get", json!({"taskId": given_up})).await;
        assert_eq!(state["status"], "cancelled", "{state}");

        // What is told of the task meanwhile may come on the answer's stream.
        let mut aside = one.ask(6, "tasks/result", json!({"taskId": finished})).await;
        let result = aside.pop().expect("an answer")["result"].take();
        assert!(
            result["content"][0]["text"].as_str().is_some_and(|text| text.contains("caissons")),
            "{result}"
        );
        let state = one.result(7, "tasks/get", json!({"taskId": finished})).await;
        assert_eq!(state["status"], "completed", "{state}");
        assert_eq!(other.result(8, "tasks/get", json!({"taskId": theirs})).await["taskId"], theirs.as_str());

        sleep(Duration::from_millis(500)).await;
        aside.extend(heard.of(STATUS));
        let tells = |told: &[Value], id: &str| {
            told.iter().any(|told| told["method"] == STATUS && told["params"]["taskId"] == id)
        };
        assert!(tells(&aside, &finished) && !tells(&aside, &theirs), "{aside:?}");
        let overheard = overheard.of(STATUS);
        assert!(!tells(&overheard, &finished) && !tells(&overheard, &given_up), "{overheard:?}");
    });
}

/// Begins a task, and gives its name.
async fn begin(client: &mut RawClient) -> String {
    let call = json!({"name": TOOL, "arguments": {"topic": "caissons"}, "task": {"ttl": 60_000}});
    let created = client.result(1, "tools/call", call).await;
    assert_eq!(created["task"]["status"], "working", "{created}");
    created["task"]["taskId"].as_str().unwrap_or_else(|| panic!("no task: {created}")).to_owned()
}

/// The names of a client's tasks, in their order.
async fn listed(client: &mut RawClient) -> Vec<String> {
    let listed = client.result(2, "tasks/list", json!({})).await;
    let tasks = listed["tasks"].as_array().unwrap_or_else(|| panic!("no list: {listed}"));
    let mut names: Vec<String> = tasks.iter().map(|task| text(&task["taskId"])).collect();
    names.sort();
    names
}

fn text(value: &Value) -> String {
    value.as_str().expect("a name").to_owned()
}
