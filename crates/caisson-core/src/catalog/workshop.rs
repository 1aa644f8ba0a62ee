//! The container an install happens in: closed like a server's, with its registry alone in reach.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use caisson_wire::Command;
use tokio::sync::oneshot;

use super::{Catalog, CatalogError, error::shown, lines::Lines, made::Made, tag::Tag};
use crate::{
    engine::Engine,
    model::{Digest, HostRule, ServerName},
    sandbox::{Install, InstallNeeds, Plan, SandboxError, base_environment},
};

/// Where a package is installed; every base image has it, owned by the install's user.
pub(super) const SERVER: &str = "/srv/server";
/// Where an install may be untidy; emptied before the image is made. On disk: downloads can be large.
pub(super) const TMP: &str = "/srv/tmp";
/// No step of an install takes longer on a line that is worth having.
const LONGEST_STEP: Duration = Duration::from_secs(20 * 60);

/// What a workshop is opened for.
pub(super) struct Job<'a> {
    /// The server that is being installed.
    pub(super) name: &'a ServerName,
    /// What is being installed, for people.
    pub(super) what: &'a str,
    /// The image to begin with.
    pub(super) image: Digest,
    /// All that can be reached.
    pub(super) egress: Vec<HostRule>,
    /// How its package manager behaves.
    pub(super) environment: Vec<(String, String)>,
}

/// An open workshop. Dropped, its container is removed and nothing is left.
pub(super) struct Workshop {
    install: Arc<Install>,
    engine: Engine,
    image: Digest,
    what: String,
    environment: BTreeMap<String, String>,
}

/// What came of a step.
pub(super) struct Outcome {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Workshop {
    /// Starts the container.
    pub(super) async fn open(catalog: &Catalog, engine: &Engine, job: Job<'_>) -> Result<Self, CatalogError> {
        let authorities = catalog.0.sandbox.authorities().given().await?;
        let mut environment = base_environment(true);
        environment.insert("TMPDIR".to_owned(), TMP.to_owned());
        let file = authorities.map(|given| {
            environment.extend(given.environment);
            given.file
        });
        environment.extend(job.environment);
        let image = job.image.clone();
        let needs = InstallNeeds { image: job.image, root: false, limits: InstallNeeds::limits() };
        let plan = Plan::for_install(job.name, &needs, engine.facts(), &catalog.0.settings.home_id)?;
        let files = file.into_iter().collect();
        let install = catalog.0.sandbox.run_install(plan, job.egress, files).await?;
        Ok(Self {
            install: Arc::new(install),
            engine: engine.clone(),
            image,
            what: job.what.to_owned(),
            environment,
        })
    }

    /// Runs a program to its end; `on_line` is told each line it writes to standard error or output.
    pub(super) async fn run(
        &self,
        argv: &[impl AsRef<str>],
        on_line: impl FnMut(&str) + Send,
    ) -> Result<Outcome, CatalogError> {
        let command = Command {
            argv: argv.iter().map(|word| word.as_ref().to_owned()).collect(),
            env: self.environment.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect(),
            cwd: Some(SERVER.to_owned()),
        };
        let mut lines = Lines::new(on_line);
        let running = self.install.exec(command, |bytes| lines.push(bytes));
        let ended = tokio::time::timeout(LONGEST_STEP, running).await.map_err(|_| CatalogError::TooLong {
            what: self.what.clone(),
            minutes: LONGEST_STEP.as_secs() / 60,
        })?;
        if let Err(SandboxError::Ended { reason, .. }) = ended {
            // Where it was the engine that ended, its own error says so better.
            self.engine.image(self.image.as_str()).await?;
            return Err(CatalogError::Failed { what: self.what.clone(), reason });
        }
        let ended = ended?;
        Ok(Outcome {
            success: ended.exit == caisson_wire::Exit::Code(0),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }

    /// Runs a program that has no reason to fail, and returns its standard output.
    pub(super) async fn must(&self, argv: &[&str]) -> Result<String, CatalogError> {
        let Outcome { success, stdout, stderr } = self.run(argv, |_| {}).await?;
        if success {
            return Ok(stdout);
        }
        if stderr.contains("No space left on device") {
            return Err(CatalogError::DiskFull { what: self.what.clone() });
        }
        Err(CatalogError::Failed { what: self.what.clone(), reason: shown(&stderr) })
    }

    /// The text of a file inside.
    pub(super) async fn read(&self, path: &str) -> Result<String, CatalogError> {
        self.must(&["cat", "--", path]).await
    }

    /// Makes an image of what was installed.
    pub(super) async fn keep(&self, tag: Tag) -> Result<Made, CatalogError> {
        self.must(&["find", TMP, "-mindepth", "1", "-delete"]).await?;
        let (install, engine) = (self.install.clone(), self.engine.clone());
        let (tell, made) = oneshot::channel();
        // Goes on when nobody waits any more, to take away what it then made for nobody.
        tokio::spawn(async move {
            let made = install.commit(&tag.name, tag.labels).await.map(|image| Made::by_us(image, &engine));
            drop(install);
            drop(tell.send(made));
        });
        match made.await {
            Ok(made) => Ok(made?),
            Err(_) => Err(CatalogError::Failed {
                what: self.what.clone(),
                reason: "it was cut off while its image was made".into(),
            }),
        }
    }

    /// Removes the container, and returns when it is gone.
    pub(super) async fn end(self) {
        if let Some(install) = Arc::into_inner(self.install) {
            install.end().await;
        }
    }
}
