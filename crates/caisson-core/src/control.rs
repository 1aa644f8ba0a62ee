//! The control API: how the CLI, the window, the tray and the shim talk to the process that owns the state.
//!
//! JSON-RPC 2.0, one message a line, on a Unix socket of the user's own (0600 in a 0700 folder) or a Windows
//! named pipe. Only the same user is served. [`api`] holds the types; nothing in here decides anything.

pub mod api;
pub mod bindings;
