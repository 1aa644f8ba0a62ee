//! What travels on the pipe between Caisson and the airlock, PID 1 of every container.
//!
//! The pipe is one byte stream each way. On it runs yamux ([`Mux`]); each stream begins with one frame, a
//! [`Header`], that says what the stream is. A frame is a length, four bytes big-endian, and so many bytes
//! of JSON ([`frame`]). Either side treats the other as hostile: every length is capped, nothing panics.

mod beside;
mod driver;
mod files;
pub mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gather;
mod message;
mod mux;
mod pattern;
mod pressure;
pub mod probe;
#[cfg(target_os = "linux")]
pub mod splice;
mod stream;

pub use beside::Beside;
pub use files::{FileFate, FileRemark, FilesReport, FilesTask, FoundFile, WHOLE};
pub use message::{
    AirlockEvent, Command, Connection, Egress, EgressName, EgressRule, Exit, FileMode, Handed, Header,
    Launch, LaunchFile, Mode, Order, ProcessId, ProcessLimits, Refusal, SecretBytes, SessionFolders,
};
pub use mux::{Incoming, MOST_OPENED, Mux, MuxError, Opener};
pub use pattern::{HostPattern, HostPatternError, address_of};
pub use stream::Stream;
