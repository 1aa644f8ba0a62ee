//! Tokens of agents and of clients, from being issued to being replaced.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::{
    control::api::{ConnectClient, DisconnectClient, IssuedToken, RotateClient, RotateToken, TokenView},
    gate::{Scope, tokens::TokenState},
};

/// A host that serves, and a client of its control socket.
async fn serving(root: &Path) -> (Host, ControlClient) {
    server_file(root, "one");
    server_file(root, "two");
    let host = Host::open(setup(root)).await.unwrap();
    let server = host.clone();
    tokio::spawn(async move { server.serve().await });
    let client = connect(&host).await;
    (host, client)
}

fn write(file: &Path, text: &str) {
    crate::registry::atomic::write(file, text.as_bytes(), 0o600).unwrap();
}

fn issue(tools: Option<&[&str]>) -> IssueToken {
    let tools = tools.map(|tools| tools.iter().map(|&tool| tool.to_owned()).collect());
    let servers = TokenServers::Only(vec!["one".parse().unwrap()]);
    IssueToken { subject: "job-42".into(), servers, tools, ttl: Some(900) }
}

async fn listed(client: &ControlClient, all: bool) -> Vec<TokenView> {
    client.call(&ListTokens { all }).await.unwrap().tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_token_is_replaced_and_the_socket_is_where_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (host, client) = serving(folder.path()).await;
    let issued = client.call(&issue(Some(&["b", "a"]))).await.unwrap();
    let socket = issued.socket.clone().unwrap();
    assert_eq!(socket, folder.path().join("run/bridge/mcp.sock"));
    timeout(SOON, async {
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    let status = client.call(&GetStatus {}).await.unwrap();
    assert_eq!((status.socket.as_ref(), status.socket_problem), (Some(&socket), None));
    // The control socket is not in the folder that is mounted.
    let beside: Vec<_> = fs::read_dir(socket.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");

    host.0.gate.authenticate(&issued.token).unwrap();
    let rotate = |id: &str, grace| RotateToken { id: id.to_owned(), grace };
    let second: IssuedToken = client.call(&rotate(&issued.id, 60)).await.unwrap();
    assert_eq!((&second.urls, second.expires_at), (&issued.urls, issued.expires_at));
    let third = client.call(&rotate(&second.id, 0)).await.unwrap();
    for (token, holds) in [(&issued, true), (&second, false), (&third, true)] {
        assert_eq!(host.0.gate.authenticate(&token.token).is_ok(), holds, "{}", token.id);
    }
    let all = listed(&client, true).await;
    let state = |id: &str| all.iter().find(|token| token.id == id).map(|token| token.state);
    assert_eq!((all.len(), state(&second.id)), (3, Some(TokenState::Revoked)));
    let mut holding = listed(&client, false).await;
    holding.retain(|token| token.id == third.id);
    assert_eq!(holding[0].tools.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert!(holding[0].last_used_at.is_some());
    for id in [second.id.as_str(), "none"] {
        let error = client.call(&rotate(id, 0)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{error}");
    }

    client.call(&Shutdown {}).await.unwrap();
    timeout(SOON, async {
        while socket.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_the_socket_away_is_said_and_all_else_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().join("run/bridge/secret");
    fs::create_dir_all(beside.parent().unwrap()).unwrap();
    fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    write(&beside, "");
    let (_host, client) = serving(folder.path()).await;
    let status = timeout(SOON, async {
        loop {
            let status = client.call(&GetStatus {}).await.unwrap();
            if status.bridge.is_some() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let status = status.await.unwrap();
    let problem = status.socket_problem.unwrap();
    assert!(status.socket.is_none() && problem.contains("run/bridge/secret"), "{problem}");
    assert_eq!(client.call(&issue(None)).await.unwrap().socket, None);
    client.call(&Shutdown {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_socket_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(folder.path());
    let file = setup.paths.settings();
    let settings = fs::read_to_string(&file).unwrap() + "agent_socket = false\n";
    write(&file, &settings);
    server_file(folder.path(), "one");
    let host = Host::open(setup).await.unwrap();
    let server = host.clone();
    tokio::spawn(async move { server.serve().await });
    let client = connect(&host).await;
    assert_eq!(client.call(&issue(None)).await.unwrap().socket, None);
    timeout(SOON, async {
        while client.call(&GetStatus {}).await.unwrap().bridge.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert!(!folder.path().join("run/bridge").exists());
    client.call(&Shutdown {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_token_is_replaced_in_its_file_and_what_was_there_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("user/.cursor/mcp.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let before = "// mine\n{ \"mcpServers\": {} }\n";
    write(&file, before);
    let (host, client) = serving(folder.path()).await;
    let rotate = RotateClient { client: "cursor".into() };
    let error = client.call(&rotate).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error}");

    let servers = vec!["one".parse().unwrap(), "two".parse().unwrap()];
    client.call(&ConnectClient { client: "cursor".into(), servers }).await.unwrap();
    let written = || {
        let text = fs::read_to_string(&file).unwrap();
        let mut tokens: Vec<String> =
            text.split("Bearer ").skip(1).map(|rest| rest[..47].to_owned()).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), 1, "all entries carry one token: {text}");
        tokens.remove(0)
    };
    let first = written();
    let changed = client.call(&rotate).await.unwrap();
    assert!(changed.backup.is_some_and(|copy| copy.is_file()));
    let second = written();
    let holds = |token: &str| host.0.gate.authenticate(token).is_ok();
    assert_eq!((holds(&first), holds(&second)), (false, true));

    // Where the file cannot be written, the client goes on with what it has.
    let whole = fs::read_to_string(&file).unwrap();
    write(&file, "{ broken");
    assert!(client.call(&rotate).await.is_err());
    assert!(holds(&second));
    assert_eq!(listed(&client, false).await.len(), 1, "no token is left over");
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ broken");
    write(&file, &whole);

    // A token in a client's file is not taken away under it.
    let id = listed(&client, false).await[0].id.clone();
    let error = client.call(&RotateToken { id, grace: 0 }).await.unwrap_err();
    assert!(error.to_string().contains("Cursor") && holds(&second), "{error}");

    // A crash between writing and revoking: both are known, and the next change ends the one.
    let crashed = host.0.gate.tokens().issue("Cursor", Scope::All, None, SystemTime::now()).unwrap();
    let known = host.0.state.value("client_token:cursor").unwrap().unwrap();
    host.0.state.set_value("client_token:cursor", &format!("{known} {}", crashed.0.id)).unwrap();
    client.call(&rotate).await.unwrap();
    let third = written();
    let left = (holds(&second), holds(crashed.1.expose()), holds(&third));
    assert_eq!(left, (false, false, true));

    client.call(&DisconnectClient { client: "cursor".into(), servers: Vec::new() }).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(!holds(&third));
    client.call(&Shutdown {}).await.unwrap();
}
