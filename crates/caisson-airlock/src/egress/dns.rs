use std::{net::Ipv4Addr, time::Duration};

use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, ResourceRecord, TYPE,
    rdata::{A, RData},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{sleep, timeout},
};

use super::{
    BREATHER, Egress,
    names::{Names, plain},
};

/// The largest question taken. Real ones have a name of at most 255 bytes and few options.
const LARGEST: usize = 4096;
/// Seconds an answer may be remembered: a host that is no longer allowed is refused at its listener anyway.
const TTL: u32 = 30;
/// How long a client may keep a TCP connection without asking.
const IDLE: Duration = Duration::from_secs(10);

/// A reply, and the name that was asked for in vain.
struct Reply {
    bytes: Vec<u8>,
    refused: Option<String>,
}

/// Answers questions by UDP.
pub(super) async fn serve_udp(egress: Egress, socket: UdpSocket) {
    let mut buffer = vec![0; LARGEST];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            sleep(BREATHER).await;
            continue;
        };
        if let Some(reply) = egress.resolve(&buffer[..length]).await {
            // A client that does not take its answer asks again.
            drop(socket.send_to(&reply, client).await);
        }
    }
}

/// Answers questions on one TCP connection (RFC 1035, 4.2.2).
pub(super) async fn serve_tcp(egress: Egress, mut client: TcpStream) {
    while let Ok(Some(reply)) = timeout(IDLE, exchange(&egress, &mut client)).await {
        let Ok(length) = u16::try_from(reply.len()) else { return };
        let bytes = [&length.to_be_bytes(), reply.as_slice()].concat();
        if !matches!(timeout(IDLE, client.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn exchange(egress: &Egress, client: &mut TcpStream) -> Option<Vec<u8>> {
    let length = usize::from(client.read_u16().await.ok()?);
    let mut question = vec![0; Some(length).filter(|length| *length <= LARGEST)?];
    client.read_exact(&mut question).await.ok()?;
    egress.resolve(&question).await
}

impl Egress {
    async fn resolve(&self, question: &[u8]) -> Option<Vec<u8>> {
        let mut reply = answer(question, &self.0.names.borrow())?;
        if let Some(name) = &reply.refused {
            self.admit(name).await;
            reply = answer(question, &self.0.names.borrow())?;
        }
        if let Some(name) = reply.refused {
            self.refused(&name, 0);
        }
        Some(reply.bytes)
    }
}

/// The answer to a DNS message; none to what is no question.
///
/// An allowed name has one address and nothing else. Any other does not exist.
fn answer(message: &[u8], names: &Names) -> Option<Reply> {
    let (Ok(id), Ok(false)) = (
        simple_dns::header_buffer::id(message),
        simple_dns::header_buffer::has_flags(message, PacketFlag::RESPONSE),
    ) else {
        return None;
    };
    let mut reply = Packet::new_reply(id);
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    let question = Packet::parse(message).ok();
    let mut refused = None;
    *reply.rcode_mut() = match &question {
        None => RCODE::FormatError,
        Some(packet) => {
            if packet.has_flags(PacketFlag::RECURSION_DESIRED) {
                reply.set_flags(PacketFlag::RECURSION_DESIRED);
            }
            match packet.questions.as_slice() {
                _ if packet.opcode() != OPCODE::StandardQuery => RCODE::NotImplemented,
                [question] => {
                    reply.questions.push(question.clone());
                    let name = plain(&question.qname.to_string());
                    let ours = matches!(question.qclass, QCLASS::CLASS(CLASS::IN) | QCLASS::ANY);
                    match address(&name, names).filter(|_| ours) {
                        Some(address) => {
                            if matches!(question.qtype, QTYPE::TYPE(TYPE::A) | QTYPE::ANY) {
                                let address = RData::A(A { address: address.to_bits() });
                                let record =
                                    ResourceRecord::new(question.qname.clone(), CLASS::IN, TTL, address);
                                reply.answers.push(record);
                            }
                            RCODE::NoError
                        }
                        None => {
                            // Programs ask for the names of addresses only to print them.
                            refused = Some(name).filter(|name| !name.ends_with(".arpa"));
                            RCODE::NameError
                        }
                    }
                }
                _ => RCODE::FormatError,
            }
        }
    };
    Some(Reply { bytes: reply.build_bytes_vec().ok()?, refused })
}

fn address(name: &str, names: &Names) -> Option<Ipv4Addr> {
    match name {
        // RFC 6761, 6.3.
        "localhost" => Some(Ipv4Addr::LOCALHOST),
        name => names.address(name),
    }
}

#[cfg(test)]
mod tests {
    use caisson_wire::{Egress as Reachable, EgressRule};
    use proptest::prelude::*;
    use simple_dns::{Name, Question};

    use super::*;

    fn names() -> Names {
        let rules = vec![EgressRule { host: "api.example.com".parse().unwrap(), port: 443 }];
        Names::default().replaced(Reachable { rules, learning: false }).unwrap()
    }

    fn question(name: &str, qtype: QTYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(Name::new_unchecked(name), qtype, CLASS::IN.into(), false));
        packet.build_bytes_vec().unwrap()
    }

    #[test]
    fn allowed_names_have_an_address_and_others_do_not_exist() {
        let (a, aaaa, https) = (TYPE::A.into(), TYPE::AAAA.into(), TYPE::HTTPS.into());
        for (name, qtype, code, answers, refused) in [
            ("api.example.com", a, RCODE::NoError, 1, None),
            ("API.Example.COM", a, RCODE::NoError, 1, None),
            ("api.example.com", aaaa, RCODE::NoError, 0, None),
            ("api.example.com", https, RCODE::NoError, 0, None),
            ("localhost", a, RCODE::NoError, 1, None),
            ("example.com", a, RCODE::NameError, 0, Some("example.com")),
            ("Evil-api.example.com", aaaa, RCODE::NameError, 0, Some("evil-api.example.com")),
            ("1.0.77.127.in-addr.arpa", TYPE::PTR.into(), RCODE::NameError, 0, None),
        ] {
            let reply = answer(&question(name, qtype), &names()).unwrap();
            let packet = Packet::parse(&reply.bytes).unwrap();
            assert_eq!((packet.id(), packet.rcode(), packet.answers.len()), (7, code, answers), "{name}");
            assert!(packet.has_flags(PacketFlag::RESPONSE | PacketFlag::RECURSION_DESIRED));
            assert_eq!(packet.questions[0].qname.to_string(), name, "the question is repeated as it was put");
            assert_eq!(reply.refused.as_deref(), refused);
            if answers == 1 {
                let RData::A(A { address }) = packet.answers[0].rdata else { panic!("not an address") };
                assert!(Ipv4Addr::from_bits(address).is_loopback());
            }
        }
    }

    #[test]
    fn odd_messages_get_an_error_or_nothing() {
        let reply = question("api.example.com", TYPE::A.into());
        assert!(answer(&answer(&reply, &names()).unwrap().bytes, &names()).is_none(), "a reply was answered");
        assert!(answer(b"", &names()).is_none());
        let cut = answer(&reply[..reply.len() - 3], &names()).unwrap();
        assert_eq!(Packet::parse(&cut.bytes).unwrap().rcode(), RCODE::FormatError);
        let mut two = Packet::parse(&reply).unwrap();
        two.questions.push(two.questions[0].clone());
        let two = answer(&two.build_bytes_vec().unwrap(), &names()).unwrap();
        assert_eq!(Packet::parse(&two.bytes).unwrap().rcode(), RCODE::FormatError);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(answer(&bytes, &names()));
        }

        #[test]
        fn a_damaged_question_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = question("api.example.com", TYPE::A.into());
            let at = at.index(bytes.len());
            bytes[at] = byte;
            drop(answer(&bytes, &names()));
        }
    }
}
