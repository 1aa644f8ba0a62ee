//! Values for tests, and an owner of the servers that tests lead by the hand.

use std::sync::{Arc, Mutex};

use caisson_core::{
    control::{
        Call, CallError, ControlClient, LineReader, Reply, Service, Session,
        api::{
            AllowCall, ApiError, ApprovalList, DaemonStatus, Done, ErrorCode, GetStatus, ListApprovals,
            ListServers, NoticeBody, OpenSession, Pause, PrepareInstall, Request, ServerList, ServerView,
            StartServer, SubscribeEvents,
        },
        serve_stream,
    },
    model::{By, Event, Marks, Offer, Outcome, PinKind, Preset, Progress, Question, QuestionId, ServerState},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::broadcast,
};
use tokio_util::sync::CancellationToken;

/// A server in a state.
pub(crate) fn server(name: &str, state: ServerState) -> ServerView {
    ServerView {
        name: name.parse().unwrap(),
        source: Some(format!("npm:{name}@1.0.0")),
        state,
        broken: None,
        url: format!("http://127.0.0.1:7332/s/{name}/mcp"),
        verified: None,
    }
}

/// A question about a tool of `files`.
pub(crate) fn question(id: u64, tool: &str) -> Question {
    let by = By::Preset { preset: Preset::AskForChanges, read_only: false };
    Question {
        id: QuestionId(id),
        asked_at: 1000,
        until: 1120,
        client: "cursor".into(),
        server: "files".parse().unwrap(),
        tool: tool.into(),
        marks: Marks::default(),
        arguments: "{}".into(),
        because: by.to_string(),
        by,
        calls: 1,
    }
}

/// A host that a server was kept from.
pub(crate) fn reach(server: &str, host: &str) -> Offer {
    let (server, rule) = (server.parse().unwrap(), host.parse().unwrap());
    Offer::Reach { server, rule, reason: "no rule allows it".into() }
}

/// A tool that a server has changed.
pub(crate) fn change(server: &str, tool: &str) -> Offer {
    Offer::Change { server: server.parse().unwrap(), kind: PinKind::Tool, name: tool.into(), is_new: false }
}

/// Owns servers of which nothing runs: it answers, remembers what it was asked, and tells events.
#[derive(Clone)]
pub(crate) struct Puppet {
    /// The servers it has.
    pub(crate) list: Arc<Mutex<ServerList>>,
    /// The questions that wait.
    pub(crate) approvals: Arc<Mutex<ApprovalList>>,
    /// The methods it was asked.
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    /// Its events.
    pub(crate) events: broadcast::Sender<Event>,
    /// Its end.
    pub(crate) end: CancellationToken,
}

impl Puppet {
    /// An owner of these servers.
    pub(crate) fn with(servers: Vec<ServerView>) -> Self {
        Self {
            list: Arc::new(Mutex::new(ServerList { servers, paused: false })),
            approvals: Arc::new(Mutex::new(ApprovalList {
                waiting: Vec::new(),
                settled: Vec::new(),
                grants: Vec::new(),
                offers: Vec::new(),
                locked: false,
            })),
            asked: Arc::default(),
            events: broadcast::channel(64).0,
            end: CancellationToken::new(),
        }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> ControlClient {
        let (here, there) = tokio::io::duplex(1 << 16);
        let (from, to) = tokio::io::split(there);
        tokio::spawn(serve_stream(self.clone(), from, to, self.end.clone()));
        let (from, to) = tokio::io::split(here);
        ControlClient::over(from, to)
    }
}

impl Service for Puppet {
    type Local = ();
    type Session = NoSession;

    async fn call(&self, call: Call, _: Arc<()>) -> Result<Reply, CallError> {
        self.asked.lock().unwrap().push(call.method.clone());
        match call.method.as_str() {
            ListServers::METHOD => Reply::of::<ListServers>(&self.list.lock().unwrap()),
            GetStatus::METHOD => Reply::of::<GetStatus>(&status()),
            ListApprovals::METHOD => Reply::of::<ListApprovals>(&self.approvals.lock().unwrap()),
            AllowCall::METHOD => {
                let AllowCall { id, lasting } = call.params::<AllowCall>()?;
                let asked = self.approvals.lock().unwrap().waiting.pop();
                drop(self.events.send(Event::Answered { id, outcome: Outcome::Allowed { lasting } }));
                Reply::of::<AllowCall>(&asked.unwrap())
            }
            StartServer::METHOD => {
                let error = ApiError::new(ErrorCode::Engine, "no container engine answers");
                Err(error.fix("start Podman or Docker").into())
            }
            Pause::METHOD => {
                let Pause { paused } = call.params::<Pause>()?;
                self.list.lock().unwrap().paused = paused;
                drop(self.events.send(Event::Paused { paused }));
                Reply::of::<Pause>(&Done {})
            }
            PrepareInstall::METHOD => {
                let progress = Progress { step: "Fetching".into(), detail: None, fraction: Some(0.5) };
                call.notices.send(NoticeBody::Progress(progress)).await;
                std::future::pending().await
            }
            SubscribeEvents::METHOD => {
                let (mut events, notices) = (self.events.subscribe(), call.notices.clone());
                Ok(Reply::of::<SubscribeEvents>(&Done {})?.then(async move {
                    while let Ok(event) = events.recv().await {
                        notices.send(NoticeBody::Event(event)).await;
                    }
                }))
            }
            _ => Err(CallError::UnknownMethod),
        }
    }

    async fn open_session(&self, _: OpenSession) -> Result<NoSession, ApiError> {
        Err(ApiError::new(ErrorCode::NotFound, "there are no sessions here"))
    }
}

/// No session.
pub(crate) struct NoSession;

impl Session for NoSession {
    async fn run<R, W>(self, _: LineReader<R>, _: W, _: CancellationToken)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
    }
}

fn status() -> DaemonStatus {
    serde_json::from_value(serde_json::json!({
        "version": "0.1.0", "pid": 1, "role": "daemon", "started_at": 0, "home_id": "0",
        "bridge": null, "bridge_problem": null, "paused": false,
        "servers": 0, "running": 0, "sessions": 0,
        "engine": { "kind": "Podman", "version": "5.0", "rootless": true },
        "config": "/config", "data": "/data",
    }))
    .unwrap()
}
