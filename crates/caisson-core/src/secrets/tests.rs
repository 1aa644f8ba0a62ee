use super::*;

fn names() -> (ServerName, SecretName) {
    ("github".parse().unwrap(), "TOKEN".parse().unwrap())
}

fn bytes(text: &str) -> SecretBytes {
    SecretBytes::from(text)
}

#[tokio::test]
async fn set_named_given_removed() {
    let secrets = Secrets::new(State::in_memory().unwrap(), Keychain::in_memory()).unwrap();
    let (server, name) = names();
    let other: SecretName = "OTHER".parse().unwrap();
    secrets.set(&server, &name, bytes("one")).await.unwrap();
    secrets.set(&server, &name, bytes("two")).await.unwrap();
    secrets.set(&server, &other, bytes("three")).await.unwrap();
    assert_eq!(secrets.names(&server).unwrap(), [other.clone(), name.clone()]);
    assert_eq!(secrets.get(&server, &name).await.unwrap().expose(), b"two");
    assert!(secrets.remove(&server, &name).await.unwrap());
    assert!(!secrets.remove(&server, &name).await.unwrap());
    assert!(matches!(secrets.get(&server, &name).await, Err(SecretError::Missing { .. })));
    secrets.remove_all(&server).await.unwrap();
    assert_eq!(secrets.names(&server).unwrap(), []);
    assert!(matches!(secrets.get(&server, &other).await, Err(SecretError::Missing { .. })));
}

#[tokio::test]
async fn two_homes_do_not_see_each_other() {
    let keychain = Keychain::in_memory();
    let one = Secrets::new(State::in_memory().unwrap(), keychain.clone()).unwrap();
    let two = Secrets::new(State::in_memory().unwrap(), keychain).unwrap();
    let (server, name) = names();
    one.set(&server, &name, bytes("one")).await.unwrap();
    assert!(matches!(two.get(&server, &name).await, Err(SecretError::Missing { .. })));
    assert!(!two.remove(&server, &name).await.unwrap());
    assert_eq!(one.get(&server, &name).await.unwrap().expose(), b"one");
}

#[tokio::test]
async fn nothing_and_too_much_are_refused_without_repeating_it() {
    let secrets = Secrets::new(State::in_memory().unwrap(), Keychain::in_memory()).unwrap();
    let (server, name) = names();
    assert!(matches!(secrets.set(&server, &name, bytes("")).await, Err(SecretError::Empty { .. })));
    secrets.set(&server, &name, bytes(&"x".repeat(LONGEST))).await.unwrap();
    let error = secrets.set(&server, &name, bytes(&"x".repeat(LONGEST + 1))).await.unwrap_err();
    assert!(matches!(error, SecretError::TooLong { .. }));
    assert!(error.to_string().len() < 200, "{error}");
}

/// What the machine's keychain must be for the tests below, which `scripts/keychain-tests` arranges:
/// `ready`, `locked`, `no-service` or `no-session`. Without it they say that they were skipped.
fn arranged(wanted: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let arranged = std::env::var("CAISSON_TEST_KEYCHAIN").unwrap_or_default();
    if arranged != wanted {
        println!(
            "skipped: CAISSON_TEST_KEYCHAIN is {arranged:?}, not {wanted:?}; run scripts/keychain-tests"
        );
    }
    arranged == wanted
}

fn real() -> Secrets {
    Secrets::new(State::in_memory().unwrap(), Keychain::os()).unwrap()
}

#[tokio::test]
async fn a_real_keychain_takes_gives_and_removes() {
    if !arranged("ready") {
        return;
    }
    let secrets = real();
    let (server, name) = names();
    let status = secrets.keychain_status().await;
    assert!(
        matches!(&status, KeychainStatus::Ready { what } if what.contains("Secret Service")),
        "{status:?}"
    );
    for value in [&b"one"[..], "zw\u{f6}lf \"quoted\"\n".as_bytes(), b"\x00\xff\xfe", &vec![b'x'; LONGEST]] {
        secrets.set(&server, &name, SecretBytes::from(value)).await.unwrap();
        assert_eq!(secrets.get(&server, &name).await.unwrap().expose(), value);
    }
    let many = (0..20).map(|n| {
        let (secrets, server) = (&secrets, &server);
        async move {
            let name = format!("N{n}").parse().unwrap();
            secrets.set(server, &name, bytes(&n.to_string())).await.unwrap();
            assert_eq!(secrets.get(server, &name).await.unwrap().expose(), n.to_string().as_bytes());
        }
    });
    futures::future::join_all(many).await;
    assert_eq!(secrets.names(&server).unwrap().len(), 21);
    secrets.remove_all(&server).await.unwrap();
    assert!(matches!(secrets.get(&server, &name).await, Err(SecretError::Missing { .. })));
}

#[tokio::test]
async fn a_locked_keychain_is_an_error_with_a_fix() {
    if !arranged("locked") {
        return;
    }
    let secrets = real();
    let (server, name) = names();
    let status = secrets.keychain_status().await;
    assert!(matches!(status, KeychainStatus::Locked { .. }), "{status:?}");
    let error = secrets.set(&server, &name, bytes("hunter2")).await.unwrap_err();
    assert!(matches!(error, SecretError::Locked | SecretError::NoAnswer { .. }), "{error:?}");
    assert!(error.to_string().contains("nlock") && !error.to_string().contains("hunter2"), "{error}");
    assert_eq!(secrets.names(&server).unwrap(), []);
}

#[tokio::test]
async fn without_a_secret_service_there_is_an_error_with_a_fix() {
    if !arranged("no-service") {
        return;
    }
    let (server, name) = names();
    let error = real().set(&server, &name, bytes("hunter2")).await.unwrap_err();
    assert!(matches!(error, SecretError::Unavailable(Unavailable::NoService)), "{error:?}");
}

#[tokio::test]
async fn without_a_session_there_is_an_error_with_a_fix() {
    if !arranged("no-session") {
        return;
    }
    let secrets = real();
    let (server, name) = names();
    let error = secrets.set(&server, &name, bytes("hunter2")).await.unwrap_err();
    assert!(matches!(error, SecretError::Unavailable(Unavailable::NoSession)), "{error:?}");
    assert!(matches!(secrets.keychain_status().await, KeychainStatus::Unusable { .. }));
}
