//! Where servers come from: a source becomes an image with an exact version. Nothing of a package runs on the
//! host: what is installed, is installed inside the sandbox, with its registry alone in reach.

mod base;
mod error;
mod example;
mod folder;
mod lines;
mod made;
mod name;
mod npm;
mod oci;
mod options;
mod pack;
mod program;
mod pypi;
mod registry;
mod tag;
mod workshop;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::Mutex;

use crate::{
    engine::{EngineError, Engines},
    model::{Digest, ProgressSink, ServerName, Source},
    sandbox::Sandbox,
};

pub use error::CatalogError;
pub use name::suggest_name;
use options::Resolved;
pub use options::{InstallOptions, Installed, Lockfile};

/// What installs need to know of their surroundings.
#[derive(Clone, Debug)]
pub struct CatalogSettings {
    /// The npm registry, where it is not the public one.
    pub npm_registry: Option<String>,
    /// The Python package index, where it is not the public one.
    pub pypi_index: Option<String>,
    /// The folder with `example-linux-ARCH`.
    pub artifacts: PathBuf,
    /// A folder for temporary files, on a disk with room for a build's files.
    pub scratch: PathBuf,
    /// Marks the containers of this Caisson.
    pub home_id: String,
}

/// Installs servers. Clones are the same catalog.
#[derive(Clone)]
pub struct Catalog(Arc<Parts>);

struct Parts {
    engines: Engines,
    sandbox: Sandbox,
    settings: CatalogSettings,
    /// Held while a base image is made.
    bases: Mutex<()>,
}

impl Catalog {
    /// A catalog that installs on the engine of `engines`, inside `sandbox`.
    pub fn new(engines: Engines, sandbox: Sandbox, settings: CatalogSettings) -> Self {
        Self(Arc::new(Parts { engines, sandbox, settings, bases: Mutex::default() }))
    }

    /// Turns `source` into a server, with its image on the engine. `name` names the install's container; writing
    /// the server down is for the caller. Dropped before its end, it leaves no container and no image behind,
    /// but base images.
    ///
    /// # Errors
    /// Each says what happened, why, and what to do.
    pub async fn install(
        &self,
        name: &ServerName,
        source: &Source,
        options: InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Installed, CatalogError> {
        let engine = self.0.engines.get().await?;
        let resolved = match source {
            Source::Npm { package, version } => {
                self.npm(&engine, name, (package, version.as_deref()), &options, progress).await
            }
            Source::Pypi { package, version } => {
                self.pypi(&engine, name, (package, version.as_deref()), &options, progress).await
            }
            Source::Oci { reference } => self.oci(&engine, reference, &options, progress).await,
            Source::Folder { path } => self.folder(&engine, name, path, &options, progress).await,
            Source::Example => self.example(&engine, &options, progress).await,
        }?;
        Ok(resolved.installed(options))
    }

    /// Removes an image that an install made, when its server is removed or was not accepted. An image that the
    /// user brought, or that something still uses, stays.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn discard(&self, image: &Digest) -> Result<(), CatalogError> {
        let engine = self.0.engines.get().await?;
        let Some(found) = engine.image(image.as_str()).await? else { return Ok(()) };
        if found.labels.get(tag::KIND).is_none_or(|kind| kind != tag::SERVER) {
            return Ok(());
        }
        match engine.remove_image(image).await {
            Ok(()) | Err(EngineError::NotFound(_) | EngineError::InUse(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
