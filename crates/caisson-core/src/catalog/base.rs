//! Base images: what npm and PyPI packages are installed on. Pulled where a registry answers, else built from
//! Debian packages; made once, and found again by the hash of their recipe.

mod debootstrap;
mod recipe;

use std::{path::Path, time::Duration};

use self::debootstrap::DebianError;
pub(super) use self::recipe::Runtime;
use super::{
    Catalog, CatalogError,
    made::Made,
    pack, pypi,
    tag::Tag,
    workshop::{Job, Workshop},
};
use crate::{
    engine::{BuildNetwork, Engine, EngineError, Tar},
    model::{Digest, ProgressSink, ServerName},
};

/// A registry that said nothing for so long will not: the base is built instead.
const PATIENCE: Duration = Duration::from_secs(8);

impl Catalog {
    /// The base image for `runtime`, made where the engine has none. `name` is the server it is wanted for.
    pub(super) async fn base(
        &self,
        engine: &Engine,
        runtime: Runtime,
        name: &ServerName,
        progress: &ProgressSink,
    ) -> Result<Digest, CatalogError> {
        // Two installs at once make one base.
        let _turn = self.0.bases.lock().await;
        if let Some(image) = engine.image(&runtime.tag()).await? {
            return Ok(image.id);
        }
        let no_base =
            |pulled: String, built: String| CatalogError::NoBase { runtime: runtime.name(), pulled, built };
        let recipe = runtime.recipe().map_err(|error| no_base("not tried".into(), error.to_string()))?;
        let debian = match (&recipe.on_debian, engine.image(&recipe::debian_tag()).await?) {
            // It was built before, since no registry answered.
            (None, Some(debian)) => return Ok(debian.id),
            (_, debian) => debian.map(|image| image.id),
        };
        let pulled = match pull(engine, runtime, &recipe.pull, progress).await {
            Ok(image) => return Ok(image),
            Err(error @ (EngineError::Gone { .. } | EngineError::OutOfDisk(_))) => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        let debian =
            match debian {
                Some(debian) => debian,
                None => build_debian(engine, &self.0.settings.scratch, progress).await.map_err(|error| {
                    match error {
                        BuildError::Debian(error) => no_base(pulled, error.to_string()),
                        BuildError::Engine(error) => error.into(),
                    }
                })?,
            };
        match &recipe.on_debian {
            None => Ok(debian),
            Some(script) => self.on_debian(engine, runtime, name, debian, script, progress).await,
        }
    }

    /// Adds to the Debian base what it lacks for `runtime`, inside the sandbox.
    async fn on_debian(
        &self,
        engine: &Engine,
        runtime: Runtime,
        name: &ServerName,
        debian: Digest,
        script: &str,
        progress: &ProgressSink,
    ) -> Result<Digest, CatalogError> {
        progress.step(format!("Adding {} to the Debian base image", runtime.name()));
        let index = self.python_index()?;
        let environment = pypi::environment(&index);
        let job = Job { name, what: runtime.name(), image: debian, egress: index.egress, environment };
        let workshop = Workshop::open(self, engine, job).await?;
        let added = match workshop.run(&["sh", "-euc", script], |_| {}).await {
            Ok(added) if added.success => {
                workshop.keep(Tag::base(runtime.tag(), &recipe::debian_tag())).await.map(Made::keep)
            }
            Ok(failed) => {
                Err(pypi::explain(&workshop, runtime.name(), &index.host, &failed.stderr, false).await)
            }
            Err(error) => Err(error),
        };
        workshop.end().await;
        added
    }
}

/// Pulls the official image and gives it the folders an install writes to.
async fn pull(
    engine: &Engine,
    runtime: Runtime,
    reference: &str,
    progress: &ProgressSink,
) -> Result<Digest, EngineError> {
    progress.detail(format!("Pulling the {} base image", runtime.name()), reference);
    let (sink, mut told) = ProgressSink::channel();
    let mut pull = std::pin::pin!(engine.pull(reference, &sink));
    let mut answered = false;
    let image = loop {
        tokio::select! {
            pulled = &mut pull => break pulled?,
            Some(step) = told.recv() => {
                answered = true;
                progress.tell(step);
            }
            () = tokio::time::sleep(PATIENCE), if !answered => return Err(EngineError::TimedOut {
                address: reference.to_owned(),
                action: "pulling",
                limit: PATIENCE,
            }),
        }
    };
    let dockerfile = format!("FROM {}\n{FOLDERS}", image.id);
    let context = pack::build_context(&dockerfile, &["server/", "tmp/"], None)
        .map_err(|error| EngineError::Refused { action: "a base image", text: error.to_string() })?;
    let tag = Tag::base(runtime.tag(), image.repo_digest.as_deref().unwrap_or(reference));
    let context = Tar::bytes(context);
    Ok(engine.build(context, "Dockerfile", &tag.name, BuildNetwork::None, &tag.labels, progress).await?.id)
}

/// What the Debian base has of itself.
const FOLDERS: &str = "COPY --chown=65532:65532 server /srv/server
COPY --chown=65532:65532 tmp /srv/tmp
USER root
WORKDIR /
ENTRYPOINT []
CMD []
";

#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error(transparent)]
    Debian(#[from] DebianError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Builds the Debian base.
async fn build_debian(
    engine: &Engine,
    scratch: &Path,
    progress: &ProgressSink,
) -> Result<Digest, BuildError> {
    progress.detail(debootstrap::STEP, "no image registry answers");
    let recipe = recipe::debian().map_err(|error| DebianError::Failed(error.to_string()))?;
    let archive = debootstrap::build(&recipe, &engine.facts().arch, scratch, progress).await?;
    progress.detail(debootstrap::STEP, "importing it");
    let tag = Tag::base(recipe::debian_tag(), &format!("Debian {}", recipe.suite));
    let engine = engine.clone();
    // Goes on when nobody waits any more: an import that is cut short leaves an image without a name.
    let import = tokio::spawn(async move { engine.import(Tar::file(archive), &tag.name, &tag.labels).await });
    let imported = import.await.map_err(|error| DebianError::Failed(error.to_string()))?;
    Ok(imported?.id)
}
