//! Which session a request runs in, and when one ends.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;

fn process(answer: &Value) -> u64 {
    answer["result"]["process"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_session_is_used_again_by_its_own_client_alone() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let echo = call("echo", &json!({}));
    let mut same = echo.clone();
    // Another spelling of the same.
    same["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"version": "1", "name": "test"});
    let mut other = echo.clone();
    other["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] = json!("other");
    let mut able = echo.clone();
    able["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    for (caller, request, number) in [
        ("a", &echo, 1),
        ("a", &same, 1),
        ("b", &echo, 2),
        ("a", &other, 3),
        ("a", &able, 4),
        ("a", &echo, 1),
    ] {
        assert_eq!(process(&answer(&upgrade, caller, request).await), number);
    }
    let mut nobody = echo.clone();
    nobody["params"]["_meta"] = json!({"x": 1});
    answer(&upgrade, "a", &nobody).await;
    let (_, hello) = fake.heard("initialize").pop().unwrap();
    assert_eq!(hello["params"]["capabilities"], json!({}));
    assert_eq!(hello["params"]["clientInfo"]["name"], "caisson");
}

#[tokio::test(start_paused = true)]
async fn a_process_serves_one_request_at_a_time_and_a_caller_has_sixteen() {
    let fake = Fake::new();
    let upgrade = Arc::new(upgrade(&fake));
    let mut running = Vec::new();
    for _ in 0..40 {
        let upgrade = upgrade.clone();
        running.push(tokio::spawn(async move { answer(&upgrade, "a", &call("gate", &json!({}))).await }));
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((fake.opened(), fake.heard("tools/call").len()), (16, 16));
    // Another caller does not wait in this one's line.
    answer(&upgrade, "b", &call("echo", &json!({}))).await;
    // One that gives up leaves the line.
    running.pop().unwrap().abort();
    for _ in 0..39 {
        sleep(Duration::from_millis(10)).await;
        fake.gate.notify_one();
    }
    for answer in running {
        assert!(process(&answer.await.unwrap()) <= 16);
    }
    assert_eq!((fake.opened(), fake.heard("tools/call").len()), (17, 40));
}

#[tokio::test(start_paused = true)]
async fn another_client_of_a_caller_gets_room() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    for number in 0..20 {
        let mut echo = call("echo", &json!({}));
        echo["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] = json!(format!("c{number}"));
        answer(&upgrade, "a", &echo).await;
        assert!(fake.live() <= 16);
    }
    assert_eq!((fake.opened(), fake.live()), (20, 16));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_after_a_rest_and_with_the_server() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    answer(&upgrade, "a", &call("echo", &json!({}))).await;
    sleep(Duration::from_secs(50)).await;
    answer(&upgrade, "a", &call("echo", &json!({}))).await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!((fake.opened(), fake.live()), (1, 1));
    sleep(Duration::from_secs(11)).await;
    assert_eq!(fake.live(), 0);

    answer(&upgrade, "a", &call("echo", &json!({}))).await;
    let mut hanging = ask(&upgrade, "b", &call("hang", &json!({}))).await;
    drop(upgrade);
    assert!(matches!(next(&mut hanging).await, Some(Err(SessionError::Ended(_)))));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(fake.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_nobody_waits_for_is_cancelled() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut hang = call("hang", &json!({"answers": true}));
    hang["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
    let exchange = ask(&upgrade, "a", &hang).await;
    sleep(Duration::from_millis(1)).await;
    drop(exchange);
    sleep(Duration::from_millis(1)).await;
    let (_, called) = fake.heard("tools/call").pop().unwrap();
    let (_, cancelled) = fake.heard("notifications/cancelled").pop().unwrap();
    assert_eq!(cancelled["params"]["requestId"], called["id"]);
    // It has answered, late: the session is free, and nothing of that is told to the next.
    let mut echo = call("echo", &json!({}));
    echo["params"]["_meta"] = hang["params"]["_meta"].clone();
    assert_eq!(process(&answer(&upgrade, "a", &echo).await), 1);

    // One that does not answer is ended.
    let exchange = ask(&upgrade, "a", &call("hang", &json!({}))).await;
    sleep(Duration::from_millis(1)).await;
    drop(exchange);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(fake.live(), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.live(), 0);
    assert_eq!(process(&answer(&upgrade, "a", &echo).await), 2);
}

#[tokio::test(start_paused = true)]
async fn a_death_is_its_requests_alone() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut other = ask(&upgrade, "a", &call("gate", &json!({}))).await;
    let mut dying = ask(&upgrade, "a", &call("die", &json!({}))).await;
    let died = next(&mut dying).await;
    assert!(matches!(&died, Some(Err(SessionError::Ended(why))) if why == "exit code 3"), "{died:?}");
    assert!(next(&mut dying).await.is_none());
    fake.gate.notify_one();
    assert_eq!(process(&next(&mut other).await.unwrap().unwrap()), 1);
    drop(other);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(fake.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_slows_its_own_process_alone() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut flood = call("flood", &json!({"times": 1000}));
    flood["params"]["_meta"]["progressToken"] = json!(1);
    let mut slow = ask(&upgrade, "a", &flood).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(process(&answer(&upgrade, "a", &call("echo", &json!({}))).await), 2);
    for step in 0..1000 {
        assert_eq!(next(&mut slow).await.unwrap().unwrap()["params"]["progress"], step);
    }
    assert_eq!(next(&mut slow).await.unwrap().unwrap()["id"], 1);
    // One that reads nothing at all and goes leaves nothing behind.
    let never = ask(&upgrade, "a", &flood).await;
    sleep(Duration::from_secs(1)).await;
    drop(never);
    timeout(Duration::from_secs(70), async {
        while fake.live() > 0 {
            sleep(Duration::from_secs(1)).await
        }
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn callers_whose_ids_and_tokens_collide_see_their_own_alone() {
    let fake = Fake::new();
    let upgrade = Arc::new(upgrade(&fake));
    let mut running = tokio::task::JoinSet::new();
    for number in 0..50_u32 {
        let upgrade = upgrade.clone();
        running.spawn(async move {
            let caller = format!("caller {number}");
            let mut echo = call("echo", &json!({"mine": number}));
            echo["params"]["_meta"]["progressToken"] = json!("p");
            for _ in 0..4 {
                let answer = answer(&upgrade, &caller, &echo).await;
                assert_eq!(answer["result"]["params"]["arguments"]["mine"], number);
            }
        });
    }
    running.join_all().await;
    assert_eq!(fake.opened(), 50);
}
