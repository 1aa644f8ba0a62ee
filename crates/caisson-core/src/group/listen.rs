//! `subscriptions/listen` on a group: what changes at any of its servers, and when it has other servers. A server that
//! does not run has nothing to tell and is not started for it; it is listened to as soon as it runs.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    front::{Asked, Front, INVALID_PARAMS, Params},
    owner::Shelves,
};
use crate::{
    model::{Envelope, EnvelopeKind, RequestId, ServerName, ServerState},
    sandbox::{Exchange, SessionError},
};

/// Notifications that wait for the client.
const WAITING: usize = 16;
/// Resources one client may listen to at a time.
const MOST_URIS: usize = 1024;
/// So long a server may take to say what of a subscription it honours.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a subscription calls the lists, and the notifications that tell of them.
const LISTS: [(&str, &str); 3] = [
    ("toolsListChanged", "notifications/tools/list_changed"),
    ("promptsListChanged", "notifications/prompts/list_changed"),
    ("resourcesListChanged", "notifications/resources/list_changed"),
];

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

type Sink = mpsc::Sender<Result<Bytes, SessionError>>;

/// What a client wants to be told.
#[derive(Clone, Default)]
struct Wanted {
    lists: Vec<&'static str>,
    uris: Vec<String>,
}

/// One client's subscription.
#[derive(Clone)]
struct Subscription {
    front: Front,
    id: RequestId,
    /// The request's `_meta`, as JSON.
    meta: String,
    lists: Vec<&'static str>,
    sink: Sink,
}

/// Listens for a client until it goes away, or the group is gone.
pub(super) fn listen(front: Front, asked: Asked, params: &Params<'_>) -> Exchange {
    let wanted = match Wanted::read(params.notifications) {
        Ok(wanted) => wanted,
        Err(why) => return asked.refuse(INVALID_PARAMS, why),
    };
    let (sink, messages) = mpsc::channel(WAITING);
    let given_up = CancellationToken::new();
    let exchange = Exchange::new(messages, given_up.clone().drop_guard());
    let meta = params.meta.map_or("{}", RawValue::get).to_owned();
    let subscription = Subscription { front, id: asked.id, meta, lists: wanted.lists, sink };
    tokio::spawn(given_up.run_until_cancelled_owned(subscription.run(wanted.uris)));
    exchange
}

impl Wanted {
    fn read(notifications: Option<&RawValue>) -> Result<Self, &'static str> {
        let wanted = notifications.and_then(|wanted| serde_json::from_str(wanted.get()).ok());
        let Some(Value::Object(wanted)) = wanted else {
            return Err("notifications must say what to listen to");
        };
        let lists = LISTS.iter().map(|(list, _)| *list);
        let lists = lists.filter(|list| wanted.get(*list) == Some(&Value::Bool(true))).collect();
        let uris = match wanted.get("resourceSubscriptions") {
            None | Some(Value::Null) => Vec::new(),
            Some(uris) => serde_json::from_value(uris.clone())
                .map_err(|_| "resourceSubscriptions must be a list of URIs")?,
        };
        if uris.len() > MOST_URIS {
            return Err("that is more resources than can be subscribed to at a time");
        }
        Ok(Self { lists, uris })
    }

    /// As the protocol writes it.
    fn json(&self) -> Value {
        let mut json: Map<String, Value> =
            self.lists.iter().map(|list| ((*list).to_owned(), true.into())).collect();
        if !self.uris.is_empty() {
            json.insert("resourceSubscriptions".to_owned(), json!(self.uris));
        }
        json.into()
    }
}

impl Subscription {
    async fn run(self, uris: Vec<String>) {
        let mut opened = self.subscribe(uris).await;
        let honoured = opened.values().flat_map(|(wanted, _)| wanted.uris.clone()).collect();
        let honoured = Wanted { lists: self.lists.clone(), uris: honoured };
        let acknowledged = self.notification(ACKNOWLEDGED, Some(&honoured.json()));
        if !self.say(acknowledged).await {
            return;
        }
        let mut known = self.front.known.clone();
        loop {
            let group = self.front.group();
            let mut listeners = JoinSet::new();
            for server in self.front.servers() {
                let (wanted, exchange) = opened.remove(&server).unzip();
                let wanted = wanted.unwrap_or(Wanted { lists: self.lists.clone(), uris: Vec::new() });
                listeners.spawn(self.clone().attend(server, wanted, exchange));
            }
            // When the group changes, its servers are listened to anew; what a client wants of a resource ends.
            loop {
                if known.changed().await.is_err() {
                    return;
                }
                let now = self.front.group();
                if now.is_none() {
                    return self.end().await;
                }
                if now != group {
                    break;
                }
            }
            for (list, method) in LISTS {
                if self.lists.contains(&list) && !self.say(self.notification(method, None)).await {
                    return;
                }
            }
        }
    }

    /// Opens subscriptions at the servers whose resources the client wants to be told of. Gives what each honours.
    async fn subscribe(&self, uris: Vec<String>) -> BTreeMap<ServerName, (Wanted, Exchange)> {
        let mut wanted: BTreeMap<ServerName, Vec<String>> = BTreeMap::new();
        if !uris.is_empty() {
            let meta = RawValue::from_string(self.meta.clone()).ok();
            let shelves = Shelves::of(&self.front, meta.as_deref()).await;
            for uri in uris {
                if let Ok(server) = shelves.owner(&uri) {
                    wanted.entry(server).or_default().push(uri);
                }
            }
        }
        let mut opened = BTreeMap::new();
        for (server, uris) in wanted {
            let wanted = Wanted { lists: self.lists.clone(), uris };
            let Some(mut exchange) = self.open(&server, &wanted).await else { continue };
            if let Ok(Some(uris)) = timeout(PATIENCE, acknowledged(&mut exchange)).await {
                opened.insert(server, (Wanted { uris, ..wanted }, exchange));
            }
        }
        opened
    }

    /// Passes on what a server tells, whenever it runs.
    async fn attend(self, server: ServerName, wanted: Wanted, mut exchange: Option<Exchange>) {
        let Some(mut state) = self.front.members.state(&server) else { return };
        loop {
            if state.wait_for(runs).await.is_err() {
                return;
            }
            if exchange.is_none() {
                exchange = self.open(&server, &wanted).await;
            }
            if let Some(exchange) = &mut exchange
                && !self.relay(exchange).await
            {
                return;
            }
            exchange = None;
            // One that takes no subscription is asked again when it was started again.
            if state.wait_for(|state| !runs(state)).await.is_err() {
                return;
            }
        }
    }

    async fn open(&self, server: &ServerName, wanted: &Wanted) -> Option<Exchange> {
        // With the client's own id, which its server's notifications then name.
        let id = serde_json::to_string(&self.id).ok()?;
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"subscriptions/listen","params":{{"_meta":{},"notifications":{}}}}}"#,
            self.meta,
            wanted.json(),
        );
        self.front.ask_member(server, request.into()).await.ok()?.ok()
    }

    /// Passes on what comes on one subscription until it ends. False when the client is gone.
    async fn relay(&self, exchange: &mut Exchange) -> bool {
        while let Some(Ok(message)) = exchange.next().await {
            let is_news = matches!(
                Envelope::read(&message),
                Ok((Envelope { method: Some(method), .. }, EnvelopeKind::Notification))
                    if method != ACKNOWLEDGED && method != "notifications/cancelled"
            );
            if is_news && !self.say(message).await {
                return false;
            }
        }
        true
    }

    /// Tells the client that nothing more comes.
    async fn end(&self) {
        let result = json!({"jsonrpc": "2.0", "id": self.id, "result": {"resultType": "complete"}});
        self.say(result.to_string().into()).await;
    }

    fn notification(&self, method: &str, notifications: Option<&Value>) -> Bytes {
        let mut params = json!({"_meta": {"io.modelcontextprotocol/subscriptionId": self.id}});
        if let Some(notifications) = notifications {
            params["notifications"] = notifications.clone();
        }
        json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string().into()
    }

    async fn say(&self, message: Bytes) -> bool {
        self.sink.send(Ok(message)).await.is_ok()
    }
}

fn runs(state: &ServerState) -> bool {
    matches!(state, ServerState::Running { .. })
}

/// The resources that a subscription's acknowledgement says are honoured. None when it was refused.
async fn acknowledged(exchange: &mut Exchange) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Acknowledged {
        notifications: Honoured,
    }
    #[derive(Deserialize)]
    struct Honoured {
        #[serde(rename = "resourceSubscriptions", default)]
        uris: Vec<String>,
    }
    let message = exchange.next().await?.ok()?;
    let (envelope, _) = Envelope::read(&message).ok()?;
    if envelope.method.as_deref() != Some(ACKNOWLEDGED) {
        return None;
    }
    let acknowledged: Acknowledged = serde_json::from_str(envelope.params?.get()).ok()?;
    Some(acknowledged.notifications.uris)
}
