use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use proptest::prelude::*;

use super::*;

fn hidden(secrets: &[(&str, &str)]) -> Hidden {
    let secrets: Vec<(SecretName, SecretBytes)> =
        secrets.iter().map(|(name, value)| (name.parse().unwrap(), SecretBytes::from(*value))).collect();
    Hidden::new(secrets.iter().map(|(name, value)| (name, value)))
}

#[track_caller]
fn shows(hidden: &Hidden, line: &str, meant: &str) {
    assert_eq!(String::from_utf8_lossy(&hidden.without(line.as_bytes())), meant, "{line}");
}

#[test]
fn a_secret_is_named_in_its_place() {
    let known = hidden(&[
        ("TOKEN", "s3cr3t-t0ken"),
        ("LONGER", "s3cr3t-t0ken-and-more"),
        ("KEY", "-----BEGIN KEY-----\r\nMIIabcdef\n-----END KEY-----\n"),
        ("SHORT", "yes"),
        ("EMPTY", ""),
    ]);
    for (line, meant) in [
        ("nothing of it, yes", "nothing of it, yes"),
        ("a s3cr3t-t0ken, s3cr3t-t0ken!", "a [secret TOKEN], [secret TOKEN]!"),
        ("s3cr3t-t0ken-and-more", "[secret LONGER]"),
        ("key: MIIabcdef", "key: [secret KEY]"),
        ("cut off: s3cr3t-t0", "cut off: [secret LONGER]"),
        ("s3cr3 is no part of it", "s3cr3 is no part of it"),
    ] {
        shows(&known, line, meant);
    }
    assert!(!format!("{known:?}").contains("s3cr3t"));
    shows(&hidden(&[("WORD", "secret")]), "a secret", "a [secret WORD]");
    shows(&hidden(&[("SAME", "aaaaaa")]), "aaaaaaaa", "[secret SAME]");
}

#[test]
fn however_it_is_spelled() {
    let known = hidden(&[("KEY", "p\"s/w+d é😀")]);
    for spelled in [
        "p%22s%2Fw%2Bd%20%C3%A9%F0%9F%98%80",
        "p%22s/w%2bd+%c3%a9%f0%9f%98%80",
        r#"p\"s/w+d é😀"#,
        r#"p\"s\/w+d \u00e9\uD83D\uDE00"#,
        r#"p%5C%22s/w+d%20é😀"#,
        "7022732f772b6420c3a9f09f9880",
        "7022732F772B6420C3A9F09F9880",
    ] {
        shows(&known, &format!("<{spelled}>"), "<[secret KEY]>");
    }
    let known = hidden(&[("KEY", "hunter22")]);
    shows(&known, "Basic aHVudGVyMjI=", "Basic [secret KEY]=");
    // `user:hunter22`: what stands before shares a character with it.
    shows(&known, "Basic dXNlcjpodW50ZXIyMg==", "Basic dXNlcjp[secret KEY]==");
    shows(&known, "cut off: aHVudGVyMj", "cut off: [secret KEY]");
    for harmless in ["aHVudGVy", "68756e746572", "hunter2", "100%", "\\u00", "\\uD83D", "%2"] {
        shows(&known, &format!("{harmless} it is"), &format!("{harmless} it is"));
    }
}

/// Each byte of `text` but letters and digits as `spell` has it, where `chosen` says so.
fn spelled(text: &str, chosen: &[bool], spell: impl Fn(char) -> String) -> String {
    let chosen = chosen.iter().cycle();
    text.chars().zip(chosen).map(|(c, chosen)| if *chosen { spell(c) } else { c.to_string() }).collect()
}

proptest! {
    #[test]
    fn no_form_survives(
        secret in "[!-~]([ -~é]{4,30})[!-~]",
        before in "[a-z:]{0,7}",
        after in "[a-z:]{0,7}",
        chosen in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let known = hidden(&[("K", &secret)]);
        let within = format!("{before}{secret}{after}");
        let percent = |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let unicode = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
        let json = serde_json::to_string(&secret).unwrap();
        let quoted = &json[1..json.len() - 1];
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // A percent sign or a backslash that is left as it is makes no such text.
        let percent_chosen = secret.chars().map(|c| c == '%' || c == '+');
        let percent_chosen: Vec<bool> = percent_chosen.zip(chosen.iter().cycle()).map(|(must, may)| must || *may).collect();
        let forms = [
            secret.clone(),
            spelled(&secret, &percent_chosen, percent),
            spelled(&secret, &[true], unicode),
            quoted.to_owned(),
            spelled(quoted, &[true], percent),
            hex.to_uppercase(),
            hex,
        ];
        for form in &forms {
            let line = format!("{before}{form}{after}");
            let shown = known.without(line.as_bytes());
            let shown = String::from_utf8_lossy(&shown);
            prop_assert!(shown.contains("[secret K]") && !shown.contains(form.as_str()), "{line}: {shown}");
        }
        for alphabet in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let line = alphabet.encode(&within);
            let shown = known.without(line.as_bytes());
            let shown = String::from_utf8_lossy(&shown).into_owned();
            // What stays of it: as many characters as its surroundings have, and those it shares with them.
            let stays = shown.replace("[secret K]", "").len();
            let most = (4 * before.len()).div_ceil(3) + (4 * after.len()).div_ceil(3) + 4;
            prop_assert!(shown.contains("[secret K]") && stays <= most, "{line}: {shown}");
        }
    }
}
