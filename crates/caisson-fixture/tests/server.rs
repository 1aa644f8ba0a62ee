//! The fixture over standard input and output, spoken to in lines: what its eras answer, and what its tools do.

#![cfg(test)]

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// A running fixture, and the next id.
struct Fixture {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    id: u64,
    /// What a request of its era carries.
    meta: Value,
}

impl Fixture {
    fn start(era: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caisson-fixture"));
        command.args(["stdio", "--era", era]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines(), id: 0, meta: json!({}) }
    }

    /// One that speaks the newest protocol, to a client that can answer everything.
    fn modern() -> Self {
        let mut fixture = Self::start("modern");
        fixture.meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"sampling": {}, "elicitation": {}, "roots": {}},
        });
        fixture
    }

    /// One that speaks an older protocol, initialized.
    async fn legacy() -> Self {
        let mut fixture = Self::start("legacy");
        let said = fixture.initialize().await;
        assert_eq!(said["result"]["protocolVersion"], "2025-11-25", "{said}");
        fixture.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        fixture
    }

    async fn initialize(&mut self) -> Value {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {"sampling": {}, "elicitation": {}, "roots": {}},
            "clientInfo": {"name": "test", "version": "1"},
        });
        self.request("initialize", params).await
    }

    async fn send(&mut self, message: &Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("an answer in time").unwrap().expect("the server runs")).unwrap()
    }

    /// Sends a request and gives its id.
    async fn ask(&mut self, method: &str, mut params: Value) -> u64 {
        self.id += 1;
        for (key, value) in self.meta.as_object().unwrap() {
            params["_meta"][key] = value.clone();
        }
        let id = self.id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    /// The answer to a request, when nothing else comes before it.
    async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({"name": tool, "arguments": arguments})).await["result"].clone()
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await }).unwrap();
}

#[test]
fn one_era_alone() {
    run(async {
        let mut modern = Fixture::modern();
        let refused = modern.initialize().await;
        assert_eq!(refused["error"]["code"], -32022, "{refused}");
        let discovered = modern.request("server/discover", json!({})).await;
        assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]), "{discovered}");

        let mut legacy = Fixture::start("legacy");
        legacy.meta = modern.meta.clone();
        let unknown = legacy.request("server/discover", json!({})).await;
        assert_eq!(unknown["error"]["code"], -32601, "{unknown}");
        legacy.meta = json!({});
        assert_eq!(legacy.initialize().await["result"]["protocolVersion"], "2025-11-25");
    });
}

#[test]
fn both_eras() {
    run(async {
        let mut one = Fixture::start("both");
        assert_eq!(one.initialize().await["result"]["protocolVersion"], "2025-11-25");
        let mut other = Fixture::start("both");
        other.meta = Fixture::modern().meta;
        let discovered = other.request("server/discover", json!({})).await;
        assert!(discovered["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{discovered}");
    });
}

#[test]
fn arguments_and_content_come_back() {
    run(async {
        let mut server = Fixture::legacy().await;
        let arguments = json!({"a": [1, 2.5, null, {"b": "\u{2028} \u{1f600}"}], "_": ""});
        let params = json!({"name": "echo", "arguments": arguments, "_meta": {"x/y": {"z": [1]}, "progressToken": "p"}});
        let echoed = server.request("tools/call", params.clone()).await;
        let echoed = &echoed["result"]["structuredContent"];
        assert_eq!((&echoed["arguments"], &echoed["meta"]), (&params["arguments"], &params["_meta"]));

        let text = server.call("produce_text", json!({"bytes": 300_000})).await;
        assert_eq!(text["content"][0]["text"].as_str().unwrap().len(), 300_000);
        let binary = server.call("produce_binary", json!({"bytes": 300})).await;
        for (place, data) in [("image", "/data"), ("audio", "/data"), ("resource", "/resource/blob")] {
            let block = binary["content"].as_array().unwrap().iter().find(|block| block["type"] == place);
            assert_eq!(block.unwrap().pointer(data).unwrap().as_str().unwrap().len(), 400, "{place}");
        }
        assert!(
            server
                .request("tools/call", json!({"name": "produce_text", "arguments": {"bytes": 1_u64 << 40}}))
                .await["error"]
                .is_object()
        );
    });
}

#[test]
fn a_legacy_client_is_asked_by_requests() {
    run(async {
        let mut server = Fixture::legacy().await;
        let answers = [
            ("test_elicitation", json!({"message": "?"}), "elicitation/create", json!({"action": "decline"})),
            (
                "test_sampling",
                json!({"prompt": "?"}),
                "sampling/createMessage",
                json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "decline"}}),
            ),
            ("list_client_roots", json!({}), "roots/list", json!({"roots": [{"uri": "file:///decline"}]})),
        ];
        for (tool, arguments, method, answer) in answers {
            server.ask("tools/call", json!({"name": tool, "arguments": arguments})).await;
            let question = server.next().await;
            assert_eq!(question["method"], method, "{question}");
            server.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer})).await;
            let result = server.next().await;
            assert!(result["result"]["content"][0]["text"].as_str().unwrap().contains("decline"), "{result}");
        }
    });
}

#[test]
fn a_modern_client_calls_again_with_answers() {
    run(async {
        let mut server = Fixture::modern();
        let name = "test_input_required_result_multi_round";
        let mut params = json!({"name": name, "arguments": {}});
        for (step, answer) in [("step1", json!({"name": "Ada"})), ("step2", json!({"color": "green"}))] {
            let asked = server.request("tools/call", params.clone()).await["result"].clone();
            assert_eq!(asked["resultType"], "input_required", "{asked}");
            assert_eq!(asked["inputRequests"][step]["method"], "elicitation/create", "{asked}");
            params["requestState"] = asked["requestState"].clone();
            params["inputResponses"] = json!({ step: {"action": "accept", "content": answer} });
        }
        let done = server.request("tools/call", params.clone()).await["result"].clone();
        assert_eq!(done["content"][0]["text"], "Ada likes green.", "{done}");
        params["requestState"] = json!("forged");
        assert_eq!(server.request("tools/call", params).await["error"]["code"], -32602);
    });
}

#[test]
fn progress_and_changes_are_told() {
    run(async {
        let mut server = Fixture::legacy().await;
        let params = json!({
            "name": "report_progress", "arguments": {"steps": 3, "delay_ms": 1}, "_meta": {"progressToken": 7}});
        server.ask("tools/call", params).await;
        for step in 1..=3 {
            let progress = server.next().await["params"].clone();
            assert_eq!(
                (&progress["progressToken"], progress["progress"].as_f64()),
                (&json!(7), Some(f64::from(step)))
            );
        }
        server.next().await;

        server.request("resources/subscribe", json!({"uri": "test://watched-resource"})).await;
        for (tool, method) in [
            ("touch_resource", "notifications/resources/updated"),
            ("change_tools", "notifications/tools/list_changed"),
        ] {
            server.ask("tools/call", json!({"name": tool, "arguments": {}})).await;
            // The notification and the answer go their own ways.
            let both = [server.next().await, server.next().await];
            assert!(both.iter().any(|message| message["method"] == method), "{both:?}");
        }
        let tools = server.request("tools/list", json!({})).await["result"]["tools"].clone();
        assert!(tools.as_array().unwrap().iter().any(|tool| tool["name"] == "extra_tool"));
        assert!(tools.as_array().unwrap().iter().all(|tool| tool["annotations"]["readOnlyHint"] == true));
    });
}

#[test]
fn a_modern_client_listens() {
    run(async {
        let mut server = Fixture::modern();
        let wanted = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["test://watched-resource"]}});
        let subscription = server.ask("subscriptions/listen", wanted).await;
        assert_eq!(server.next().await["method"], "notifications/subscriptions/acknowledged");
        for (tool, method) in [
            ("touch_resource", "notifications/resources/updated"),
            ("change_tools", "notifications/tools/list_changed"),
        ] {
            server.ask("tools/call", json!({"name": tool, "arguments": {}})).await;
            let both = [server.next().await, server.next().await];
            let told = both.iter().find(|message| message["method"] == method).unwrap();
            assert_eq!(
                told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], subscription,
                "{told}"
            );
        }
    });
}

#[test]
fn a_cancelled_call_is_remembered_and_an_exit_is_one() {
    run(async {
        let mut server = Fixture::legacy().await;
        let call = json!({"name": "run_until_cancelled", "arguments": {"name": "first"}});
        let id = server.ask("tools/call", call).await;
        let cancelled =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
        server.send(&cancelled).await;
        let mut names = json!([]);
        while names == json!([]) {
            names = server.call("cancelled_calls", json!({})).await["structuredContent"]["cancelled"].clone();
        }
        assert_eq!(names, json!(["first"]));

        server.ask("tools/call", json!({"name": "exit_process", "arguments": {"code": 7}})).await;
        let status =
            tokio::time::timeout(Duration::from_secs(10), server.child.wait()).await.unwrap().unwrap();
        assert_eq!(status.code(), Some(7));
    });
}
