//! What a server asks its client in the middle of a request.

use std::time::Duration;

use tokio::time::sleep;

use super::*;

fn elicit() -> Value {
    json!({"method": "elicitation/create", "params": {"message": "who?", "x": 1}})
}

fn asking(asks: &[Value]) -> Value {
    call("ask", &json!({"asks": asks}))
}

/// The request again, with these answers.
fn again(request: &Value, result: &Value, responses: &Value) -> Value {
    let mut again = request.clone();
    again["id"] = json!("again");
    again["params"]["inputResponses"] = responses.clone();
    again["params"]["requestState"] = result["result"]["requestState"].clone();
    again
}

#[tokio::test(start_paused = true)]
async fn the_client_is_asked_and_the_request_goes_on() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let roots = json!({"method": "roots/list"});
    let sample = json!({"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}});
    let mut request = asking(&[elicit(), roots.clone(), sample.clone()]);
    request["params"]["_meta"]["progressToken"] = json!("first");
    let asked = answer(&upgrade, "a", &request).await;
    assert_eq!(asked["result"]["resultType"], "input_required");
    assert_eq!(asked["result"]["inputRequests"], json!({"ask-1": elicit(), "ask-2": roots, "ask-3": sample}),);
    assert_eq!(asked["result"]["requestState"].as_str().unwrap().len(), 32);

    let answers = json!({
        "ask-1": {"action": "accept", "y": [1]}, "ask-2": {"roots": []}, "ask-3": {"model": "m"}, "ask-9": {}
    });
    let mut again = again(&request, &asked, &answers);
    again["params"]["_meta"]["progressToken"] = json!(2);
    let told = all(ask(&upgrade, "a", &again).await).await;
    // The server knows the token of the first request alone.
    assert_eq!(told[0]["params"], json!({"progressToken": 2, "progress": 9}));
    assert_eq!(told[1]["id"], "again");
    assert_eq!(told[1]["result"]["resultType"], "complete");
    assert_eq!(
        told[1]["result"]["answers"],
        json!([
            {"jsonrpc": "2.0", "id": "s-0", "result": {"action": "accept", "y": [1]}},
            {"jsonrpc": "2.0", "id": "s-1", "result": {"roots": []}},
            {"jsonrpc": "2.0", "id": "s-2", "result": {"model": "m"}},
        ]),
    );
    assert_eq!((told.len(), fake.opened(), fake.heard("tools/call").len()), (2, 1, 1));
    // The session is free again.
    assert_eq!(answer(&upgrade, "a", &call("echo", &json!({}))).await["result"]["process"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_asked_again() {
    let upgrade = upgrade(&Fake::new());
    let request = asking(&[elicit(), elicit()]);
    let first = answer(&upgrade, "a", &request).await;
    let second = answer(&upgrade, "a", &again(&request, &first, &json!({"ask-2": {"n": 2}, "x": {}}))).await;
    assert_eq!(second["result"]["inputRequests"], json!({"ask-1": elicit()}));
    assert_ne!(second["result"]["requestState"], first["result"]["requestState"]);
    // What is no answer counts as none.
    let third = answer(&upgrade, "a", &again(&request, &second, &json!({"ask-1": "yes"}))).await;
    assert_eq!(third["result"]["inputRequests"], json!({"ask-1": elicit()}));
    let done = answer(&upgrade, "a", &again(&request, &third, &json!({"ask-1": {"n": 1}}))).await;
    let answers = done["result"]["answers"].as_array().unwrap();
    assert_eq!((&answers[0]["result"]["n"], &answers[1]["result"]["n"]), (&json!(2), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_once_for_its_caller_method_and_name() {
    let upgrade = upgrade(&Fake::new());
    let request = asking(&[elicit()]);
    let asked = answer(&upgrade, "a", &request).await;
    let good = again(&request, &asked, &json!({"ask-1": {}}));
    let refused = async |caller: &str, request: &Value| {
        let answer = answer(&upgrade, caller, request).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("requestState"));
    };
    refused("b", &good).await;
    for state in
        [json!(format!("{}x", asked["result"]["requestState"].as_str().unwrap())), json!(""), json!(1)]
    {
        let mut tampered = good.clone();
        tampered["params"]["requestState"] = state;
        refused("a", &tampered).await;
    }
    let mut other = good.clone();
    other["params"]["name"] = json!("echo");
    refused("a", &other).await;
    other = good.clone();
    other["method"] = json!("prompts/get");
    refused("a", &other).await;
    assert_eq!(answer(&upgrade, "a", &good).await["result"]["resultType"], "complete");
    refused("a", &good).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_asked_what_it_cannot_answer() {
    let upgrade = upgrade(&Fake::new());
    let url = json!({"method": "elicitation/create", "params": {"mode": "url", "url": "x:y"}});
    let unknown = json!({"method": "x/unknown", "params": {}});
    let roots = json!({"method": "roots/list"});
    for (capabilities, asks, refusals) in [
        (json!({}), vec![elicit(), roots.clone()], 2),
        (json!({"elicitation": {}}), vec![url.clone(), roots.clone()], 2),
        (json!({"elicitation": {"url": {}}}), vec![elicit()], 1),
        (
            meta()["io.modelcontextprotocol/clientCapabilities"].clone(),
            vec![unknown, json!({"method": "ping"})],
            1,
        ),
    ] {
        let mut request = asking(&asks);
        request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        let answer = answer(&upgrade, "a", &request).await;
        let answers = answer["result"]["answers"].as_array().unwrap();
        let refused = answers.iter().filter(|answer| answer["error"]["code"] == -32601).count();
        assert_eq!(refused, refusals, "{answer}");
    }
    // A list cannot be interrupted: the protocol has no such answer to it.
    let listed = answer(&upgrade, "a", &request(&json!(1), "tools/list", &json!({}))).await;
    assert_eq!(listed["result"]["answers"][0]["error"]["code"], -32601);
    assert_eq!(listed["result"]["ttlMs"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_can_do_less_by_now_is_asked_less() {
    let upgrade = upgrade(&Fake::new());
    let request = asking(&[elicit(), json!({"method": "roots/list"})]);
    let asked = answer(&upgrade, "a", &request).await;
    let mut less = again(&request, &asked, &json!({"ask-2": {"roots": []}}));
    less["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"roots": {}});
    let answer = answer(&upgrade, "a", &less).await;
    let answers = answer["result"]["answers"].as_array().unwrap();
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!("s-1"), &json!("s-0")));
    assert_eq!(answers[1]["error"]["code"], -32601);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_ten_minutes_for_input() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let request = asking(&[elicit()]);
    let asked = answer(&upgrade, "a", &request).await;
    sleep(Duration::from_secs(599)).await;
    assert_eq!(fake.live(), 1);
    sleep(Duration::from_secs(2)).await;
    let (_, called) = fake.heard("tools/call").pop().unwrap();
    assert_eq!(fake.heard("notifications/cancelled")[0].1["params"]["requestId"], called["id"]);
    let late = answer(&upgrade, "a", &again(&request, &asked, &json!({"ask-1": {}}))).await;
    assert_eq!(late["error"]["code"], -32602);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(fake.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn sixty_four_wait_and_the_oldest_is_given_up() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let request = asking(&[elicit()]);
    let mut asked = Vec::new();
    for _ in 0..66 {
        asked.push(answer(&upgrade, "a", &request).await);
    }
    // Another caller's do not count.
    let other = answer(&upgrade, "b", &request).await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(fake.live(), 65);
    assert_eq!(fake.heard("notifications/cancelled").len(), 2);
    let answers = json!({"ask-1": {}});
    for (number, asked) in asked.iter().enumerate() {
        let answer = answer(&upgrade, "a", &again(&request, asked, &answers)).await;
        assert_eq!(answer["error"].is_object(), number < 2, "{number}: {answer}");
    }
    assert_eq!(answer(&upgrade, "b", &again(&request, &other, &answers)).await["result"]["process"], 67);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_of_a_client_that_has_gone_is_given_up() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let mut busy = Vec::new();
    for number in 0..3 {
        let request = asking(&vec![elicit(); number + 1]);
        busy.push(ask(&upgrade, "a", &request).await);
    }
    drop(busy);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(fake.heard("notifications/cancelled").len(), 3);
    assert_eq!(fake.live(), 0);
    assert_eq!(answer(&upgrade, "a", &call("echo", &json!({}))).await["result"]["process"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_may_stop_waiting_for_input() {
    let fake = Fake::new();
    let upgrade = upgrade(&fake);
    let answers = json!({"ask-1": {}});
    let mut request = call("ask", &json!({"asks": [elicit()], "then": "answer"}));
    request["params"]["_meta"]["progressToken"] = json!(1);
    let asked = answer(&upgrade, "a", &request).await;
    sleep(Duration::from_secs(2)).await;
    // What came meanwhile is kept for the client.
    let told = all(ask(&upgrade, "a", &again(&request, &asked, &answers)).await).await;
    assert_eq!((&told[0]["params"]["progress"], &told[1]["id"]), (&json!(5), &json!("again")));
    assert_eq!((told.len(), fake.live()), (2, 1));

    let request = call("ask", &json!({"asks": [elicit()], "then": "die"}));
    let asked = answer(&upgrade, "b", &request).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.live(), 1);
    let dead = answer(&upgrade, "b", &again(&request, &asked, &answers)).await;
    assert_eq!(dead["error"]["code"], -32602);
}

#[tokio::test(start_paused = true)]
async fn who_must_open_an_address_first_is_asked_to() {
    let upgrade = upgrade(&Fake::new());
    let mut request = call("url", &json!({}));
    let asked = answer(&upgrade, "a", &request).await;
    let params = json!({"mode": "url", "url": "https://x.test/", "message": "sign in"});
    let asks = json!({"url-1": {"method": "elicitation/create", "params": params}});
    assert_eq!(asked["result"], json!({"resultType": "input_required", "inputRequests": asks}));
    // It comes again without a token, and is asked afresh.
    let mut again = call("echo", &json!({}));
    again["params"]["inputResponses"] = json!({"url-1": {"action": "accept"}});
    let told = answer(&upgrade, "a", &again).await;
    assert_eq!(told["result"]["params"], json!({"name": "echo", "arguments": {}, "_meta": {}}));

    request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    let refused = answer(&upgrade, "a", &request).await;
    assert_eq!(refused["error"]["code"], -32021);
    assert_eq!(refused["error"]["data"], json!({"requiredCapabilities": {"elicitation": {"url": {}}}}));
}
