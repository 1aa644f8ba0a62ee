//! What is said over the control API: for each method one type of parameters and one type of reply.
//!
//! A request is `{"jsonrpc":"2.0","id":…,"method":METHOD,"params":…}`. The answer's `error.data`, where there
//! is one, is an [`ApiError`]. While a request runs, the server may send [`Notice`]s that name its id.
//! Times are seconds since 1970 (UTC) unless a field says otherwise.

mod approval;
mod audit;
mod client;
mod daemon;
mod error;
mod group;
mod install;
mod network;
mod pin;
mod secret;
mod server;
mod stats;
mod stream;
mod token;
mod verify;
mod workspace;

pub use approval::{
    AllowCall, ApprovalList, CheckPolicy, CheckedPolicy, DenyCall, ListApprovals, LockCalls, PolicyView,
    RevokeGrant, SetPreset, ShowPolicy,
};
pub use audit::{
    AnchorAudit, AuditAnchor, AuditExport, AuditFilter, AuditList, AuditReport, CheckAudit, ExportAudit,
    ReadAudit,
};
pub use client::{
    ClientChange, ClientList, ClientView, ConnectClient, DisconnectClient, ListClients, RotateClient,
};
pub use daemon::{
    Check, CheckStatus, DaemonStatus, Doctor, DoctorReport, EngineView, GetStatus, Pause, Shutdown,
};
pub use error::{ApiError, ErrorCode};
pub use group::{GroupList, GroupView, ListGroups, RemoveGroup, SetGroup};
pub use install::{AcceptInstall, DiscardInstall, InstallOptions, PrepareInstall, Prepared, Ticket};
pub use network::{
    AllowFolder, AllowHost, BlockHost, ForgetHost, Learn, Learning, NetworkView, Proposal, Propose,
    ShowNetwork,
};
pub use pin::{DecidePins, DecidedPins, PinList, PinsView, ShowPins};
pub use secret::{ListSecrets, RemoveSecret, SecretList, SetSecret};
pub use server::{
    CallReply, CallTool, GetPlan, ListServers, ListTools, PlanRow, PlanView, RemoveServer, RemovedServer,
    RestartServer, ServerDetails, ServerList, ServerView, ShowServer, StartServer, StopServer, Tool,
    ToolList,
};
pub use stats::{CallStats, ReadStats, ServerStats, Stats, ToolStats};
pub use stream::{
    Cancel, EndSubscription, LogLine, LogTail, Notice, NoticeBody, OpenSession, ReadLogs, SubscribeEvents,
};
pub use token::{
    IssueToken, IssuedToken, ListTokens, RevokeToken, RotateToken, TokenList, TokenServers, TokenView,
};
pub use verify::{Verified, VerifyReport, VerifyServer};

pub use workspace::{
    CollectWorkspace, CollectedWorkspace, CopyView, DropSnapshot, ListWorkspace, ResetWorkspace,
    RestoreWorkspace, SnapshotView, SnapshotWorkspace, TakenSnapshot, WorkspaceFile, WorkspaceRemark,
    WorkspaceView,
};

pub use caisson_wire::SecretBytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ts_rs::TS;

use crate::{gate::approvals::Grant, model::Question};

/// A method's parameters, and through them the method and its reply.
pub trait Request: Serialize + DeserializeOwned + TS + Send + Sync + 'static {
    /// The method's name on the wire.
    const METHOD: &'static str;
    /// What a success answers.
    type Reply: Serialize + DeserializeOwned + TS + Send + 'static;
}

/// The reply of a method that has nothing to say but that it succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Done {}

/// Ties each method to its types, and lists them all for the bindings.
macro_rules! methods {
    ($($method:literal: $params:ty => $reply:ty,)+) => {
        $(impl Request for $params {
            const METHOD: &'static str = $method;
            type Reply = $reply;
        })+

        /// Shows every method to `visitor`, in the order of this file.
        pub fn visit_methods(visitor: &mut impl MethodVisitor) {
            $(visitor.visit::<$params>();)+
        }
    };
}

/// Is shown every method.
pub trait MethodVisitor {
    /// One method.
    fn visit<R: Request>(&mut self);
}

methods! {
    "server.list": ListServers => ServerList,
    "server.show": ShowServer => ServerDetails,
    "server.plan": GetPlan => PlanView,
    "server.start": StartServer => ServerView,
    "server.stop": StopServer => ServerView,
    "server.restart": RestartServer => ServerView,
    "server.remove": RemoveServer => RemovedServer,
    "server.tools": ListTools => ToolList,
    "server.call": CallTool => CallReply,
    "server.logs": ReadLogs => LogTail,
    "network.show": ShowNetwork => NetworkView,
    "network.allow": AllowHost => NetworkView,
    "network.block": BlockHost => NetworkView,
    "network.forget": ForgetHost => NetworkView,
    "folder.allow": AllowFolder => NetworkView,
    "learn": Learn => Learning,
    "learn.propose": Propose => Proposal,
    "policy.show": ShowPolicy => PolicyView,
    "policy.preset": SetPreset => PolicyView,
    "policy.check": CheckPolicy => CheckedPolicy,
    "approvals.list": ListApprovals => ApprovalList,
    "approvals.allow": AllowCall => Question,
    "approvals.deny": DenyCall => Question,
    "approvals.revoke": RevokeGrant => Grant,
    "approvals.lock": LockCalls => Done,
    "pins.show": ShowPins => PinList,
    "pins.decide": DecidePins => DecidedPins,
    "audit.read": ReadAudit => AuditList,
    "audit.export": ExportAudit => AuditExport,
    "audit.check": CheckAudit => AuditReport,
    "audit.anchor": AnchorAudit => AuditAnchor,
    "stats.read": ReadStats => Stats,
    "server.verify": VerifyServer => VerifyReport,
    "install.prepare": PrepareInstall => Prepared,
    "install.accept": AcceptInstall => ServerView,
    "install.discard": DiscardInstall => Done,
    "group.list": ListGroups => GroupList,
    "group.set": SetGroup => GroupView,
    "group.remove": RemoveGroup => Done,
    "client.list": ListClients => ClientList,
    "client.connect": ConnectClient => ClientChange,
    "client.disconnect": DisconnectClient => ClientChange,
    "client.rotate": RotateClient => ClientChange,
    "secret.set": SetSecret => Done,
    "secret.list": ListSecrets => SecretList,
    "secret.remove": RemoveSecret => Done,
    "workspace.list": ListWorkspace => WorkspaceView,
    "workspace.collect": CollectWorkspace => CollectedWorkspace,
    "workspace.snapshot": SnapshotWorkspace => TakenSnapshot,
    "workspace.restore": RestoreWorkspace => CopyView,
    "workspace.drop": DropSnapshot => Done,
    "workspace.reset": ResetWorkspace => Done,
    "token.issue": IssueToken => IssuedToken,
    "token.list": ListTokens => TokenList,
    "token.rotate": RotateToken => IssuedToken,
    "token.revoke": RevokeToken => Done,
    "events.subscribe": SubscribeEvents => Done,
    "subscription.end": EndSubscription => Done,
    "request.cancel": Cancel => Done,
    "session.open": OpenSession => Done,
    "daemon.status": GetStatus => DaemonStatus,
    "daemon.pause": Pause => Done,
    "daemon.shutdown": Shutdown => Done,
    "doctor": Doctor => DoctorReport,
}
