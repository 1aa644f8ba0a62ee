use std::time::Duration;

use caisson_wire::{EgressName, Refusal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Egress, names::plain};

/// The largest request head taken.
const LARGEST_HEAD: usize = 16 << 10;
/// The most header fields taken.
const MOST_FIELDS: usize = 64;
/// How long a client may take to say what it wants, or to read that it cannot have it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client asks of the proxy.
#[derive(Debug, PartialEq)]
enum Wish {
    /// A tunnel; the head is this long.
    Tunnel(EgressName, usize),
    /// Something else, in HTTP: why it is refused.
    Other(&'static str),
    /// Not HTTP.
    Garbage(&'static str),
}

/// Serves one client of the proxy: CONNECT (RFC 9110, 9.3.6) and nothing else.
pub(super) async fn serve(egress: Egress, mut client: TcpStream) {
    let mut head = Vec::new();
    let Ok(Some(wish)) = timeout(PATIENCE, listen(&mut client, &mut head)).await else { return };
    let (status, why) = match wish {
        Wish::Garbage(why) => ("400 Bad Request", why.to_owned()),
        Wish::Other(why) => ("403 Forbidden", why.to_owned()),
        Wish::Tunnel(target, length) => {
            let EgressName { host, port } = &target;
            if egress.0.names.borrow().allows(host, *port) {
                match egress.connect(&target).await {
                    Ok(mut stream) => {
                        let opened = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
                        // What the client said before it was answered belongs to the tunnel.
                        if opened.is_ok() && stream.write_all(&head[length..]).await.is_ok() {
                            egress.relay(client, stream, &target).await;
                        }
                        return;
                    }
                    Err((Refusal::Forbidden, why)) => ("403 Forbidden", why),
                    Err((Refusal::Unresolved | Refusal::Unreachable, why)) => ("502 Bad Gateway", why),
                }
            } else {
                egress.refused(host, *port);
                let host = host.escape_debug();
                (
                    "403 Forbidden",
                    format!("{host}:{port} is not among the hosts that the user of Caisson allowed."),
                )
            }
        }
    };
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    let replied = async {
        client.write_all(reply.as_bytes()).await?;
        client.shutdown().await?;
        // Read to the end: closing with bytes unread would take the reply back.
        tokio::io::copy(&mut client.take(1 << 20), &mut tokio::io::sink()).await
    };
    drop(timeout(PATIENCE, replied).await);
}

async fn listen(client: &mut TcpStream, head: &mut Vec<u8>) -> Option<Wish> {
    loop {
        if let Some(wish) = wish(head) {
            return Some(wish);
        }
        if head.len() >= LARGEST_HEAD {
            return Some(Wish::Garbage("The request is too large."));
        }
        let room = (LARGEST_HEAD - head.len()) as u64;
        client.take(room).read_buf(head).await.ok().filter(|read| *read > 0)?;
    }
}

/// None while the head is not there to its end.
fn wish(head: &[u8]) -> Option<Wish> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(head) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(length)) => length,
        Err(_) => return Some(Wish::Garbage("This is an HTTP proxy.")),
    };
    Some(match (request.method, request.path.and_then(target)) {
        (Some("CONNECT"), Some(target)) => Wish::Tunnel(target, length),
        (Some("CONNECT"), None) => Wish::Garbage("CONNECT wants a host and a port, such as example.com:443."),
        _ => Wish::Other(
            "This proxy knows CONNECT alone. An allowed host can be reached without it, by its name: \
             plain HTTP needs no proxy here.",
        ),
    })
}

fn target(authority: &str) -> Option<EgressName> {
    let (host, port) = authority.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    // A name is no longer than this (RFC 1035, 2.3.4).
    Some(EgressName { host: plain(host), port }).filter(|name| (1..=255).contains(&name.host.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tunnel(host: &str, port: u16, length: usize) -> Option<Wish> {
        Some(Wish::Tunnel(EgressName { host: host.into(), port }, length))
    }

    #[test]
    fn wishes() {
        let head = "CONNECT API.example.com.:443 HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_eq!(wish(head.as_bytes()), tunnel("api.example.com", 443, head.len()));
        let early = format!("{head}\x16\x03\x01");
        assert_eq!(wish(early.as_bytes()), tunnel("api.example.com", 443, head.len()));
        let head = "CONNECT [::1]:80 HTTP/1.1\r\n\r\n";
        assert_eq!(wish(head.as_bytes()), tunnel("::1", 80, head.len()));
        assert_eq!(wish(b""), None);
        assert_eq!(wish(b"CONNECT a:1 HTTP/1.1\r\n"), None);
        assert!(matches!(wish(b"GET http://example.com/ HTTP/1.1\r\n\r\n"), Some(Wish::Other(_))));
        for garbage in [
            "\x16\x03\x01",
            "CONNECT a HTTP/1.1\r\n\r\n",
            "CONNECT a:0 HTTP/1.1\r\n\r\n",
            "CONNECT :443 HTTP/1.1\r\n\r\n",
            "CONNECT a:65536 HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(wish(garbage.as_bytes()), Some(Wish::Garbage(_))), "{garbage:?}");
        }
        let long = format!("CONNECT {}:443 HTTP/1.1\r\n\r\n", "a".repeat(300));
        assert!(matches!(wish(long.as_bytes()), Some(Wish::Garbage(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(wish(&bytes));
        }
    }
}
