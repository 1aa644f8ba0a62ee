//! Images: looked at, pulled, imported, built, committed, removed.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use bollard::{
    Docker,
    models::{ContainerConfig, CreateImageInfo, ImageInspect},
    query_parameters::{
        BuildImageOptionsBuilder, CommitContainerOptionsBuilder, CreateImageOptionsBuilder,
        ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
    },
};

use super::{
    ContainerId, Engine, EngineError, EngineKind, Tar,
    client::{LONG, QUICK, SLOW},
    error::{refusal, tidy},
};
use crate::model::{Digest, Progress, ProgressSink};

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
    /// In bytes.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What a build may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildNetwork {
    /// Nothing.
    #[default]
    None,
    /// What the engine gives containers that ask for nothing.
    Engine,
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

    /// Pulls an image, without credentials. A name without tag and digest means `:latest`.
    ///
    /// # Errors
    /// [`EngineError::PlatformMismatch`] when there is none for this engine's processor.
    pub async fn pull(&self, reference: &str, progress: &ProgressSink) -> Result<ImageFacts, EngineError> {
        const ACTION: &str = "pulling an image";
        let platform = format!("{}/{}", self.facts().os, self.facts().arch);
        let full = with_tag(reference);
        let options = CreateImageOptionsBuilder::new().from_image(&full).platform(&platform).build();
        let mut layers = Layers::default();
        let stream = self.docker().create_image(Some(options), None, None);
        let pulled = self
            .drain(ACTION, LONG, stream, |info| {
                progress.tell(layers.after(info));
                Ok(())
            })
            .await;
        let mismatch = |found| EngineError::PlatformMismatch {
            reference: tidy(reference),
            wanted: platform.clone(),
            found,
        };
        match pulled {
            Err(EngineError::Refused { text, .. } | EngineError::NotFound(text))
                if is_platform_error(&text) =>
            {
                return Err(mismatch(None));
            }
            other => other?,
        }
        let facts = self.known(ACTION, &full).await?;
        if facts.os != self.facts().os || facts.arch != self.facts().arch {
            return Err(mismatch(Some(format!("{}/{}", facts.os, facts.arch))));
        }
        Ok(facts)
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

    /// Builds an image with the classic builder. `dockerfile` is a path within the archive.
    ///
    /// # Errors
    /// When the archive is broken, a step fails, or the engine refuses.
    pub async fn build(
        &self,
        context: Tar,
        dockerfile: &str,
        tag: &str,
        network: BuildNetwork,
        labels: &BTreeMap<String, String>,
        progress: &ProgressSink,
    ) -> Result<ImageFacts, EngineError> {
        const ACTION: &str = "building an image";
        let full = with_tag(tag);
        let labels: HashMap<_, _> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let options = BuildImageOptionsBuilder::new()
            .dockerfile(dockerfile)
            .t(&full)
            .rm(true)
            .forcerm(true)
            .labels(&labels)
            .networkmode(match (network, self.facts().kind) {
                (BuildNetwork::None, EngineKind::Docker) => "none",
                (BuildNetwork::Engine, EngineKind::Docker) => "default",
                // Buildah's words: Podman's API knows no others here, and takes "none" for its default.
                (BuildNetwork::None, EngineKind::Podman) => "NetworkDisabled",
                (BuildNetwork::Engine, EngineKind::Podman) => "NetworkDefault",
            })
            .build();
        let mut built = None;
        let stream = self.docker().build_image(options, None, Some(context.into_body()));
        self.drain(ACTION, LONG, stream, |info| {
            if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
                return Err(refusal(ACTION, 0, &message));
            }
            if let Some(id) = info.aux.and_then(|aux| aux.id) {
                built = Some(id);
            }
            for line in info.stream.iter().chain(&info.status).flat_map(|text| text.lines()) {
                if !line.trim().is_empty() {
                    progress.detail("Building the image", tidy(line));
                }
            }
            Ok(())
        })
        .await?;
        // The tag alone could still be on an older image.
        let built =
            built.ok_or_else(|| refusal(ACTION, 0, "the engine named no image at the end of the build"))?;
        self.known(ACTION, &built).await
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

    /// Removes an image, all its names with it. One that is not there is no error.
    ///
    /// # Errors
    /// [`EngineError::InUse`] while a container was made of it.
    pub async fn remove_image(&self, id: &Digest) -> Result<(), EngineError> {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
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

/// Labels as lines of a Dockerfile. Docker wants values quoted and reads escapes in them; Podman takes off the
/// quotes, and the rest as it is.
fn label_lines(labels: &BTreeMap<String, String>, kind: EngineKind) -> Vec<String> {
    let line = |(key, value): (&String, &String)| {
        let mut line = format!("LABEL {key}=\"");
        for part in value.chars().filter(|part| !part.is_control()) {
            if kind == EngineKind::Docker && matches!(part, '"' | '\\' | '$') {
                line.push('\\');
            }
            line.push(part);
        }
        line.push('"');
        line
    };
    labels.iter().map(line).collect()
}

/// A client whose requests name each line of `changes` by itself: bollard joins them to one, of which Podman
/// makes one label.
fn one_change_each(docker: &Docker) -> Docker {
    docker.clone().with_request_modifier(|mut request| {
        let uri = request.uri().clone();
        let Some((path, query)) =
            uri.path_and_query().and_then(|whole| whole.query().map(|q| (whole.path(), q)))
        else {
            return request;
        };
        let split: Vec<_> = query
            .split('&')
            .filter(|field| *field != "changes=")
            .map(|field| match field.strip_prefix("changes=") {
                Some(lines) => format!("changes={}", lines.replace("%0A", "&changes=")),
                None => field.to_owned(),
            })
            .collect();
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = format!("{path}?{}", split.join("&")).parse().ok();
        if let Ok(uri) = parts.try_into() {
            *request.uri_mut() = uri;
        }
        request
    })
}

/// What registries and engines say when an image has no variant for a platform.
fn is_platform_error(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "no matching manifest for",
        "no image found in",
        "does not match the specified platform",
        "choosing an image from manifest list",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// How far a pull is: the sum over its layers.
#[derive(Default)]
struct Layers(BTreeMap<String, (i64, i64)>);

impl Layers {
    fn after(&mut self, info: CreateImageInfo) -> Progress {
        let mut detail = tidy(&info.status.unwrap_or_default());
        if let Some(id) = info.id {
            let _infallible = write!(detail, " {}", tidy(&id));
            if let Some((current, total)) =
                info.progress_detail.and_then(|detail| detail.current.zip(detail.total))
            {
                self.0.insert(id, (current.clamp(0, total.max(0)), total.max(0)));
            }
        }
        let (current, total) = self.0.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
        let fraction = (total > 0).then(|| current as f64 / total as f64);
        Progress { step: "Pulling the image".to_owned(), detail: Some(detail), fraction }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

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

    #[test]
    fn labels_cannot_break_out_of_their_line() {
        let labels = BTreeMap::from([("a".to_owned(), "x\" b\nUSER root $HOME \\".to_owned())]);
        assert_eq!(label_lines(&labels, EngineKind::Docker), [r#"LABEL a="x\" bUSER root \$HOME \\""#]);
        assert_eq!(label_lines(&labels, EngineKind::Podman), [r#"LABEL a="x" bUSER root $HOME \""#]);
    }

    #[test]
    fn pull_progress_is_the_sum_over_layers() {
        let mut layers = Layers::default();
        let mut info = |id: &str, current, total| {
            layers.after(CreateImageInfo {
                id: Some(id.into()),
                status: Some("Downloading".into()),
                progress_detail: Some(ProgressDetail {
                    current: Some(current),
                    total: Some(total),
                    ..Default::default()
                }),
                ..Default::default()
            })
        };
        assert_eq!(info("a", 50, 100).fraction, Some(0.5));
        assert_eq!(info("b", 0, 100).fraction, Some(0.25));
        assert_eq!(info("b", 500, 100).fraction, Some(0.75));
        assert_eq!(info("a", -5, 0).detail.as_deref(), Some("Downloading a"));
    }
}
