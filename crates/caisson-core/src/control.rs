//! The control API: how the CLI, the window, the tray and the shim talk to the process that owns the state.
