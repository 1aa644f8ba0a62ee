//! Secrets in the OS keychain: set, named, removed, injected; never shown.
