//! The airlock's HTTP proxy: it must open a way to the hosts that are allowed, and to nothing else.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use caisson_wire::{
    HostPattern,
    probe::{Finding, Ground},
};

use crate::{Probe, network::PATIENCE};

const PROXY: ([u8; 4], u16) = ([127, 0, 0, 1], 3128);

pub(crate) const PROBES: &[Probe] = &[
    ("proxy-unknown-host", |ground| {
        refused(ground, &[("caisson-probe.example", 443), ("caisson-probe.example", 80)])
    }),
    ("proxy-address", |ground| {
        refused(
            ground,
            &[("192.0.2.1", 443), ("[2001:db8::1]", 443), ("3221225985", 443), ("0xc0000201", 443)],
        )
    }),
    ("proxy-metadata", |ground| {
        refused(ground, &[("169.254.169.254", 80), ("[fd00:ec2::254]", 80), ("[::ffff:169.254.169.254]", 80)])
    }),
    ("proxy-host-loopback", loopback),
    ("proxy-other-port", |ground| {
        let name = ground.hosts.iter().find_map(|(pattern, _)| match pattern {
            HostPattern::Name(name) => Some(name),
            HostPattern::Beneath(_) | HostPattern::Network(_) => None,
        });
        match name {
            // The first port that is not granted.
            Some(name) => {
                refused(ground, &[(name, (1..).find(|port| !ground.allows(name, *port)).unwrap_or(1))])
            }
            None => {
                Finding::not_applicable("no name is allowed alone, so none can be asked for another port")
            }
        }
    }),
    ("proxy-request", |ground| {
        if ground.allows("169.254.169.254", 80) {
            return allowed();
        }
        let request = "GET http://169.254.169.254/ HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n";
        judged(&[("GET http://169.254.169.254/".into(), ask(request))])
    }),
];

/// The host's loopback, in every spelling, at the port where the host listens.
fn loopback(ground: &Ground) -> Finding {
    let Some(port) = ground.decoy_port else { return Finding::not_applicable("the host laid out no decoy") };
    const SPELLINGS: [&str; 8] = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
    ];
    refused(ground, &SPELLINGS.map(|host| (host, port)))
}

/// Asks for each that no rule allows.
fn refused(ground: &Ground, targets: &[(&str, u16)]) -> Finding {
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let asked =
        targets.iter().filter(|(host, port)| !ground.allows(&bare(host), *port)).map(|(host, port)| {
            let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
            (format!("CONNECT {host}:{port}"), ask(&request))
        });
    let asked: Vec<_> = asked.collect();
    if asked.is_empty() { allowed() } else { judged(&asked) }
}

fn allowed() -> Finding {
    Finding::not_applicable("a rule of the user's allows what would be asked for")
}

/// Only an error is a refusal; whatever else comes back is a way.
fn judged(asked: &[(String, io::Result<String>)]) -> Finding {
    let mut said = String::new();
    for (request, answer) in asked {
        match answer {
            Err(error) => said = format!("the proxy did not answer: {error}"),
            Ok(status) if status.starts_with(['4', '5']) => said = format!("the proxy answered {status}"),
            Ok(status) => return Finding::broken(format!("{request} was answered with {status}")),
        }
    }
    Finding::held(said)
}

/// The status of the proxy's answer: `403 Forbidden`.
fn ask(request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(PROXY), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    stream
        .take(1024)
        .read_to_end(&mut head)
        .or_else(|error| if head.is_empty() { Err(error) } else { Ok(0) })?;
    let head = String::from_utf8_lossy(&head);
    let line = head.lines().next().unwrap_or_default();
    let status = line.split_once(' ').map_or(line, |(_, status)| status);
    if status.is_empty() {
        Err(io::ErrorKind::UnexpectedEof.into())
    } else {
        Ok(status.escape_debug().to_string())
    }
}

#[cfg(test)]
mod tests {
    use caisson_wire::probe::Outcome;

    use super::*;

    #[test]
    fn only_an_error_is_a_refusal() {
        let judged = |status: &str| judged(&[("CONNECT x".into(), Ok(status.into()))]).outcome;
        assert_eq!((judged("403 Forbidden"), judged("502 Bad Gateway")), (Outcome::Held, Outcome::Held));
        assert_eq!((judged("200 OK"), judged("HTTP")), (Outcome::Broken, Outcome::Broken));
        assert_eq!(
            super::judged(&[("x".into(), Err(io::ErrorKind::ConnectionRefused.into()))]).outcome,
            Outcome::Held
        );
    }
}
