use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpListener,
};

use super::*;

fn rules(rules: &[String]) -> HostRules {
    HostRules::allowing(rules.iter().map(|rule| rule.parse().unwrap()).collect::<Vec<HostRule>>())
}

fn table(names: &[(&str, &str)]) -> Egress {
    let entry = |(name, address): &(&str, &str)| ((*name).to_owned(), vec![address.parse().unwrap()]);
    Egress::new(Resolver::Fixed(Arc::new(names.iter().map(entry).collect())))
}

async fn no_way(egress: &Egress, allowed: &[&str], host: &str, port: u16) -> NoWay {
    let allowed: Vec<String> = allowed.iter().map(|rule| (*rule).to_owned()).collect();
    egress.connect(&rules(&allowed), host, port).await.unwrap_err()
}

#[tokio::test]
async fn only_what_a_rule_names_is_connected_to() {
    let egress = Egress::default();
    for (host, port) in [("b.example", 443), ("a.example", 80), ("a.example.evil", 443), ("", 443)] {
        let refused = no_way(&egress, &["a.example:443"], host, port).await;
        assert_eq!(refused.why, Refused::NotAllowed, "{host}:{port}");
        assert_eq!(refused.rule, HostRule::exactly(host, port).ok());
    }
    assert_eq!(NoWay::not_allowed("a.example", 0).rule.unwrap().to_string(), "a.example:443");
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused() {
    let refused = no_way(&Egress::default(), &["localhost:80"], "LOCALHOST.", 80).await;
    assert_eq!(refused.why, Refused::Closed);
    assert!(refused.detail.contains("this machine"), "{}", refused.detail);
}

#[tokio::test]
async fn private_addresses_want_a_rule_of_their_own() {
    let egress = table(&[("db.example", "10.0.0.5"), ("meta.example", "169.254.169.254")]);
    let refused = no_way(&egress, &["db.example:5432"], "db.example", 5432).await;
    assert_eq!(
        (refused.why, refused.rule.unwrap().to_string()),
        (Refused::Closed, "10.0.0.5:5432".to_owned())
    );
    let refused = no_way(&egress, &["db.example:5432", "10.0.0.0/8:80"], "db.example", 5432).await;
    assert_eq!(refused.why, Refused::Closed, "the rule is for another port");
    for (allowed, host) in [
        (["meta.example:80", "169.254.169.254:80"], "meta.example"),
        (["meta.example:80", "169.254.0.0/16:80"], "169.254.169.254"),
        (["[::ffff:169.254.169.254]:80", "a.example"], "::ffff:169.254.169.254"),
        (["[64:ff9b::a9fe:a9fe]:80", "a.example"], "64:ff9b::a9fe:a9fe"),
        (["[fd00::/8]:80", "a.example"], "fd00:ec2::254"),
    ] {
        let refused = no_way(&egress, &allowed, host, 80).await;
        assert_eq!((refused.why, refused.rule), (Refused::Closed, None), "{host}");
    }
}

#[tokio::test]
async fn what_is_blocked_stays_blocked() {
    let egress = table(&[("a.example", "203.0.113.9")]);
    let blocked: Arc<[HostRule]> = Arc::from(["a.example".parse().unwrap()]);
    let open = HostRules { blocked, trial: Some(Trial::Open), ..HostRules::default() };
    assert_eq!(egress.connect(&open, "a.example", 443).await.unwrap_err().why, Refused::Blocked);
    let blocked: Arc<[HostRule]> = Arc::from(["203.0.113.0/24".parse().unwrap()]);
    let open = HostRules { blocked, trial: Some(Trial::Open), ..HostRules::default() };
    assert_eq!(egress.connect(&open, "a.example", 443).await.unwrap_err().why, Refused::Closed);
}

#[tokio::test]
async fn a_table_is_followed_and_a_rule_opens_what_it_names() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let egress = table(&[("a.example", "127.0.0.1")]);
    let allowed = rules(&[
        format!("*.example:{port}").replace("*.", "a."),
        format!("b.example:{port}"),
        format!("127.0.0.1:{port}"),
    ]);
    let outside = egress.connect(&allowed, "A.example.", port).await.unwrap();
    assert_eq!((outside.address().port(), outside.name.as_deref()), (port, Some("a.example")));
    let outside = egress.connect(&allowed, "127.0.0.1", port).await.unwrap();
    assert_eq!(outside.name, None);
    assert_eq!(egress.connect(&allowed, "b.example", port).await.unwrap_err().why, Refused::Unresolved);
    drop(listener);
    assert_eq!(egress.connect(&allowed, "a.example", port).await.unwrap_err().why, Refused::Unreachable);
}

/// A connection to a server that sends back what it gets, and says hello first.
async fn echo() -> (Outside, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut got = Vec::new();
        drop(stream.read_to_end(&mut got).await);
        drop(stream.write_all(&got).await);
        got
    });
    let egress = table(&[("a.example", "127.0.0.1")]);
    let allowed = rules(&[format!("a.example:{port}"), format!("127.0.0.1:{port}")]);
    (egress.connect(&allowed, "a.example", port).await.unwrap(), server)
}

#[tokio::test]
async fn bytes_are_carried_and_counted_and_a_server_may_speak_first() {
    let (outside, server) = echo().await;
    let (mut client, inside) = duplex(1 << 10);
    let tally = Tally::default();
    let talk = async {
        let mut hello = [0; 5];
        client.read_exact(&mut hello).await.unwrap();
        client.write_all(b"SELECT 1").await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        back
    };
    let (carried, back) = tokio::join!(carry(inside, outside, &tally), talk);
    carried.unwrap();
    assert_eq!((&back[..], &server.await.unwrap()[..]), (&b"SELECT 1"[..], &b"SELECT 1"[..]));
    assert_eq!((tally.sent(), tally.received()), (8, 13));
}

#[tokio::test(start_paused = true)]
async fn of_a_greeting_for_another_name_nothing_gets_out() {
    for cut in [false, true] {
        let (outside, server) = echo().await;
        let (mut client, inside) = duplex(1 << 10);
        let tally = Tally::default();
        // The beginning of a TLS handshake that does not go on, or that is nonsense.
        let said: &[u8] = if cut { &[0x16, 3, 1, 1, 0, 1] } else { b"\x16\x03\x01\x00\x04junk" };
        let (carried, ()) = tokio::join!(carry(inside, outside, &tally), async {
            client.write_all(said).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        assert!(matches!(carried, Err(CarryError::Mismatch(_))), "{carried:?}");
        assert_eq!((tally.sent(), server.await.unwrap()), (0, Vec::new()));
    }
}
