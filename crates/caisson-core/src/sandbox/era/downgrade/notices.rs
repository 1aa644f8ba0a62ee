//! What a notification on a subscription says, as far as it is read, and how the client gets it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::Splice;

/// In a notification's `_meta`: the subscription it came on.
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// Whether the acknowledgement of a subscription says that the server tells when resources are updated.
pub(super) fn honours_resources(params: Option<&RawValue>) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Honoured<'a> {
        #[serde(borrow)]
        resource_subscriptions: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Acknowledged<'a> {
        #[serde(borrow)]
        notifications: Honoured<'a>,
    }
    let params = params.and_then(|params| serde_json::from_str::<Acknowledged<'_>>(params.get()).ok());
    params.is_some_and(|params| params.notifications.resource_subscriptions.is_some())
}

/// The resource a notification names.
pub(super) fn resource(params: Option<&RawValue>) -> Option<String> {
    #[derive(Deserialize)]
    struct Updated {
        uri: String,
    }
    serde_json::from_str::<Updated>(params?.get()).ok().map(|updated| updated.uri)
}

/// The notification without the subscription it came on, of which the client does not know.
pub(super) fn without_subscription(message: Bytes) -> Bytes {
    #[derive(Serialize, Deserialize)]
    struct Meta<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);
    const META: &[&str] = &["params", "_meta"];
    let without = || {
        let mut splice = Splice::of(&message)?;
        let mut meta: Meta<'_> = serde_json::from_str(splice.get(META)?.get()).ok()?;
        meta.0.remove(SUBSCRIPTION_ID)?;
        splice.set(META, &serde_json::to_string(&meta).ok()?);
        Some(splice.done())
    };
    without().map_or_else(|| message.clone(), Bytes::from)
}
