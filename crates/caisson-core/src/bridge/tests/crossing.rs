//! What the bridge does not know crosses a session byte by byte, both ways.

use hyper::{Response, body::Incoming};
use proptest::prelude::*;

use super::*;

/// JSON in spellings that no writer of ours would choose.
fn spelled() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1E+2".to_owned()),
        Just("-0".to_owned()),
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned()),
        Just("[ ]".to_owned()),
        "[1-9][0-9]{15,30}",
        "\\PC{0,12}".prop_map(|text| json!(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(" , "))),
            ("[a-z_]{0,8}", inner).prop_map(|(key, value)| format!(r#"{{ "{key}" :{value}}}"#)),
        ]
    })
}

async fn post(client: &Client, message: &str) -> Response<Incoming> {
    client.send(Method::POST, message.to_owned()).await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_unknown_crosses_unchanged(
        said in prop::collection::vec(("[a-z]{1,8}", spelled(), spelled(), spelled()), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let setup = Setup::new().await;
            let client = setup.client().initialized(NEWEST).await;
            for (method, meta, param, field) in said {
                let fields = format!(r#"{{"_meta":{{"z":{meta}}},"y":{param}}}, "w" : {field}"#);
                let note = format!(r#"{{"method":"notifications/x/{method}","params":{fields},"jsonrpc":"2.0"}}"#);
                let request = format!(r#"{{"id":7,"jsonrpc":"2.0","method":"x/{method}","params":{fields}}}"#);
                let answer = format!(r#"{{"jsonrpc":"2.0","id":"s","result":{fields}}}"#);
                assert_eq!(post(&client, &note).await.status(), StatusCode::ACCEPTED);
                let mut events = Events::of(post(&client, &request).await);
                assert!(events.next().await.unwrap().message.is_none());
                let params = format!(r#""params":{{"_meta":{request}}},"w":{request}"#);
                let told = format!(r#"{{"jsonrpc":"2.0","method":"notifications/x/heard",{params}}}"#);
                assert_eq!(events.next().await.unwrap().data, told);
                let asked = format!(r#"{{"jsonrpc":"2.0","id":"s","method":"x/asked",{params}}}"#);
                assert_eq!(events.next().await.unwrap().data, asked);
                assert_eq!(post(&client, &answer).await.status(), StatusCode::ACCEPTED);
                let result = format!(r#"{{"_meta":{{"heard":[{note},{request},{answer}]}}}}"#);
                let answered = format!(r#"{{"jsonrpc":"2.0","id":7,"w":{answer},"result":{result}}}"#);
                assert_eq!(events.next().await.unwrap().data, answered);
            }
        });
    }
}
