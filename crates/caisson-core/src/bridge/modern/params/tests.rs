use serde_json::json;

use super::*;

/// What is wrong, or nothing.
fn checked(schema: &Value, arguments: &str, headers: &[(&str, &str)]) -> Result<(), String> {
    let mut all = HeaderMap::new();
    for (name, value) in headers {
        all.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let arguments = (!arguments.is_empty()).then(|| serde_json::from_str(arguments).unwrap());
    check(&schema.to_string(), arguments, &all).map_err(|refusal| refusal.to_string())
}

fn marked(kind: &str) -> Value {
    json!({"type": "object", "properties": {"a": {"type": kind, "x-mcp-header": "Region"}}})
}

#[test]
fn together_and_the_same_or_both_absent() {
    for (kind, arguments, header, wrong) in [
        ("string", r#"{"a":"us"}"#, Some("us"), None),
        ("string", r#"{"a":"us"}"#, Some("=?base64?dXM=?="), None),
        ("string", r#"{"a":"\u00e9"}"#, Some("=?base64?w6k=?="), None),
        ("string", r#"{"a":""}"#, Some(""), None),
        ("string", r#"{"a":"=?base64?dXM="}"#, Some("=?base64?dXM="), None),
        ("string", r#"{"a":"=?base64?dXM=?="}"#, Some("=?base64?PT9iYXNlNjQ/ZFhNPT89?="), None),
        ("string", "", None, None),
        ("string", "{}", None, None),
        ("string", "[]", None, None),
        ("string", r#"{"a":null}"#, None, None),
        ("string", r#"{"a":{}}"#, None, None),
        ("string", r#"{"b":"us"}"#, None, None),
        ("string", r#"{"a":"us"}"#, None, Some("missing")),
        ("string", r#"{"a":"us"}"#, Some("US"), Some("does not say")),
        ("string", r#"{"a":"Hello"}"#, Some("SGVsbG8="), Some("does not say")),
        ("string", r#"{"a":"Hello"}"#, Some("=?base64?SGVsbG8?="), Some("base64")),
        ("string", r#"{"a":"Hello"}"#, Some("=?base64?SGVs!!!bG8=?="), Some("base64")),
        ("string", "", Some("us"), Some("no argument")),
        ("string", r#"{"a":null}"#, Some("null"), Some("no argument")),
        ("string", r#"{"a":["us"]}"#, Some("us"), Some("no argument")),
        ("string", r#"{"a":7}"#, Some("7.0"), Some("does not say")),
        ("boolean", r#"{"a":true}"#, Some("true"), None),
        ("boolean", r#"{"a":false}"#, Some("true"), Some("does not say")),
        ("boolean", r#"{"a":true}"#, Some("True"), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some("42"), None),
        ("integer", r#"{"a":42.0}"#, Some("42"), None),
        ("integer", r#"{"a":42}"#, Some("042.00"), None),
        ("integer", r#"{"a":4.2e1}"#, Some("42"), None),
        ("integer", r#"{"a":-0}"#, Some("0"), None),
        ("integer", r#"{"a":-42}"#, Some("-42.0"), None),
        ("integer", r#"{"a":123456789012345678901234567890}"#, Some("123456789012345678901234567890"), None),
        ("integer", r#"{"a":9007199254740993}"#, Some("9007199254740992"), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some("-42"), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some("42.5"), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some("4.2e1"), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some("42."), Some("does not say")),
        ("integer", r#"{"a":42}"#, Some(""), Some("does not say")),
        ("integer", r#"{"a":1.5}"#, Some("1.5"), None),
    ] {
        let headers: Vec<_> = header.map(|value| ("mcp-param-region", value)).into_iter().collect();
        let result = checked(&marked(kind), arguments, &headers);
        match wrong {
            None => assert_eq!(result, Ok(()), "{kind} {arguments} {header:?}"),
            Some(wrong) => {
                let text = result.expect_err(arguments);
                assert!(text.contains(wrong) && text.contains("Mcp-Param-Region"), "{arguments}: {text}");
            }
        }
    }
    let twice = [("Mcp-Param-Region", "us"), ("mcp-param-region", "us")];
    assert!(checked(&marked("string"), r#"{"a":"us"}"#, &twice).unwrap_err().contains("once"));
    let other = [("mcp-param-region", "us"), ("mcp-param-other", "anything")];
    assert_eq!(checked(&marked("string"), r#"{"a":"us"}"#, &other), Ok(()));
}

#[test]
fn nested_arguments() {
    let inner = json!({"type": "object", "properties": {"b\"": {"type": "string", "x-mcp-header": "B"}}});
    let schema = json!({"properties": {"a": inner, "c": {"type": "integer", "x-mcp-header": "C"}}});
    let both = [("mcp-param-b", "x"), ("mcp-param-c", "1")];
    assert_eq!(checked(&schema, r#"{"c":1,"a":{"b\u0022":"x"}}"#, &both), Ok(()));
    assert!(checked(&schema, r#"{"c":1,"a":{}}"#, &both).is_err());
    assert!(checked(&schema, r#"{"c":1,"a":"x"}"#, &both).is_err());
    assert!(checked(&schema, r#"{"c":2,"a":{"b\"":"x"}}"#, &both).is_err());
}

#[test]
fn a_schema_that_must_not_ask_so_asks_for_nothing() {
    let good = json!({"type": "string", "x-mcp-header": "Region"});
    let with = |property: Value| json!({"properties": {"a": good.clone(), "b": property}});
    for schema in [
        with(json!({"type": "string", "x-mcp-header": "region"})),
        with(json!({"type": "string", "x-mcp-header": ""})),
        with(json!({"type": "string", "x-mcp-header": "a b"})),
        with(json!({"type": "string", "x-mcp-header": "a:b"})),
        with(json!({"type": "string", "x-mcp-header": "é"})),
        with(json!({"type": "string", "x-mcp-header": 7})),
        with(json!({"type": "string", "x-mcp-header": null})),
        with(json!({"type": "number", "x-mcp-header": "B"})),
        with(json!({"type": "object", "x-mcp-header": "B"})),
        with(json!({"type": ["string", "null"], "x-mcp-header": "B"})),
        with(json!({"x-mcp-header": "B"})),
        with(json!({"type": "array", "items": {"type": "string", "x-mcp-header": "B"}})),
        with(json!({"items": {"properties": {"c": {"type": "string", "x-mcp-header": "B"}}}})),
        json!({"properties": {"a": good}, "x-mcp-header": "B", "type": "string"}),
        json!({"properties": {"a": good}, "anyOf": [{"properties": {"b": {"x-mcp-header": "B"}}}]}),
        json!({"properties": {"a": good}, "$defs": {"b": {"type": "string", "x-mcp-header": "B"}}}),
    ] {
        assert_eq!(checked(&schema, r#"{"a":"us"}"#, &[]), Ok(()), "{schema}");
    }
    assert!(check("nonsense x-mcp-header", None, &HeaderMap::new()).is_ok());
    // Marks that are data, or the name of a property, are none.
    for schema in [
        with(json!({"type": "string", "default": {"x-mcp-header": 7}, "enum": [{"x-mcp-header": 7}]})),
        json!({"properties": {"a": good, "x-mcp-header": {"type": "string"}}}),
    ] {
        assert!(checked(&schema, r#"{"a":"us"}"#, &[]).is_err(), "{schema}");
    }
    let escaped = r#"{"properties":{"a":{"type":"string","x-mcp-heade\u0072":"Region"}}}"#;
    let arguments = serde_json::from_str(r#"{"a":"us"}"#).unwrap();
    assert!(check(escaped, Some(arguments), &HeaderMap::new()).is_err());
}
