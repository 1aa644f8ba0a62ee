//! The bridge's door: who is turned away, and how.

use std::time::Duration;

use caisson_tests::{
    Home,
    clients::Access,
    fixture::{self, Era, Over},
    home::eventually,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

on_engines!([podman] turns_away, fifty_megabytes, more_sessions_than_fit, tokens_are_scoped_and_revoked);
on_engines!([podman docker] one_client_takes_all_the_room_it_can, what_cannot_start);

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

struct Door {
    authority: String,
    path: String,
    token: String,
}

impl Door {
    fn of(access: &Access) -> Self {
        let rest = access.url.strip_prefix("http://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        Self { authority: authority.to_owned(), path: format!("/{path}"), token: access.token.clone() }
    }

    /// Sends one raw request and gives the status and the whole answer.
    fn knock(&self, host: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut head = format!("POST {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.path);
        head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        block_on(async {
            let mut stream = TcpStream::connect(&self.authority).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer))
                .await
                .unwrap()
                .unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            (answer.split(' ').nth(1).unwrap_or("0").parse().unwrap_or(0), answer)
        })
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

fn turns_away(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let door = Door::of(&Access::to(home, "example"));
    let bearer = format!("Bearer {}", door.token);
    let auth = ("Authorization", bearer.as_str());

    assert_eq!(door.knock(&door.authority, &[auth], INITIALIZE).0, 200);
    for (host, headers, status) in [
        ("evil.example.com", vec![auth], 421),
        (door.authority.as_str(), vec![auth, ("Origin", "https://evil.example.com")], 403),
        (door.authority.as_str(), vec![auth, ("Origin", "null")], 403),
        (door.authority.as_str(), vec![], 401),
        (door.authority.as_str(), vec![("Authorization", "Bearer csn_wrong")], 401),
        (door.authority.as_str(), vec![("Authorization", "Basic eDp5")], 401),
        (door.authority.as_str(), vec![auth, ("Mcp-Session-Id", "nobody")], 404),
    ] {
        let (got, answer) = door.knock(host, &headers, INITIALIZE);
        assert_eq!(got, status, "{host} {headers:?}: {answer}");
        assert!(!answer.contains(&door.token), "an answer holds the token");
    }
    for body in ["", "{", "[]", "null", &"[".repeat(100_000)] {
        let (status, answer) = door.knock(&door.authority, &[auth], body);
        assert_eq!(status, 400, "{answer}");
    }
    let nobody = Door { path: "/s/nobody/mcp".to_owned(), ..door };
    assert!(matches!(nobody.knock(&nobody.authority, &[auth], INITIALIZE).0, 403 | 404));
}

fn fifty_megabytes(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    let door = Door::of(&Access::to(home, "example"));
    let status = block_on(async {
        let mut stream = TcpStream::connect(&door.authority).await.unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: 50000000\r\n\r\n",
            door.path, door.authority, door.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..50 {
            if stream.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let mut answer = vec![0; 64];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned()
    });
    assert!(status.starts_with("HTTP/1.1 413"), "{status}");
    let resident = std::fs::read_to_string(format!("/proc/{}/status", home.daemon_pid())).unwrap();
    let peak = resident.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 120 << 10, "the daemon held {peak} KiB for a body it refused");
}

/// A client that opens sessions without end is refused at some point; a session that was there goes on.
fn more_sessions_than_fit(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["start", "example"]).ok();
    let door = Door::of(&Access::to(home, "example"));
    let bearer = format!("Bearer {}", door.token);
    let auth = ("Authorization", bearer.as_str());
    let (status, answer) = door.knock(&door.authority, &[auth], INITIALIZE);
    assert_eq!(status, 200, "{answer}");
    let id = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id").then(|| value.trim().to_owned())
    });
    let id = id.unwrap_or_else(|| panic!("no session: {answer}"));
    let session = [auth, ("Mcp-Session-Id", &id), ("MCP-Protocol-Version", "2025-11-25")];
    let call = |number: u32| {
        let arguments = r#"{"name":"greet","arguments":{"name":"still"}}"#;
        let call = format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{arguments}}}"#);
        let (status, answer) = door.knock(&door.authority, &session, &call);
        assert!(status == 200 && answer.contains("still"), "after {number}: {answer}");
    };
    let [container] = &home.containers()[..] else { panic!("not one container") };
    let mut refused = 0;
    for number in 2..302 {
        let (status, answer) = door.knock(&door.authority, &[auth], INITIALIZE);
        assert!(matches!(status, 200 | 429 | 503), "{answer}");
        refused += u32::from(status != 200);
        if number % 25 == 0 {
            call(number);
        }
    }
    assert!(refused > 150, "{refused} were refused");
    call(302);
    assert_eq!(home.containers(), std::slice::from_ref(container), "it was started again");
}

/// A client that opens sessions without end with a server that speaks HTTP is refused at some point, and leaves room
/// for another.
fn one_client_takes_all_the_room_it_can(home: &Home) {
    fixture::install(home, "fixture", Over::Http, Era::Legacy);
    home.caisson(&["start", "fixture"]).ok();
    let initialize = |door: &Door| {
        let bearer = format!("Bearer {}", door.token);
        door.knock(&door.authority, &[("Authorization", &bearer)], INITIALIZE)
    };
    let (greedy, modest) = (Door::of(&Access::to(home, "fixture")), Door::of(&Access::to(home, "fixture")));
    let refused = (0..250).find_map(|_| {
        let (status, answer) = initialize(&greedy);
        assert!(matches!(status, 200 | 429 | 503), "{answer}");
        (status != 200).then_some(answer)
    });
    assert!(refused.as_ref().is_some_and(|answer| answer.contains("50 sessions open")), "{refused:?}");
    let (status, answer) = initialize(&modest);
    assert_eq!(status, 200, "there is no room for another client: {answer}");
}

/// A server that says something else to each kind of client.
const PARTICULAR: &str = r#"
while read -r line; do
    id=$(echo "$line" | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
    case $line in *'"sampling"'*) name=able ;; *) name=plain ;; esac
    case $line in
    *'"initialize"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"instructions\":\"$name\",\"serverInfo\":{\"name\":\"$name\",\"version\":\"1\"}}}" ;;
    *'"tools/list"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"tools\":[]}}" ;;
    *'"id"'*) echo "{\"jsonrpc\":\"2.0\",\"id\":$id,\"error\":{\"code\":-32601,\"message\":\"no\"}}" ;;
    esac
done
"#;

/// Where a server has to be started to answer `initialize`, and cannot be, the client is told so by the status, too.
fn what_cannot_start(home: &Home) {
    let (source, granted) = (home.path().join("particular"), home.path().join("granted"));
    super::hostile::write_server(&source, PARTICULAR);
    std::fs::create_dir(&granted).unwrap();
    let folder = format!("{}:/workspace/granted", granted.display());
    home.caisson(&["install", &source.to_string_lossy(), "--folder", &folder, "--yes"]).ok();
    home.caisson(&["stop", "particular"]).ok();
    std::fs::remove_dir(&granted).unwrap();
    eventually(Duration::from_secs(10), "it has stopped", || home.containers().is_empty());

    let door = Door::of(&Access::to(home, "particular"));
    let bearer = format!("Bearer {}", door.token);
    let auth = ("Authorization", bearer.as_str());
    let (status, answer) = door.knock(&door.authority, &[auth], INITIALIZE);
    assert!(status == 200 && answer.contains("plain"), "what is known is said: {answer}");
    let able = INITIALIZE.replace(r#""capabilities":{}"#, r#""capabilities":{"sampling":{}}"#);
    let (status, answer) = door.knock(&door.authority, &[auth], &able);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert!(answer.contains("could not be started") && answer.contains("granted"), "{answer}");
    assert!(answer.contains(r#""id":1"#) && answer.contains("-32000"), "{answer}");
}

fn tokens_are_scoped_and_revoked(home: &Home) {
    home.caisson(&["install", "example", "--yes"]).ok();
    home.caisson(&["install", "example", "--name", "other", "--yes"]).ok();
    let door = Door::of(&Access::to(home, "example"));
    let bearer = format!("Bearer {}", door.token);
    let auth = ("Authorization", bearer.as_str());
    let other = Door {
        path: "/s/other/mcp".to_owned(),
        authority: door.authority.clone(),
        token: door.token.clone(),
    };
    assert!(matches!(other.knock(&other.authority, &[auth], INITIALIZE).0, 403 | 404));

    let tokens = home.caisson(&["token", "list", "--json"]).json();
    let id = tokens["tokens"][0]["id"].clone();
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    home.caisson(&["token", "revoke", &id]).ok();
    assert_eq!(door.knock(&door.authority, &[auth], INITIALIZE).0, 401);
    assert!(!home.caisson(&["token", "list"]).out.contains(&door.token));

    let short = home.caisson(&["token", "issue", "--server", "example", "--ttl", "1s", "--json"]).json();
    std::thread::sleep(Duration::from_secs(2));
    let bearer = format!("Bearer {}", short["token"].as_str().unwrap());
    assert_eq!(door.knock(&door.authority, &[("Authorization", &bearer)], INITIALIZE).0, 401);
}
