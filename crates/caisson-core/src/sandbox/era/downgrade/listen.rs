//! One open `subscriptions/listen`: what it asks for, and the task that hears it.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::pair::{Fault, Heard, heard},
    Shared,
};
use crate::model::{RequestId, Splice};

/// What a client wants to be told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Kinds of lists, as a subscription names them.
    pub(super) lists: Vec<&'static str>,
    /// Resources.
    pub(super) uris: BTreeSet<String>,
}

/// What came of a subscription.
#[derive(Debug)]
pub(super) enum News {
    /// A notification on it.
    Said(Bytes),
    /// It has ended: as it should, or else with the reason.
    Ended(Option<Fault>),
}

/// A subscription. When dropped, it is closed.
#[derive(Debug)]
pub(super) struct Listen {
    /// Tells it from the session's others.
    pub(super) number: u64,
    pub(super) wanted: Wanted,
    _hears: AbortOnDropHandle<()>,
}

impl Wanted {
    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.uris.is_empty()
    }

    /// The parameters that ask for it.
    fn filter(&self) -> Value {
        let mut filter = json!({});
        for list in &self.lists {
            filter[list] = true.into();
        }
        if !self.uris.is_empty() {
            filter["resourceSubscriptions"] = json!(self.uris);
        }
        filter
    }
}

impl Listen {
    /// Opens subscription `number`. What comes of it is put into `news`, with the number.
    pub(super) fn open(
        shared: Arc<Shared>,
        number: u64,
        wanted: Wanted,
        news: mpsc::Sender<(u64, News)>,
    ) -> Self {
        let id = RequestId::Text(format!("caisson/listen-{number}"));
        let params = json!({"notifications": wanted.filter()});
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params});
        let hears = async move {
            let end = hear(&shared, &id, request.to_string().as_bytes(), number, &news).await;
            drop(news.send((number, News::Ended(end.err()))).await);
        };
        Self { number, wanted, _hears: AbortOnDropHandle::new(tokio::spawn(hears)) }
    }
}

/// Asks, and tells what is heard until it ends.
async fn hear(
    shared: &Shared,
    id: &RequestId,
    request: &[u8],
    number: u64,
    news: &mpsc::Sender<(u64, News)>,
) -> Result<(), Fault> {
    let mut exchange = shared.below.open(shared.enveloped(request)?).await?;
    loop {
        match heard(&mut exchange, id).await? {
            Heard::Notification(message) => drop(news.send((number, News::Said(message))).await),
            Heard::Cancelled(_) => return Ok(()),
            Heard::Response(response) => {
                let response = Splice::of(&response);
                let error = response.and_then(|response| response.get(&["error"])).map(RawValue::get);
                return error.map_or(Ok(()), |error| Err(Fault::Given(error.to_owned())));
            }
        }
    }
}
