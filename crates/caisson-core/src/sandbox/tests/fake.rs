//! An engine and an airlock that are played by a script.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, UNIX_EPOCH},
};

use caisson_wire::{
    AirlockEvent, Connection, Egress as Reachable, Exit, Header, Launch, Mux, Opener, Order, ProcessId,
    Refusal, SecretBytes, Stream, frame,
};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream},
    sync::{broadcast, mpsc, watch},
};

use crate::{
    egress::{Egress, Resolver},
    engine::{ContainerUse, EngineFacts, EngineKind, IdMapping, LimitsEnforced},
    model::{Digest, Event, SecretName, Server, ServerName},
    sandbox::{
        Places, Plan, Sandbox, StartError, UserIds,
        start::{Common, SecretSource},
        vessel::{Dock, Hull, ImageSettings, Vessel},
    },
    secrets::SecretError,
};

/// What the airlock and the server inside do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Script {
    /// Says back each line.
    Echo,
    /// Answers requests of the protocol with sessions, `initialize` as such, all others with nothing.
    Mcp,
    /// Writes to standard error and exits with code 3.
    ExitAtOnce,
    /// The airlock has no room for a session's process.
    NoRoom,
    /// The airlock cannot launch it.
    LaunchFails,
    /// The airlock never answers.
    Silent,
    /// Prints much that is no message, then says back each line.
    Garbage,
    /// Prints a line that never ends.
    EndlessLine,
    /// Prints messages without end.
    Flood,
    /// Prints messages in small pieces.
    Drip,
    /// Does not end when asked to.
    Stubborn,
    /// Connects to what each message names.
    Egress,
}

pub(super) fn facts() -> EngineFacts {
    EngineFacts {
        kind: EngineKind::Docker,
        version: "1".into(),
        api_version: "1.41".into(),
        rootless: false,
        cgroup_version: 2,
        cgroup_driver: "systemd".into(),
        ids: IdMapping::Shared,
        runtimes: vec!["runc".into(), "runsc".into()],
        default_runtime: "runc".into(),
        arch: "amd64".into(),
        os: "linux".into(),
        cpus: 4,
        memory: 8 << 30,
        max_files: 20_000,
        max_processes: 32_768,
        limits: LimitsEnforced { memory: true, pids: true, cpu: true },
        remote: false,
    }
}

/// A test's world.
#[derive(Clone)]
pub(super) struct Fake(Arc<World>);

struct World {
    script: Mutex<Script>,
    secrets: Mutex<HashMap<String, String>>,
    events: broadcast::Sender<Event>,
    started: AtomicUsize,
    running: AtomicUsize,
    removed: AtomicUsize,
    /// The containers that are there.
    names: Mutex<Vec<String>>,
    flooded: AtomicUsize,
    launch: Mutex<Option<Launch>>,
    told: watch::Sender<Vec<Reachable>>,
    /// Ends the container that runs, for this reason.
    end: Mutex<Option<watch::Sender<Option<String>>>>,
}

impl Fake {
    pub(super) fn new(script: Script) -> Self {
        Self(Arc::new(World {
            script: Mutex::new(script),
            secrets: Mutex::default(),
            events: broadcast::Sender::new(256),
            started: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            removed: AtomicUsize::new(0),
            names: Mutex::default(),
            flooded: AtomicUsize::new(0),
            launch: Mutex::default(),
            told: watch::Sender::new(Vec::new()),
            end: Mutex::default(),
        }))
    }

    /// A sandbox in this world, with one server.
    pub(super) fn sandbox(&self, server: Server) -> Sandbox {
        let local = vec![IpAddr::from([127, 0, 0, 1])];
        let table =
            BTreeMap::from([("a.example".to_owned(), local.clone()), ("b.example".to_owned(), local)]);
        let common = Common {
            dock: Arc::new(self.clone()),
            secrets: Arc::new(self.clone()),
            pins: crate::pins::Pins::new(crate::registry::State::in_memory().unwrap()),
            paused: std::sync::atomic::AtomicBool::new(false),
            swept: tokio::sync::OnceCell::new(),
            mine: std::sync::Mutex::default(),
            audit: crate::audit::Audit::in_memory(|| UNIX_EPOCH).unwrap(),
            egress: Egress::new(Resolver::Fixed(Arc::new(table))),
            events: self.0.events.clone(),
            home_id: "home1234".into(),
            user: UserIds { uid: 1000, gid: 1000 },
            places: Places::default(),
            authorities: crate::sandbox::Authorities::default(),
            clock: || UNIX_EPOCH,
        };
        let sandbox = Sandbox::with(common);
        sandbox.define(&super::name(), server);
        sandbox
    }

    pub(super) fn play(&self, script: Script) {
        *self.0.script.lock().unwrap() = script;
    }

    pub(super) fn set_secret(&self, name: &str, value: &str) {
        self.0.secrets.lock().unwrap().insert(name.into(), value.into());
    }

    pub(super) fn started(&self) -> usize {
        self.0.started.load(SeqCst)
    }

    pub(super) fn running(&self) -> usize {
        self.0.running.load(SeqCst)
    }

    pub(super) fn removed(&self) -> usize {
        self.0.removed.load(SeqCst)
    }

    /// Lets containers be there, or no longer. One called `stuck` cannot be removed.
    pub(super) fn set_names(&self, names: &[&str]) {
        *self.0.names.lock().unwrap() = names.iter().map(|name| (*name).to_owned()).collect();
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.names.lock().unwrap().clone()
    }

    pub(super) fn flooded(&self) -> usize {
        self.0.flooded.load(SeqCst)
    }

    pub(super) fn launch(&self) -> Launch {
        self.0.launch.lock().unwrap().clone().unwrap()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.0.events.subscribe()
    }

    pub(super) fn end_container(&self, reason: &str) {
        self.0.end.lock().unwrap().as_ref().unwrap().send_replace(Some(reason.into()));
    }

    /// The names the airlock was told of the so-manieth time after its launch.
    pub(super) async fn told(&self, times: usize) -> Reachable {
        let mut told = self.0.told.subscribe();
        told.wait_for(|told| told.len() >= times).await.unwrap()[times - 1].clone()
    }

    /// A port on which somebody says hello.
    pub(super) async fn target(&self) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"hello").await.unwrap();
            }
        });
        port
    }
}

impl SecretSource for Fake {
    fn get<'a>(
        &'a self,
        server: &'a ServerName,
        secret: &'a SecretName,
    ) -> BoxFuture<'a, Result<SecretBytes, SecretError>> {
        let value = self.0.secrets.lock().unwrap().get(secret.as_str()).cloned();
        let missing = || SecretError::Missing { server: server.clone(), name: secret.clone() };
        Box::pin(async move { value.map(SecretBytes::from).ok_or_else(missing) })
    }
}

struct FakeHull(watch::Sender<Option<String>>);

impl Hull for FakeHull {
    fn id(&self) -> String {
        "c0ffee".into()
    }

    fn wait(&self) -> BoxFuture<'_, String> {
        Box::pin(async { self.0.subscribe().wait_for(Option::is_some).await.unwrap().clone().unwrap() })
    }

    fn kill(&self) -> BoxFuture<'_, ()> {
        self.0.send_if_modified(|end| end.is_none() && end.replace("it was killed".into()).is_none());
        Box::pin(async {})
    }
}

impl Dock for Fake {
    fn facts(&self) -> BoxFuture<'_, Result<EngineFacts, StartError>> {
        Box::pin(async { Ok(facts()) })
    }

    fn image<'a>(&'a self, _: &'a Digest) -> BoxFuture<'a, Result<Option<ImageSettings>, StartError>> {
        Box::pin(async { Ok(Some(ImageSettings::default())) })
    }

    fn run<'a>(&'a self, plan: &'a Plan) -> BoxFuture<'a, Result<Vessel, StartError>> {
        Box::pin(async {
            self.0.names.lock().unwrap().push(plan.container_name());
            // As slow as Podman.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let world = self.0.clone();
            assert_eq!(world.running.fetch_add(1, SeqCst), 0, "a second container");
            world.started.fetch_add(1, SeqCst);
            let (pipe, inside) = tokio::io::duplex(64 << 10);
            let end = watch::Sender::new(None);
            *world.end.lock().unwrap() = Some(end.clone());
            let script = *world.script.lock().unwrap();
            let (container, ended) = (world.clone(), end.clone());
            tokio::spawn(async move {
                let mut killed = ended.subscribe();
                tokio::select! {
                    () = airlock(inside, script, container.clone()) => {}
                    _ = killed.wait_for(Option::is_some) => {}
                }
                container.running.fetch_sub(1, SeqCst);
                ended.send_if_modified(|end| {
                    end.is_none() && end.replace("its container ended".into()).is_none()
                });
            });
            let (_, diagnostics) = mpsc::channel(1);
            Ok(Vessel { pipe: Box::new(pipe), hatch: None, diagnostics, hull: Box::new(FakeHull(end)) })
        })
    }

    fn commit<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: BTreeMap<String, String>,
    ) -> BoxFuture<'a, Result<Digest, StartError>> {
        Box::pin(async { Ok(Digest::of(b"committed")) })
    }

    fn probe(&self) -> BoxFuture<'_, Result<String, StartError>> {
        Box::pin(async { Ok("/caisson/probe".to_owned()) })
    }

    fn inspect<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<serde_json::Value, StartError>> {
        Box::pin(async { Ok(serde_json::Value::Null) })
    }

    fn uses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, ContainerUse> {
        Box::pin(async { ContainerUse { memory: Some(1 << 20), ..ContainerUse::default() } })
    }

    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, ()> {
        self.0.removed.fetch_add(1, SeqCst);
        Box::pin(async {})
    }

    fn remove_volume<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, StartError>> {
        Box::pin(async { Ok(false) })
    }

    fn volumes(&self) -> BoxFuture<'_, Result<Vec<crate::engine::OurVolume>, StartError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn sweep<'a>(
        &'a self,
        is_mine: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<(), StartError>> {
        let mut names = self.0.names.lock().unwrap();
        names.retain(|name| is_mine(name) || name == "stuck");
        let stuck = || StartError::Airlock("a container cannot be removed".into());
        let swept = if names.iter().any(|name| name == "stuck") { Err(stuck()) } else { Ok(()) };
        Box::pin(async { swept })
    }
}

/// Plays the airlock until its control stream ends.
async fn airlock(pipe: DuplexStream, script: Script, world: Arc<World>) {
    let Mux { opener, mut incoming, driver } = Mux::airlock(pipe);
    let mut control = incoming.next().await.unwrap();
    assert_eq!(frame::read(&mut control).await.unwrap(), Some(Header::Control));
    let Some(Order::Launch(launch)) = frame::read(&mut control).await.unwrap() else { panic!("no launch") };
    *world.launch.lock().unwrap() = Some(launch);
    if script == Script::Silent {
        return std::future::pending().await;
    }
    let answer = if script == Script::LaunchFails {
        AirlockEvent::LaunchFailed { reason: "no such folder".into() }
    } else {
        AirlockEvent::Ready
    };
    frame::write(&mut control, &answer).await.unwrap();
    if script == Script::LaunchFails {
        return;
    }
    let (from, mut to) = tokio::io::split(control);
    let (events, mut told) = mpsc::unbounded_channel();
    let mut from = BufReader::new(from);
    let orders = async {
        while let Ok(Some(order)) = frame::read::<Order, _>(&mut from).await {
            if let Order::Egress(reachable) = order {
                world.told.send_modify(|told| told.push(reachable));
            }
        }
        if script == Script::Stubborn {
            std::future::pending::<()>().await;
        }
    };
    let streams = async {
        while let Some(mut stream) = incoming.next().await {
            let (opener, events, world) = (opener.clone(), events.clone(), world.clone());
            tokio::spawn(async move {
                let (process, exec) = match frame::read(&mut stream).await.unwrap() {
                    Some(Header::Session { process }) => (process, false),
                    Some(Header::Exec { process, .. }) => (process, true),
                    other => panic!("{other:?}"),
                };
                if script == Script::NoRoom {
                    let reason = "64 processes run already".into();
                    drop(stream.shutdown().await);
                    return drop(events.send(AirlockEvent::StartFailed { process, reason }));
                }
                let code = if exec {
                    stderr(&opener, process, b"err\n").await;
                    stream.write_all(b"out\n").await.unwrap();
                    0
                } else {
                    serve(&mut stream, process, script, &opener, &world).await
                };
                // A host that is gone needs neither.
                drop(stream.shutdown().await);
                drop(events.send(AirlockEvent::Exited { process, exit: Exit::Code(code) }));
            });
        }
    };
    let report = async {
        while let Some(event) = told.recv().await {
            drop(frame::write(&mut to, &event).await);
        }
    };
    tokio::select! { () = orders => {}, () = streams => {}, () = report => {} }
    drop(driver);
}

async fn stderr(opener: &Opener, process: ProcessId, text: &[u8]) {
    let mut stream = opener.open().await.unwrap();
    frame::write(&mut stream, &Header::Stderr { process }).await.unwrap();
    stream.write_all(text).await.unwrap();
    stream.shutdown().await.unwrap();
}

/// Plays the server. Errors mean that the host has gone; then it ends.
async fn serve(
    stream: &mut Stream,
    process: ProcessId,
    script: Script,
    opener: &Opener,
    world: &World,
) -> i32 {
    match script {
        Script::ExitAtOnce => {
            stderr(opener, process, b"no API key\n").await;
            return 3;
        }
        Script::Garbage => {
            stream.write_all(b"Server ready \x1b[2J\n\n  \n").await.unwrap();
            for _ in 0..1100 {
                stream.write_all(b"{\"half\": \n").await.unwrap();
            }
        }
        Script::EndlessLine => while stream.write_all(&[b'x'; 1 << 16]).await.is_ok() {},
        Script::Flood => {
            let line = format!("{{\"flood\":\"{}\"}}\n", "x".repeat(4000));
            while stream.write_all(line.as_bytes()).await.is_ok() {
                world.flooded.fetch_add(line.len(), SeqCst);
            }
        }
        Script::Drip => {
            for number in 0..20 {
                for byte in format!("{{\"drip\":{number}}}\r\n").bytes() {
                    stream.write_all(&[byte]).await.unwrap();
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
            }
        }
        Script::Echo
        | Script::Mcp
        | Script::Stubborn
        | Script::Egress
        | Script::NoRoom
        | Script::LaunchFails
        | Script::Silent => {}
    }
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while lines.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let answer = if script == Script::Egress {
            egress(opener, &line).await
        } else if script == Script::Mcp {
            mcp(&line)
        } else {
            line.clone()
        };
        if lines.get_mut().write_all(answer.as_bytes()).await.is_err() {
            break;
        }
        line.clear();
    }
    0
}

fn mcp(message: &str) -> String {
    let message: serde_json::Value = serde_json::from_str(message).unwrap();
    let answer = match (message["method"].as_str(), &message["id"]) {
        (_, serde_json::Value::Null) => return String::new(),
        (Some("initialize"), id) => serde_json::json!({"jsonrpc": "2.0", "id": id, "result": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"},
        }}),
        (Some("tools/call"), id) => serde_json::json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        (_, id) => {
            serde_json::json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no"}})
        }
    };
    format!("{answer}\n")
}

/// Connects to what a message names, as the airlock would.
async fn egress(opener: &Opener, message: &str) -> String {
    let message: serde_json::Value = serde_json::from_str(message).unwrap();
    let host = message["host"].as_str().unwrap().to_owned();
    let port = u16::try_from(message["port"].as_u64().unwrap()).unwrap();
    let mut stream = opener.open().await.unwrap();
    frame::write(&mut stream, &Header::Egress { host, port }).await.unwrap();
    let answer = match frame::read(&mut stream).await.unwrap() {
        Some(Connection::Open) => {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        }
        Some(Connection::Refused { why: Refusal::Forbidden, .. }) => "forbidden".to_owned(),
        other => panic!("{other:?}"),
    };
    format!("{{\"egress\":\"{answer}\"}}\n")
}
