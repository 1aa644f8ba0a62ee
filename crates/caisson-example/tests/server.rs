//! The example server, called by rmcp's client over standard input and output, and by hand over HTTP.

#![cfg(test)]

use std::{collections::BTreeMap, time::Duration};

use rmcp::{
    ClientHandler, RoleClient, ServiceExt,
    model::{CallToolRequestParams, ClientConfig, ReadResourceRequestParams},
    service::RunningService,
    transport::TokioChildProcess,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

#[derive(Clone)]
struct Client;

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), test).await }).unwrap();
}

async fn example(arguments: &[&str]) -> RunningService<RoleClient, Client> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caisson-example"));
    command.args(arguments).env("A_TOKEN", "hunter2");
    Client.serve(TokioChildProcess::new(command).unwrap()).await.unwrap()
}

async fn call(
    client: &RunningService<RoleClient, Client>,
    tool: &str,
    arguments: Value,
) -> (bool, Value, String) {
    let arguments = arguments.as_object().unwrap().clone();
    let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
    let result = serde_json::to_value(client.call_tool(params).await.unwrap()).unwrap();
    let text = result["content"][0]["text"].as_str().unwrap().to_owned();
    (result["isError"] == json!(true), result["structuredContent"].clone(), text)
}

#[test]
fn tools_say_what_they_may_do() {
    run(async {
        let client = example(&[]).await;
        let tools = client.list_all_tools().await.unwrap();
        let hints: BTreeMap<_, _> = tools
            .iter()
            .map(|tool| {
                let hints = tool.annotations.as_ref().unwrap();
                assert!(tool.description.is_some() && hints.title.is_some());
                (tool.name.as_ref(), (hints.read_only_hint.unwrap(), hints.destructive_hint))
            })
            .collect();
        assert_eq!(hints["look_around"], (true, None));
        assert_eq!(hints["notes_add"], (false, Some(false)));
        assert_eq!(hints["notes_clear"], (false, Some(true)));
        assert_eq!(hints.len(), 9);
    });
}

#[test]
fn it_looks_around_and_tells_no_values() {
    run(async {
        let client = example(&[]).await;
        let (failed, seen, text) = call(&client, "look_around", json!({})).await;
        assert!(!failed && text.contains("network interfaces:"));
        assert!(seen["variables"].as_array().unwrap().contains(&json!("A_TOKEN")));
        assert!(!format!("{seen}{text}").contains("hunter2"));
        let uri = "caisson://surroundings";
        assert_eq!(client.list_all_resources().await.unwrap()[0].uri, uri);
        let read = client.read_resource(ReadResourceRequestParams::new(uri)).await.unwrap();
        assert!(serde_json::to_string(&read).unwrap().contains("interfaces"));
        assert!(client.read_resource(ReadResourceRequestParams::new("file:///etc/passwd")).await.is_err());
        assert_eq!(client.list_all_prompts().await.unwrap()[0].name, "inspect");
    });
}

#[test]
fn it_greets_counts_and_keeps_notes() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let client = example(&["--state", folder.path().to_str().unwrap()]).await;
        assert!(call(&client, "greet", json!({"name": "Ada"})).await.2.contains("Hello, Ada"));
        assert_eq!(call(&client, "count", json!({"to": 3, "delay_ms": 1})).await.2, "Counted to 3.");
        assert_eq!(call(&client, "notes_add", json!({"note": "one"})).await.2, "Noted. There are 1 notes.");
        assert_eq!(call(&client, "notes_list", json!({})).await.2, "one");
        let other = example(&["--state", folder.path().to_str().unwrap()]).await;
        assert_eq!(call(&other, "notes_clear", json!({})).await.2, "1 notes were thrown away.");
        let without = example(&["--state", "/nowhere"]).await;
        let (failed, _, text) = call(&without, "notes_list", json!({})).await;
        assert!(failed && text.contains("state folder"), "{text}");
    });
}

#[test]
fn it_asks_nothing_of_a_client_that_cannot_answer() {
    run(async {
        let client = example(&[]).await;
        for tool in ["ask", "sample"] {
            let (failed, _, text) = call(&client, tool, json!({"question": "Why?"})).await;
            assert!(failed && text.contains("The client cannot ask"), "{text}");
        }
    });
}

#[test]
fn it_speaks_http() {
    run(async {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Command::new(env!("CARGO_BIN_EXE_caisson-example"));
        let _server = server.args(["--http", &port.to_string()]).kill_on_drop(true).spawn().unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
        for (path, host, status) in
            [("/mcp", "127.0.0.1", 200), ("/", "127.0.0.1", 404), ("/mcp", "evil.example.com", 403)]
        {
            let body = hello.to_string();
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n\
                 Accept: application/json, text/event-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let mut stream = loop {
                match TcpStream::connect(("127.0.0.1", port)).await {
                    Ok(stream) => break stream,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            };
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut reply = [0; 12];
            stream.read_exact(&mut reply).await.unwrap();
            assert_eq!(reply, format!("HTTP/1.1 {status}").as_bytes());
        }
    });
}
