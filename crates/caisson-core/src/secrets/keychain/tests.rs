use std::sync::{Arc, Condvar, Mutex};

use super::{memory::MemoryStore, *};

/// A keychain whose window nobody answers, until `answer` is called.
#[derive(Clone, Default)]
struct Window(Arc<(Mutex<bool>, Condvar)>);

impl Window {
    fn wait(&self) {
        let (answered, changed) = &*self.0;
        drop(changed.wait_while(answered.lock().unwrap(), |answered| !*answered).unwrap());
    }

    fn answer(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn keychain(&self) -> Keychain {
        let window = self.clone();
        Keychain::new(Duration::from_millis(100), move || {
            window.wait();
            Ok(Box::new(MemoryStore::default()))
        })
    }
}

#[tokio::test]
async fn a_keychain_that_never_answers_holds_nobody_up_and_few_threads() {
    let window = Window::default();
    let keychain = window.keychain();
    for _ in 0..MOST_THREADS {
        let error = keychain.run(|store| store.get("a")).await.unwrap_err();
        assert!(matches!(error, SecretError::NoAnswer { .. }), "{error:?}");
    }
    for _ in 0..3 {
        let error = keychain.run(|store| store.get("a")).await.unwrap_err();
        assert!(matches!(error, SecretError::Stuck), "{error:?}");
    }
    assert_eq!(keychain.0.threads.available_permits(), 0);

    window.answer();
    while keychain.0.threads.available_permits() < MOST_THREADS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(keychain.run(|store| store.get("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn requests_wait_for_their_turn() {
    let window = Window::default();
    let keychain = window.keychain();
    let watching = async {
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert_eq!(keychain.0.threads.available_permits(), MOST_THREADS - 1);
    };
    let both = futures::future::join3(
        keychain.run(|store| store.get("a")),
        keychain.run(|store| store.get("a")),
        watching,
    );
    let (one, two, ()) = both.await;
    assert!(matches!(one, Err(SecretError::NoAnswer { .. })));
    assert!(matches!(two, Err(SecretError::NoAnswer { .. })));
    window.answer();
}

#[tokio::test]
async fn a_panic_in_the_library_is_an_error() {
    let keychain = Keychain::new(LIMIT, || panic!("on purpose"));
    let error = keychain.run(|store| store.get("a")).await.unwrap_err();
    assert!(matches!(error, SecretError::Refused { .. }), "{error:?}");
}
