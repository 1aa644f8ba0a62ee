//! A folder with a `Dockerfile`, built by the engine, then taken like any other image.
//!
//! Its commands see the folder's copy and nothing else of this machine. What they may reach, they reach through an
//! airlock: that of a container which runs beside the build and lends it its network.

mod context;
mod dockerfile;
mod ignored;

use std::path::Path;

use self::{context::Context, dockerfile::Dockerfile};
use super::{Catalog, CatalogError, InstallOptions, Resolved, made::Made, oci, tag::Tag};
use crate::{
    engine::{BuildNetwork, Engine, EngineError, ImageFacts, Tar},
    model::{ProgressSink, ServerName, Source},
    sandbox::{Install, InstallNeeds, Plan},
};

impl Catalog {
    /// Builds the folder at `path`, for a server called `name`.
    pub(super) async fn folder(
        &self,
        engine: &Engine,
        name: &ServerName,
        path: &Path,
        options: &InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Resolved, CatalogError> {
        let fault = |why: String| CatalogError::Folder { path: path.to_owned(), why };
        // The server's file keeps the path, and is read in another working folder.
        let folder =
            tokio::fs::canonicalize(path).await.map_err(|error| fault(format!("cannot be read: {error}")))?;
        progress.step("Packing the folder");
        let (packed, scratch) = (folder.clone(), self.0.settings.scratch.clone());
        let Context { archive, dockerfile } =
            tokio::task::spawn_blocking(move || context::pack(&packed, &scratch))
                .await
                .map_err(|error| fault(format!("cannot be packed: {error}")))?
                .map_err(|error| fault(error.to_string()))?;
        let dockerfile = Dockerfile::read(&dockerfile).map_err(|refused| fault(refused.to_string()))?;
        let mut bases = Vec::new();
        for reference in &dockerfile.images {
            let base = oci::image(engine, reference, progress).await?;
            for trigger in &base.on_build {
                dockerfile::check_trigger(trigger)
                    .map_err(|why| fault(format!("builds on {reference}, which in turn {why}")))?;
            }
            bases.push(base);
        }

        let lender = match (options.build_hosts.as_slice(), bases.first()) {
            ([], _) => None,
            (_, Some(base)) => Some(self.lender(engine, name, base, options).await?),
            (_, None) => {
                return Err(fault("builds on no image, so it has nothing that could reach a host".into()));
            }
        };
        progress.step("Building the image");
        let container = lender.as_ref().map(|lender| lender.container().into());
        let network = container.as_ref().map_or(BuildNetwork::None, BuildNetwork::Of);
        let source = Source::Folder { path: folder.clone() };
        let Tag { name, labels } = Tag::server(&source, None)?;
        let context = Tar::file(tokio::fs::File::from_std(archive));
        let built = engine.build(context, "Dockerfile", &name, network, &labels, progress).await;
        if let Some(lender) = lender {
            lender.end().await;
        }
        if let Err(EngineError::Refused { text: reason, .. }) = built {
            let network = !options.build_hosts.is_empty();
            return Err(CatalogError::Build { path: folder, reason, network });
        }
        let image = built?;
        let made = Made::by_us(image.id.clone(), engine);
        oci::from_image(engine.facts(), source, image, made, options)
    }

    /// A container in which nothing runs but an airlock, for the hosts a build may reach.
    async fn lender(
        &self,
        engine: &Engine,
        name: &ServerName,
        base: &ImageFacts,
        options: &InstallOptions,
    ) -> Result<Install, CatalogError> {
        let needs = InstallNeeds { image: base.id.clone(), root: false, limits: InstallNeeds::limits() };
        let plan = Plan::for_install(name, &needs, engine.facts(), &self.0.settings.home_id)?;
        Ok(self.0.sandbox.run_install(plan, options.build_hosts.clone(), Vec::new()).await?)
    }
}
