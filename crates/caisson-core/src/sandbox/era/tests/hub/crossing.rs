//! What the hub does not know crosses byte by byte, both ways.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// JSON in spellings that no writer of ours would choose.
fn spelled() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1e400".to_owned()),
        Just("-0".to_owned()),
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned()),
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

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes.trim_ascii()).unwrap()
}

async fn raw(exchange: &mut Exchange) -> String {
    text(&exchange.next().await.unwrap().unwrap()).to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_unknown_crosses_unchanged(
        id in prop_oneof![Just("0".to_owned()), Just(r#""\u0061/b""#.to_owned()), Just("9007199254740993".to_owned())],
        method in "x/[a-z]{1,8}",
        (meta, param, field) in (spelled(), spelled(), spelled()),
        has_token in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Setup { hub, mut processes, .. } = setup();
            let request = |id: &str, token: &str| {
                let token = if has_token { format!(r#","progressToken": {token}"#) } else { String::new() };
                format!(
                    r#"{{ "w":{field},"method":"{method}","params":{{"y" : {param},"_meta":{{"z":{meta}{token}}}}},"id":{id},"jsonrpc":"2.0"}}"#
                )
            };
            let asked = request(&id, "\"t\"");
            let mut exchange = hub.ask(caller("a"), asked.into()).await.unwrap();
            let mut process = processes.recv().await.unwrap();
            assert_eq!(text(&process.from_client.recv().await.unwrap()), request("1", "1"));
            // What names no request, what names it, and the answer: a result or an error.
            let note = format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"z":{meta}}},"y":{param}}}, "w":{field}}}"#);
            let progress = |token: &str| {
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"y":{param}, "progressToken" :{token},"_meta":{{"z":{meta}}}}},"w":{field}}}"#)
            };
            let changed = |id: &str| {
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"z":{meta},"{SUBSCRIPTION}":{id}}},"y":{param}}}}}"#)
            };
            let answer = |id: &str| {
                let kind = if has_token { "result" } else { "error" };
                format!(r#"{{"{kind}":{{"_meta":{{"z":{meta}}},"y":{param}}},"id" :{id},"w":{field},"jsonrpc":"2.0"}}"#)
            };
            let mut said = vec![(note.clone(), note), (changed("1"), changed(&id)), (answer("1"), answer(&id))];
            if has_token {
                said.insert(1, (progress("1"), progress("\"t\"")));
            }
            for (said, heard) in said {
                process.to_client.send(Ok(said.into())).await.unwrap();
                assert_eq!(raw(&mut exchange).await, heard);
            }
            assert!(exchange.next().await.is_none());
        });
    }
}
