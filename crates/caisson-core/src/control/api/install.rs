use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::PlanView;
use crate::model::{HostRule, LifeSettings, Limits, Permissions, Server, ServerName, Source, Transport};

/// Resolves a source to an exact version, builds its image and answers with the plan to review. Nothing runs
/// and nothing is installed until [`AcceptInstall`]. Sends [`super::NoticeBody::Progress`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct PrepareInstall {
    /// Where the server comes from.
    pub source: Source,
    /// How it shall be installed.
    #[serde(default)]
    #[ts(as = "Option<InstallOptions>", optional)]
    pub options: InstallOptions,
}

/// How a server shall be installed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct InstallOptions {
    /// Its name; none means one taken from the source.
    pub name: Option<ServerName>,
    /// Put it in the place of a server of that name; that server's secrets and state stay.
    #[ts(as = "Option<bool>")]
    pub replace: bool,
    /// Let the package's own install scripts run.
    #[ts(as = "Option<bool>")]
    pub allow_scripts: bool,
    /// Hosts that the commands of a `Dockerfile` may reach while it is built.
    #[ts(as = "Option<Vec<HostRule>>")]
    pub build_hosts: Vec<HostRule>,
    /// Which of the package's programs is the server, where it has several; for images, the program to run.
    pub entry: Option<String>,
    /// Arguments for the server's program.
    #[ts(as = "Option<Vec<String>>")]
    pub args: Vec<String>,
    /// Environment variables, none of them secret.
    #[ts(as = "Option<BTreeMap<String, String>>")]
    pub env: BTreeMap<String, String>,
    /// How it speaks MCP; none means as the source says, else standard input and output.
    pub transport: Option<Transport>,
    /// What it may do.
    #[ts(as = "Option<Permissions>")]
    pub permissions: Permissions,
    /// What it may use; none means the defaults.
    pub limits: Option<Limits>,
    /// When it runs; none means the defaults.
    pub life: Option<LifeSettings>,
}

/// Names a prepared install, on the connection that prepared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct Ticket(pub u64);

/// The answer to [`PrepareInstall`]: what would run, for review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Prepared {
    /// For [`AcceptInstall`] and [`DiscardInstall`]. It ends with the connection.
    pub ticket: Ticket,
    /// The name it gets.
    pub name: ServerName,
    /// What its file will say.
    pub server: Server,
    /// The plan it will run under.
    pub plan: PlanView,
    /// What the user should know before accepting.
    pub warnings: Vec<String>,
    /// Names of the secrets it was granted and the keychain does not hold.
    pub missing_secrets: Vec<String>,
}

/// Installs what was prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AcceptInstall {
    /// Which.
    pub ticket: Ticket,
}

/// Drops what was prepared, its image too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DiscardInstall {
    /// Which.
    pub ticket: Ticket,
}
