use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::audit::Part;

/// Answers one request with this status, and gives its head and body.
async fn answer(listener: &TcpListener, status: &str) -> (String, Value) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (head, body) = request(&mut stream).await;
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
    stream.write_all(answer.as_bytes()).await.unwrap();
    (head, body)
}

async fn request(stream: &mut TcpStream) -> (String, Value) {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        text.extend_from_slice(&chunk[..read]);
        let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_slice(&text[end + 4..]) {
            return (String::from_utf8_lossy(&text[..end]).into_owned(), body);
        }
        assert!(read > 0, "the body is whole JSON");
    }
}

fn records(body: &Value) -> Vec<(String, Value)> {
    let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().iter();
    let name = |record: &Value| {
        record["attributes"].as_array().unwrap().iter().find_map(|attribute| {
            (attribute["key"] == "caisson.name")
                .then(|| attribute["value"]["stringValue"].as_str().unwrap().to_owned())
        })
    };
    records.map(|record| (name(record).unwrap(), record.clone())).collect()
}

#[tokio::test]
async fn a_collector_gets_each_entry_though_it_was_away() {
    let audit = Audit::in_memory(|| UNIX_EPOCH + Duration::from_millis(1500)).unwrap();
    let state = State::in_memory().unwrap();
    let configured = |name: &str| audit.configured(None, Part::Group, name, "set");
    configured("before");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/otlp/", listener.local_addr().unwrap());
    let exporter = || {
        let exporter = Exporter::new(audit.clone(), state.clone(), at.parse().unwrap(), "me".into());
        tokio::spawn(exporter.run())
    };
    audit.head().await.unwrap();
    let first = exporter();
    // What came before a collector was named is not sent.
    while state.value(CURSOR).unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    configured("one");
    let (head, refused) = answer(&listener, "503 Service Unavailable").await;
    assert!(head.starts_with("POST /otlp/v1/logs HTTP/1.1\r\n"), "{head}");
    let (_, again) = answer(&listener, "200 OK").await;
    assert_eq!(refused, again, "it is sent again as it was");
    assert_eq!(
        again["resourceLogs"][0]["resource"]["attributes"][2],
        json!({
            "key": "service.instance.id", "value": {"stringValue": "me"}
        })
    );
    let (name, record) = records(&again).remove(0);
    assert_eq!((name.as_str(), &record["eventName"]), ("one", &json!("caisson.configured")));
    assert_eq!(record["timeUnixNano"], "1500000000");
    let body: Value = serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
    assert_eq!(body["change"], "set");
    while state.value(CURSOR).unwrap() != Some("2".into()) {
        tokio::task::yield_now().await;
    }
    first.abort();
    configured("two");
    configured("three");
    audit.head().await.unwrap();
    let second = exporter();
    let (_, never) = answer(&listener, "400 Bad Request").await;
    assert_eq!(records(&never).len(), 2, "it goes on where it was");
    configured("four");
    let (_, next) = answer(&listener, "200 OK").await;
    assert_eq!(records(&next).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["four"]);
    second.abort();
}

#[test]
fn addresses_of_collectors() {
    for (text, part) in [
        ("http://127.0.0.1:4318", ""),
        ("http://collector.example/otlp", ""),
        ("http://[::1]:4318", ""),
        ("https://collector.example", "https is not spoken"),
        ("collector:4318", "does not begin with"),
        ("http://me:secret@collector.example", "no place for secrets"),
        ("/v1/logs", "does not begin with"),
        ("http://a b", "characters"),
    ] {
        match text.parse::<CollectorUrl>() {
            Ok(url) => assert_eq!((part, url.to_string().trim_end_matches('/')), ("", text)),
            Err(error) => assert!(!part.is_empty() && error.to_string().contains(part), "{text}: {error}"),
        }
    }
}
