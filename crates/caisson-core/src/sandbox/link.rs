//! The host's end of one container's pipe: tells the airlock what to run, hears how it goes, and hands each
//! stream to the one it is for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use caisson_wire::{
    AirlockEvent, Command, Connection, Egress, Header, Incoming, Launch, Mode, Mux, MuxError, Opener, Order,
    ProcessId, Stream,
    frame::{self, FrameError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    SessionError, StartError,
    http::Room,
    lines::LineBuffer,
    logs::Logs,
    outbound::{Breach, Outbound},
    process::{Fate, Introducing, Process, Processes, Reading},
    stdio,
    vessel::{Hull, Vessel},
};
use crate::egress::Hatch;

/// How long a stream may take to say what it is.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// The largest header an airlock has a use for, in bytes: a name and a port.
const LARGEST_HEADER: usize = 4 << 10;
/// The largest of anything else it tells, in bytes: a reason, for people.
const LARGEST_EVENT: usize = 64 << 10;
/// How long a container may take to be gone after its pipe has closed.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long what the airlock told before its end may take to be acted upon.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Sessions with a server at a time. Where they have processes of their own, the airlock starts twelve more, so that
/// those that are ending are in nobody's way.
pub(super) const MOST_SESSIONS: usize = 100;
/// Bytes of a line of standard error that are waited for; a longer one is cut.
const LONGEST_LINE: usize = 8 << 10;

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// For people.
    pub(super) reason: String,
}

/// What every container's link needs.
pub(super) struct LinkParts {
    pub(super) logs: Logs,
    pub(super) outbound: Outbound,
}

/// A container that runs, with its airlock launched. When dropped, the pipe closes and the container ends.
pub(super) struct Link {
    opener: Opener,
    orders: mpsc::Sender<Order>,
    processes: Arc<Processes>,
    ended: watch::Receiver<Option<Ended>>,
    hull: Arc<dyn Hull>,
    stop: CancellationToken,
    room: Room,
    _gone: DropGuard,
}

/// What the tasks of one link share.
struct Shared {
    logs: Logs,
    outbound: Outbound,
    hatch: Option<Hatch>,
    /// What the airlock did that no airlock does.
    breaches: mpsc::Sender<Breach>,
    processes: Arc<Processes>,
}

impl Link {
    /// Takes over a container that was just started, and launches what it is for. When this fails, or is
    /// cancelled, the container ends.
    pub(super) async fn launch(
        vessel: Vessel,
        launch: Launch,
        parts: LinkParts,
    ) -> Result<Arc<Self>, StartError> {
        let Vessel { pipe, hatch, diagnostics, hull } = vessel;
        let hull: Arc<dyn Hull> = Arc::from(hull);
        let mut unwatched = Unwatched(Some(hull.clone()));
        let mode = launch.mode;
        let Mux { opener, incoming, mut driver } = Mux::host(pipe);
        // One is enough to end the container.
        let (breaches, breach) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            logs: parts.logs,
            outbound: parts.outbound,
            hatch,
            breaches,
            processes: Arc::new(Processes::default()),
        });
        let gone = CancellationToken::new();
        let over = gone.child_token();
        let stop = CancellationToken::new();
        let guard = gone.drop_guard();

        let control = introduced(&opener, &Header::Control)
            .await
            .map_err(|error| StartError::Airlock(error.to_string()));
        let (from, mut to) = match control {
            Ok(control) => tokio::io::split(control),
            Err(error) => match timeout(LAST_WORDS, &mut driver).await {
                Ok(Ok(Err(breach))) if breach.is_breach() => {
                    return Err(StartError::Airlock(breach.to_string()));
                }
                Ok(_) | Err(_) => return Err(with_end(error, &*hull).await),
            },
        };
        if let Err(error) = frame::write(&mut to, &Order::Launch(launch)).await {
            return Err(with_end(
                StartError::Airlock(format!("the launch could not be sent: {error}")),
                &*hull,
            )
            .await);
        }
        let (orders, pending) = mpsc::channel(16);
        let (ready_sender, ready) = oneshot::channel();
        let first = matches!(mode, Mode::Http).then(|| shared.processes.first());
        within(&over, write_orders(to, pending, stop.clone()));
        let (events, heard) = mpsc::channel(64);
        let taking = within(&over, take(incoming, heard, shared.clone(), ready_sender, over.clone()));
        within(&over, read_diagnostics(diagnostics, shared.logs.clone()));
        let hearing = tokio::spawn(hear(from, events));
        let (end_sender, ended) = watch::channel(None);
        let end = End {
            driver,
            hearing,
            breach,
            taking,
            first,
            hull: hull.clone(),
            logs: shared.logs.clone(),
            stop: stop.clone(),
            over,
        };
        tokio::spawn(async move { drop(end_sender.send(Some(end.wait().await))) });
        // From here on the end is seen to.
        unwatched.0 = None;
        let processes = shared.processes.clone();
        let link = Arc::new(Self {
            opener,
            orders,
            processes,
            ended,
            hull,
            stop,
            room: Room::default(),
            _gone: guard,
        });
        match ready.await {
            Ok(Ok(())) => Ok(link),
            Ok(Err(reason)) => Err(StartError::Launch(reason)),
            Err(_) => Err(StartError::Airlock(link.ended().await.reason)),
        }
    }

    /// How the container ended, once it has.
    pub(super) fn end(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.clone()
    }

    /// Waits until the container has ended.
    pub(super) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let unknown = || Ended { reason: "its pipe closed".to_owned() };
        ended.wait_for(Option::is_some).await.ok().and_then(|end| end.clone()).unwrap_or_else(unknown)
    }

    /// The container's id on the engine.
    pub(super) fn container(&self) -> String {
        self.hull.id()
    }

    /// Ends the container: its processes are asked first, and killed after `patience`.
    pub(super) async fn stop(&self, patience: Duration) {
        self.stop.cancel();
        if timeout(patience, self.ended()).await.is_err() {
            self.hull.kill().await;
            drop(timeout(FAREWELL, self.ended()).await);
        }
    }

    /// Replaces what the server may reach.
    pub(super) async fn allow(&self, reachable: Egress) {
        // A link that is over allows nothing anyway.
        drop(self.orders.send(Order::Egress(reachable)).await);
    }

    /// The room for sessions over connections.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Opens a process of its own for a session.
    pub(super) async fn session(&self) -> Result<(Stream, Process), SessionError> {
        let process = self.processes.add_within(MOST_SESSIONS).ok_or(SessionError::Full(MOST_SESSIONS))?;
        let stream = self.open(&Header::Session { process: process.id() }).await?;
        Ok((stream, process))
    }

    /// Runs another command. `tap` gets its standard error besides the log.
    pub(super) async fn exec(
        &self,
        command: Command,
        tap: mpsc::Sender<Bytes>,
    ) -> Result<(Stream, Process), SessionError> {
        let process = self.processes.add(Some(tap));
        let stream = self.open(&Header::Exec { process: process.id(), command }).await?;
        Ok((stream, process))
    }

    /// Ends a process and all it started, at once.
    pub(super) async fn kill(&self, process: ProcessId) {
        const SIGKILL: i32 = 9;
        drop(self.orders.send(Order::Signal { process, signal: SIGKILL }).await);
    }

    /// Connects to a port of the container's loopback: the connection, or why there is none.
    pub(super) async fn connect(&self, port: u16) -> Result<Result<Stream, String>, SessionError> {
        let mut stream = self.open(&Header::Connect { port }).await?;
        match frame::read_within::<Connection, _>(&mut stream, LARGEST_EVENT).await {
            Ok(Some(Connection::Open)) => Ok(Ok(stream)),
            Ok(Some(Connection::Refused { detail, .. })) => Ok(Err(detail)),
            Ok(Some(Connection::Beside { .. }) | None) | Err(_) => Err(self.broken()),
        }
    }

    async fn open(&self, header: &Header) -> Result<Stream, SessionError> {
        introduced(&self.opener, header).await.map_err(|error| match error {
            Introduction::Mux(MuxError::Full) => SessionError::Crowded,
            Introduction::Mux(_) | Introduction::Frame(_) => self.broken(),
        })
    }

    fn broken(&self) -> SessionError {
        let reason = self.ended.borrow().as_ref().map(|end| end.reason.clone());
        SessionError::Ended(reason.unwrap_or_else(|| "its pipe closed".to_owned()))
    }
}

/// A container whose end nobody sees to yet: when its launch is given up, it is killed.
struct Unwatched(Option<Arc<dyn Hull>>);

impl Drop for Unwatched {
    fn drop(&mut self) {
        if let (Some(hull), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { hull.kill().await });
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Introduction {
    #[error(transparent)]
    Mux(#[from] MuxError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

async fn introduced(opener: &Opener, header: &Header) -> Result<Stream, Introduction> {
    let mut stream = opener.open().await?;
    frame::write(&mut stream, header).await?;
    Ok(stream)
}

/// What went wrong, and how the container ended, where it did by itself: `exec format error` stands there.
async fn with_end(error: StartError, hull: &dyn Hull) -> StartError {
    match timeout(FAREWELL, hull.wait()).await {
        Ok(end) => StartError::Airlock(end),
        Err(_) => error,
    }
}

/// Runs a task until the token is cancelled.
fn within(token: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let token = token.clone();
    tokio::spawn(async move { token.run_until_cancelled(task).await.unwrap_or_default() })
}

async fn write_orders(mut to: WriteHalf<Stream>, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
    let write = async {
        while let Some(order) = orders.recv().await {
            if frame::write(&mut to, &order).await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(write).await;
    // The control stream's end ends the airlock, in good order.
    drop(to.shutdown().await);
    // The write half stays until the pipe is gone: dropped, it could reset what still comes.
    std::future::pending::<()>().await;
}

/// Hears the airlock's events until the control stream ends. Fails when what it says is not what an airlock says.
async fn hear(mut from: ReadHalf<Stream>, events: mpsc::Sender<AirlockEvent>) -> Result<(), String> {
    loop {
        match frame::read_within(&mut from, LARGEST_EVENT).await {
            Ok(Some(event)) => {
                if events.send(event).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) | Err(FrameError::Io(_)) => return Ok(()),
            Err(error @ (FrameError::TooLarge(_) | FrameError::Json(_))) => {
                return Err(format!("its airlock cannot be understood: {error}"));
            }
        }
    }
}

/// Takes the streams the airlock opens, and acts on what it tells. Streams first: what a process wrote before its
/// end was told is then known to be there.
async fn take(
    mut incoming: Incoming,
    mut events: mpsc::Receiver<AirlockEvent>,
    shared: Arc<Shared>,
    ready: oneshot::Sender<Result<(), String>>,
    over: CancellationToken,
) {
    let mut ready = Some(ready);
    loop {
        tokio::select! {
            biased;
            Some(stream) = incoming.next() => {
                let introducing = shared.processes.introducing();
                within(&over, introduce(stream, introducing, shared.clone()));
            }
            Some(event) = events.recv() => told(event, &shared, &mut ready),
            else => return,
        }
    }
}

/// Acts on one thing the airlock tells.
fn told(event: AirlockEvent, shared: &Shared, ready: &mut Option<oneshot::Sender<Result<(), String>>>) {
    let launched = match event {
        AirlockEvent::Ready => Ok(()),
        AirlockEvent::LaunchFailed { reason } => Err(reason),
        AirlockEvent::Exited { process, exit } => return shared.processes.ended(process, Fate::Exited(exit)),
        AirlockEvent::StartFailed { process, reason } => {
            return shared.processes.ended(process, Fate::NotStarted(reason));
        }
        AirlockEvent::Refused { host, port } => {
            return shared.outbound.refused_inside(&host, port);
        }
        AirlockEvent::Warning { text } => return shared.logs.note(&text),
        AirlockEvent::Started { .. } | AirlockEvent::Pong => return,
    };
    if let Some(ready) = ready.take() {
        // Nobody waits any more when the start was cancelled.
        drop(ready.send(launched));
    }
}

/// Hands one stream to the one it is for.
async fn introduce(mut stream: Stream, introducing: Introducing, shared: Arc<Shared>) {
    match timeout(INTRODUCTION, frame::read_within::<Header, _>(&mut stream, LARGEST_HEADER)).await {
        Ok(Ok(Some(Header::Stderr { process }))) => {
            let reading = shared.processes.reading(process);
            drop(introducing);
            read_stderr(stream, process, reading, &shared.logs).await;
        }
        Ok(Ok(Some(Header::Egress { host, port }))) => {
            drop(introducing);
            if let Err(breach) = shared.outbound.serve(stream, &host, port, shared.hatch.as_ref()).await {
                // Where there is no room, another has ended the container.
                drop(shared.breaches.try_send(breach));
            }
        }
        // Nothing else is the airlock's to open; dropping the stream resets it.
        Ok(_) | Err(_) => shared.logs.note("the airlock opened a stream of no known kind"),
    }
}

async fn read_stderr(mut stream: Stream, process: ProcessId, reading: Reading, logs: &Logs) {
    let mut lines = LineBuffer::default();
    // The rest of a line that was too long is not kept.
    let mut skipping = false;
    loop {
        let before = lines.pending();
        // An error is an end.
        let read = stream.read_buf(lines.room()).await.unwrap_or(0);
        reading.tap(lines.since(before)).await;
        let keep = |line: &[u8], skipping: &mut bool| {
            if !std::mem::take(skipping) {
                logs.push(process.0, line);
            }
        };
        while let Some(line) = lines.line() {
            keep(&line, &mut skipping);
        }
        let over = lines.pending() > LONGEST_LINE;
        if over || (read == 0 && lines.pending() > 0) {
            keep(&lines.rest(), &mut skipping);
            skipping = over;
        }
        if read == 0 {
            return;
        }
    }
}

async fn read_diagnostics(mut diagnostics: mpsc::Receiver<Bytes>, logs: Logs) {
    let mut lines = LineBuffer::default();
    while let Some(bytes) = diagnostics.recv().await {
        lines.room().extend_from_slice(&bytes);
        while let Some(line) = lines.line() {
            logs.push(0, &line);
        }
        if lines.pending() > LONGEST_LINE {
            logs.push(0, &lines.rest());
        }
    }
}

/// What tells that a container has ended.
struct End {
    driver: JoinHandle<Result<(), MuxError>>,
    hearing: JoinHandle<Result<(), String>>,
    breach: mpsc::Receiver<Breach>,
    /// Acts on what was heard.
    taking: JoinHandle<()>,
    /// The HTTP server: its end is the container's.
    first: Option<Process>,
    hull: Arc<dyn Hull>,
    logs: Logs,
    stop: CancellationToken,
    /// Cancelled when the link was dropped, or by this when it is over.
    over: CancellationToken,
}

impl End {
    /// Waits for the end, sees to it that the container is gone, and says how it came.
    async fn wait(self) -> Ended {
        let Self { mut driver, mut hearing, mut breach, taking, first, hull, logs, stop, over } = self;
        let server_end = async {
            let Some(process) = &first else { return std::future::pending().await };
            process.end().await.map(|fate| match fate {
                Fate::Exited(exit) => stdio::ended(exit, process, &logs),
                Fate::NotStarted(why) => format!("its process could not be started: {why}"),
            })
        };
        let mut server_end = std::pin::pin!(server_end);
        let mut broken = false;
        let (mut failed, mut silent) = (None, false);
        let mut first_sign = tokio::select! {
            pipe = &mut driver => {
                let error = pipe.ok().and_then(Result::err);
                broken = error.as_ref().is_some_and(MuxError::is_breach);
                let how = error.map(|error| error.to_string());
                // One that has merely failed says less than how the container ended.
                if broken { how } else { failed = how; None }
            }
            reason = &mut server_end => reason,
            // Known before the pipe's end when an engine freezes.
            reason = hull.wait() => Some(reason),
            Some(Breach(how)) = breach.recv() => {
                broken = true;
                Some(how)
            }
            heard = &mut hearing => {
                let breach = heard.ok().and_then(Result::err);
                (broken, silent) = (breach.is_some(), breach.is_none());
                breach
            }
            () = over.cancelled() => None,
        };
        // The control stream ends with the pipe, which may tell a moment later that it was broken.
        if silent
            && let Ok(Ok(Err(error))) = timeout(LAST_WORDS, &mut driver).await
            && error.is_breach()
        {
            broken = true;
            first_sign = Some(error.to_string());
        }
        if broken {
            // What does not keep to the protocol is not asked to end.
            if let Some(how) = &first_sign {
                logs.note(how);
            }
            hull.kill().await;
        }
        // The control stream's end ends the airlock, and with it the container, if it has not ended by itself.
        stop.cancel();
        let exit = match timeout(FAREWELL, hull.wait()).await {
            Ok(exit) => Some(exit),
            Err(_) => {
                hull.kill().await;
                None
            }
        };
        // What was heard before the end is acted upon, if it can be.
        drop(timeout(LAST_WORDS, taking).await);
        // What the server's own process said comes first, even if another sign of its end was faster.
        let own = if first.is_some() && first_sign.is_none() {
            timeout(LAST_WORDS, server_end).await.ok().flatten()
        } else {
            None
        };
        over.cancel();
        let reason = own.or(first_sign).or(exit).or(failed).unwrap_or_else(|| "its pipe closed".to_owned());
        Ended { reason }
    }
}
