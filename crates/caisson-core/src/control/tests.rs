use std::{path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::UnixStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    api::{
        ApiError, EndSubscription, ErrorCode, ListServers, NoticeBody, OpenSession, Pause, Request,
        ServerList, Shutdown, StartServer, SubscribeEvents,
    },
    *,
};
use crate::model::Event;

const SOON: Duration = Duration::from_secs(5);

/// Answers a few methods: one at once, one never, one with events, one with an error.
#[derive(Clone)]
struct Few(CancellationToken);

struct Echo;

impl Session for Echo {
    async fn run<R, W>(self, mut from_client: LineReader<R>, mut to_client: W, _: CancellationToken)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        while let Ok(Some(line)) = from_client.next().await {
            let answer = [b"echo ", line, b"\n"].concat();
            to_client.write_all(&answer).await.unwrap();
        }
        to_client.write_all(b"bye\n").await.unwrap();
    }
}

impl Service for Few {
    type Local = ();
    type Session = Echo;

    async fn call(&self, call: Call, _: Arc<()>) -> Result<Reply, CallError> {
        match call.method.as_str() {
            ListServers::METHOD => {
                Reply::of::<ListServers>(&ServerList { servers: Vec::new(), paused: true })
            }
            StartServer::METHOD => std::future::pending().await,
            SubscribeEvents::METHOD => {
                let notices = call.notices.clone();
                Ok(Reply::of::<SubscribeEvents>(&api::Done {})?.then(async move {
                    while notices.send(NoticeBody::Event(Event::Paused { paused: true })).await {}
                }))
            }
            Pause::METHOD => {
                let Pause { .. } = call.params::<Pause>()?;
                Err(ApiError::new(ErrorCode::Paused, "what").why("why").fix("fix").into())
            }
            Shutdown::METHOD => {
                self.0.cancel();
                Reply::of::<Shutdown>(&api::Done {})
            }
            _ => Err(CallError::UnknownMethod),
        }
    }

    async fn open_session(&self, params: OpenSession) -> Result<Echo, ApiError> {
        match params.server.name() {
            "echo" => Ok(Echo),
            _ => Err(ApiError::new(ErrorCode::NotFound, "no such server")),
        }
    }
}

struct Running {
    _folder: TempDir,
    socket: PathBuf,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn start() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run").join("control.sock");
    let listener = Listener::bind(&socket, uid()).unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(serve(listener, Few(shutdown.clone()), shutdown.clone()));
    Running { _folder: folder, socket, shutdown, served }
}

impl Running {
    async fn client(&self) -> ControlClient {
        ControlClient::connect(&self.socket).await.unwrap()
    }

    /// Sends `bytes`, and reads lines until the other side has said nothing for a moment.
    async fn say(&self, bytes: &[u8]) -> Vec<serde_json::Value> {
        let (reader, mut writer) = UnixStream::connect(&self.socket).await.unwrap().into_split();
        // The other side may close before it has read all.
        let _ = writer.write_all(bytes).await;
        let mut lines = BufReader::new(reader).lines();
        let mut said = Vec::new();
        while let Ok(Ok(Some(line))) = timeout(Duration::from_millis(300), lines.next_line()).await {
            said.push(serde_json::from_str(&line).unwrap());
        }
        said
    }
}

#[tokio::test]
async fn a_call_is_answered_and_an_error_arrives_whole() {
    let running = start();
    let client = running.client().await;
    assert!(client.call(&ListServers {}).await.unwrap().paused);
    let error = client.call(&Pause { paused: true }).await.unwrap_err();
    assert_eq!(error, ApiError::new(ErrorCode::Paused, "what").why("why").fix("fix"));
    let unknown = client.call(&api::Doctor {}).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::Invalid);
}

#[tokio::test]
async fn requests_run_side_by_side_and_can_be_cancelled() {
    let running = start();
    let client = running.client().await;
    let server = StartServer { server: "a".parse().unwrap() };
    let never = client.start(&server).await.unwrap();
    assert!(client.call(&ListServers {}).await.is_ok());
    never.cancel().await;
    let error = timeout(SOON, never.reply()).await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
    // One that is dropped is cancelled too, or the 65th would be refused as one too many.
    for _ in 0..100 {
        drop(client.start(&server).await.unwrap());
        assert!(client.call(&ListServers {}).await.is_ok());
    }
    let mut many = Vec::new();
    for _ in 0..64 {
        many.push(client.start(&server).await.unwrap());
    }
    assert_eq!(client.call(&ListServers {}).await.unwrap_err().code, ErrorCode::Busy);
}

#[tokio::test]
async fn a_subscription_sends_until_it_is_ended_and_hinders_nobody() {
    let running = start();
    let client = running.client().await;
    // This one is never read: it must not keep others from their answers.
    let (_, _unread) = running.client().await.subscribe(&SubscribeEvents {}).await.unwrap();
    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await.unwrap();
    for _ in 0..5000 {
        assert!(matches!(events.notice().await, Some(NoticeBody::Event(Event::Paused { paused: true }))));
    }
    drop(events);
    assert!(timeout(SOON, client.call(&ListServers {})).await.unwrap().is_ok());
    assert!(client.call(&EndSubscription { request: 99 }).await.is_ok(), "one that is over is no error");
}

#[tokio::test]
async fn a_session_takes_the_connection_over() {
    let running = start();
    let open = |server: &str| OpenSession { server: server.parse().unwrap(), client: "test".into() };
    let SessionStream { mut reader, mut writer } =
        SessionStream::open(&running.socket, &open("echo")).await.unwrap().unwrap();
    writer.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1}\nx\n").await.unwrap();
    writer.shutdown().await.unwrap();
    let mut said = String::new();
    timeout(SOON, reader.read_to_string(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, "echo {\"jsonrpc\":\"2.0\",\"id\":1}\necho x\nbye\n");
    let refused = SessionStream::open(&running.socket, &open("other")).await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn hostile_input_gets_an_error_and_harms_nobody() {
    let running = start();
    for (bytes, code) in [
        (&b"garbage\n"[..], -32700),
        (b"\xff\xfe\x00\n", -32700),
        (b"null\n", -32600),
        (b"[]\n", -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"server.list\"}\n", -32600),
        (b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"server.list\"}\n", -32600),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}\n", -32601),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.pause\",\"params\":{\"paused\":7}}\n", -32602),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session.open\",\"params\":{}}\n", -32602),
    ] {
        let said = running.say(bytes).await;
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0]["error"]["code"], code, "{said:?}");
    }
    let deep = [b"[".repeat(200_000), b"\n".to_vec()].concat();
    assert_eq!(running.say(&deep).await[0]["error"]["code"], -32700);
    let huge = [b"{\"x\":\"".to_vec(), vec![b'x'; LONGEST_LINE + 1]].concat();
    assert!(running.say(&huge).await.len() <= 1);
    assert!(running.say(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth").await.is_empty());
    let ids = b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server.start\"}\n".repeat(2);
    assert_eq!(running.say(&ids).await[0]["error"]["code"], -32600, "an id that is in use");
    // A line that is no request ends nothing.
    let said = running.say(b"garbage\n{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server.list\"}\n").await;
    assert_eq!((said.len(), &said[1]["id"]), (2, &7.into()));
    assert!(running.client().await.call(&ListServers {}).await.is_ok());
}

#[tokio::test]
async fn shutdown_answers_first_and_takes_the_socket_away() {
    let running = start();
    let client = running.client().await;
    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await.unwrap();
    assert!(timeout(SOON, client.call(&Shutdown {})).await.unwrap().is_ok());
    timeout(SOON, async { while events.notice().await.is_some() {} }).await.unwrap();
    timeout(SOON, running.served).await.unwrap().unwrap();
    assert!(!running.socket.exists());
    assert!(client.call(&ListServers {}).await.is_err_and(|error| error.code == ErrorCode::Daemon));
    drop(running.shutdown);
}

#[tokio::test]
async fn only_a_socket_that_nobody_answers_on_is_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("run/control.sock");
    let first = Listener::bind(&socket, uid()).unwrap();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    assert!(matches!(Listener::bind(&socket, uid()), Err(SocketError::Taken(_))));
    drop(first);
    // What a killed process leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    drop(Listener::bind(&socket, uid()).unwrap());
    std::fs::File::create(&socket).unwrap();
    assert!(matches!(Listener::bind(&socket, uid()), Err(SocketError::NotASocket(_))));
    assert!(matches!(Listener::bind(&socket, uid() + 1), Err(SocketError::ForeignFolder(_))));
}

#[tokio::test]
async fn a_peer_of_another_user_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let mut listener = Listener::bind(&socket, uid()).unwrap();
    listener.pretend_uid(uid() + 1);
    let served = CancellationToken::new();
    tokio::spawn(serve(listener, Few(served.clone()), served));
    let client = ControlClient::connect(&socket).await.unwrap();
    let error = timeout(SOON, client.call(&ListServers {})).await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Daemon);
}
