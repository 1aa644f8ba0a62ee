use std::{collections::BTreeMap, path::PathBuf};

use super::made::Made;
use crate::model::{HostRule, LifeSettings, Limits, Permissions, Server, Source, Transport};

/// How a server shall be installed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstallOptions {
    /// Let the package's install scripts run, or its source code be built: inside the sandbox all the same.
    pub allow_scripts: bool,
    /// Hosts that the commands of a `Dockerfile` may reach while it is built, through an airlock like a server's.
    pub build_hosts: Vec<HostRule>,
    /// Which of a package's programs is the server, where it has several; for images, the program to run.
    pub entry: Option<String>,
    /// Arguments for the server's program.
    pub args: Vec<String>,
    /// Environment variables, none of them secret.
    pub env: BTreeMap<String, String>,
    /// How it speaks MCP; none means standard input and output.
    pub transport: Option<Transport>,
    /// What it may do.
    pub permissions: Permissions,
    /// What it may use; none means the defaults.
    pub limits: Option<Limits>,
    /// When it runs; none means the defaults.
    pub life: Option<LifeSettings>,
}

impl InstallOptions {
    /// `program` and the arguments.
    pub(super) fn command(&self, program: String) -> Vec<String> {
        std::iter::once(program).chain(self.args.iter().cloned()).collect()
    }
}

/// What an install made.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The server, with its exact version and its image.
    pub server: Server,
    /// What exactly was installed.
    pub lockfile: Option<Lockfile>,
    /// What the user should know, for people.
    pub notices: Vec<String>,
}

/// Every package that was installed, with versions and hashes, as its package manager writes it. To be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockfile {
    /// What the package manager calls it.
    pub file_name: String,
    /// Its text.
    pub content: String,
}

/// What a source came to.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) source: Source,
    pub(super) image: Made,
    pub(super) command: Vec<String>,
    pub(super) workdir: Option<PathBuf>,
    pub(super) lockfile: Option<Lockfile>,
    pub(super) notices: Vec<String>,
}

impl Resolved {
    pub(super) fn new(source: Source, image: Made, command: Vec<String>) -> Self {
        Self { source, image, command, workdir: None, lockfile: None, notices: Vec::new() }
    }

    /// The server, with what the user asked for.
    pub(super) fn installed(self, options: InstallOptions) -> Installed {
        Installed {
            server: Server {
                source: self.source,
                image: self.image.keep(),
                command: self.command,
                env: options.env,
                workdir: self.workdir,
                transport: options.transport.unwrap_or_default(),
                permissions: options.permissions,
                limits: options.limits.unwrap_or_default(),
                life: options.life.unwrap_or_default(),
            },
            lockfile: self.lockfile,
            notices: self.notices,
        }
    }
}
