//! Install in two steps: prepared for review, then accepted or discarded.

use super::{Host, names::NameHeld, servers};
use crate::{
    audit::Part,
    catalog::{self, InstallOptions, Lockfile, suggest_name},
    control::api::{self, ApiError, ErrorCode, PrepareInstall, Prepared, ServerView, Ticket},
    model::{ProgressSink, Server, ServerName, ServerState, Workspace},
    registry::atomic,
    sandbox::Folders,
};

/// A server that waits for the user's yes. Dropped, it is discarded.
pub(super) struct Waiting {
    host: Host,
    name: ServerName,
    server: Server,
    lockfile: Option<Lockfile>,
    /// What the user should know before saying yes.
    notices: Vec<String>,
    replace: bool,
    accepted: bool,
    _held: NameHeld,
}

impl Host {
    /// Resolves and builds; `progress` is told each step.
    pub(super) async fn prepare(
        &self,
        request: PrepareInstall,
        progress: &ProgressSink,
    ) -> Result<Waiting, ApiError> {
        let PrepareInstall { source, options } = request;
        let name = options.name.clone().or_else(|| suggest_name(&source)).ok_or_else(|| {
            ApiError::new(ErrorCode::Invalid, "no name can be made of this source")
                .fix("choose one with --name")
        })?;
        let held = self.0.names.hold(&name, "installed")?;
        let replace = options.replace;
        if !replace && self.0.registry.contains(&name) {
            return Err(ApiError::new(ErrorCode::Exists, format!("a server is called {name} already"))
                .fix("choose another name with --name, replace it with --replace, or remove it first"));
        }
        // Before the long part: what would be refused in the end is refused now.
        let (mut folders, places) = (options.permissions.seen(), self.0.places.clone());
        let workspace = options.permissions.workspace.as_ref();
        folders.extend(workspace.and_then(Workspace::destination));
        let refused = tokio::task::spawn_blocking(move || Folders::resolve(&folders, &places).err()).await;
        if let Ok(Some(error)) = refused {
            return Err(error.into());
        }
        let installed = self.0.catalog.install(&name, &source, asked(options), progress).await?;
        let catalog::Installed { server, lockfile, notices } = installed;
        Ok(Waiting {
            host: self.clone(),
            name,
            server,
            lockfile,
            notices,
            replace,
            accepted: false,
            _held: held,
        })
    }

    /// What a waiting install would run under.
    pub(super) async fn review(&self, waiting: &Waiting, ticket: Ticket) -> Result<Prepared, ApiError> {
        let plan = self.0.sandbox.plan_of(&waiting.name, &waiting.server).await?;
        let missing = self.missing_secrets(&waiting.name, &waiting.server)?;
        Ok(Prepared {
            ticket,
            name: waiting.name.clone(),
            server: waiting.server.clone(),
            plan: self.advised(&waiting.name, &waiting.server, &plan, servers::view(&plan)?).await,
            warnings: waiting.notices.clone(),
            missing_secrets: missing.into_iter().map(String::from).collect(),
        })
    }

    pub(super) async fn accept(&self, mut waiting: Waiting) -> Result<ServerView, ApiError> {
        let before = self.0.registry.get(&waiting.name);
        let host = self.clone();
        let waiting = tokio::task::spawn_blocking(move || {
            let Waiting { name, server, .. } = &waiting;
            match waiting.replace {
                // A broken file would keep the new one out; to replace is to give it up.
                true if host.listed(name).is_ok_and(|listed| listed.broken.is_some()) => {
                    host.0.registry.remove(name)?;
                    host.0.registry.add(name, server)?;
                }
                true => host.0.registry.put(name, server)?,
                false => host.0.registry.add(name, server)?,
            }
            waiting.accepted = true;
            if let Some(lockfile) = &waiting.lockfile
                && let Err(error) = host.keep_lockfile(&waiting.name, lockfile)
            {
                tracing::warn!(server = %waiting.name, %error, "the lockfile was not kept");
            }
            Ok::<_, ApiError>(waiting)
        });
        let waiting =
            waiting.await.map_err(|error| ApiError::new(ErrorCode::Internal, error.to_string()))??;
        let name = waiting.name.clone();
        let source = waiting.server.source.to_string();
        let how = if before.is_some() { "installed in place of another" } else { "installed" };
        self.configured(Some(&name), Part::Server, &source, how);
        self.0.sandbox.define(&name, waiting.server.clone());
        if let Some(before) = before.filter(|before| before.image != waiting.server.image) {
            // The old container runs the old image until it stops.
            self.0.sandbox.stop(&name).await?;
            self.drop_image(&before).await;
        }
        // What was accepted of another server of this name, or of another version, is not of this one.
        self.0.gate.review().forget(&name)?;
        self.learn(&name).await;
        self.view(&name).await
    }

    /// Runs the server, once unless it is always on, so that clients are answered from what it said. Where it cannot run yet, for want of
    /// a secret, clients learn it from the server itself later on.
    async fn learn(&self, name: &ServerName) {
        let missing = self.in_force(name).and_then(|server| self.missing_secrets(name, &server));
        if !missing.is_ok_and(|missing| missing.is_empty()) {
            return;
        }
        let always_on = self.in_force(name).is_ok_and(|server| server.life.always_on);
        let was_stopped = !always_on && self.0.sandbox.state(name) == Some(ServerState::Stopped);
        if let Err(error) = self.0.sandbox.learn(name).await {
            tracing::warn!(server = %name, %error, "what the server says of itself was not learnt");
        }
        self.accept_what_it_says(name);
        if was_stopped && let Err(error) = self.0.sandbox.stop(name).await {
            tracing::warn!(server = %name, %error, "the server was not stopped after its first run");
        }
    }

    /// What a server says of itself when it is installed is accepted with it.
    fn accept_what_it_says(&self, name: &ServerName) {
        let said = match self.0.sandbox.said(name) {
            Ok(said) => said,
            Err(error) => {
                return tracing::warn!(server = %name, %error, "what it says of itself is not known");
            }
        };
        if let Err(error) = self.0.gate.review().begin(name, &said) {
            tracing::warn!(server = %name, %error, "what the server says of itself was not accepted");
        }
    }

    fn keep_lockfile(&self, name: &ServerName, lockfile: &Lockfile) -> std::io::Result<()> {
        let folder = self.0.paths.data.join("locks").join(name.as_str());
        std::fs::create_dir_all(&folder)?;
        // Ours is the folder; the file's name is the package manager's, made by the catalog.
        atomic::write(&folder.join(&lockfile.file_name), lockfile.content.as_bytes(), 0o600)
    }

    /// Removes a server's image unless another installed server uses it.
    pub(super) async fn drop_image(&self, server: &Server) {
        let used = |listed: &crate::registry::Listed| {
            listed.server.as_ref().is_some_and(|other| other.image == server.image)
        };
        if self.0.registry.list().iter().any(used) {
            return;
        }
        if let Err(error) = self.0.catalog.discard(&server.image).await {
            tracing::warn!(image = server.image.short(), %error, "an image nobody uses was not removed");
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.accepted {
            return;
        }
        let (host, server) = (self.host.clone(), self.server.clone());
        // An image that waits for nobody is removed; where no runtime runs any more, the process ends anyway.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { host.drop_image(&server).await });
        }
    }
}

fn asked(options: api::InstallOptions) -> InstallOptions {
    InstallOptions {
        allow_scripts: options.allow_scripts,
        build_hosts: options.build_hosts,
        entry: options.entry,
        args: options.args,
        env: options.env,
        transport: options.transport,
        permissions: options.permissions,
        limits: options.limits,
        life: options.life,
    }
}
