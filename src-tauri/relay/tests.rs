use std::time::Duration;

use caisson_core::model::{Event, ServerState};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use super::*;
use crate::samples::{Puppet, server};

const SOON: Duration = Duration::from_secs(5);

fn relay(way: Way) -> (watch::Sender<Way>, Relay) {
    let (sender, receiver) = watch::channel(way);
    (sender, Relay::new(receiver))
}

fn to(puppet: &Puppet) -> (watch::Sender<Way>, Relay) {
    relay(Way::Up { client: puppet.connect(), host: false })
}

fn deaf() -> Tell {
    Box::new(|_| false)
}

fn ear() -> (Tell, mpsc::UnboundedReceiver<NoticeBody>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Box::new(move |notice| sender.send(notice).is_ok()), receiver)
}

#[tokio::test]
async fn requests_are_relayed_and_answered() {
    let puppet = Puppet::with(vec![server("a", ServerState::Stopped)]);
    let (_way, relay) = to(&puppet);
    let list = relay.control(1, "server.list", json!({}), deaf()).await.unwrap();
    assert_eq!(list["servers"][0]["name"], "a");
    let error = relay.control(2, "server.start", json!({ "server": "a" }), deaf()).await.unwrap_err();
    assert_eq!((error.code, error.fix.as_deref()), (ErrorCode::Engine, Some("start Podman or Docker")));
}

#[tokio::test]
async fn what_is_no_request_is_refused_before_it_is_sent() {
    let puppet = Puppet::with(Vec::new());
    let (_way, relay) = to(&puppet);
    for (method, params) in [
        ("server.explode", json!({})),
        ("session.open", json!({ "server": "a", "client": "window" })),
        ("server.start", json!({ "server": "../a" })),
        ("server.start", json!(7)),
    ] {
        let error = relay.control(1, method, params, deaf()).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{method}");
    }
    assert_eq!(*puppet.asked.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn while_nobody_answers_the_window_learns_why() {
    let problem = ApiError::new(ErrorCode::Storage, "the disk is full");
    let (_way, relay) = relay(Way::Down { problem: problem.clone() });
    assert_eq!(relay.control(1, "server.list", json!({}), deaf()).await, Err(problem));
}

#[tokio::test]
async fn progress_is_told_and_a_request_can_be_cancelled() {
    let (_way, relay) = to(&Puppet::with(Vec::new()));
    let (tell, mut told) = ear();
    let asking = relay.clone();
    let params = json!({ "source": "example" });
    let task = tokio::spawn(async move { asking.control(7, "install.prepare", params, tell).await });
    let notice = timeout(SOON, told.recv()).await.unwrap();
    assert!(matches!(notice, Some(NoticeBody::Progress(progress)) if progress.step == "Fetching"));
    relay.cancel(7);
    let error = timeout(SOON, task).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Cancelled);
}

#[tokio::test]
async fn a_subscription_goes_on_after_its_reply_and_ends_with_the_page() {
    let puppet = Puppet::with(Vec::new());
    let (_way, relay) = to(&puppet);
    let (tell, mut told) = ear();
    relay.control(1, "events.subscribe", json!({}), tell).await.unwrap();
    puppet.events.send(Event::Paused { paused: true }).unwrap();
    let notice = timeout(SOON, told.recv()).await.unwrap();
    assert_eq!(notice, Some(NoticeBody::Event(Event::Paused { paused: true })));
    relay.turn_page();
    // The listener is dropped with the subscription.
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), None);
}
