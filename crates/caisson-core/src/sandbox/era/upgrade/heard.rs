//! What a process says that matters to the request it serves.

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::model::RequestId;

/// What was heard from a process.
#[derive(Debug)]
pub(super) enum Heard {
    /// The response to the request of this id.
    Response(i64, Bytes),
    /// It asks its client for something.
    Ask(Ask),
    /// A notification, with its method.
    Notification(String, Bytes),
}

/// What a server asks of its client.
#[derive(Debug)]
pub(super) struct Ask {
    /// The id it wants the answer under.
    pub(super) id: RequestId,
    /// What it asks for.
    pub(super) method: String,
    /// With which parameters.
    pub(super) params: Option<Box<RawValue>>,
}
