//! Who may speak to a loopback address. A page in the user's browser can, through DNS that changes its
//! answer, so the name it used and the page it came from are checked (MCP 2025-11-25, "Transports:
//! Security Warning"). A Unix socket has no name that DNS could lead to, and no browser opens one; a forwarder may
//! stand before it, so where the page came from is checked there too. A header given twice is a header that cannot be
//! trusted.

use hyper::{
    HeaderMap, Uri,
    header::{HOST, HeaderName, ORIGIN},
};

use super::refusal::Refusal;

/// What a loopback address is called, as it stands in a URL.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Where a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// The port on loopback.
    Loopback,
    /// The Unix socket.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is none"))]
    Socket,
}

/// Whether the request was sent to us by a name that whoever comes in at this door may use; at loopback, with our
/// port.
pub(super) fn host(door: Door, headers: &HeaderMap, uri: &Uri, port: u16) -> Result<(), Refusal> {
    match door {
        Door::Loopback => loopback_host(headers, uri, port),
        // What a client calls it is its own affair, but it calls it something, once (RFC 9112, section 3.2).
        Door::Socket => match single(headers, &HOST) {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(()) => Err(Refusal::SocketHost),
        },
    }
}

fn loopback_host(headers: &HeaderMap, uri: &Uri, port: u16) -> Result<(), Refusal> {
    let ours = |authority: &str| match authority.rsplit_once(':') {
        Some((host, given)) if !given.ends_with(']') => is_loopback(host) && given.parse() == Ok(port),
        // Without a port it is HTTP's own.
        Some(_) | None => is_loopback(authority) && port == 80,
    };
    let named = single(headers, &HOST).map_err(|()| Refusal::Host)?.is_some_and(ours);
    // A request line with a whole URL names a host too, and HTTP gives it precedence (RFC 9112, 3.2.2).
    let targeted = uri.authority().is_none_or(|authority| ours(authority.as_str()));
    if named && targeted { Ok(()) } else { Err(Refusal::Host) }
}

/// Whether the request comes from no web page, or from one of this machine.
pub(super) fn origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let local = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => is_loopback(host) && port.parse::<u16>().is_ok(),
            Some(_) | None => is_loopback(authority),
        })
    };
    match single(headers, &ORIGIN) {
        Ok(None) => Ok(()),
        Ok(Some(origin)) if local(origin) => Ok(()),
        Ok(Some(_)) | Err(()) => Err(Refusal::Origin),
    }
}

/// The one value of a header; an error when there are more, or it is no text.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

fn is_loopback(host: &str) -> bool {
    LOOPBACK.iter().any(|name| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn hosts() {
        let is_ours = |values: &[&str], uri: &str, port| {
            host(Door::Loopback, &with(HOST, values), &uri.parse().unwrap(), port).is_ok()
        };
        for good in ["127.0.0.1:7332", "localhost:7332", "LOCALHOST:7332", "[::1]:7332"] {
            assert!(is_ours(&[good], "/s/a/mcp", 7332), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "localhost:",
            "localhost:80",
            "localhost:07332x",
            "127.0.0.1.evil.com:7332",
            "evil.com:7332",
            "localhost.:7332",
            "127.0.0.2:7332",
            "[::1]",
            "::1:7332",
            "user@localhost:7332",
        ] {
            assert!(!is_ours(&[bad], "/s/a/mcp", 7332), "{bad}");
        }
        assert!(!is_ours(&[], "/", 7332));
        assert!(!is_ours(&["localhost:7332", "localhost:7332"], "/", 7332));
        assert!(is_ours(&["localhost:7332"], "http://127.0.0.1:7332/", 7332));
        assert!(!is_ours(&["localhost:7332"], "http://evil.com:7332/", 7332));
        assert!(is_ours(&["localhost"], "/", 80));
        assert!(is_ours(&["[::1]"], "/", 80));
    }

    #[test]
    fn a_socket_is_called_anything_once() {
        let taken = |values: &[&str]| host(Door::Socket, &with(HOST, values), &Uri::default(), 0).is_ok();
        for good in ["localhost", "caisson", "evil.com:1", ""] {
            assert!(taken(&[good]), "{good}");
        }
        assert!(!taken(&[]) && !taken(&["localhost", "localhost"]));
    }

    #[test]
    fn origins() {
        let is_local = |values: &[&str]| origin(&with(ORIGIN, values)).is_ok();
        assert!(is_local(&[]));
        for good in [
            "http://localhost",
            "http://localhost:6274",
            "https://127.0.0.1:1",
            "http://[::1]:80",
            "http://[::1]",
        ] {
            assert!(is_local(&[good]), "{good}");
        }
        for bad in [
            "",
            "null",
            "http://evil.com",
            "http://localhost.evil.com",
            "http://localhost:80@evil.com",
            "http://evil.com:80",
            "https://localhost:99999",
            "file://localhost",
            "localhost",
            "http://localhost/",
        ] {
            assert!(!is_local(&[bad]), "{bad}");
        }
        assert!(!is_local(&["http://localhost", "http://evil.com"]));
    }
}
