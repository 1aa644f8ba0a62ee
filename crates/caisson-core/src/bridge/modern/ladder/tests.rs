use super::*;

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const CALL: [(&str, &str); 3] =
    [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];

/// The error's code and what is wrong, or nothing.
fn climbed(headers: &[(&str, &str)], method: &str, params: &str) -> Result<(), (i64, String)> {
    let headers = map(headers);
    let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let (envelope, _) = Envelope::read(message.as_bytes()).unwrap();
    check(&headers, &envelope).map(drop).map_err(|refusal| {
        let message: serde_json::Value = serde_json::from_slice(&refusal.message(None)).unwrap();
        let error = &message["error"];
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    })
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    all
}

fn called(name: &str) -> String {
    format!(r#"{{"name":{name},"_meta":{META}}}"#)
}

#[test]
fn what_a_request_says_of_itself() {
    let version = r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#;
    let capabilities = r#""io.modelcontextprotocol/clientCapabilities":{}"#;
    for (params, lacks) in [
        ("{}".to_owned(), "_meta must be"),
        ("null".to_owned(), "_meta must be"),
        (r#"{"_meta":null}"#.to_owned(), "_meta must be"),
        (r#"{"_meta":[]}"#.to_owned(), "_meta must be"),
        (r#"{"_meta":{}}"#.to_owned(), "protocolVersion"),
        (format!(r#"{{"_meta":{{{capabilities}}}}}"#), "protocolVersion"),
        (format!(r#"{{"_meta":{{{version}}}}}"#), "clientCapabilities"),
        (
            format!(r#"{{"_meta":{{{version},"io.modelcontextprotocol/clientCapabilities":null}}}}"#),
            "clientCapabilities",
        ),
        (
            format!(r#"{{"_meta":{{{version},"io.modelcontextprotocol/clientCapabilities":[]}}}}"#),
            "clientCapabilities",
        ),
        (
            format!(r#"{{"_meta":{{"io.modelcontextprotocol/protocolVersion":7,{capabilities}}}}}"#),
            "protocolVersion",
        ),
        (format!(r#"{{"_meta":{META},"_meta":{META}}}"#), "each field once"),
        (format!("[{META}]"), "an object"),
    ] {
        // Also where the headers are wrong: the first rung that fails answers.
        for headers in [&CALL[..], &[]] {
            let (code, text) = climbed(headers, "tools/call", &params).unwrap_err();
            assert_eq!((code, text.contains(lacks)), (-32602, true), "{params}: {text}");
        }
    }
    let escaped = called("\"echo\"").replace('/', "\\/").replace("2026", "\\u0032026");
    for good in [called("\"echo\""), escaped, format!(r#"{{"x":[{{}}],"name":"echo","_meta":{META}}}"#)] {
        assert_eq!(climbed(&CALL, "tools\\/call", &good), Ok(()), "{good}");
    }
}

#[test]
fn headers_say_what_the_body_says() {
    let echo = called("\"echo\"");
    let [version, method, name] = CALL;
    for (headers, wrong) in [
        (vec![], "MCP-Protocol-Version header is missing"),
        (vec![method, name], "MCP-Protocol-Version header is missing"),
        (vec![("mcp-protocol-version", "2025-11-25"), method, name], "MCP-Protocol-Version header does not"),
        (vec![version, version, method, name], "MCP-Protocol-Version header must be given once"),
        (vec![version, name], "Mcp-Method header is missing"),
        (vec![version, ("mcp-method", "TOOLS/CALL"), name], "Mcp-Method header does not"),
        (vec![version, ("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="), name], "Mcp-Method header does not"),
        (vec![version, method, method, name], "Mcp-Method header must be given once"),
        (vec![version, method], "Mcp-Name header is missing"),
        (vec![version, method, ("mcp-name", "Echo")], "Mcp-Name header does not"),
        (vec![version, method, ("mcp-name", "")], "Mcp-Name header does not"),
        (vec![version, method, name, name], "Mcp-Name header must be given once"),
        (vec![version, method, ("mcp-name", "=?base64?ZWNobw=?=")], "Mcp-Name header has base64"),
        (vec![version, method, ("mcp-name", "=?base64?ZWNo?=")], "Mcp-Name header does not"),
    ] {
        let (code, text) = climbed(&headers, "tools/call", &echo).unwrap_err();
        assert_eq!((code, text.contains(wrong)), (-32020, true), "{headers:?}: {text}");
    }
    for name in ["echo", "  echo\t", "=?base64?ZWNobw==?="] {
        assert_eq!(climbed(&[version, method, ("mcp-name", name)], "tools/call", &echo), Ok(()), "{name}");
    }
    let accented = [version, method, ("mcp-name", "=?base64?w6k=?=")];
    assert_eq!(climbed(&accented, "tools/call", &called("\"é\"")), Ok(()));
}

#[test]
fn what_is_named() {
    for (method, params, name) in [
        ("tools/list", "", None),
        ("tools/list", r#","name":"x""#, None),
        ("prompts/get", r#","name":"x""#, Some("x")),
        ("resources/read", r#","uri":"test://x""#, Some("test://x")),
        ("tasks/get", r#","taskId":"x""#, Some("x")),
        ("tasks/cancel", r#","taskId":"x""#, Some("x")),
        // The server's to refuse.
        ("tools/call", "", None),
        ("tools/call", r#","name":7"#, None),
    ] {
        let params = format!(r#"{{"_meta":{META}{params}}}"#);
        let base = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        assert_eq!(climbed(&base, method, &params).is_ok(), name.is_none(), "{method}");
        let with = |name| climbed(&[base[0], base[1], ("mcp-name", name)], method, &params);
        assert_eq!(with(name.unwrap_or("anything")), Ok(()), "{method}");
        assert_eq!(with("other").is_ok(), name.is_none(), "{method}");
    }
}

#[test]
fn versions() {
    for version in ["2025-11-25", "2027-01-01", "v999.0.0", ""] {
        let params = called("\"echo\"").replace("2026-07-28", version);
        let headers = [("mcp-protocol-version", version), CALL[1], CALL[2]];
        assert_eq!(climbed(&headers, "tools/call", &params).unwrap_err().0, -32022, "{version}");
        assert!(check_notification(&map(&headers[..1])).is_err(), "{version}");
    }
    assert!(check_notification(&map(&CALL)).is_ok());
    assert!(check_notification(&map(&[])).is_ok());
    assert!(check_notification(&map(&[CALL[0], CALL[0]])).is_err());
}

#[test]
fn who_claims_a_version() {
    let claims = |params: &str| {
        let message = format!(r#"{{"jsonrpc":"2.0","method":"x","params":{params}}}"#);
        claims_version(&Envelope::read(message.as_bytes()).unwrap().0)
    };
    assert!(claims(&called("1")));
    assert!(claims(r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":7}}"#));
    for none in [
        "{}",
        "[]",
        r#"{"_meta":{"progressToken":1}}"#,
        r#"{"protocolVersion":"2025-11-25","_meta":{}}"#,
        r#"{"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}"#,
    ] {
        assert!(!claims(none), "{none}");
    }
}
