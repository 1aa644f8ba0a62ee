use insta::assert_snapshot;

use super::*;

fn name(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn entry(url: &str) -> Entry {
    let header = vec![("Authorization".to_owned(), CstInputValue::from("Bearer csn_abc"))];
    vec![("url".into(), url.into()), ("headers".into(), header.into())]
}

fn connected(text: &str) -> String {
    put(text, "mcpServers", &[(name("time"), entry("http://127.0.0.1:7332/s/time/mcp"))]).unwrap()
}

const COMMENTED: &str = r#"// Settings of a person who comments.
{
	"theme": "dark", // at night
	/* servers
	   of mine */
	"mcpServers": {
		// the first
		"files": { "command": "npx", "args": ["-y", "files"] },

		"web": {"url": "https://example.com/mcp"}, // the last
	},
	"after": [1, 2, 3,],
}
"#;

#[test]
fn golden() {
    let cases = [
        ("no file", ""),
        ("blank", "\n\n"),
        ("a comment alone", "// nothing yet\n"),
        ("empty object", "{}"),
        ("no servers yet", "{\n    \"theme\": \"dark\"\n}\n"),
        ("empty servers", "{\n  \"mcpServers\": {}\n}\n"),
        ("empty servers, one line", "{\"mcpServers\":{}}"),
        ("one line", "{\"a\":1,\"mcpServers\":{\"x\":{\"url\":\"u\"}},\"b\":2}"),
        ("commented", COMMENTED),
        ("comments inside empty", "{\n  \"mcpServers\": {\n    // none\n  }\n}\n"),
    ];
    let shown: String = cases
        .iter()
        .map(|(what, text)| format!("== {what}\n{text}\n== becomes\n{}\n\n", connected(text)))
        .collect();
    assert_snapshot!(shown);
}

#[test]
fn windows_line_ends_stay() {
    let text = "{\r\n  \"mcpServers\": {\r\n    \"x\": {}\r\n  }\r\n}\r\n";
    let after = connected(text);
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count(), "{after:?}");
}

#[test]
fn what_was_added_to_ours_stays() {
    let text = connected(COMMENTED)
        .replace("\"headers\": {", "\"disabled\": true, // mine\n\"headers\": {\"X\": \"1\",");
    let after =
        put(&text, "mcpServers", &[(name("time"), entry("http://127.0.0.1:9999/s/time/mcp"))]).unwrap();
    assert_eq!(after, text.replace(":7332/s/time", ":9999/s/time"));
}

#[test]
fn taking_out_leaves_the_rest() {
    let gone = [name("time")].into();
    for text in
        [COMMENTED, "{\n  \"mcpServers\": {}\n}\n", "{\r\n\t\"mcpServers\": {\r\n\t\t\"x\": {}\r\n\t}\r\n}"]
    {
        assert_eq!(take(&connected(text), "mcpServers", &gone).unwrap(), text);
    }
    assert_eq!(take("", "mcpServers", &gone).unwrap(), "");
    assert_eq!(take("{}", "mcpServers", &gone).unwrap(), "{}");
}

#[test]
fn what_cannot_be_changed_is_said() {
    for (text, fault) in [
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "it is broken in line 2, column 9: expected comma"),
        ("{\"mcpServers\": {", "it is broken in line 1, column 16: unterminated object"),
        ("{a: 1}", "it is broken in line 1, column 2: expected string for object property"),
        ("[]", "it is not an object in braces"),
        ("null", "it is not an object in braces"),
        ("{\"mcpServers\": []}", "\"mcpServers\" in it is not an object"),
        ("{\"mcpServers\": null}", "\"mcpServers\" in it is not an object"),
        ("{\"mcpServers\": {}, \"mcp\\u0053ervers\": {}}", "\"mcpServers\" stands in it twice"),
        ("{\"mcpServers\": {\"a\": {}, \"a\": {}}}", "\"a\" stands in it twice"),
        ("{} {}", "it is broken in line 1, column 4"),
    ] {
        let found = entries(text, "mcpServers").unwrap_err().to_string();
        assert!(found.starts_with(fault), "{text}: {found}");
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(entries(&deep, "mcpServers"), Err(Fault::Broken { .. })));
}

mod any {
    use proptest::prelude::*;

    use super::*;

    fn space() -> impl Strategy<Value = String> {
        proptest::sample::select(vec![
            "",
            "",
            " ",
            "\n",
            "\n  ",
            "\r\n\t",
            "\n\n    ",
            " // c\n",
            "/* c */",
            "\n  // c\r\n  ",
            "\t",
        ])
        .prop_map(str::to_owned)
    }

    fn value() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(vec![
            "1",
            "-2.5e3",
            "true",
            "null",
            "\"\"",
            "\"a\\u00e9\\n\"",
            "\"//\"",
            "[]",
            "{}",
        ])
        .prop_map(str::to_owned);
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                list(inner.clone()).prop_map(|items| format!("[{items}]")),
                object(inner, "k").prop_map(|items| format!("{{{items}}}")),
            ]
        })
    }

    /// Items with space and comments around them, and perhaps a trailing comma.
    fn list(item: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        (proptest::collection::vec((space(), item, space()), 0..4), any::<bool>(), space()).prop_map(
            |(items, trailing, end)| {
                let comma = if trailing && !items.is_empty() { "," } else { "" };
                let items: Vec<String> =
                    items.into_iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
                format!("{}{comma}{end}", items.join(","))
            },
        )
    }

    fn object(value: impl Strategy<Value = String>, key: &'static str) -> impl Strategy<Value = String> {
        proptest::collection::vec((space(), value, space()), 0..4).prop_map(move |items| {
            let items: Vec<String> = items
                .into_iter()
                .enumerate()
                .map(|(n, (a, value, b))| format!("{a}\"{key}{n}\":{b}{value}"))
                .collect();
            items.join(",")
        })
    }

    /// A whole file, with or without servers.
    fn file() -> impl Strategy<Value = String> {
        (object(value(), "k"), proptest::option::of((space(), object(value(), "s"))), space(), any::<bool>())
            .prop_map(|(keys, servers, end, first)| {
                let servers =
                    servers.map(|(space, servers)| format!("{space}\"mcpServers\": {{{servers}{space}}}"));
                let mut parts: Vec<String> = [Some(keys), servers].into_iter().flatten().collect();
                parts.retain(|part| !part.is_empty());
                if first {
                    parts.reverse();
                }
                format!("{end}{{{}{end}}}{end}", parts.join(","))
            })
    }

    fn read(text: &str) -> Value {
        parse(text).unwrap().to_serde_value().unwrap_or_default()
    }

    fn comments(text: &str) -> usize {
        text.matches("// c").count() + text.matches("/* c */").count()
    }

    proptest! {
        #[test]
        fn connecting_adds_ours_and_loses_nothing(text in file()) {
            let after = connected(&text);
            let mut expected = read(&text);
            let ours = plain(&CstInputValue::Object(entry("http://127.0.0.1:7332/s/time/mcp")));
            expected["mcpServers"]["time"] = ours;
            prop_assert_eq!(read(&after), expected);
            prop_assert_eq!(comments(&after), comments(&text));
            prop_assert_eq!(connected(&after), after);
        }

        #[test]
        fn taking_out_gives_the_same_values_back(text in file()) {
            let after = take(&connected(&text), "mcpServers", &[name("time")].into()).unwrap();
            let mut expected = read(&text);
            if expected.get("mcpServers").is_none() {
                expected["mcpServers"] = Value::Object(Default::default());
            }
            prop_assert_eq!(read(&after), expected);
        }

        #[test]
        fn any_text_is_kept_or_refused(text in "[{}\\[\\]\",:/* \n\ra1\\\\u]{0,40}") {
            if entries(&text, "a").is_ok() {
                drop(put(&text, "a", &[(name("time"), entry("u"))]));
            }
        }

        #[test]
        fn any_unicode_is_kept_or_refused(text in ".{0,40}") {
            drop(entries(&text, "a"));
        }
    }
}
