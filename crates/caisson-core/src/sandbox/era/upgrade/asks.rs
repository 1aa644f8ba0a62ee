//! What a server asks of its client in the middle of a request, until the client has answered.

use serde_json::{Value, value::RawValue};

use super::{heard::Ask, request::Request};

/// So many may be put to a client at a time.
const MOST: usize = 16;

/// What the server has asked and not been answered yet, each under a key of its own.
#[derive(Debug, Default)]
pub(super) struct Asks {
    last: usize,
    open: Vec<(String, Ask)>,
}

impl Asks {
    /// Adds one.
    pub(super) fn add(&mut self, ask: Ask) {
        self.last += 1;
        self.open.push((format!("ask-{}", self.last), ask));
    }

    /// Whether all is answered.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether no more may be put to the client at a time.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MOST
    }

    /// Takes out what `request` answers. What it answers besides is nothing anybody asked for.
    pub(super) fn answered_by(&mut self, request: &Request) -> Vec<(Ask, Box<RawValue>)> {
        let mut answered = Vec::new();
        for (key, ask) in std::mem::take(&mut self.open) {
            match request.response(&key) {
                Some(response) => answered.push((ask, response.to_owned())),
                None => self.open.push((key, ask)),
            }
        }
        answered
    }

    /// Takes out what the client of `request` cannot be asked.
    pub(super) fn beyond(&mut self, request: &Request) -> Vec<Ask> {
        let can = |ask: &Ask| request.can.cover(&ask.method, ask.params.as_deref());
        self.open.extract_if(.., |(_, ask)| !can(ask)).map(|(_, ask)| ask).collect()
    }

    /// As members of an object: what the client is asked under each key.
    pub(super) fn json(&self) -> String {
        let member = |(key, ask): &(String, Ask)| {
            let method = Value::from(&*ask.method);
            let params = ask.params.as_ref().map(|params| format!(r#","params":{params}"#));
            format!(r#""{key}":{{"method":{method}{}}}"#, params.unwrap_or_default())
        };
        self.open.iter().map(member).collect::<Vec<_>>().join(",")
    }
}
