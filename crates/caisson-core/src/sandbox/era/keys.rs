//! What MCP 2026-07-28 calls the fields of `_meta` that it has made its own.

/// The version a request speaks.
pub(super) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// What the client can do.
pub(super) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// What the client is.
pub(super) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// From which level on the client wants log messages.
pub(super) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// On a notification: the `subscriptions/listen` request it answers.
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// The version without sessions.
pub(super) const VERSION: &str = "2026-07-28";
