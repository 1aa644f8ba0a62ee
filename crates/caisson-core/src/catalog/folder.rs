//! A folder with a `Dockerfile`, built by the engine, then taken like any other image.

mod context;
mod ignored;

use std::path::Path;

use super::{Catalog, CatalogError, InstallOptions, Resolved, made::Made, oci, tag::Tag};
use crate::{
    engine::{BuildNetwork, Engine, EngineError, Tar},
    model::{ProgressSink, Source},
};

impl Catalog {
    /// Builds the folder at `path`.
    pub(super) async fn folder(
        &self,
        engine: &Engine,
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
        let context = tokio::task::spawn_blocking(move || context::pack(&packed, &scratch))
            .await
            .map_err(|error| fault(format!("cannot be packed: {error}")))?
            .map_err(|error| fault(error.to_string()))?;

        progress.step("Building the image");
        let network = if options.build_network { BuildNetwork::Engine } else { BuildNetwork::None };
        let source = Source::Folder { path: folder.clone() };
        let Tag { name, labels } = Tag::server(&source, None)?;
        let context = Tar::file(tokio::fs::File::from_std(context));
        let built = engine.build(context, "Dockerfile", &name, network, &labels, progress).await;
        if let Err(EngineError::Refused { text: reason, .. }) = built {
            return Err(CatalogError::Build { path: folder, reason, network: options.build_network });
        }
        let image = built?;
        let made = Made::by_us(image.id.clone(), engine);
        oci::from_image(engine.facts(), source, image, made, options)
    }
}
