//! The host's end of a server's connections: resolves, checks and connects to the one address that was checked.
