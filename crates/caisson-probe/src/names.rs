//! The airlock's name server: it must know the names that are allowed, and carry nothing else.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
};

use caisson_wire::{HostPattern, probe::Finding};

use crate::{Probe, network::PATIENCE};

const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 53);
/// Types of records (IANA, DNS parameters).
const A: u16 = 1;
const NULL: u16 = 10;
const TXT: u16 = 16;
const ANY: u16 = 255;

pub(crate) const PROBES: &[Probe] = &[
    ("dns-unknown-name", |_| unknown("caisson-probe.example", A, udp)),
    ("dns-any", |_| unknown("caisson-probe.example", ANY, udp)),
    ("dns-tunnel-txt", |_| unknown("ONSWG4TFOQ.caisson-probe.example", TXT, udp)),
    ("dns-tunnel-null", |_| unknown("ONSWG4TFOQ.caisson-probe.example", NULL, udp)),
    ("dns-tunnel-long", |_| {
        // The longest name there can be, full of data (RFC 1035, 2.3.4).
        let label = "a2".repeat(31);
        unknown(&format!("{label}.{label}.{label}.{}", "b2".repeat(29)), TXT, udp)
    }),
    ("dns-tunnel-tcp", |_| unknown("ONSWG4TFOQ.caisson-probe.example", TXT, tcp)),
    ("dns-reverse", |_| unknown("254.169.254.169.in-addr.arpa", 12, udp)),
    ("dns-engine-names", |_| {
        for name in ["host.docker.internal", "host.containers.internal", "gateway.docker.internal"] {
            let finding = unknown(name, A, udp);
            if finding.outcome != caisson_wire::probe::Outcome::Held {
                return finding;
            }
        }
        Finding::held("the engine's names for this machine do not exist inside")
    }),
    ("dns-below-allowed", |ground| {
        // Beneath one name that is allowed alone: what a star allows is no hiding place but a permission.
        let below = ground.hosts.iter().find_map(|(pattern, _)| match pattern {
            HostPattern::Name(name) => Some(format!("onswg4tfoq.{name}")),
            HostPattern::Beneath(_) | HostPattern::Network(_) => None,
        });
        let is_allowed = |name: &String| ground.hosts.iter().any(|(pattern, _)| pattern.matches(name));
        match below.filter(|name| !is_allowed(name)) {
            Some(name) => unknown(&name, A, udp),
            None => Finding::not_applicable("no name is allowed alone, so there is none to hide data below"),
        }
    }),
];

/// Asks for a name that must not exist: no answer may hold anything.
fn unknown(name: &str, kind: u16, exchange: fn(&[u8]) -> io::Result<Vec<u8>>) -> Finding {
    match exchange(&question(name, kind)) {
        Ok(reply) => judge(&reply),
        Err(error) => Finding::held(format!("the name server did not answer: {error}")),
    }
}

fn judge(reply: &[u8]) -> Finding {
    const NO_SUCH_NAME: u8 = 3;
    let [_, _, _, flags, _, _, high, low, ..] = reply else {
        return Finding::broken("the name server answered with no DNS message");
    };
    let (code, answers) = (flags & 0xf, u16::from_be_bytes([*high, *low]));
    match (code, answers) {
        (NO_SUCH_NAME, 0) => Finding::held("the name does not exist (NXDOMAIN), and nothing came back"),
        (0, _) => Finding::broken(format!("the name exists: {answers} answers came back")),
        (code, 0) => {
            Finding::held(format!("the question was refused with code {code}, and nothing came back"))
        }
        (code, answers) => Finding::broken(format!("{answers} answers came back, with code {code}")),
    }
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    // An id, recursion wanted, one question (RFC 1035, 4.1).
    let mut message = vec![0xca, 0x15, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message
}

fn udp(question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(question, SocketAddr::from(SERVER))?;
    let mut reply = vec![0; 4096];
    let (length, _) = socket.recv_from(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn tcp(question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(SERVER), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX).to_be_bytes();
    stream.write_all(&[&length, question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use caisson_wire::probe::Outcome;

    use super::*;

    fn judged(code: u8, answers: u8) -> Outcome {
        judge(&[0xca, 0x15, 0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]).outcome
    }

    #[test]
    fn only_a_name_that_does_not_exist_is_held() {
        assert_eq!(judged(3, 0), Outcome::Held);
        assert_eq!(judged(5, 0), Outcome::Held);
        for (code, answers) in [(0, 0), (0, 1), (3, 1)] {
            assert_eq!(judged(code, answers), Outcome::Broken, "{code} {answers}");
        }
        assert_eq!(judge(b"hello").outcome, Outcome::Broken);
    }

    #[test]
    fn a_question_is_a_dns_message() {
        let message = question("a.bc", TXT);
        assert_eq!(message[12..], [1, b'a', 2, b'b', b'c', 0, 0, 16, 0, 1]);
        assert_eq!(message[4..6], [0, 1]);
    }
}
