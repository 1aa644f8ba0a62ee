//! The server that comes with Caisson: one static program in an image with nothing else. It needs no registry.

use super::{Catalog, CatalogError, InstallOptions, Resolved, made::Made, pack, tag::Tag};
use crate::{
    engine::{BuildNetwork, Engine, Tar},
    model::{Digest, ProgressSink, Source},
};

/// Where the program stands in its image.
const PROGRAM: &str = "/example";
/// Its image has folders for engines to mount in, and its program.
const DOCKERFILE: &str = "FROM scratch\nCOPY root /\nENTRYPOINT [\"/example\"]\n";
const FOLDERS: [&str; 6] = ["root/dev/", "root/etc/", "root/home/", "root/proc/", "root/run/", "root/tmp/"];

impl Catalog {
    /// Builds the example's image, unless the engine has this very one.
    pub(super) async fn example(
        &self,
        engine: &Engine,
        options: &InstallOptions,
        progress: &ProgressSink,
    ) -> Result<Resolved, CatalogError> {
        let path = self.0.settings.artifacts.join(format!("example-linux-{}", engine.facts().arch));
        let fault =
            |error: std::io::Error| CatalogError::Artifact { path: path.clone(), reason: error.to_string() };
        let program = tokio::fs::read(&path).await.map_err(fault)?;
        let name = format!("localhost/caisson/example:{}", Digest::of(&program).short());
        let image = match engine.image(&name).await? {
            Some(image) => image,
            None => {
                progress.step("Importing the example");
                let context = pack::build_context(DOCKERFILE, &FOLDERS, Some(("root/example", &program)));
                let context = Tar::bytes(context.map_err(fault)?);
                let tag = Tag::base(name, "example");
                engine
                    .build(context, "Dockerfile", &tag.name, BuildNetwork::None, &tag.labels, progress)
                    .await?
            }
        };
        Ok(Resolved::new(Source::Example, Made::found(image.id), options.command(PROGRAM.to_owned())))
    }
}
