use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use serde_json::value::RawValue;

use super::VERSION as VERSION_FIELD;
use crate::model::{Envelope, Splice};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Before the name of a header that repeats an argument.
const PARAM: &str = "mcp-param-";

/// The headers that repeat what a message says: its version, its method, and the name of what it is for.
pub(super) fn of(message: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (Ok((envelope, _)), Some(fields)) = (Envelope::read(message), Splice::of(message)) else {
        return headers;
    };
    let method = envelope.method.unwrap_or_default();
    let named = match &*method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    };
    let mut set = |name, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    };
    set(VERSION, fields.get(&VERSION_FIELD).and_then(text));
    set(METHOD, Some(method.into_owned()));
    set(NAME, named.and_then(|key| text(fields.get(&["params", key])?)).map(|name| encoded(&name)));
    headers
}

/// The header that repeats an argument; none when there is nothing that a header can hold.
pub(super) fn param(name: &str, argument: &RawValue) -> Option<(HeaderName, HeaderValue)> {
    let json = argument.get();
    let value = match json.as_bytes().first()? {
        b'"' => text(argument)?,
        b't' | b'f' | b'-' | b'0'..=b'9' => json.to_owned(),
        _ => return None,
    };
    let name = HeaderName::try_from(format!("{PARAM}{name}")).ok()?;
    Some((name, HeaderValue::from_str(&encoded(&value)).ok()?))
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A value as a header carries it: as it is where it is plain ASCII that survives the way, else in base64.
fn encoded(value: &str) -> String {
    let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_wrapped = value.starts_with("=?base64?") && value.ends_with("?=");
    if is_plain && !is_wrapped && value.trim() == value {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_is_repeated() {
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///ü","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let headers = of(message.as_bytes());
        assert_eq!(headers[VERSION], "2026-07-28");
        assert_eq!(headers[METHOD], "resources/read");
        assert_eq!(headers[NAME], "=?base64?ZmlsZTovLy/DvA==?=");
        let message =
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/update","params":{"name":"x","taskId":"t"}}"#;
        assert_eq!(of(message.as_bytes())[NAME], "t");
        let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"x"}}"#;
        assert!(!of(message.as_bytes()).contains_key(NAME));
    }

    #[test]
    fn values() {
        for (plain, carried) in [
            ("a b", "a b"),
            ("", ""),
            (" a", "=?base64?IGE=?="),
            ("a\n", "=?base64?YQo=?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
        ] {
            assert_eq!(encoded(plain), carried);
        }
        let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
        for (json, carried) in
            [("12345678901234567890", "12345678901234567890"), ("true", "true"), ("\"\\u0041\"", "A")]
        {
            let (name, value) = param("Region", &raw(json)).unwrap();
            assert_eq!((name.as_str(), value.to_str().unwrap()), ("mcp-param-region", carried));
        }
        for nothing in ["null", "{}", "[1]"] {
            assert!(param("Region", &raw(nothing)).is_none(), "{nothing}");
        }
        assert!(param("not a token", &raw("1")).is_none());
    }
}
