//! What Caisson does not know crosses unchanged, both ways.

use proptest::prelude::*;

use super::*;
use crate::sandbox::mark::unmarked;

/// Answers each request with what it was asked: a notification and a response, on a stream or, without the
/// first, by itself.
async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if asked["id"].is_null() {
        return Response::builder().status(405).body(Full::default()).unwrap();
    }
    let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": asked, "x-top": asked["x-top"]});
    let (kind, body) = if asked["params"]["streams"] == true {
        let note =
            json!({"jsonrpc": "2.0", "method": "notifications/x", "params": asked, "x-top": asked["x-top"]});
        ("text/event-stream", format!("data: {note}\n\ndata: {answer}\n\n"))
    } else {
        ("application/json", answer.to_string())
    };
    Response::builder().header("content-type", kind).body(Full::new(body.into())).unwrap()
}

/// The next message, as it is without the mark of its request.
async fn hear(client: &mut Client) -> Value {
    let heard = timeout(Duration::from_secs(5), client.receiver.next()).await.unwrap().unwrap().unwrap();
    serde_json::from_slice(&unmarked(&heard).map_or(heard, |(_, bare)| bare)).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_unknown_crosses(
        method in "[a-z]{1,8}/[a-z]{1,8}",
        unknown in any_json(),
        in_meta in any_json(),
        stands_alone: bool,
        streams: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut client = Client::to(serving(echo).await);
            let mut asked = json!({
                "jsonrpc": "2.0", "id": 1, "method": method, "x-top": unknown,
                "params": {"streams": streams, "x": unknown, "_meta": {"x-own": in_meta}},
            });
            if stands_alone {
                asked["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            }
            client.say(asked.clone()).await;
            if streams {
                let note = hear(&mut client).await;
                prop_assert_eq!((&note["params"], &note["x-top"]), (&asked, &asked["x-top"]));
            }
            let answer = hear(&mut client).await;
            prop_assert_eq!((&answer["result"], &answer["x-top"]), (&asked, &asked["x-top"]));
            Ok(())
        })?;
    }
}
