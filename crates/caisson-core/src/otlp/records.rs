//! Entries of the record as log records of OTLP (opentelemetry-proto, `logs/v1/logs.proto`, in its JSON mapping).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::audit::ExportedEntry;

/// `SEVERITY_NUMBER_INFO`.
const INFO: u8 = 9;
/// `SEVERITY_NUMBER_WARN`.
const WARN: u8 = 13;
/// What somebody may want to be woken for.
const GRAVE: [&str; 6] = ["denied", "refused", "found", "quarantined", "tampered", "lost"];

/// Whose records they are.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Tells this Caisson from others.
    pub(super) instance: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_logs: [ResourceLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: Attributes,
    scope_logs: [ScopeLogs<'a>; 1],
}

#[derive(Serialize)]
struct Attributes {
    attributes: Vec<KeyValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: Scope,
    log_records: Vec<LogRecord<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    /// Nanoseconds since 1970; 64-bit numbers are text in this mapping.
    time_unix_nano: String,
    severity_number: u8,
    severity_text: &'static str,
    event_name: String,
    body: AnyValue<'a>,
    attributes: Vec<KeyValue>,
}

#[derive(Serialize)]
struct KeyValue {
    key: String,
    value: AnyValue<'static>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue<'a> {
    #[serde(rename = "stringValue")]
    Borrowed(&'a str),
    StringValue(String),
    BoolValue(bool),
    IntValue(String),
}

impl Resource {
    /// What is posted to `/v1/logs` to send these entries.
    pub(super) fn logs(&self, entries: &[ExportedEntry]) -> Vec<u8> {
        let version = env!("CARGO_PKG_VERSION");
        let text = |key: &str, value: &str| KeyValue::new(key, AnyValue::StringValue(value.to_owned()));
        let attributes = vec![
            text("service.name", "caisson"),
            text("service.version", version),
            text("service.instance.id", &self.instance),
        ];
        let log_records = entries.iter().map(record).collect();
        let scope_logs = [ScopeLogs { scope: Scope { name: "caisson.audit", version }, log_records }];
        let request =
            Request { resource_logs: [ResourceLogs { resource: Attributes { attributes }, scope_logs }] };
        // Text and numbers can always be written.
        serde_json::to_vec(&request).unwrap_or_default()
    }
}

/// One entry: its text as the body, so that the chain can be checked, and what it says as attributes.
fn record(entry: &ExportedEntry) -> LogRecord<'_> {
    let members: Map<String, Value> = serde_json::from_str(entry.entry.get()).unwrap_or_default();
    let what = members.get("what").and_then(Value::as_str).unwrap_or("unknown");
    let at = members.get("at").and_then(Value::as_u64).unwrap_or_default();
    let (severity_number, severity_text) =
        if GRAVE.contains(&what) { (WARN, "WARN") } else { (INFO, "INFO") };
    let event_name = format!("caisson.{what}");
    let said = members.iter().filter(|(name, _)| !matches!(name.as_str(), "what" | "at"));
    let mut attributes: Vec<KeyValue> = said.filter_map(|(name, value)| attribute(name, value)).collect();
    attributes.push(KeyValue::new("caisson.hash", AnyValue::StringValue(entry.hash.to_string())));
    LogRecord {
        time_unix_nano: at.saturating_mul(1_000_000).to_string(),
        severity_number,
        severity_text,
        event_name,
        body: AnyValue::Borrowed(entry.entry.get()),
        attributes,
    }
}

/// A member of an entry; what is nothing is none.
fn attribute(name: &str, value: &Value) -> Option<KeyValue> {
    let value = match value {
        Value::Null => return None,
        Value::Bool(value) => AnyValue::BoolValue(*value),
        Value::Number(number) if number.is_i64() => AnyValue::IntValue(number.to_string()),
        Value::String(text) => AnyValue::StringValue(text.clone()),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => AnyValue::StringValue(value.to_string()),
    };
    Some(KeyValue::new(&format!("caisson.{name}"), value))
}

impl KeyValue {
    fn new(key: &str, value: AnyValue<'static>) -> Self {
        Self { key: key.to_owned(), value }
    }
}
