//! What no server is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;

use super::*;
use crate::{
    model::ServerName,
    sandbox::{SandboxError, Session},
};

#[tokio::test]
async fn a_token_that_may_be_another_clients_number_is_refused() {
    let Setup { hub, script, .. } = setup();
    for params in [
        r#"{"_meta":{"progressToken":1,"ProgressToken":5}}"#,
        r#"{"_meta":{"progressTo\u212aen":5}}"#,
        r#"{"_meta":{"progressToken":5,"progressToken":1}}"#,
        r#"{"_meta":{"progressToken":5},"_meta":{"progressToken":1}}"#,
        r#"{"_meta":{},"_Meta":{"progressToken":5}}"#,
    ] {
        let request = format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{params}}}"#);
        let mut exchange = hub.ask(caller("a"), request.into()).await.unwrap();
        let answer = heard(&mut exchange).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("a"), &json!(-32602)), "{params}");
        assert!(next(&mut exchange).await.is_none());
    }
    assert_eq!(script.count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_too_large_once_it_is_rewritten_is_that_requests_own_fault() {
    let Setup { hub, mut processes, .. } = setup();
    let mut small = ask(&hub, "a", call(1, 1)).await;
    let mut process = processes.recv().await.unwrap();
    let request = process.hears().await;
    let mut large = call(2, 1);
    large["params"]["text"] = "x".repeat(16 << 20).into();
    let mut large = ask(&hub, "a", large).await;
    let answer = heard(&mut large).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(2), &json!(-32600)));
    assert!(answer["error"]["message"].as_str().unwrap().contains("larger"), "{answer}");
    drop(large);
    process.says(json!({"jsonrpc": "2.0", "id": request["id"], "result": {}})).await;
    assert_eq!(heard(&mut small).await["id"], 1);
    let silent = timeout(Duration::from_millis(50), process.from_client.recv()).await;
    assert!(silent.is_err(), "what was never asked is not cancelled");
}

/// A server that takes a while to fail to start.
#[derive(Default)]
struct Failing {
    attempts: AtomicUsize,
}

impl Opens for Failing {
    fn server(&self) -> &ServerName {
        unreachable!("the hub knows its server")
    }

    fn open(&self, _: Option<CallerId>) -> BoxFuture<'_, Result<Session, SandboxError>> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Err(SandboxError::Paused)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_start_that_fails_does_not_try_again() {
    let failing = Arc::new(Failing::default());
    let logs = Logs::new(std::time::SystemTime::now);
    let hub = Hub::new("fake".parse().unwrap(), Arc::clone(&failing) as Arc<dyn Opens>, logs);
    let asked = || hub.ask(caller("a"), call(1, 1).to_string().into());
    let failed = futures::future::join_all((0..5).map(|_| asked())).await;
    assert!(failed.iter().all(|asked| matches!(asked, Err(SandboxError::Paused))));
    assert_eq!(failing.attempts.load(Ordering::SeqCst), 1);
    assert!(asked().await.is_err());
    assert_eq!(failing.attempts.load(Ordering::SeqCst), 2, "who comes later tries again");
}
