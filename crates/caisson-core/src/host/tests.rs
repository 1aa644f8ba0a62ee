mod tokens;

use std::{path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::*;
use crate::{
    clients::Os,
    control::{
        ControlClient, SessionStream,
        api::{
            GetPlan, GetStatus, IssueToken, ListServers, ListTokens, OpenSession, RemoveServer, RevokeToken,
            ShowServer, Shutdown, StartServer, SubscribeEvents, TokenServers,
        },
    },
};

const SOON: Duration = Duration::from_secs(20);

/// A home of a test's own, without any engine.
pub(super) fn setup(root: &Path) -> Setup {
    let home = root.join("user");
    let uid = rustix::process::geteuid().as_raw();
    std::fs::create_dir_all(root.join("config")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = format!("engine = \"unix://{}/no-engine.sock\"\nport = {port}\n", root.display());
    crate::registry::atomic::write(&root.join("config/settings.toml"), settings.as_bytes(), 0o600).unwrap();
    Setup {
        zone: jiff::tz::TimeZone::UTC,
        paths: Paths::under(root, root.join("artifacts"), home.clone()),
        engine: EngineEnv { home: home.clone(), uid, gid: uid, ..EngineEnv::default() },
        user: UserIds { uid, gid: uid },
        role: "test".into(),
        program: "/usr/bin/caisson".into(),
        clients: ClientPlaces { os: Os::Linux, config: home.join(".config"), home, local: None },
    }
}

fn server_file(root: &Path, name: &str) {
    let text =
        format!("source = \"example\"\nimage = \"sha256:{}\"\ncommand = [\"/server\"]\n", "a".repeat(64));
    std::fs::create_dir_all(root.join("config/servers")).unwrap();
    crate::registry::atomic::write(&root.join(format!("config/servers/{name}.toml")), text.as_bytes(), 0o600)
        .unwrap();
}

async fn connect(host: &Host) -> ControlClient {
    for _ in 0..200 {
        if let Ok(client) = ControlClient::connect(&host.0.paths.socket).await {
            return client;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_without_an_engine_answers_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    server_file(folder.path(), "one");
    let host = Host::open(setup(folder.path())).await.unwrap();
    let again = Host::open(setup(folder.path())).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::Busy, "{again}");

    let serving = tokio::spawn({
        let host = host.clone();
        async move { host.serve().await }
    });
    let client = connect(&host).await;
    let name: crate::model::ServerName = "one".parse().unwrap();
    let list = client.call(&ListServers {}).await.unwrap();
    assert_eq!(list.servers[0].name, name);
    let shown = client.call(&ShowServer { server: name.clone() }).await.unwrap();
    assert_eq!(shown.definition.unwrap().command, ["/server"]);
    let status = client.call(&GetStatus {}).await.unwrap();
    assert_eq!((status.servers, status.engine), (1, None));

    let error = client.call(&GetPlan { server: name.clone() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Engine, "{error}");
    let error = client.call(&StartServer { server: name.clone() }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Engine, "{error}");
    let missing = "missing".parse().unwrap();
    let error = client.call(&StartServer { server: missing }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error}");
    let open = OpenSession { server: name.clone().into(), client: "test".into() };
    let mut session = SessionStream::open(&host.0.paths.socket, &open).await.unwrap().unwrap();
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    session.writer.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
    let mut refusal = String::new();
    session.reader.read_line(&mut refusal).await.unwrap();
    let refusal: serde_json::Value = serde_json::from_str(&refusal).unwrap();
    assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&1.into(), &(-32000).into()), "{refusal}");

    let servers = TokenServers::Only(vec![name.clone().into()]);
    let issue = IssueToken { subject: "test".into(), servers, tools: None, ttl: Some(60) };
    let issued = client.call(&issue).await.unwrap();
    assert!(issued.url.unwrap().ends_with("/s/one/mcp"));
    let tokens = client.call(&ListTokens::default()).await.unwrap().tokens;
    assert_eq!((tokens.len(), &tokens[0].id), (1, &issued.id));
    client.call(&RevokeToken { id: issued.id.clone() }).await.unwrap();
    let error = client.call(&RevokeToken { id: issued.id }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);

    let (_, mut events) = client.subscribe(&SubscribeEvents {}).await.unwrap();
    let removed = client.call(&RemoveServer { server: name, keep_state: false }).await.unwrap();
    assert!(removed.removed.contains(&"file".to_owned()), "{removed:?}");
    assert!(timeout(SOON, events.notice()).await.unwrap().is_some());
    assert!(client.call(&ListServers {}).await.unwrap().servers.is_empty());

    client.call(&Shutdown {}).await.unwrap();
    timeout(SOON, serving).await.unwrap().unwrap().unwrap();
    assert!(!folder.path().join("run/control.sock").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_on_the_socket_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::open(setup(folder.path())).await.unwrap();
    let serving = tokio::spawn({
        let host = host.clone();
        async move { host.serve().await }
    });
    drop(connect(&host).await);
    let stream = tokio::net::UnixStream::connect(&host.0.paths.socket).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    writer.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server.list\"}\n").await.unwrap();
    let mut line = String::new();
    tokio::io::BufReader::new(reader).read_line(&mut line).await.unwrap();
    assert!(line.contains("\"servers\":[]"), "{line}");
    host.shutdown();
    timeout(SOON, serving).await.unwrap().unwrap().unwrap();
}
