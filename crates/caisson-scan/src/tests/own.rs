//! Caisson's own secrets: in every encoding, in every place, whatever the policy says.

use ::base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use caisson_wire::SecretBytes;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::Write as _;

use super::*;

fn own(secrets: &[(&str, &str)]) -> OwnSecrets {
    let secrets: Vec<(&str, SecretBytes)> =
        secrets.iter().map(|(name, value)| (*name, SecretBytes::from(*value))).collect();
    OwnSecrets::new(secrets.iter().map(|(name, value)| (*name, value))).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn percent(text: &str, every: bool) -> String {
    let quoted = |byte: u8| {
        if !every && byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(quoted).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The ways a text is written, by name.
fn forms(secret: &str, before: &str) -> Vec<(&'static str, String)> {
    let within = format!("{before}{secret}.");
    let json = serde_json::to_string(secret).unwrap();
    let quoted = json[1..json.len() - 1].to_owned();
    let unicode: String = secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let mut all = vec![
        ("raw", secret.to_owned()),
        ("within", within.clone()),
        ("hex", hex(secret)),
        ("HEX", hex(secret).to_uppercase()),
        ("percent", percent(secret, false)),
        ("percent of all", percent(secret, true)),
        ("percent, lower", percent(secret, true).to_lowercase()),
        ("form", percent(secret, false).replace("%20", "+")),
        ("json", quoted.clone()),
        ("unicode", unicode),
        ("percent of json", percent(&quoted, true)),
    ];
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        all.push(("base64", engine.encode(secret)));
        all.push(("base64 within", engine.encode(&within)));
    }
    if secret.len() >= 12 {
        all.push(("base64 twice", STANDARD.encode(STANDARD.encode(&within))));
        all.push(("base64 of percent", STANDARD.encode(percent(secret, true))));
        all.push(("gzip", STANDARD.encode(gzip(&within))));
        all.push(("hex of base64", hex(&STANDARD.encode(&within))));
    }
    all
}

/// The places a server can put a text in.
fn places(text: &str) -> Vec<Value> {
    let blob = STANDARD.encode(text);
    let mut all = vec![
        json!({"id": 1, "result": {"content": [{"type": "text", "text": text}]}}),
        json!({"id": 1, "result": {"structuredContent": {"a": [{"b": text}]}, "content": []}}),
        json!({"id": 1, "result": {"structuredContent": {text: 1}}}),
        json!({"id": 1, "result": {"content": [{"type": "resource", "resource": {"uri": "file:///a", "text": text}}]}}),
        json!({"id": 1, "result": {"content": [{"type": "resource", "resource": {"uri": "file:///a", "blob": blob}}]}}),
        json!({"id": 1, "result": {"content": [{"type": "image", "mimeType": "image/png", "data": blob}]}}),
        json!({"id": 1, "result": {"content": [{"type": "resource_link", "uri": text, "name": "a"}]}}),
        json!({"id": 1, "result": {"contents": [{"uri": "a", "text": text}]}}),
        json!({"id": 1, "result": {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}}),
        json!({"id": 1, "result": {"tools": [{"name": "a", "description": text, "inputSchema": {}}]}}),
        json!({"id": 1, "error": {"code": 1, "message": text}}),
        json!({"id": 1, "error": {"code": 1, "message": "", "data": {"why": text}}}),
        json!({"id": 2, "method": "sampling/createMessage", "params": {"messages": [{"content": {"text": text}}]}}),
        json!({"id": 2, "method": "elicitation/create", "params": {"message": text, "requestedSchema": {}}}),
        json!({"method": "notifications/message", "params": {"level": "info", "data": text}}),
        json!({"method": "notifications/progress", "params": {"progressToken": 1, "message": text}}),
        json!({"id": 1, "result": {"_meta": {"x": text}}}),
        json!({"id": 1, "result": {}, "unknown": text}),
        json!({"id": text, "result": {}}),
        json!({"id": 1, "method": text}),
    ];
    all.extend([json!([text]), json!(text)]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn none_passes(secret in "[!-~][ -~é/+%\"]{6,40}[!-~]", before in "[a-z:=]{0,7}") {
        // A secret of one character alone is met by chance.
        prop_assume!(secret.chars().collect::<std::collections::BTreeSet<_>>().len() > 4);
        let secrets = own(&[("KEY", &secret)]);
        let scanner = made("[[rule]]\nkind = '*'\naction = 'ignore'");
        for (form, text) in forms(&secret, &before) {
            for place in places(&text) {
                for direction in [Direction::ToClient, Direction::ToServer] {
                    let context = Context { direction, server: "notes", tool: None, secrets: &secrets };
                    let message = place.to_string();
                    match scanner.message(message.as_bytes(), &context).unwrap() {
                        Verdict::Blocked(findings) => {
                            prop_assert!(place.get("id").is_some_and(|id| id == &text) || place.get("method").is_some_and(|method| method == &text));
                            prop_assert!(!findings.is_empty());
                        }
                        Verdict::Redacted { message: redacted, findings } => {
                            let redacted = String::from_utf8(redacted).unwrap();
                            serde_json::from_str::<Value>(&redacted).unwrap();
                            prop_assert!(!redacted.contains(&secret), "{} {}", form, redacted);
                            let again = scanner.message(redacted.as_bytes(), &context).unwrap();
                            prop_assert_eq!(again, Verdict::Clean, "{} {}", form, redacted);
                            for finding in &findings {
                                prop_assert_eq!(finding.kind.as_str(), "secret.own");
                                let told = format!("{finding:?}");
                                prop_assert!(!told.contains(&secret));
                            }
                        }
                        other @ (Verdict::Clean | Verdict::Noted(_)) => prop_assert!(false, "{form}: {other:?} for {message}"),
                    }
                }
            }
        }
    }

    #[test]
    fn none_passes_in_parts(secret in "[a-z0-9]{12,40}", cuts in prop::collection::vec(1_usize..11, 1..4)) {
        let secrets = own(&[("KEY", &secret)]);
        let mut cuts: Vec<usize> = cuts.into_iter().chain([0, secret.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let parts: Vec<Value> = cuts.windows(2).map(|cut| json!({"type": "text", "text": secret[cut[0]..cut[1]]})).collect();
        let message = json!({"id": 1, "result": {"content": parts}}).to_string();
        let scanner = scanner("");
        let context = Context { direction: Direction::ToClient, server: "notes", tool: None, secrets: &secrets };
        let Verdict::Redacted { message, findings } = scanner.message(message.as_bytes(), &context).unwrap() else {
            panic!("not redacted");
        };
        let redacted: Value = serde_json::from_slice(&message).unwrap();
        let texts = redacted["result"]["content"].as_array().unwrap();
        let joined: String = texts.iter().map(|part| part["text"].as_str().unwrap()).collect();
        prop_assert_eq!(joined, "[redacted: secret KEY]");
        let finding = findings.iter().next().unwrap();
        prop_assert_eq!(&finding.encoded, &[Encoding::Split]);
        prop_assert_eq!(&finding.at, "/result/content");
    }
}

#[test]
fn a_number_may_be_one() {
    let secrets = own(&[("PIN", "8675309042")]);
    let scanner = scanner("");
    let context = Context { direction: Direction::ToClient, server: "notes", tool: None, secrets: &secrets };
    let verdict = scanner.message(br#"{"result":{"a": 8675309042 }}"#, &context).unwrap();
    let Verdict::Redacted { message, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(String::from_utf8_lossy(&message), r#"{"result":{"a": "[redacted: secret PIN]" }}"#);
}

#[test]
fn lines_and_long_secrets() {
    let key = format!("-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----\n", "Ab3".repeat(20), "Xy9".repeat(20));
    let long: String = (0..64 << 10).map(|at| char::from(b'a' + (at * 7 % 26) as u8)).collect();
    let secrets = own(&[("KEY", &key), ("LONG", &long), ("SHORT", "abc")]);
    let scanner = scanner("");
    let context = Context { direction: Direction::ToClient, server: "notes", tool: None, secrets: &secrets };
    let line = |text: &str| scanner.line(text.as_bytes(), &context);
    assert_eq!(line("abc is too short to be one"), Verdict::Clean);
    assert_eq!(line("-----BEGIN KEY----- is no part of one"), Verdict::Clean);
    for text in [&"Ab3".repeat(20), &key, &long, &hex(&long), &STANDARD.encode(&long)] {
        assert!(matches!(line(text), Verdict::Redacted { .. }), "{}", text.len());
    }
    let Verdict::Redacted { message, .. } = line(&format!("key: {}!", "Xy9".repeat(20))) else { panic!() };
    assert_eq!(message, b"key: [redacted: secret KEY]!");
    assert!(!format!("{secrets:?} {scanner:?}").contains("Ab3"));
}

#[test]
fn a_name_that_is_one_is_shown_nowhere() {
    let secrets = own(&[("KEY", "hunter22hunter")]);
    let scanner = scanner("");
    let context = Context { direction: Direction::ToClient, server: "notes", tool: None, secrets: &secrets };
    let message = r#"{"result":{"hunter22hunter":{"x":"hunter22hunter"},"hunter22":{"hunter":"a hunter22hunter"}, "y hunter22hunter": 1}}"#;
    let verdict = scanner.message(message.as_bytes(), &context).unwrap();
    assert!(!format!("{:?}", findings(&verdict)).contains("hunter"), "{verdict:?}");
    let Verdict::Redacted { message, .. } = verdict else { panic!() };
    assert_eq!(
        String::from_utf8_lossy(&message),
        r#"{"result":{"[redacted: secret KEY]":{"x":"[redacted: secret KEY]"},"hunter22":{"hunter":"a [redacted: secret KEY]"}, "y [redacted: secret KEY] 2": 1}}"#
    );
}
