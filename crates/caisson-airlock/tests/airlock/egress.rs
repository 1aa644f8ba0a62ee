use std::{os::fd::OwnedFd, process::Command, time::Duration};

use caisson_wire::{
    AirlockEvent, Beside, Connection, Egress, Handed, Header, Launch, Mode, Order, Refusal, Stream, frame,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{sleep, timeout},
};

use crate::harness::*;

/// A network of its own, as in a container: loopback alone, and the resolver of a machine that names none.
const ALONE: [&str; 4] = ["unshare", "--net", "--mount", "--map-root-user"];
const SETUP: &str = "ip link set lo up && mount --bind /dev/null /etc/resolv.conf && exec \"$0\" \"$@\"";

/// None where this machine does not allow it, which is said.
async fn alone(allowed: &[(&str, u16)]) -> Option<Host> {
    Some(Host::start_in(&wrapper()?).await.launched(exec(allowed)).await)
}

/// As [`alone`], with a hatch beside the pipe.
async fn alone_with_hatch(allowed: &[(&str, u16)]) -> Option<(Host, OwnedFd)> {
    let (host, hatch) = Host::meet_in(&wrapper()?).await;
    Some((host.launched(exec(allowed)).await, hatch))
}

fn exec(allowed: &[(&str, u16)]) -> Launch {
    Launch { mode: Mode::Exec, egress: rules(allowed), ..stdio(command(&["cat"]), false) }
}

fn wrapper() -> Option<Vec<&'static str>> {
    let wrapper: Vec<_> = ALONE.into_iter().chain(["sh", "-c", SETUP]).collect();
    let works = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: this machine allows no network namespaces");
        return None;
    }
    Some(wrapper)
}

/// Plays the host for the next connection.
async fn answer(host: &mut Host, answer: Connection) -> (String, u16, Stream) {
    loop {
        if let (Header::Egress { host, port }, mut stream) = host.next_stream().await {
            frame::write(&mut stream, &answer).await.unwrap();
            return (host, port, stream);
        }
    }
}

fn bash(script: &str) -> caisson_wire::Command {
    command(&["bash", "-c", script])
}

#[test]
fn an_unmodified_program_reaches_what_it_may_by_name() {
    within(30, async {
        let Some(mut host) = alone(&[("api.example.com", 443), ("api.example.com", 80)]).await else {
            return;
        };
        for port in [443, 80] {
            let script = format!("exec 3<>/dev/tcp/API.example.com/{port}; echo hello >&3; cat <&3");
            let mut client = host.exec(u64::from(port), bash(&script)).await;
            let (name, asked, mut server) = answer(&mut host, Connection::Open).await;
            assert_eq!((name.as_str(), asked), ("api.example.com", port));
            assert_eq!(read_line(&mut server).await, "hello");
            server.write_all(b"world\n").await.unwrap();
            server.shutdown().await.unwrap();
            assert_eq!(text(&mut client).await, "world\n");
        }
    });
}

#[test]
fn the_server_may_close_its_half_first() {
    within(30, async {
        let Some(mut host) = alone(&[("api.example.com", 80)]).await else { return };
        let script = "import socket\ns = socket.create_connection(('api.example.com', 80))\n\
            s.sendall(b'x' * 3000000); s.shutdown(socket.SHUT_WR)\n\
            print(sum(len(part) for part in iter(lambda: s.recv(65536), b'')))";
        let mut client = host.exec(1, command(&["python3", "-c", script])).await;
        let (_, _, mut server) = answer(&mut host, Connection::Open).await;
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).await.unwrap();
        assert_eq!(sent.len(), 3_000_000);
        server.write_all(&vec![0; 2_000_000]).await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut client).await, "2000000\n");
    });
}

/// Asks as a server and answers as a host: the bytes, and both ends, through a socket that is handed in.
#[test]
fn bytes_take_the_socket_that_is_handed_in() {
    within(30, async {
        let Some((mut host, hatch)) = alone_with_hatch(&[("api.example.com", 80)]).await else { return };
        let script = "import socket\ns = socket.create_connection(('api.example.com', 80))\n\
            s.sendall(b'x' * 3000000); s.shutdown(socket.SHUT_WR)\n\
            print(sum(len(part) for part in iter(lambda: s.recv(65536), b'')))";
        let mut client = host.exec(1, command(&["python3", "-c", script])).await;
        // One that belongs to no connection is in nobody's way.
        let (_other, inside) = std::os::unix::net::UnixStream::pair().unwrap();
        hand(&hatch, &6u64.to_be_bytes(), &inside);
        let (mut server, inside) = UnixStream::pair().unwrap();
        hand(&hatch, &7u64.to_be_bytes(), &inside);
        drop(inside);
        let (_, _, mut stream) = answer(&mut host, Connection::Beside { number: 7 }).await;
        assert_eq!(frame::read(&mut stream).await.unwrap(), Some(Handed::Taken));
        let mut sent = Vec::new();
        server.read_to_end(&mut sent).await.unwrap();
        assert_eq!((sent.len(), stream.read(&mut [0; 1]).await.unwrap()), (3_000_000, 0));
        let mut server = Beside::new(server, stream);
        server.write_all(&vec![0; 2_000_000]).await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut client).await, "2000000\n");
    });
}

#[test]
fn a_socket_that_ends_without_a_word_was_cut() {
    within(30, async {
        let Some((mut host, hatch)) = alone_with_hatch(&[("api.example.com", 80)]).await else { return };
        let script = "import socket\ns = socket.create_connection(('api.example.com', 80))\n\
            try: print(s.recv(10), s.recv(10))\nexcept ConnectionResetError: print('cut')";
        let mut client = host.exec(1, command(&["python3", "-c", script])).await;
        let (mut server, inside) = UnixStream::pair().unwrap();
        hand(&hatch, &0u64.to_be_bytes(), &inside);
        drop(inside);
        let (_, _, mut stream) = answer(&mut host, Connection::Beside { number: 0 }).await;
        assert_eq!(frame::read(&mut stream).await.unwrap(), Some(Handed::Taken));
        server.write_all(b"some").await.unwrap();
        sleep(Duration::from_millis(100)).await;
        drop((server, stream));
        assert_eq!(text(&mut client).await, "cut\n");
    });
}

#[test]
fn where_no_socket_comes_the_stream_does_as_well() {
    within(30, async {
        let Some((mut host, _hatch)) = alone_with_hatch(&[("api.example.com", 80)]).await else { return };
        let script = "exec 3<>/dev/tcp/api.example.com/80; echo hello >&3; cat <&3";
        let mut client = host.exec(1, bash(script)).await;
        let (_, _, mut server) = answer(&mut host, Connection::Beside { number: 3 }).await;
        assert_eq!(frame::read(&mut server).await.unwrap(), Some(Handed::Missing));
        assert_eq!(read_line(&mut server).await, "hello");
        server.write_all(b"world\n").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut client).await, "world\n");
    });
}

#[test]
fn other_names_do_not_exist_and_the_host_is_told() {
    within(30, async {
        let Some(mut host) = alone(&[("api.example.com", 443)]).await else { return };
        // Not `getent ahostsv4`: glibc finds no IPv4 for those who insist on it where there is only loopback.
        let lookup = "for name in evil.example.com localhost; do getent hosts $name; done";
        let found = host.run(1, lookup).await;
        assert!(found.contains("localhost") && !found.contains("evil"), "{found}");
        let refused = host.expect(|event| matches!(event, AirlockEvent::Refused { .. })).await;
        assert_eq!(refused, AirlockEvent::Refused { host: "evil.example.com".into(), port: 0 });
        let other_port = host.run(2, "bash -c 'exec 3<>/dev/tcp/api.example.com/8080' 2>&1").await;
        assert!(other_port.contains("refused"), "{other_port}");
        // Ports that programs often want are watched, so that people can be told.
        let mut watched =
            host.exec(4, bash("exec 3<>/dev/tcp/api.example.com/5432; cat <&3; echo over")).await;
        assert_eq!(text(&mut watched).await, "over\n");
        let refused = host.expect(|event| matches!(event, AirlockEvent::Refused { .. })).await;
        assert_eq!(refused, AirlockEvent::Refused { host: "api.example.com".into(), port: 5432 });
        let outside = host.run(3, "bash -c 'exec 3<>/dev/tcp/192.0.2.1/443' 2>&1").await;
        assert!(outside.contains("unreachable"), "{outside}");
    });
}

#[test]
fn the_proxy_tunnels_to_allowed_names_alone() {
    within(30, async {
        let Some(mut host) = alone(&[("api.example.com", 443)]).await else { return };
        let ask = |request: &str| {
            bash(&format!("exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request}' >&3; cat <&3"))
        };
        let tunnel =
            "CONNECT api.example.com:443 HTTP/1.1\\r\\nHost: api.example.com:443\\r\\n\\r\\nearly\\n";
        let mut client = host.exec(1, ask(tunnel)).await;
        let (name, port, mut server) = answer(&mut host, Connection::Open).await;
        assert_eq!((name.as_str(), port), ("api.example.com", 443));
        assert_eq!(read_line(&mut server).await, "early");
        server.write_all(b"late").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut client).await, "HTTP/1.1 200 Connection established\r\n\r\nlate");

        for (process, request, status) in [
            (2, "CONNECT evil.example.com:443 HTTP/1.1\\r\\n\\r\\n", "403"),
            (3, "CONNECT api.example.com:22 HTTP/1.1\\r\\n\\r\\n", "403"),
            (4, "CONNECT 192.0.2.1:443 HTTP/1.1\\r\\n\\r\\n", "403"),
            (5, "GET http://evil.example.com/ HTTP/1.1\\r\\n\\r\\n", "403"),
            (6, "\\x16\\x03\\x01\\x00", "400"),
        ] {
            let reply = text(&mut host.exec(process, ask(request)).await).await;
            assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {reply}");
        }
        let large =
            "exec 3<>/dev/tcp/127.0.0.1/3128; (echo 'GET / HTTP/1.1'; printf 'A: %099999d' 0) >&3; cat <&3";
        let reply = text(&mut host.exec(7, bash(large)).await).await;
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");

        let mut client = host.exec(8, ask(tunnel)).await;
        let no = Connection::Refused { why: Refusal::Unreachable, detail: "no route".into() };
        answer(&mut host, no).await;
        let reply = text(&mut client).await;
        assert!(reply.starts_with("HTTP/1.1 502 ") && reply.contains("no route"), "{reply}");
    });
}

#[test]
fn the_proxy_forwards_plain_http() {
    within(30, async {
        let Some(mut host) = alone(&[("api.example.com", 80)]).await else { return };
        let script = "import os, urllib.request\nos.environ['http_proxy'] = 'http://127.0.0.1:3128'\n\
            print(urllib.request.urlopen('http://api.example.com/a?b').read().decode())";
        let mut client = host.exec(1, command(&["python3", "-c", script])).await;
        let (_, _, mut server) = answer(&mut host, Connection::Open).await;
        assert_eq!(read_line(&mut server).await, "GET /a?b HTTP/1.1\r");
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut client).await, "hello\n");
    });
}

#[test]
fn names_change_while_the_server_runs() {
    within(30, async {
        let Some(mut host) = alone(&[("one.example.com", 443)]).await else { return };
        let connect = |name: &str| bash(&format!("exec 3<>/dev/tcp/{name}/443 && cat <&3; echo over"));
        let mut first = host.exec(1, connect("one.example.com")).await;
        let (_, _, _server) = answer(&mut host, Connection::Open).await;
        host.order(Order::Egress(rules(&[("two.example.com", 443)]))).await;
        // What is no longer allowed is cut.
        assert_eq!(text(&mut first).await, "over\n");
        let mut second = host.exec(2, connect("two.example.com")).await;
        let (name, _, mut server) = answer(&mut host, Connection::Open).await;
        assert_eq!(name, "two.example.com");
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut second).await, "over\n");
        assert_eq!(text(&mut host.exec(3, connect("one.example.com")).await).await, "over\n");
        host.expect(|event| matches!(event, AirlockEvent::Refused { host, .. } if host == "one.example.com"))
            .await;
    });
}

#[test]
fn a_star_and_an_address_are_reached_by_name() {
    within(30, async {
        let Some(mut host) = alone(&[("*.example.com", 5432), ("10.0.0.0/8", 5432)]).await else { return };
        for (number, (asked, target)) in
            [("db.example.com", "db.example.com"), ("10-1-2-3.caisson.internal", "10.1.2.3")]
                .into_iter()
                .enumerate()
        {
            let connect = bash(&format!("exec 3<>/dev/tcp/{asked}/5432 && cat <&3"));
            let mut client = host.exec(number as u64 + 1, connect).await;
            let (name, port, mut server) = answer(&mut host, Connection::Open).await;
            assert_eq!((name.as_str(), port), (target, 5432));
            server.write_all(b"hello").await.unwrap();
            server.shutdown().await.unwrap();
            assert_eq!(text(&mut client).await, "hello");
        }
        let found = host
            .run(3, "for name in example.com 11-1-2-3.caisson.internal; do getent hosts $name; done")
            .await;
        assert_eq!(found, "");
    });
}

#[test]
fn in_a_trial_every_wish_is_put_to_the_host() {
    within(30, async {
        let Some(mut host) = alone(&[]).await else { return };
        host.order(Order::Egress(Egress { rules: Vec::new(), learning: true })).await;
        // Orders are carried out one after the other.
        host.order(Order::Ping).await;
        host.expect(|event| matches!(event, AirlockEvent::Pong)).await;
        for (number, (name, port)) in
            [("api.example.com", 443), ("db.example.org", 5432)].into_iter().enumerate()
        {
            let connect = bash(&format!("exec 3<>/dev/tcp/{name}/{port} && cat <&3; echo over"));
            let mut client = host.exec(number as u64 + 1, connect).await;
            let no = Connection::Refused { why: Refusal::Forbidden, detail: "not yet".into() };
            let (asked, at, _) = answer(&mut host, no).await;
            assert_eq!((asked.as_str(), at), (name, port));
            assert_eq!(text(&mut client).await, "over\n");
        }
        host.order(Order::Egress(Egress::default())).await;
        host.order(Order::Ping).await;
        host.expect(|event| matches!(event, AirlockEvent::Pong)).await;
        assert_eq!(host.run(3, "getent hosts api.example.com").await, "");
    });
}

#[test]
fn a_flood_of_wishes_harms_nobody() {
    within(60, async {
        let Some(mut host) = alone(&[("api.example.com", 443)]).await else { return };
        let flood = "import socket\n\
            for n in range(3000):\n\
            \x20 q = b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0' + bytes([len(str(n))]) + str(n).encode() + b'\\3com\\0\\0\\1\\0\\1'\n\
            \x20 s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(q, ('127.0.0.1', 53)); s.recv(512); s.close()\n\
            held = [socket.create_connection(('127.0.0.1', 3128)) for n in range(300)]\n\
            print('done')";
        let mut client = host.exec(1, command(&["python3", "-c", flood])).await;
        assert_eq!(text(&mut client).await, "done\n");
        host.exit_of(1).await;
        host.order(Order::Ping).await;
        let mut told = 0;
        // Those told before the flood ended have been read on the way to its end.
        while let AirlockEvent::Refused { .. } = host.event().await.unwrap() {
            told += 1;
        }
        assert!(told < 100, "{told}");
        let mut late = host.exec(2, bash("exec 3<>/dev/tcp/api.example.com/443; cat <&3")).await;
        let (_, _, mut server) = answer(&mut host, Connection::Open).await;
        server.shutdown().await.unwrap();
        assert_eq!(text(&mut late).await, "");
    });
}

#[test]
fn clients_that_come_and_go_in_haste_do_not_break_the_pipe() {
    within(60, async {
        let Some(mut host) = alone(&[("api.example.com", 443)]).await else { return };
        let haste = "import socket, struct\na = socket.gethostbyname('api.example.com')\n\
            for n in range(1000):\n\
            \x20 s = socket.socket(); s.connect((a, 443))\n\
            \x20 s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()\n\
            print('done')";
        let mut client = host.exec(1, command(&["python3", "-c", haste])).await;
        // A host that is slow to answer, and leaves most unanswered for a while.
        let mut unanswered = Vec::new();
        let read = tokio::spawn(async move { text(&mut client).await });
        while !read.is_finished() {
            if let Ok((_, stream)) = timeout(Duration::from_millis(20), host.next_stream()).await {
                unanswered.push(stream);
            }
        }
        assert_eq!(read.await.unwrap(), "done\n");
        assert!(unanswered.len() <= 128, "{}", unanswered.len());
        drop(unanswered);
        sleep(Duration::from_millis(200)).await;
        assert_eq!(host.run(2, "echo alive").await, "alive\n");
    });
}
