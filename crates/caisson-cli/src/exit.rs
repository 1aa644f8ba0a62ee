//! Exit codes, as `caisson --help` documents them.

use caisson_core::control::api::ErrorCode;

pub(crate) const OK: u8 = 0;
pub(crate) const FAILURE: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const NOT_FOUND: u8 = 3;
pub(crate) const REFUSED: u8 = 4;
pub(crate) const ENGINE: u8 = 5;
const KEYCHAIN: u8 = 6;
pub(crate) const SERVER: u8 = 7;
pub(crate) const TOOL: u8 = 8;
const CONFLICT: u8 = 9;
pub(crate) const DAEMON: u8 = 10;
pub(crate) const ASK: u8 = 11;
pub(crate) const INTERRUPTED: u8 = 130;

/// The table in `caisson --help`.
pub(crate) const HELP: &str = "\
Exit codes:
   0  it worked
   1  it failed
   2  the command line is wrong
   3  there is no such server, secret, token, client or package
   4  a rule of Caisson's, or you, refused it
   5  no container engine answers, or it cannot do what is needed
   6  the keychain is locked or absent
   7  the server failed
   8  the tool answered with an error
   9  something of that name exists already, or is being changed
  10  the daemon does not answer
  11  a person would be asked (`caisson policy check`)
 130  interrupted";

pub(crate) fn code(error: ErrorCode) -> u8 {
    match error {
        ErrorCode::Invalid => USAGE,
        ErrorCode::NotFound => NOT_FOUND,
        ErrorCode::Refused => REFUSED,
        ErrorCode::Engine => ENGINE,
        ErrorCode::Keychain => KEYCHAIN,
        ErrorCode::Server => SERVER,
        ErrorCode::Exists | ErrorCode::Busy => CONFLICT,
        ErrorCode::Daemon => DAEMON,
        ErrorCode::Cancelled => INTERRUPTED,
        ErrorCode::Install
        | ErrorCode::Storage
        | ErrorCode::Client
        | ErrorCode::Paused
        | ErrorCode::Internal
        | ErrorCode::Unknown => FAILURE,
    }
}
