//! Many clients of one server at once, each with a token of its own, whose ids and progress tokens are the same on
//! purpose: each sees its own answers and notifications, and nobody else's.

use std::{sync::Arc, time::Duration};

use caisson_tests::{
    Home,
    clients::Access,
    fixture::{self, Era, Over},
    raw::{self, Heard, RawClient},
};
use hyper::Method;
use serde_json::{Value, json};
use tokio::{sync::Barrier, task::JoinSet, time::sleep};

on_engines!([podman docker] fifty_sessions, fifty_clients_without_sessions, a_session_is_its_clients_alone);

/// How many clients there are at a time.
const CLIENTS: usize = 50;
/// How many calls each makes.
const CALLS: usize = 5;
/// The lines that a call of the tool that logs does.
const LINES: usize = 3;
/// The resource that clients are told of.
const WATCHED: &str = "test://watched-resource";

fn fifty_sessions(home: &Home) {
    fixture::install(home, "fixture", Over::Stdio, Era::Legacy);
    together(home, false);
}

fn fifty_clients_without_sessions(home: &Home) {
    fixture::install(home, "fixture", Over::Stdio, Era::Modern);
    together(home, true);
}

fn together(home: &Home, stands_alone: bool) {
    let accesses: Vec<Access> = (0..CLIENTS).map(|_| Access::to(home, "fixture")).collect();
    block_on(async {
        let all = Arc::new(Barrier::new(CLIENTS));
        let mut clients = JoinSet::new();
        for (number, access) in accesses.into_iter().enumerate() {
            let all = Arc::clone(&all);
            clients.spawn(async move {
                let mut client = Client::open(access, number, stands_alone).await;
                all.wait().await;
                client.calls().await;
                client.logs().await;
                all.wait().await;
                client.changes(&all).await;
                client.cancels(&all).await;
            });
        }
        while let Some(client) = clients.join_next().await {
            client.expect("no client fails");
        }
    });
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future)
}

/// One client. Its ids and tokens are those that all others use too.
struct Client {
    raw: RawClient,
    access: Access,
    number: usize,
    stands_alone: bool,
    /// What it hears without a request or, without sessions, on its subscription.
    heard: Heard,
    /// What it has heard besides answers on its requests.
    aside: Vec<Value>,
}

impl Client {
    async fn open(access: Access, number: usize, stands_alone: bool) -> Self {
        let mut raw = RawClient::open(&access, stands_alone).await;
        let heard = if stands_alone {
            let wanted = if is_even(number) {
                json!({"resourceSubscriptions": [WATCHED]})
            } else {
                json!({"toolsListChanged": true})
            };
            let mut listening = RawClient::open(&access, true).await;
            let heard =
                Heard::on(listening.begin(9, "subscriptions/listen", json!({"notifications": wanted})).await);
            heard.wait("notifications/subscriptions/acknowledged", 1).await;
            heard
        } else {
            let heard = raw.listen().await;
            if is_even(number) {
                raw.result(5, "resources/subscribe", json!({"uri": WATCHED})).await;
            }
            heard
        };
        Self { raw, access, number, stands_alone, heard, aside: Vec::new() }
    }

    /// Calls that say back what they were sent, and report progress.
    async fn calls(&mut self) {
        let number = self.number;
        for round in 0..CALLS {
            let mine = format!("client {number} round {round}");
            let heard = self.raw.call(7, "echo", json!({"mine": mine, "steps": 1}), json!("token")).await;
            let answer = heard.last().expect("there is an answer");
            assert_eq!(answer["id"], 7, "{answer}");
            assert_eq!(answer["result"]["structuredContent"]["arguments"]["mine"], mine, "{answer}");

            let steps = number % 4 + 1;
            let arguments = json!({"steps": steps, "delay_ms": 1});
            let heard = self.raw.call(8, "report_progress", arguments, json!("token")).await;
            let progress: Vec<&Value> =
                heard.iter().filter(|message| message["method"] == "notifications/progress").collect();
            assert_eq!(progress.len(), steps, "client {number} heard {heard:?}");
            assert!(
                progress.iter().all(|message| message["params"]["progressToken"] == "token"),
                "{heard:?}"
            );
            assert!(progress.iter().all(|message| message["params"]["total"] == steps as f64), "{heard:?}");
            assert_eq!(heard.last().expect("an answer")["id"], 8, "{heard:?}");
        }
    }

    /// A third of the clients log, the others do not; each hears its own lines alone. Of a line that a process says
    /// which all share nothing tells whose it is, so that nobody hears it.
    async fn logs(&mut self) {
        const LOGGED: &str = "notifications/message";
        let logs = self.number.is_multiple_of(3);
        self.runs(if logs { "test_tool_with_logging" } else { "test_tool_with_progress" }).await;
        self.hears(LOGGED, if logs && !self.stands_alone { LINES } else { 0 }).await;
    }

    /// The watched resource is touched, and the tools change; only who asked is told. In a session, so often as it
    /// was done there; without, by all clients, under the subscription's own name.
    async fn changes(&mut self, all: &Barrier) {
        const UPDATED: &str = "notifications/resources/updated";
        const CHANGED: &str = "notifications/tools/list_changed";
        let touches = |number: usize| number % 3 + 1;
        let is_changing = |number: usize| number.is_multiple_of(5);
        for _ in 0..touches(self.number) {
            self.runs("touch_resource").await;
        }
        if is_changing(self.number) {
            self.runs("test_trigger_tool_change").await;
        }
        let (updated, changed) = match (self.stands_alone, is_even(self.number)) {
            (true, true) => ((0..CLIENTS).map(touches).sum(), 0),
            (true, false) => (0, (0..CLIENTS).filter(|number| is_changing(*number)).count()),
            (false, true) => (touches(self.number), usize::from(is_changing(self.number))),
            (false, false) => (0, usize::from(is_changing(self.number))),
        };
        // Whoever hears too much hears it before all have heard enough.
        self.hears(UPDATED, updated).await;
        self.hears(CHANGED, changed).await;
        all.wait().await;
        self.hears(UPDATED, updated).await;
        self.hears(CHANGED, changed).await;
        let subscription = if self.stands_alone { json!(9) } else { Value::Null };
        for told in self.all_heard(UPDATED).iter().chain(&self.all_heard(CHANGED)) {
            assert_eq!(
                told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], subscription,
                "{told}"
            );
        }
    }

    /// Runs a tool, and keeps what comes besides the answer.
    async fn runs(&mut self, tool: &str) {
        let level = json!({"io.modelcontextprotocol/logLevel": "info"});
        let call = json!({"name": tool, "arguments": {}, "_meta": level});
        let mut heard = self.raw.ask(7, "tools/call", call).await;
        let answer = heard.pop().expect("an answer");
        assert!(answer["id"] == 7 && answer["result"]["content"].is_array(), "{tool}: {answer}");
        self.aside.extend(heard);
    }

    /// Hears so many messages of a method, and no more.
    async fn hears(&self, method: &str, many: usize) {
        for _ in 0..600 {
            if self.all_heard(method).len() >= many {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        let heard = self.all_heard(method);
        assert_eq!(heard.len(), many, "client {} heard {heard:?}", self.number);
    }

    fn all_heard(&self, method: &str) -> Vec<Value> {
        let mut heard = self.heard.of(method);
        heard.extend(self.aside.iter().filter(|message| message["method"] == method).cloned());
        heard
    }

    /// All run a call with the same id, and half of them give theirs up: no other call ends with it.
    async fn cancels(&mut self, all: &Barrier) {
        let named = json!({"name": "run_until_cancelled", "arguments": {"name": name(self.number)}});
        let answer = if self.stands_alone {
            let mut calling = RawClient::open(&self.access, true).await;
            let call = tokio::spawn(async move { calling.ask(11, "tools/call", named).await });
            // Everybody's is under way before the first is given up.
            sleep(Duration::from_secs(1)).await;
            call
        } else {
            let call =
                json!({"jsonrpc": "2.0", "id": 11, "method": "tools/call", "params": named}).to_string();
            let headers = [("mcp-session-id", self.raw.session())];
            let began = raw::send(&self.access, Method::POST, &headers, &call).await;
            tokio::spawn(async move { raw::messages(began).await })
        };
        all.wait().await;
        if is_even(self.number) {
            if self.stands_alone {
                answer.abort();
            } else {
                self.raw.notify("notifications/cancelled", json!({"requestId": 11})).await;
            }
        }
        all.wait().await;
        let mut given_up: Vec<String> = (0..CLIENTS).filter(|number| is_even(*number)).map(name).collect();
        given_up.sort();
        for _ in 0..100 {
            if self.cancelled().await.len() >= given_up.len() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.cancelled().await, given_up, "client {}", self.number);
        all.wait().await;
        assert!(is_even(self.number) || !answer.is_finished(), "a call ended with another's");
        answer.abort();
        all.wait().await;
    }

    /// The calls that were cancelled in any process of the server.
    async fn cancelled(&mut self) -> Vec<String> {
        let heard = self.raw.call(12, "cancelled_calls", json!({}), json!("token")).await;
        let answer = heard.last().expect("an answer");
        let names = answer["result"]["structuredContent"]["cancelled"].as_array().expect("a list");
        let mut names: Vec<String> =
            names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect();
        names.sort();
        names
    }
}

fn is_even(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn name(number: usize) -> String {
    format!("client {number}")
}

/// Who knows another client's session and where its stream stands has nothing of it without that client's token.
fn a_session_is_its_clients_alone(home: &Home) {
    fixture::install(home, "fixture", Over::Stdio, Era::Legacy);
    let (mine, theirs) = (Access::to(home, "fixture"), Access::to(home, "fixture"));
    block_on(async {
        let (owner, other) = (RawClient::open(&mine, false).await, RawClient::open(&theirs, false).await);
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
            "name": "report_progress", "arguments": {"steps": 4, "delay_ms": 500},
            "_meta": {"progressToken": "token"}}});
        let session = ("mcp-session-id", owner.session());
        let began = raw::send(&mine, Method::POST, &[session], &call.to_string()).await;
        let event = raw::first_event(began).await;
        let seen = ("last-event-id", &*event);
        let listens = ("accept", "text/event-stream");

        let list = json!({"jsonrpc": "2.0", "id": 8, "method": "tools/list"}).to_string();
        for (method, headers, body) in [
            (Method::POST, vec![session], &*list),
            (Method::GET, vec![session, listens], ""),
            (Method::GET, vec![session, listens, seen], ""),
            (Method::DELETE, vec![session], ""),
        ] {
            let refused = raw::send(&theirs, method.clone(), &headers, body).await.status();
            assert_eq!(refused, 404, "{method} {headers:?}");
        }
        let own = ("mcp-session-id", other.session());
        let refused = raw::send(&theirs, Method::GET, &[own, listens, seen], "").await.status();
        assert_eq!(refused, 400, "an event of another's session is none of one's own");
        let nobody = Access { token: String::new(), ..mine.clone() };
        assert_eq!(raw::send(&nobody, Method::GET, &[session, listens, seen], "").await.status(), 401);

        let resumed = Heard::on(raw::send(&mine, Method::GET, &[session, listens, seen], "").await);
        resumed.wait("notifications/progress", 4).await;
    });
}
