//! What a client says of its body and of the answers it takes.

use hyper::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{guard::single, refusal::Refusal};

/// The media type of a message.
pub(super) const JSON: &str = "application/json";
/// The media type of a stream of messages.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Whether the body is JSON.
pub(super) fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = single(headers, &CONTENT_TYPE).ok().flatten().map(essence);
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case(JSON)) { Ok(()) } else { Err(Refusal::ContentType) }
}

/// Whether a message or a stream of them may be the answer: a client must take both.
pub(super) fn accepts_both(headers: &HeaderMap) -> Result<(), Refusal> {
    if accepts(headers, JSON) && accepts(headers, EVENT_STREAM) { Ok(()) } else { Err(Refusal::AcceptBoth) }
}

/// Whether a stream of messages may be the answer.
pub(super) fn accepts_stream(headers: &HeaderMap) -> Result<(), Refusal> {
    if accepts(headers, EVENT_STREAM) { Ok(()) } else { Err(Refusal::AcceptStream) }
}

/// Quality values are not weighed: what is named is taken, unless its weight is zero (RFC 9110, 12.4.2).
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let family = wanted.split_once('/').map_or("", |(family, _)| family);
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|range| {
            let kind = essence(range);
            let named = kind.eq_ignore_ascii_case(wanted)
                || kind == "*/*"
                || kind.split_once('/').is_some_and(|(f, any)| any == "*" && f.eq_ignore_ascii_case(family));
            let weight = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
            named && weight.and_then(|weight| weight.trim().parse::<f32>().ok()) != Some(0.0)
        })
}

/// A media type without its parameters.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let is_json = |value: &str| {
            content_type(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])).is_ok()
        };
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/plain", "application/json-patch+json", "application/x-www-form-urlencoded"] {
            assert!(!is_json(bad), "{bad}");
        }
        assert!(content_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn answers_taken() {
        for (value, both, stream) in [
            ("application/json, text/event-stream", true, true),
            ("text/event-stream;q=0.5,application/json;q=0.9", true, true),
            ("*/*", true, true),
            ("application/*, text/*", true, true),
            ("application/json", false, false),
            ("text/event-stream", false, true),
            ("application/json, text/event-stream;q=0", false, false),
            ("text/html", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, value.parse().unwrap())]);
            assert_eq!(
                (accepts_both(&headers).is_ok(), accepts_stream(&headers).is_ok()),
                (both, stream),
                "{value}"
            );
        }
    }
}
