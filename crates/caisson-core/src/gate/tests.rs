//! The gate as a whole: what becomes of a message.

use std::time::Duration;

use tokio::sync::broadcast;

use super::*;
use crate::{
    audit::AuditQuery,
    model::{Event, Lasting, Outcome},
    registry::State,
};

/// Tools called `get…` are read-only.
struct Tools;

impl Known for Tools {
    fn secrets(&self, _: &ServerName) -> OwnSecrets {
        let value = caisson_wire::SecretBytes::from(b"hunter2-hunter2".to_vec());
        OwnSecrets::new([("TOKEN", &value)]).unwrap()
    }

    fn tool(&self, _: &ServerName, tool: &str) -> Option<Definition> {
        let marks = Marks { read_only: tool.starts_with("get"), ..Marks::default() };
        Some(Definition { marks, digest: Digest::of(tool.as_bytes()) })
    }
}

struct Setup {
    gate: Gate,
    audit: Audit,
    events: broadcast::Receiver<Event>,
    policy: watch::Sender<Arc<Policy>>,
}

fn setup(policy: &str) -> Setup {
    let tokens = Tokens::open(State::in_memory().unwrap(), SystemTime::now()).unwrap();
    let sender = broadcast::Sender::new(1024);
    let clock: Clock = Arc::new(SystemTime::now);
    let (policy, rules) = watch::channel(Arc::new(Policy::parse(policy).unwrap()));
    let audit = Audit::in_memory(SystemTime::now).unwrap();
    let gate = Gate::new(GateParts {
        policy: rules,
        known: Arc::new(Tools),
        audit: audit.clone(),
        approvals: Approvals::open(State::in_memory().unwrap(), sender.clone(), clock.clone()).unwrap(),
        ..GateParts::for_test(tokens, clock)
    });
    Setup { gate, audit, events: sender.subscribe(), policy }
}

fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn call(tool: &str, arguments: &str) -> String {
    message(
        "tools/call",
        &format!(r#"{{"name":"{tool}","arguments":{arguments},"_meta":{{"progressToken":"p"}}}}"#),
    )
}

impl Setup {
    fn admit(&self, message: &str) -> Admission {
        let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
        let principal = self.gate.local(LocalCaller::Control);
        self.gate.admit(&principal, &"files".parse().unwrap(), message.as_bytes(), (&envelope, kind))
    }

    fn asked(&self, message: &str) -> Box<Asked> {
        let admission = self.admit(message);
        let Admission::Asked(asked) = admission else { panic!("{admission:?}") };
        asked
    }

    fn denied(&self, message: &str) -> Denial {
        let admission = self.admit(message);
        let Admission::Denied(denial) = admission else { panic!("{admission:?}") };
        denial
    }

    fn is_permitted(&self, message: &str) -> bool {
        matches!(self.admit(message), Admission::Permitted(_))
    }

    async fn happened(&self) -> Vec<String> {
        let entries = self.audit.read(AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
        let what = |entry: &crate::audit::AuditEntry| {
            let entry = serde_json::to_value(entry).unwrap();
            entry["what"].as_str().unwrap().to_owned()
        };
        entries.iter().map(what).collect()
    }
}

#[tokio::test]
async fn reading_is_let_through_and_changes_are_asked_about() {
    let setup = setup("");
    assert!(setup.is_permitted(&call("get_it", "{}")));
    assert!(setup.is_permitted(&message("tools/list", "{}")));
    let asked = setup.asked(&call("write", r#"{"path":"/a"}"#));
    let question = setup.gate.approvals().list().pop().unwrap();
    assert_eq!((question.client.as_str(), question.tool.as_str()), ("you", "write"));
    assert_eq!(question.arguments, "{\n  \"path\": \"/a\"\n}");
    assert!(question.because.contains("ask for changes"), "{}", question.because);
    setup.gate.approvals().allow(question.id, Lasting::Always).unwrap();
    let permit = asked.settle(|_| {}).await.unwrap();
    assert_eq!(permit.what(), Permitted::Message);
    assert!(setup.is_permitted(&call("write", r#"{"path":"/b"}"#)), "it was granted for good");
    drop(permit);
    assert_eq!(
        setup.happened().await,
        ["called", "unanswered", "decided", "called", "called", "unanswered", "unanswered"]
    );
}

#[tokio::test]
async fn a_refusal_is_the_tools_result() {
    let setup = setup("[[rule]]\nthen = 'deny'\nwhy = 'never that'\ntool = 'rm'");
    let denial = setup.denied(&call("rm", "{}"));
    let response: serde_json::Value =
        serde_json::from_slice(&denial.response(&crate::model::RequestId::Number(1))).unwrap();
    assert_eq!(response["result"]["isError"], true);
    let text = response["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("line 1 of policy.toml: never that"), "{text}");
    let asked = setup.asked(&call("write", "{}"));
    setup.gate.approvals().deny(setup.gate.approvals().list()[0].id).unwrap();
    assert_eq!(asked.settle(|_| {}).await.unwrap_err(), Denial::Person);
    assert_eq!(setup.happened().await, ["denied", "decided", "denied"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_is_told_so() {
    let setup = setup("");
    let mut told = Vec::new();
    let settled = setup.asked(&call("write", "{}")).settle(|progress| told.push(progress)).await;
    assert_eq!(settled.unwrap_err(), Denial::Silence { seconds: 120 });
    let last: serde_json::Value = serde_json::from_slice(told.last().unwrap()).unwrap();
    assert!(told.len() > 20, "{}", told.len());
    assert_eq!(last["params"]["progressToken"], "p");
    assert!(last["params"]["progress"].as_f64().unwrap() < 0.001, "less than a server's own");
}

#[tokio::test]
async fn whoever_goes_away_withdraws_the_question() {
    let mut setup = setup("");
    drop(setup.asked(&call("write", "{}")));
    assert!(setup.gate.approvals().list().is_empty());
    assert!(matches!(setup.events.try_recv(), Ok(Event::Asked { .. })));
    assert!(matches!(setup.events.try_recv(), Ok(Event::Answered { outcome: Outcome::Withdrawn, .. })));
}

#[tokio::test]
async fn a_lock_shuts_everything_but_what_a_server_is() {
    let setup = setup("preset = 'never-ask'");
    setup.gate.approvals().lock(true).unwrap();
    for shut in [call("get_it", "{}"), message("resources/read", "{}"), message("prompts/get", "{}")] {
        assert_eq!(setup.denied(&shut), Denial::Locked, "{shut}");
    }
    assert!(setup.is_permitted(&message("tools/list", "{}")) && setup.is_permitted(&message("ping", "{}")));
    setup.gate.approvals().lock(false).unwrap();
    assert!(setup.is_permitted(&call("get_it", "{}")));
}

#[tokio::test]
async fn arguments_that_may_be_misread_are_refused() {
    let setup = setup("preset = 'never-ask'");
    let twice = setup.denied(&call("get_it", r#"{"path":"/a","path":"/b"}"#));
    assert!(matches!(twice, Denial::Unclear { .. }), "{twice:?}");
}

#[tokio::test]
async fn own_secrets_pass_neither_way() {
    let setup = setup("preset = 'never-ask'");
    let Admission::Permitted(mut permit) =
        setup.admit(&call("get_it", r#"{"text":"it is hunter2-hunter2"}"#))
    else {
        panic!("it is permitted");
    };
    let sent = permit.take_message().unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["params"]["arguments"]["text"], "it is [redacted: secret TOKEN]");
    let (inspector, expected) = (permit.take_inspector().unwrap(), permit.take_expected().unwrap());
    let hex = "hunter2-hunter2".bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let answer =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{hex}"}}]}}}}"#);
    let seen = inspector.incoming(answer.into(), Some(&expected)).unwrap();
    assert!(!String::from_utf8_lossy(&seen).contains(&hex), "{seen:?}");
    let note: bytes::Bytes =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"fine"}}"#.into();
    assert_eq!(inspector.incoming(note.clone(), None), Some(note));
    drop(expected);
    assert_eq!(setup.happened().await, ["found", "called", "found", "unanswered"]);
}

#[tokio::test]
async fn what_a_call_carries_is_decided_on() {
    let key =
        format!("-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----", "MIIabc0123456789".repeat(8));
    let with_key = call("get_it", &format!(r#"{{"text":"{key}"}}"#));
    let setup = setup("");
    let denial = setup.denied(&with_key);
    assert!(matches!(&denial, Denial::Carries { what } if what.contains("key")), "{denial:?}");
    // What a tool may well be for is a person's to judge, also where the tool only reads.
    let password = call("get_it", r#"{"url":"postgres://me:Xk29vQpL77aa@db.example.com/x"}"#);
    let asked = setup.asked(&password);
    let question = setup.gate.approvals().list().pop().unwrap();
    assert!(matches!(question.by, By::Carries { .. }), "{question:?}");
    assert!(!question.arguments.contains("Xk29vQpL77aa"), "{}", question.arguments);
    drop(asked);
    setup
        .policy
        .send_replace(Arc::new(Policy::parse("[[dlp.rule]]\nkind = '*'\naction = 'ignore'").unwrap()));
    assert!(setup.is_permitted(&with_key) && setup.is_permitted(&password));
}

#[tokio::test]
async fn a_token_for_a_tool_sees_and_calls_that_tool_and_the_record_says_whose_it_is() {
    let setup = setup("preset = 'never-ask'\n[pins]\nmode = 'off'");
    let only = ToolScope::Only(["get_it".to_owned()].into());
    let scope = Scope::Only([("files".parse().unwrap(), only)].into());
    let lifetime = Some(Duration::from_secs(900));
    let (token, text) = setup.gate.tokens().issue("job-42", scope, lifetime, SystemTime::now()).unwrap();
    let principal = setup.gate.authenticate(text.expose()).unwrap();
    let admit = |message: &str| {
        let (envelope, kind) = Envelope::read(message.as_bytes()).unwrap();
        setup.gate.admit(&principal, &"files".parse().unwrap(), message.as_bytes(), (&envelope, kind))
    };

    let Admission::Permitted(mut permit) = admit(&message("tools/list", "{}")) else { panic!("permitted") };
    let (inspector, expected) = (permit.take_inspector().unwrap(), permit.take_expected().unwrap());
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"rm"},{"name":"get_it"}]}}"#;
    let seen = inspector.incoming(answer.into(), Some(&expected)).unwrap();
    assert_eq!(seen, r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_it"}]}}"#);

    drop(admit(&call("get_it", "{}")));
    let denied = admit(&call("rm", "{}"));
    assert!(matches!(denied, Admission::Denied(Denial::Tool { .. })), "{denied:?}");
    assert!(setup.is_permitted(&call("get_it", "{}")));
    let entries = setup.audit.read(AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    let of = |entry: &crate::audit::AuditEntry| {
        let entry = serde_json::to_value(entry).unwrap();
        let about = |name: &str| entry.get(name).cloned().unwrap_or_default();
        (about("what"), about("client"), about("tool"), about("token"), about("expires"))
    };
    let noted: Vec<_> = entries.iter().map(of).filter(|entry| entry.0 != "unanswered").collect();
    let ends = crate::model::utc::whole_seconds(token.expires.unwrap());
    let whose = |what: &str, tool: &str| {
        (what.into(), "job-42".into(), tool.into(), token.id.as_str().into(), ends.into())
    };
    let nobody = serde_json::Value::Null;
    let own = ("called".into(), "you".into(), "get_it".into(), nobody.clone(), nobody);
    assert_eq!(noted, [whose("called", "get_it"), whose("denied", "rm"), own]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_is_noticed() {
    let setup = setup("preset = 'never-ask'\n[loop]\nbeyond = '3/minute'");
    let again = call("get_it", r#"{"a": 1, "b": 2}"#);
    for _ in 0..2 {
        assert!(setup.is_permitted(&again));
    }
    assert!(setup.is_permitted(&call("get_it", r#"{"b":2,"a":1}"#)), "the third");
    setup.asked(&again);
    assert!(setup.is_permitted(&call("get_it", r#"{"a": 2}"#)), "another call");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert!(setup.is_permitted(&again));
}

#[tokio::test]
async fn another_policy_is_in_force_at_once() {
    let setup = setup("preset = 'never-ask'\n[[rule]]\nthen = 'deny'\nbeyond = '1/hour'");
    let get = call("get_it", "{}");
    assert!(setup.is_permitted(&get));
    assert!(matches!(setup.denied(&get), Denial::Rule { by: By::Rule { line: 2, .. } }));
    setup.policy.send_replace(Arc::new(Policy::parse("[[rule]]\nthen = 'ask'\nbeyond = '0/hour'").unwrap()));
    setup.asked(&get);
}
