use std::{
    collections::BTreeMap,
    io::IoSlice,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
    time::Duration,
};

use caisson_wire::{
    AirlockEvent, Command, Connection, Egress, EgressRule, Exit, Header, Launch, LaunchFile, Mode, Mux,
    MuxError, Opener, Order, ProcessId, ProcessLimits, Stream, frame,
};
use rustix::{
    cmsg_space,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
        sendmsg, socketpair,
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::UnixListener,
    process::Child,
    sync::mpsc,
    task::JoinHandle,
};

/// An airlock that runs, and the host's end of its pipe.
pub(crate) struct Host {
    pub(crate) airlock: Child,
    pub(crate) opener: Opener,
    /// Aborted, it closes the pipe as a host does that is killed.
    pub(crate) driver: JoinHandle<Result<(), MuxError>>,
    pub(crate) orders: WriteHalf<Stream>,
    events: ReadHalf<Stream>,
    /// The streams the airlock opens, with what they say they are.
    pub(crate) streams: mpsc::UnboundedReceiver<(Header, Stream)>,
}

/// A shell command with nothing in its environment but `PATH`.
pub(crate) fn shell(script: &str) -> Command {
    command(&["sh", "-c", script])
}

pub(crate) fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".into())]),
        cwd: None,
    }
}

pub(crate) fn stdio(command: Command, spare: bool) -> Launch {
    Launch {
        mode: Mode::Stdio { spare },
        command,
        files: vec![],
        egress: Egress::default(),
        limits: ProcessLimits::default(),
        sessions: None,
        grace_ms: 200,
    }
}

pub(crate) fn within<T>(seconds: u64, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(seconds), test).await });
    runtime.shutdown_background();
    result.expect("the test took too long")
}

impl Host {
    /// Starts an airlock that has not been told anything.
    pub(crate) async fn start() -> Self {
        Self::start_in(&[]).await
    }

    /// Starts one by way of other commands.
    pub(crate) async fn start_in(wrapper: &[&str]) -> Self {
        let argv: Vec<_> = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_caisson-airlock")]).collect();
        Self::start_exactly(&argv).await
    }

    /// Starts one by a command that ends up running it.
    pub(crate) async fn start_exactly(argv: &[&str]) -> Self {
        let mut airlock = tokio::process::Command::new(argv[0]);
        airlock.args(&argv[1..]).env("HOST_VARIABLE", "must not be inherited");
        airlock.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut airlock = airlock.spawn().unwrap();
        let pipe = tokio::io::join(airlock.stdout.take().unwrap(), airlock.stdin.take().unwrap());
        Self::over(pipe, airlock).await
    }

    /// Starts one by way of other commands, that meets the host at a socket. Gives the hatch it was handed as well.
    pub(crate) async fn meet_in(wrapper: &[&str]) -> (Self, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        let program = [env!("CARGO_BIN_EXE_caisson-airlock"), "--socket", path.to_str().unwrap()];
        let argv: Vec<_> = wrapper.iter().copied().chain(program).collect();
        let mut airlock = tokio::process::Command::new(argv[0]);
        airlock.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let airlock = airlock.spawn().unwrap();
        let (pipe, _) = listener.accept().await.unwrap();
        let (hatch, inside) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        hand(&pipe, &[0], &inside);
        (Self::over(pipe, airlock).await, hatch)
    }

    async fn over(pipe: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, airlock: Child) -> Self {
        let Mux { opener, mut incoming, driver } = Mux::host(pipe);
        let mut control = opener.open().await.unwrap();
        frame::write(&mut control, &Header::Control).await.unwrap();
        let (events, orders) = split(control);
        let (sender, streams) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(mut stream) = incoming.next().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let header = frame::read(&mut stream).await.unwrap().unwrap();
                    sender.send((header, stream)).ok();
                });
            }
        });
        Self { airlock, opener, driver, orders, events, streams }
    }

    /// Starts one and launches a server.
    pub(crate) async fn launch(launch: Launch) -> Self {
        Self::start().await.launched(launch).await
    }

    pub(crate) async fn launched(mut self, launch: Launch) -> Self {
        self.order(Order::Launch(launch)).await;
        self.expect(|event| event == &AirlockEvent::Ready).await;
        self
    }

    pub(crate) async fn order(&mut self, order: Order) {
        frame::write(&mut self.orders, &order).await.unwrap();
    }

    pub(crate) async fn event(&mut self) -> Option<AirlockEvent> {
        frame::read(&mut self.events).await.unwrap()
    }

    /// Reads events until one is as wanted.
    pub(crate) async fn expect(&mut self, wanted: impl Fn(&AirlockEvent) -> bool) -> AirlockEvent {
        self.find(|event| wanted(event).then(|| event.clone())).await
    }

    /// Reads events until one has what is wanted.
    async fn find<T>(&mut self, wanted: impl Fn(&AirlockEvent) -> Option<T>) -> T {
        loop {
            let event = self.event().await.expect("the airlock ended");
            if let Some(found) = wanted(&event) {
                return found;
            }
            assert!(!matches!(event, AirlockEvent::LaunchFailed { .. }), "{event:?}");
        }
    }

    pub(crate) async fn exit_of(&mut self, wanted: u64) -> Exit {
        self.find(|event| {
            let AirlockEvent::Exited { process, exit } = *event else { return None };
            (process.0 == wanted).then_some(exit)
        })
        .await
    }

    pub(crate) async fn pid_of(&mut self, wanted: u64) -> i32 {
        self.find(|event| {
            let AirlockEvent::Started { process, pid } = *event else { return None };
            (process.0 == wanted).then_some(pid)
        })
        .await
    }

    pub(crate) async fn open(&self, header: Header) -> Stream {
        let mut stream = self.opener.open().await.unwrap();
        frame::write(&mut stream, &header).await.unwrap();
        stream
    }

    pub(crate) async fn session(&self, process: u64) -> Stream {
        self.open(Header::Session { process: ProcessId(process) }).await
    }

    pub(crate) async fn exec(&self, process: u64, command: Command) -> Stream {
        self.open(Header::Exec { process: ProcessId(process), command }).await
    }

    /// Connects to a port inside.
    pub(crate) async fn connect(&self, port: u16) -> Result<Stream, Connection> {
        let mut stream = self.open(Header::Connect { port }).await;
        match frame::read(&mut stream).await.unwrap().unwrap() {
            Connection::Open => Ok(stream),
            other @ (Connection::Beside { .. } | Connection::Refused { .. }) => Err(other),
        }
    }

    /// Runs a script with no input, and returns what it prints.
    pub(crate) async fn run(&self, process: u64, script: &str) -> String {
        let mut stream = self.exec(process, shell(script)).await;
        stream.shutdown().await.unwrap();
        text(&mut stream).await
    }

    /// The next stream the airlock opens.
    pub(crate) async fn next_stream(&mut self) -> (Header, Stream) {
        self.streams.recv().await.expect("the airlock ended")
    }
}

/// Sends a word with a descriptor.
pub(crate) fn hand(to: &impl AsFd, word: &[u8], descriptor: &impl AsFd) {
    let descriptor = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&descriptor));
    sendmsg(to, &[IoSlice::new(word)], &mut control, SendFlags::empty()).unwrap();
}

pub(crate) async fn text(stream: &mut Stream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends a line and reads one back.
pub(crate) async fn ask(stream: &mut Stream, line: &str) -> String {
    stream.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    read_line(stream).await
}

pub(crate) async fn read_line(stream: &mut Stream) -> String {
    let mut line = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        if byte == b'\n' {
            break;
        }
        line.push(byte);
    }
    String::from_utf8(line).unwrap()
}

pub(crate) fn rules(rules: &[(&str, u16)]) -> Egress {
    let rules =
        rules.iter().map(|(host, port)| EgressRule { host: host.parse().unwrap(), port: *port }).collect();
    Egress { rules, learning: false }
}

pub(crate) fn file(path: &std::path::Path, content: &str, mode: caisson_wire::FileMode) -> LaunchFile {
    LaunchFile { path: path.to_str().unwrap().to_owned(), content: content.into(), mode }
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

pub(crate) async fn gone(pid: i32) {
    while lives(pid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
