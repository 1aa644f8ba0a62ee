//! Images: looked at, imported, built, committed, removed.

mod build;
mod labels;
mod pull;

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{ContainerConfig, ImageInspect},
    query_parameters::{
        CommitContainerOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder,
        RemoveImageOptionsBuilder, TagImageOptionsBuilder,
    },
};

use super::{
    ContainerId, Engine, EngineError, Tar,
    client::{LONG, QUICK, SLOW},
    error::refusal,
};
use crate::model::Digest;
pub use build::BuildNetwork;
use labels::{label_lines, one_change_each};

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Its id on this engine: a digest over its configuration and layers.
    pub id: Digest,
    /// Its name by digest in the registry it came from.
    pub repo_digest: Option<String>,
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`.
    pub arch: String,
    /// What it runs.
    pub entrypoint: Vec<String>,
    /// The arguments, or all of what it runs.
    pub cmd: Vec<String>,
    /// Its environment, as `NAME=value`.
    pub env: Vec<String>,
    /// Whom it runs as; empty means root.
    pub user: String,
    /// Where it runs; empty means `/`.
    pub workdir: String,
    /// Folders for which it wants a volume.
    pub volumes: Vec<String>,
    /// What it makes every Dockerfile do that is built on it, one instruction each.
    pub on_build: Vec<String>,
    /// In bytes.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// What the engine knows of an image: by name, by digest or by id. None when it has none such.
    ///
    /// # Errors
    /// When the engine cannot tell.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageFacts>, EngineError> {
        match self.find("looking at an image", self.docker().inspect_image(reference)).await {
            Ok(found) => found.map(facts).transpose(),
            // Podman's words for a name that is not even one, and for an image that goes while it is looked at.
            Err(EngineError::Refused { text, .. })
                if ["invalid reference", "invalid format", "image not known"]
                    .iter()
                    .any(|words| text.contains(words)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes an image of a root folder's archive, as if it were built `FROM scratch`.
    ///
    /// # Errors
    /// When the archive is broken, or the engine refuses.
    pub async fn import(
        &self,
        rootfs: Tar,
        tag: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<ImageFacts, EngineError> {
        const ACTION: &str = "importing an image";
        let _layers = self.0.layers.read().await;
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .changes(label_lines(labels, self.facts().kind))
            .platform(&format!("{}/{}", self.facts().os, self.facts().arch))
            .build();
        let docker = one_change_each(self.docker());
        let stream = docker.create_image(Some(options), Some(rootfs.into_body()), None);
        let mut imported = None;
        self.drain(ACTION, LONG, stream, |info| {
            imported =
                info.status.and_then(|status| status.trim().parse::<Digest>().ok()).or(imported.take());
            Ok(())
        })
        .await?;
        let id = imported.ok_or_else(|| refusal(ACTION, 0, "the engine did not name the image it made"))?;
        // Asked to import under a name, Podman forgets the tag.
        let full = with_tag(tag);
        let (repo, version) = repo_and_tag(&full);
        let options = TagImageOptionsBuilder::new().repo(repo).tag(version).build();
        self.call("naming an image", QUICK, self.docker().tag_image(id.as_str(), Some(options))).await?;
        self.known(ACTION, id.as_str()).await
    }

    /// Makes an image of a container's root folder as it is, without pausing the container.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn commit(
        &self,
        container: &ContainerId,
        tag: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<ImageFacts, EngineError> {
        const ACTION: &str = "committing a container";
        let _layers = self.0.layers.read().await;
        let full = with_tag(tag);
        let (repo, version) = repo_and_tag(&full);
        let options = CommitContainerOptionsBuilder::new()
            .container(container.as_str())
            .repo(repo)
            .tag(version)
            .pause(false)
            .changes(&label_lines(labels, self.facts().kind).join("\n"))
            .build();
        let docker = one_change_each(self.docker());
        let commit = docker.commit_container(options, ContainerConfig::default());
        let id = self.call(ACTION, LONG, commit).await?.id;
        self.known(ACTION, &id).await
    }

    /// Removes an image, all its names with it. One that is not there is no error. What it was built on goes with it
    /// when nothing else is; while an image is made, that stays in the engine's cache of builds.
    ///
    /// # Errors
    /// [`EngineError::InUse`] while a container was made of it.
    pub async fn remove_image(&self, id: &Digest) -> Result<(), EngineError> {
        let alone = self.0.layers.try_write();
        let options = RemoveImageOptionsBuilder::new().force(true).noprune(alone.is_err()).build();
        match self
            .call("removing an image", SLOW, self.docker().remove_image(id.as_str(), Some(options), None))
            .await
        {
            Ok(_) | Err(EngineError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The ids of all images with a label, `key` or `key=value`.
    ///
    /// # Errors
    /// When the engine cannot tell.
    pub async fn images_labelled(&self, label: &str) -> Result<Vec<Digest>, EngineError> {
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.call("listing images", QUICK, self.docker().list_images(Some(options))).await?;
        Ok(listed.iter().filter_map(|image| image.id.parse().ok()).collect())
    }

    /// An image that must be there, since it was made a moment ago.
    async fn known(&self, action: &'static str, reference: &str) -> Result<ImageFacts, EngineError> {
        let missing = || refusal(action, 0, "the engine said it was done, but has no such image");
        self.image(reference).await?.ok_or_else(missing)
    }
}

fn facts(found: ImageInspect) -> Result<ImageFacts, EngineError> {
    let id = found.id.unwrap_or_default();
    let id = id
        .parse()
        .map_err(|error: crate::model::DigestError| refusal("naming an image", 0, &error.to_string()))?;
    let config = found.config.unwrap_or_default();
    Ok(ImageFacts {
        id,
        repo_digest: found.repo_digests.unwrap_or_default().into_iter().next(),
        os: found.os.unwrap_or_default(),
        arch: found.architecture.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        cmd: config.cmd.unwrap_or_default(),
        env: config.env.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        workdir: config.working_dir.unwrap_or_default(),
        volumes: config.volumes.unwrap_or_default(),
        on_build: config.on_build.unwrap_or_default(),
        size: found.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
    })
}

/// A reference with a tag or a digest. Without either, Docker would pull every tag there is.
fn with_tag(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

fn repo_and_tag(full: &str) -> (&str, &str) {
    full.rsplit_once(':').unwrap_or((full, "latest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        for (reference, full) in [
            ("busybox", "busybox:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("a/b@sha256:00", "a/b@sha256:00"),
        ] {
            assert_eq!(with_tag(reference), full);
        }
        assert_eq!(repo_and_tag("localhost:5000/a/b:1"), ("localhost:5000/a/b", "1"));
    }
}
