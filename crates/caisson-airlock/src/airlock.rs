use std::{io, path::Path, sync::Arc, time::Duration};

use caisson_wire::{
    AirlockEvent, Command, Header, Incoming, Launch, Mode, Mux, MuxError, Order, ProcessId, Stream,
    frame::{self, FrameError},
};
use rustix::process::Signal;
use tokio::{
    io::{ReadHalf, split},
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use crate::{
    connect,
    egress::Egress,
    events::Events,
    files, limits, pipe,
    process::Process,
    processes::Processes,
    program,
    reaper::Reaper,
    relay,
    sessions::{self, Sessions},
    spare::Spare,
    workspace::Rooms,
};

/// How long a stream may take to say what it is.
const INTRODUCTION: Duration = Duration::from_secs(30);
/// How long the reason of a failed launch may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why the airlock ends before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("standard input and output are no pipe to Caisson: {0}")]
    Pipe(io::Error),
    #[error("signals cannot be received: {0}")]
    Signals(#[from] io::Error),
    #[error("the pipe broke: {0}")]
    Mux(#[from] MuxError),
    #[error("the host did not begin with a launch")]
    NoLaunch,
    #[error("the host cannot be understood: {0}")]
    Frame(#[from] FrameError),
    #[error("the launch failed: {0}")]
    Launch(String),
}

/// Lives as long as the pipe.
///
/// Whoever may signal PID 1 may end the container with SIGTERM, the server's own processes too: that ends
/// nobody but themselves. Of all other signals the kernel spares PID 1 (pid_namespaces(7)).
pub(crate) async fn run(socket: Option<&Path>) -> Result<(), Fault> {
    let reaper = Reaper::start()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (pipe, hatch) = tokio::select! {
        pipe = pipe::take(socket) => pipe.map_err(Fault::Pipe)?,
        _asked = terminate.recv() => return Ok(()),
    };
    let Mux { opener, mut incoming, mut driver } = Mux::airlock(pipe);

    let launching = async {
        let (control, launch) = first_order(&mut incoming).await?;
        let (orders, answers) = split(control);
        let events = Events::start(answers);
        Ok::<_, Fault>((orders, events, launch))
    };
    let (orders, events, launch) = tokio::select! {
        launched = launching => launched?,
        ended = &mut driver => return Ok(ended.unwrap_or(Ok(()))?),
        _asked = terminate.recv() => return Ok(()),
    };
    let processes = Processes::new(reaper.clone(), opener.clone(), events.clone(), launch.grace_ms);
    let egress = Egress::start(opener, hatch, events.clone()).await;
    let airlock = match Airlock::launch(launch, processes.clone(), egress).await {
        Ok(airlock) => Arc::new(airlock),
        Err(reason) => {
            events.tell(AirlockEvent::LaunchFailed { reason: reason.clone() }).await;
            // The host reads it and closes the pipe.
            drop(timeout(FAREWELL, &mut driver).await);
            return Err(Fault::Launch(reason));
        }
    };
    let ended = tokio::select! {
        // The driver first: it knows why the pipe ended.
        biased;
        ended = &mut driver => Ok(ended.unwrap_or(Ok(()))?),
        ended = airlock.clone().obey(orders) => ended,
        () = airlock.serve(incoming) => Ok(()),
        _asked = terminate.recv() => {
            processes.end().await;
            Ok(())
        }
    };
    // The end of PID 1 ends all others anyway; where the airlock is not PID 1, this does.
    reaper.signal_all(Signal::KILL);
    ended
}

/// The control stream and the order it begins with.
async fn first_order(incoming: &mut Incoming) -> Result<(Stream, Launch), Fault> {
    let mut control = incoming.next().await.ok_or(Fault::NoLaunch)?;
    let Some(Header::Control) = frame::read(&mut control).await? else { return Err(Fault::NoLaunch) };
    let Some(Order::Launch(launch)) = frame::read(&mut control).await? else { return Err(Fault::NoLaunch) };
    Ok((control, launch))
}

/// A launched server.
struct Airlock {
    mode: Mode,
    sessions: Sessions,
    spare: Option<Spare>,
    processes: Processes,
    egress: Egress,
}

impl Airlock {
    /// Carries out the launch. What cannot work is found out here, not in the first session.
    async fn launch(launch: Launch, processes: Processes, egress: Egress) -> Result<Self, String> {
        let Launch { mode, command, files, egress: reachable, limits: most, sessions: own, grace_ms: _ } =
            launch;
        for file in &files {
            files::write(file).map_err(|error| error.to_string())?;
        }
        for problem in limits::lower(most) {
            processes.events.warn(&problem);
        }
        egress.allow(reachable).await;
        let prepared = |command| program::prepare(command).map_err(|error| error.to_string());
        let sessions = Sessions::new(command.clone(), Rooms::new(own));
        let mut server = None;
        let spare = match mode {
            Mode::Exec => None,
            Mode::Stdio { spare } => {
                prepared(&command)?;
                spare.then(|| Spare::keep(sessions.clone(), processes.clone()))
            }
            Mode::Http => {
                let place = processes.place(ProcessId(0))?;
                let process = Process::start_logging(&processes.reaper, &mut prepared(&command)?);
                server =
                    Some((place, process.map_err(|error| format!("the server cannot be started: {error}"))?));
                None
            }
        };
        processes.events.tell(AirlockEvent::Ready).await;
        if let Some((place, process)) = server {
            tokio::spawn(relay::alone(place, process));
        }
        Ok(Self { mode, sessions, spare, processes, egress })
    }

    /// Carries out orders until the control stream ends, in good order or not: a host may be killed.
    async fn obey(self: Arc<Self>, mut orders: ReadHalf<Stream>) -> Result<(), Fault> {
        loop {
            let order = match frame::read(&mut orders).await {
                Ok(Some(order)) => order,
                Ok(None) | Err(FrameError::Io(_)) => return Ok(()),
                Err(error @ (FrameError::TooLarge(_) | FrameError::Json(_))) => return Err(error.into()),
            };
            match order {
                Order::Launch(_) => self.processes.events.warn("a second launch was ignored"),
                Order::Egress(reachable) => self.egress.allow(reachable).await,
                Order::Signal { process, signal } => self.processes.signal(process, signal),
                Order::Ping => self.processes.events.mention(AirlockEvent::Pong),
            }
        }
    }

    /// Serves the host's streams until the pipe ends.
    async fn serve(self: Arc<Self>, mut incoming: Incoming) {
        while let Some(mut stream) = incoming.next().await {
            let airlock = self.clone();
            tokio::spawn(async move {
                match timeout(INTRODUCTION, frame::read(&mut stream)).await {
                    Ok(Ok(Some(header))) => airlock.answer(header, stream).await,
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => airlock.processes.events.warn(format!("a stream began oddly: {error}")),
                    Err(_) => airlock.processes.events.warn("a stream did not say what it is"),
                }
            });
        }
    }

    async fn answer(&self, header: Header, stream: Stream) {
        match header {
            Header::Session { process } => match self.mode {
                Mode::Stdio { .. } => self.run(process, stream, None).await,
                Mode::Http | Mode::Exec => self.failed(process, "this server takes no sessions".into()).await,
            },
            Header::Exec { process, command } => self.run(process, stream, Some(&command)).await,
            Header::Connect { port } => connect::to_port(stream, port).await,
            Header::Control | Header::Stderr { .. } | Header::Egress { .. } => {
                self.processes.events.warn("a stream of a kind that the host does not open was ignored");
            }
        }
    }

    /// Runs a process, of a session if it has no command of its own, for as long as it lives.
    async fn run(&self, process: ProcessId, stream: Stream, command: Option<&Command>) {
        let place = match self.processes.place(process) {
            Ok(place) => place,
            Err(reason) => return self.failed(process, reason).await,
        };
        let spare = match &self.spare {
            Some(spare) if command.is_none() => spare.take().await,
            Some(_) | None => None,
        };
        let reaper = &self.processes.reaper;
        let start = || match command {
            Some(command) => sessions::start(reaper, command),
            None => self.sessions.start(reaper),
        };
        match spare.map_or_else(start, Ok) {
            Ok(process) => relay::session(place, process, stream, command.is_none()).await,
            Err(reason) => self.failed(process, reason).await,
        }
    }

    async fn failed(&self, process: ProcessId, reason: String) {
        self.processes.events.tell(AirlockEvent::StartFailed { process, reason }).await;
    }
}
