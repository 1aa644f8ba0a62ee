use caisson_wire::EgressName;

use super::names::plain;

/// The most header fields taken.
const MOST_FIELDS: usize = 64;
/// Fields that are between a client and its proxy (RFC 9110, 7.6.1), and so go no further.
const OURS: [&str; 5] = ["connection", "proxy-connection", "proxy-authorization", "keep-alive", "upgrade"];

/// A connection a client asks the proxy for.
#[derive(Debug, PartialEq)]
pub(super) struct Wish {
    /// Where to.
    pub(super) target: EgressName,
    /// What the client is told once it is there.
    pub(super) answer: &'static str,
    /// What goes there first.
    pub(super) first: Vec<u8>,
}

/// What a client has said so far, if that is enough to act on. The error is why it cannot be served.
pub(super) fn heard(said: &[u8]) -> Option<Result<Wish, &'static str>> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let rest = match request.parse(said) {
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(length)) => &said[length..],
        Err(_) => return Some(Err("This is an HTTP proxy, and that was no request it understands.")),
    };
    let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
    Some(if method == "CONNECT" {
        tunnel(target, rest)
    } else {
        forward(method, target, request.headers, rest)
    })
}

/// A tunnel (RFC 9110, 9.3.6). What the client says before it is answered belongs to it.
fn tunnel(target: &str, rest: &[u8]) -> Result<Wish, &'static str> {
    let target =
        authority(target, None).ok_or("CONNECT wants a host and a port, such as example.com:443.")?;
    Ok(Wish { target, answer: "HTTP/1.1 200 Connection established\r\n\r\n", first: rest.to_vec() })
}

/// One request without TLS (RFC 9112, 3.2.2). The server is asked to close after its answer: the client's
/// next request may be for another host.
fn forward(
    method: &str,
    target: &str,
    fields: &[httparse::Header<'_>],
    rest: &[u8],
) -> Result<Wish, &'static str> {
    let target =
        target.strip_prefix("http://").ok_or("The proxy wants CONNECT, or a whole http:// address.")?;
    let (place, path) = target.split_at(target.find(['/', '?']).unwrap_or(target.len()));
    let target = authority(place, Some(80)).ok_or("The address names no host.")?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut first = format!("{method} {slash}{path} HTTP/1.1\r\nConnection: close\r\n").into_bytes();
    for field in fields.iter().filter(|field| !OURS.iter().any(|ours| field.name.eq_ignore_ascii_case(ours)))
    {
        for part in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
            first.extend_from_slice(part);
        }
    }
    first.extend_from_slice(b"\r\n");
    first.extend_from_slice(rest);
    Ok(Wish { target, answer: "", first })
}

fn authority(text: &str, default: Option<u16>) -> Option<EgressName> {
    let bracketed = text.ends_with(']');
    let (host, port) = match text.rsplit_once(':').filter(|_| !bracketed) {
        Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
        None => (text, default?),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // A name is no longer than this (RFC 1035, 2.3.4). An `@` would make it mean another host than it seems.
    let fine = (1..=255).contains(&host.len()) && !host.contains('@');
    fine.then(|| EgressName { host: plain(host), port })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wish(said: &str) -> (String, u16, String) {
        let wish = heard(said.as_bytes()).unwrap().unwrap();
        (wish.target.host, wish.target.port, String::from_utf8(wish.first).unwrap())
    }

    #[test]
    fn tunnels() {
        for (said, host, port, first) in [
            ("CONNECT API.example.com.:443 HTTP/1.1\r\nHost: x\r\n\r\n", "api.example.com", 443, ""),
            ("CONNECT api.example.com:443 HTTP/1.1\r\n\r\nearly", "api.example.com", 443, "early"),
            ("CONNECT [::1]:80 HTTP/1.1\r\n\r\n", "::1", 80, ""),
        ] {
            assert_eq!(wish(said), (host.to_owned(), port, first.to_owned()));
        }
    }

    #[test]
    fn requests() {
        let said = "POST http://Api.example.com:8080/a?b=http://c/ HTTP/1.1\r\nHost: api.example.com:8080\r\n\
            Proxy-Connection: keep-alive\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody";
        let first = "POST /a?b=http://c/ HTTP/1.1\r\nConnection: close\r\nHost: api.example.com:8080\r\n\
            Content-Length: 4\r\n\r\nbody";
        assert_eq!(wish(said), ("api.example.com".to_owned(), 8080, first.to_owned()));
        for (target, host, line) in [
            ("http://a.com", "a.com", "GET / HTTP/1.1\r\n"),
            ("http://a.com?q", "a.com", "GET /?q HTTP/1.1\r\n"),
            ("http://[::1]/", "::1", "GET / HTTP/1.1\r\n"),
        ] {
            let (asked, port, first) = wish(&format!("GET {target} HTTP/1.1\r\n\r\n"));
            assert_eq!((asked.as_str(), port), (host, 80));
            assert!(first.starts_with(line), "{first}");
        }
    }

    #[test]
    fn others() {
        assert_eq!(heard(b""), None);
        assert_eq!(heard(b"CONNECT a:1 HTTP/1.1\r\n"), None);
        for garbage in [
            "\x16\x03\x01",
            "CONNECT a HTTP/1.1\r\n\r\n",
            "CONNECT a:0 HTTP/1.1\r\n\r\n",
            "CONNECT :443 HTTP/1.1\r\n\r\n",
            "CONNECT a:65536 HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET https://a.com/ HTTP/1.1\r\n\r\n",
            "GET http:///a HTTP/1.1\r\n\r\n",
            "GET http://allowed.com@evil.com/ HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(heard(garbage.as_bytes()), Some(Err(_))), "{garbage:?}");
        }
        let long = format!("CONNECT {}:443 HTTP/1.1\r\n\r\n", "a".repeat(300));
        assert!(matches!(heard(long.as_bytes()), Some(Err(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(heard(&bytes));
        }

        #[test]
        fn no_request_smuggles_another(target in "[ -~]{0,40}", value in "[ -~]{0,40}") {
            let said = format!("GET http://a.com/{target} HTTP/1.1\r\nA: {value}\r\n\r\n");
            if let Some(Ok(wish)) = heard(said.as_bytes()) {
                let lines = wish.first.split(|byte| *byte == b'\n').count();
                prop_assert_eq!(lines, 5, "{:?}", String::from_utf8_lossy(&wish.first));
            }
        }
    }
}
