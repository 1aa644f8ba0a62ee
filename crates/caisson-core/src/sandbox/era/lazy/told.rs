use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    model::{Digest, RequestId, Splice},
    sandbox::era::upgrade::is_log_level,
};

/// What the client was told before there was a process.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// Its `initialize` request, and the result it was given from the pins.
    pub(super) hello: Option<(Bytes, RequestId)>,
    pub(super) result: Option<Box<RawValue>>,
    /// Its `notifications/initialized`.
    pub(super) initialized: Option<Bytes>,
    /// Its latest `logging/setLevel`.
    pub(super) level: Option<Bytes>,
    /// Its other notifications, as far as there is room for them.
    pub(super) notifications: Vec<Bytes>,
    /// The lists it was given, and what was last said in each.
    pub(super) lists: Vec<(&'static str, Digest)>,
}

impl Told {
    /// Takes note of a list that the client is given.
    pub(super) fn list(&mut self, list: &'static str, result: &RawValue) {
        let said = Digest::of(result.get().as_bytes());
        match self.lists.iter_mut().find(|(given, _)| *given == list) {
            Some((_, last)) => *last = said,
            None => self.lists.push((list, said)),
        }
    }

    /// Whether the server takes the level that this `logging/setLevel` wants.
    pub(super) fn takes_level(&self, params: Option<&RawValue>) -> bool {
        #[derive(Deserialize)]
        struct Params {
            level: String,
        }
        let result = self.result.as_ref().and_then(|result| Splice::of(result.get().as_bytes()));
        let logs = result.is_some_and(|result| result.get(&["capabilities", "logging"]).is_some());
        let params = params.and_then(|params| serde_json::from_str::<Params>(params.get()).ok());
        logs && params.is_some_and(|params| is_log_level(&params.level))
    }
}
