use std::fmt;

use crate::{
    model::{SecretName, ServerName},
    registry::StateError,
};

/// Why a secret could not be kept, given or removed. Never holds any part of it.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is no such secret.
    #[error("the server {server} has no secret named {name}. Set it: caisson secret set {server} {name}")]
    Missing {
        /// The server.
        server: ServerName,
        /// The secret.
        name: SecretName,
    },
    /// It is empty.
    #[error("the secret {name} is empty, so it was not kept. Give a value")]
    Empty {
        /// The secret.
        name: SecretName,
    },
    /// It is too long.
    #[error("the secret {name} was not kept: it is longer than {limit} bytes, which is the most that fits")]
    TooLong {
        /// The secret.
        name: SecretName,
        /// The most bytes that fit.
        limit: usize,
    },
    /// There is no keychain.
    #[error("the system's keychain cannot be reached: {0}")]
    Unavailable(Unavailable),
    /// The keychain is locked.
    #[error("the system's keychain is locked. Unlock it ({}), then try again", UNLOCK)]
    Locked,
    /// The keychain did not answer in time.
    #[error(
        "the system's keychain did not answer within {seconds} seconds; it probably waits for its password. \
         Answer its window or unlock it ({}), then try again",
        UNLOCK
    )]
    NoAnswer {
        /// How long was waited.
        seconds: u64,
    },
    /// Earlier requests still wait, and no more are started.
    #[error(
        "the system's keychain has not answered several earlier requests. Unlock it ({}), or start Caisson again",
        UNLOCK
    )]
    Stuck,
    /// The keychain said no for another reason.
    #[error("the system's keychain refused: {why}. `caisson doctor` says how it is")]
    Refused {
        /// What it said.
        why: String,
    },
    /// The name could not be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why there is no keychain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// No D-Bus session: no desktop is logged in.
    NoSession,
    /// Nothing on the session bus offers the Secret Service.
    NoService,
    /// The Secret Service has no default keyring.
    NoDefault,
    /// Another reason, in the system's words.
    Other(String),
}

#[cfg(target_os = "macos")]
const UNLOCK: &str = "open Keychain Access, or run `security unlock-keychain`";
#[cfg(target_os = "windows")]
const UNLOCK: &str = "sign in to Windows again";
#[cfg(not(any(target_os = "macos", target_os = "windows")))]
const UNLOCK: &str =
    "log in on the desktop, open \"Passwords and Keys\", or run `gnome-keyring-daemon --replace --unlock`";

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSession => f.write_str(
                "there is no D-Bus session. Run Caisson in the desktop session, or start one: \
                 dbus-run-session -- bash, and in it gnome-keyring-daemon --unlock",
            ),
            Self::NoService => f.write_str(
                "no program offers the Secret Service. Install and start one: gnome-keyring, KWallet or KeePassXC",
            ),
            Self::NoDefault => f.write_str(
                "it has no default keyring. Make one in \"Passwords and Keys\" (seahorse) and set it as default",
            ),
            Self::Other(why) => write!(f, "{why}. `caisson doctor` says how it is"),
        }
    }
}
