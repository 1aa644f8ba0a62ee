//! The words Caisson is written in: typed values, parsed once at the edge. No I/O.

mod bytes;
mod counts;
mod digest;
mod endpoint;
mod event;
mod group;
mod host_rule;
mod jsonrpc;
mod name;
mod offer;
mod pace;
mod permissions;
mod pin;
mod progress;
mod question;
mod refused;
mod ruling;
mod server;
mod source;
mod state;
mod statement;
pub(crate) mod utc;
mod verification;
mod visible;
mod workspace;

pub use bytes::MemorySize;
pub use counts::CallCounts;
pub use digest::{Digest, DigestError};
pub use endpoint::Endpoint;
pub use event::{Event, EventSender};
pub use group::{Group, GroupError, Groups};
pub use host_rule::{HostRule, HostRuleError};
pub use jsonrpc::{
    Envelope, EnvelopeError, EnvelopeKind, RequestId, Splice, error_response, error_response_with,
    is_mistakable, passes_for,
};
pub use name::{GroupName, NameError, SecretName, ServerName, SnapshotName};
pub use offer::Offer;
pub(crate) use pace::Pace;
pub use permissions::{FolderGrant, Limits, Permissions, SecretGrant, SecretPlace};
pub use pin::{Change, MemberChange, PinMode, PinWarning, Quarantined, Words};
pub use progress::{Progress, ProgressSink};
pub use question::{Lasting, Outcome, Question, QuestionId, Settled};
pub use refused::Refused;
pub use ruling::{By, Marks, Preset, Ruling, Verb};
pub use server::{LifeSettings, Server, Transport};
pub use source::{Source, SourceError};
pub use state::ServerState;
pub use statement::{PinKind, Stated, Statement};
pub use verification::{EngineIdentity, ProbeOutcome, ProbeResult, Verification};
pub use visible::{is_hidden, visible};
pub use workspace::{Workspace, WorkspacePer};
