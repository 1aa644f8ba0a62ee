//! What a connection says of itself before anything else: the server name of TLS (RFC 6066, 3), the `Host` of HTTP on
//! port 80. A connection that was opened by one name and asks for another is refused: many names share an address.

use std::io::Cursor;

use rustls::server::Acceptor;

/// Where only HTTP is spoken: what is something else is refused, since no name could be read from it.
const HTTP: u16 = 80;
/// The first byte of TLS: a record of the handshake (RFC 8446, 5.1), and the first byte of its version.
const HANDSHAKE: [u8; 2] = [0x16, 0x03];
/// The longest `ClientHello` taken. Keys that withstand quantum computers made them grow to two kilobytes.
const LONGEST_HELLO: usize = 64 << 10;
/// The longest head of an HTTP request taken.
const LONGEST_HEAD: usize = 64 << 10;
/// The most fields of one.
const MOST_FIELDS: usize = 128;
/// Fields that are between two neighbours (RFC 9110, 7.6.1): new ones take their place.
const HOP: [&str; 5] = ["connection", "proxy-connection", "keep-alive", "upgrade", "http2-settings"];

/// Hears the first bytes of a connection.
pub(super) struct Greeting {
    name: String,
    port: u16,
    held: Vec<u8>,
    hello: Option<Acceptor>,
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not enough yet.
    Part,
    /// Nothing against it: these bytes go on, and all that follow.
    Fine(Vec<u8>),
    /// It asks for another name, or for none that can be read; the end of a sentence.
    Refused(String),
}

impl Greeting {
    /// The greeting of a connection that was opened to `name`, lower case.
    pub(super) fn to(name: String, port: u16) -> Self {
        Self { name, port, held: Vec::new(), hello: None }
    }

    /// Whether something was said, but not enough.
    pub(super) fn has_begun(&self) -> bool {
        !self.held.is_empty()
    }

    /// Hears what comes next. After anything but [`Heard::Part`] it has heard enough.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Heard {
        self.held.extend_from_slice(bytes);
        if self.port == HTTP {
            return self.http();
        }
        let begins = self.held.len().min(HANDSHAKE.len());
        match self.held[..begins] == HANDSHAKE[..begins] {
            false => Heard::Fine(std::mem::take(&mut self.held)),
            true if begins < HANDSHAKE.len() => Heard::Part,
            true => self.tls(bytes),
        }
    }

    fn tls(&mut self, bytes: &[u8]) -> Heard {
        let unread = if self.hello.is_some() { bytes } else { &self.held };
        let hello = self.hello.get_or_insert_default();
        let mut unread = Cursor::new(unread);
        loop {
            // Reading from memory does not fail; what cannot be read is found out next.
            let read = hello.read_tls(&mut unread).unwrap_or(0);
            match hello.accept() {
                Ok(Some(accepted)) => {
                    return match accepted.client_hello().server_name() {
                        Some(other) if !other.eq_ignore_ascii_case(&self.name) => {
                            Heard::Refused(format!("its TLS asks for {}", other.escape_debug()))
                        }
                        Some(_) | None => Heard::Fine(std::mem::take(&mut self.held)),
                    };
                }
                Ok(None) if read > 0 => {}
                Ok(None) if self.held.len() > LONGEST_HELLO => {
                    return Heard::Refused("its TLS does not say whom it asks for".to_owned());
                }
                Ok(None) => return Heard::Part,
                Err((error, _)) => return Heard::Refused(format!("its TLS cannot be read: {error}")),
            }
        }
    }

    /// The first request is passed on as the last: a second might ask for another name. The server is told so.
    fn http(&mut self) -> Heard {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let end = match request.parse(&self.held) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if self.held.len() <= LONGEST_HEAD => return Heard::Part,
            Ok(httparse::Status::Partial) => {
                return Heard::Refused("its HTTP request is too long".to_owned());
            }
            Err(error) => return Heard::Refused(format!("port 80 is for HTTP, and this is none: {error}")),
        };
        let (method, target) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        let mut asked = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
        let (Some(host), None) = (asked.next(), asked.next()) else {
            return Heard::Refused("its HTTP request names no host, or several".to_owned());
        };
        let absolute =
            target.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
        let host = String::from_utf8_lossy(host.value);
        for named in absolute.into_iter().chain([host.as_ref()]) {
            let bare = named.strip_suffix(":80").unwrap_or(named);
            let bare = bare.strip_suffix('.').unwrap_or(bare);
            if !bare.eq_ignore_ascii_case(&self.name) {
                return Heard::Refused(format!("its HTTP asks for {}", named.escape_debug()));
            }
        }
        if method == "CONNECT" {
            return Heard::Refused("its HTTP asks for a tunnel".to_owned());
        }
        let web_socket = request.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case("upgrade") && field.value.eq_ignore_ascii_case(b"websocket")
        });
        let hop =
            if web_socket { "Connection: Upgrade, close\r\nUpgrade: websocket" } else { "Connection: close" };
        let minor = request.version.unwrap_or(1);
        let mut head = format!("{method} {target} HTTP/1.{minor}\r\n{hop}\r\n").into_bytes();
        for field in
            request.headers.iter().filter(|it| !HOP.iter().any(|hop| it.name.eq_ignore_ascii_case(hop)))
        {
            for part in [field.name.as_bytes(), b": ", field.value, b"\r\n"] {
                head.extend_from_slice(part);
            }
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(&self.held[end..]);
        Heard::Fine(head)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A `ClientHello`, by the book (RFC 8446, 4.1.2), with these extensions.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let sized = |bytes: &[u8], width: usize| [&bytes.len().to_be_bytes()[8 - width..], bytes].concat();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &sized(&[], 1),
            &sized(&[0x13, 0x01, 0xc0, 0x2f], 2),
            &sized(&[0], 1),
            &sized(extensions, 2),
        ]
        .concat();
        let handshake = [&[1][..], &sized(&body, 3)].concat();
        [&[0x16, 3, 1][..], &sized(&handshake, 2)].concat()
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat()
    }

    fn named(names: &[&str]) -> Vec<u8> {
        let list: Vec<u8> = names
            .iter()
            .flat_map(|name| [&[0][..], &(name.len() as u16).to_be_bytes(), name.as_bytes()].concat())
            .collect();
        extension(0, &[&(list.len() as u16).to_be_bytes()[..], &list].concat())
    }

    /// What rustls wants of everybody: signature algorithms, groups and versions.
    fn usual() -> Vec<u8> {
        [extension(13, &[0, 2, 4, 3]), extension(10, &[0, 2, 0, 23]), extension(43, &[4, 3, 4, 3, 3])]
            .concat()
    }

    fn heard(port: u16, bytes: &[u8]) -> Heard {
        Greeting::to("api.example.com".into(), port).hear(bytes)
    }

    fn refused(heard: &Heard) -> bool {
        matches!(heard, Heard::Refused(_))
    }

    #[test]
    fn the_name_that_tls_asks_for() {
        for (name, fine) in [
            ("api.example.com", true),
            ("API.example.COM", true),
            ("evil.example.com", false),
            ("api.example.com.evil.com", false),
        ] {
            let bytes = hello(&[usual(), named(&[name])].concat());
            let heard = heard(443, &bytes);
            assert_eq!(heard == Heard::Fine(bytes), fine, "{name}: {heard:?}");
        }
        let nameless = hello(&usual());
        assert_eq!(heard(5432, &nameless), Heard::Fine(nameless.clone()));
        let twice = [usual(), named(&["api.example.com"]), named(&["evil.example.com"])].concat();
        assert!(refused(&heard(443, &hello(&twice))));
        assert!(refused(&heard(
            443,
            &hello(&[usual(), named(&["api.example.com", "evil.example.com"])].concat())
        )));
        assert!(refused(&heard(443, b"\x16\x03\x01\x00\x04junk")));
    }

    #[test]
    fn a_hello_may_come_in_pieces() {
        let bytes = hello(&[usual(), named(&["evil.example.com"])].concat());
        let mut greeting = Greeting::to("api.example.com".into(), 443);
        for byte in &bytes[..bytes.len() - 1] {
            assert_eq!(greeting.hear(&[*byte]), Heard::Part);
            assert!(greeting.has_begun());
        }
        assert!(refused(&greeting.hear(&bytes[bytes.len() - 1..])));
        // One record a byte, as RFC 8446, 5.1 allows.
        let mut greeting = Greeting::to("api.example.com".into(), 443);
        let records: Vec<u8> = bytes[5..].iter().flat_map(|byte| [0x16, 3, 1, 0, 1, *byte]).collect();
        assert!(refused(&greeting.hear(&records)));
        let endless: Vec<u8> = [&[1, 0xff, 0xff, 0xff][..], &[0; 70 << 10]].concat();
        let endless: Vec<u8> = endless
            .chunks(16000)
            .flat_map(|part| [&[0x16, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat())
            .collect();
        assert!(refused(&heard(443, &endless)));
    }

    #[test]
    fn other_protocols_pass() {
        for bytes in [&b"\x00\x00\x00\x08\x04\xd2\x16\x2f"[..], b"SSH-2.0-x\r\n", b"EHLO me\r\n", b"\x16\x04"]
        {
            assert_eq!(heard(5432, bytes), Heard::Fine(bytes.to_vec()));
        }
        assert_eq!(heard(5432, b"\x16"), Heard::Part);
    }

    #[test]
    fn the_host_that_http_asks_for() {
        let fine = |request: &str| match heard(80, request.as_bytes()) {
            Heard::Fine(bytes) => String::from_utf8(bytes).unwrap(),
            other @ (Heard::Part | Heard::Refused(_)) => panic!("{request:?}: {other:?}"),
        };
        assert_eq!(
            fine(
                "POST /a HTTP/1.1\r\nHost: api.example.com\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
            ),
            "POST /a HTTP/1.1\r\nConnection: close\r\nHost: api.example.com\r\nContent-Length: 2\r\n\r\nhi"
        );
        fine("GET http://api.example.com:80/ HTTP/1.0\r\nhost: API.example.com.:80\r\n\r\n");
        let socket =
            "GET /s HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
        assert!(fine(socket).contains("Connection: Upgrade, close\r\nUpgrade: websocket\r\n"));
        let h2c = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
        assert!(!fine(h2c).contains("Upgrade"));
        for bad in [
            "GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: api.example.com\r\nHost: evil.example.com\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : api.example.com\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET http://evil.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
            "GET http://api.example.com@evil.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
            "CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "SSH-2.0-x\r\n",
        ] {
            assert!(refused(&heard(80, bad.as_bytes())), "{bad:?}: {:?}", heard(80, bad.as_bytes()));
        }
        assert_eq!(heard(80, b"GET / HTTP/1.1\r\nHost: "), Heard::Part);
        let endless = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(70 << 10));
        assert!(refused(&heard(80, endless.as_bytes())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), port in prop_oneof![Just(80u16), Just(443)], tls in any::<bool>()) {
            let bytes = if tls { [&[0x16, 3, 1][..], &bytes].concat() } else { bytes };
            let mut greeting = Greeting::to("a".into(), port);
            for part in bytes.chunks(7) {
                if greeting.hear(part) != Heard::Part { break }
            }
        }

        #[test]
        fn what_goes_on_is_one_request_for_the_name(value in "[ -~]{0,40}", target in "[!-~]{0,40}") {
            let said = format!("GET /{target} HTTP/1.1\r\nHost: a\r\nB: {value}\r\n\r\n");
            if let Heard::Fine(head) = Greeting::to("a".into(), 80).hear(said.as_bytes()) {
                prop_assert_eq!(head.split(|byte| *byte == b'\n').count(), 6);
            }
        }
    }
}
