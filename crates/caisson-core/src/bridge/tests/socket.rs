//! The Unix socket: the same service as on loopback, and a token alone lets in.

use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::*;

/// Where the socket of a test is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("run/bridge/mcp.sock")
}

impl Setup {
    fn at_socket(&self) -> Client {
        Client { socket: Some(path(self.folder.path())), ..self.client() }
    }
}

#[tokio::test]
async fn the_same_service_answers_whatever_it_is_called() {
    let setup = Setup::new().await;
    for host in ["localhost", "caisson", "evil.com:80"] {
        let client = setup.at_socket().with("host", host).initialized(NEWEST).await;
        let answered = client.call(1, "echo", json!({"x": 1})).await;
        assert_eq!(answered[0]["result"], json!({"x": 1}), "{host}");
        // A session is its token's, through whichever door.
        let there =
            Client { socket: None, ..client.clone() }.with("host", &format!("127.0.0.1:{}", setup.port));
        assert_eq!(there.call(2, "echo", json!({"x": 2})).await[0]["result"], json!({"x": 2}));
    }
    let alone = setup.at_socket().ask(1, "tools/call", &json!({"name": "echo", "arguments": {}})).await;
    assert_eq!(alone.status(), 200);
}

#[tokio::test]
async fn who_has_reached_it_is_nobody_yet() {
    let setup = Setup::new().await;
    let client = setup.at_socket();
    for (client, expected) in [
        (client.clone().with("authorization", ""), (401, -31010)),
        (client.clone().with("authorization", "Bearer csn_wrong"), (401, -31010)),
        (client.clone().with("host", ""), (400, -31010)),
        (client.clone().with("origin", "http://evil.com"), (403, -31010)),
        (client.clone().with("origin", "null"), (403, -31010)),
        (client.clone().to("/"), (404, -32600)),
        (client.clone().to("/s/fake/../../control"), (404, -32600)),
        // What is said on the control socket is no HTTP here.
        (client.clone().to("/s/none/mcp"), (404, -32600)),
    ] {
        let (status, code, _) = refusal(client.post(&initialize(NEWEST)).await).await;
        assert_eq!((status, code), expected, "{} {:?}", client.path, client.headers);
    }
    let mut raw = UnixStream::connect(path(setup.folder.path())).await.unwrap();
    raw.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"token.issue\",\"params\":{}}\n\n")
        .await
        .unwrap();
    let mut said = String::new();
    timeout(Duration::from_secs(5), raw.read_to_string(&mut said)).await.unwrap().unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
}

#[tokio::test]
async fn a_token_that_ends_takes_its_sessions_along_at_either_door() {
    let setup = Setup::new().await;
    for ending in ["expires", "is revoked", "is replaced"] {
        let lifetime = (ending == "expires").then_some(Duration::from_secs(60));
        let scope = Scope::only(["fake".parse().unwrap()]);
        let (token, text) = setup.gate.tokens().issue("job", scope, lifetime, SystemTime::now()).unwrap();
        let of = |client: Client| Client { token: text.expose().to_owned(), ..client };
        let doors = [of(setup.client()), of(setup.at_socket())];
        let mut listening = Vec::new();
        for client in &doors {
            let client = client.clone().initialized(NEWEST).await;
            assert_eq!(client.call(1, "echo", json!({"a": 1})).await[0]["result"], json!({"a": 1}));
            let events = Events::of(client.send(Method::GET, "").await);
            listening.push((client, events));
        }
        let tokens = setup.gate.tokens();
        match ending {
            "expires" => setup.ahead.store(61, Ordering::SeqCst),
            "is revoked" => assert!(tokens.revoke(&token.id).unwrap()),
            _ => {
                let grace = Duration::from_secs(60);
                tokens.rotate(&token.id, grace, SystemTime::now()).unwrap().unwrap();
                for (client, _) in &listening {
                    let answered = client.call(3, "echo", json!({"b": 1})).await;
                    assert_eq!(answered[0]["result"], json!({"b": 1}), "for a while, all goes on");
                }
                setup.ahead.store(61, Ordering::SeqCst);
            }
        }
        for client in &doors {
            let (status, ..) = refusal(client.post(&initialize(NEWEST)).await).await;
            assert_eq!(status, 401, "the very next request after it {ending}");
        }
        for (client, mut events) in listening {
            let (status, ..) = refusal(client.post(&call(2, "echo", json!({}))).await).await;
            assert_eq!(status, 401);
            // Whoever only listens hears no more either.
            let over = async { while events.next().await.is_some() {} };
            timeout(Duration::from_secs(10), over).await.expect("the stream ends with the token");
        }
        setup.nothing_left().await;
        setup.ahead.store(0, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_crowd_at_the_socket_shuts_out_nobody() {
    let setup = Setup::with(BridgeSettings { connections: 8, ..BridgeSettings::default() }).await;
    let mut crowd = Vec::new();
    for _ in 0..32 {
        crowd.push(UnixStream::connect(path(setup.folder.path())).await.unwrap());
    }
    for client in [setup.client(), setup.at_socket()] {
        let client = timeout(Duration::from_secs(20), client.initialized(NEWEST)).await.unwrap();
        assert_eq!(client.call(1, "echo", json!({"a": 1})).await[0]["result"], json!({"a": 1}));
    }
    drop(crowd);
}

#[tokio::test]
async fn it_is_put_back_and_goes_with_the_bridge() {
    let setup = Setup::new().await;
    let path = path(setup.folder.path());
    std::fs::remove_file(&path).unwrap();
    let put_back = async {
        while !path.exists() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), put_back).await.expect("it is noticed");
    setup.at_socket().initialized(NEWEST).await;
    setup.shutdown.cancel();
    setup.served.await.unwrap();
    assert!(!path.exists());
}
