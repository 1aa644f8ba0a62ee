//! Builds: a Dockerfile's commands run in containers of the engine's own, without a network or with that of one of ours.

use std::{collections::HashMap, time::Duration};

use bollard::{Docker, query_parameters::BuildImageOptionsBuilder};
use tokio::time::timeout;

use super::{ImageFacts, with_tag};
use crate::{
    engine::{
        ContainerId, Engine, EngineError, EngineKind, Tar,
        client::{LONG, QUICK},
        error::{refusal, tidy},
    },
    model::ProgressSink,
};

const ACTION: &str = "building an image";
/// How long a build may take as a whole: one that never ends is stopped.
const LONGEST: Duration = Duration::from_secs(2 * 3600);
/// What each of its commands may use, in bytes: nearly the most that the API takes.
const MEMORY: i32 = 2047 << 20;
/// Processor time of its commands, in microseconds of each period: two processors.
const CPU: (i32, i32) = (200_000, 100_000);
/// The airlock's proxy, in a container that may reach something.
const PROXY: &str = "http://127.0.0.1:3128";
/// What programs read the proxy from. The engines know them: they become no part of the image.
const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];

/// What the commands of a build may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildNetwork<'a> {
    /// Nothing.
    #[default]
    None,
    /// What a container of ours may that runs meanwhile: they share its network, which is its airlock's.
    Of(&'a ContainerId),
}

impl Engine {
    /// Builds an image with the classic builder. `dockerfile` is a path within the archive.
    ///
    /// # Errors
    /// When the archive is broken, a step fails, or the engine refuses.
    pub async fn build(
        &self,
        context: Tar,
        dockerfile: &str,
        tag: &str,
        network: BuildNetwork<'_>,
        labels: &std::collections::BTreeMap<String, String>,
        progress: &ProgressSink,
    ) -> Result<ImageFacts, EngineError> {
        let _layers = self.0.layers.read().await;
        let full = with_tag(tag);
        let labels: HashMap<_, _> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let facts = self.facts();
        let mut options = BuildImageOptionsBuilder::new()
            .dockerfile(dockerfile)
            .t(&full)
            .rm(true)
            .forcerm(true)
            .labels(&labels);
        if facts.limits.memory {
            options = options.memory(MEMORY).memswap(MEMORY);
        }
        if facts.limits.cpu {
            options = options.cpuquota(CPU.0).cpuperiod(CPU.1);
        }
        let mut docker = self.docker().clone();
        options = match (network, facts.kind) {
            (BuildNetwork::None, EngineKind::Docker) => options.networkmode("none"),
            // Buildah's words: Podman's API knows no others here, and takes "none" for its default.
            (BuildNetwork::None, EngineKind::Podman) => options.networkmode("NetworkDisabled"),
            (BuildNetwork::Of(container), EngineKind::Docker) => {
                options.networkmode(&format!("container:{}", container.as_str()))
            }
            (BuildNetwork::Of(container), EngineKind::Podman) => {
                docker = in_network_of(&docker, self.process_of(container).await?);
                options.networkmode("NetworkEnabled")
            }
        };
        let proxies = PROXY_VARIABLES.map(|name| (name, PROXY)).into();
        if network != BuildNetwork::None {
            options = options.buildargs(&proxies);
        }
        let mut built = None;
        let stream = docker.build_image(options.build(), None, Some(context.into_body()));
        let building = self.drain(ACTION, LONG, stream, |info| {
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
        });
        match timeout(LONGEST, building).await {
            Ok(ended) => ended?,
            Err(_) => return Err(refusal(ACTION, 0, "it took longer than two hours and was stopped")),
        }
        // The tag alone could still be on an older image.
        let built =
            built.ok_or_else(|| refusal(ACTION, 0, "the engine named no image at the end of the build"))?;
        self.known(ACTION, &built).await
    }

    /// The number, on the engine's machine, of a running container's first process.
    async fn process_of(&self, container: &ContainerId) -> Result<i64, EngineError> {
        const ACTION: &str = "looking at a container";
        let found =
            self.call(ACTION, QUICK, self.docker().inspect_container(container.as_str(), None)).await?;
        let process = found.state.and_then(|state| state.pid).filter(|pid| *pid > 0);
        process.ok_or_else(|| refusal(ACTION, 0, "the container whose network a build was to use has ended"))
    }
}

/// A client whose builds join the network namespace of a process, and ask the name server there: words of Podman's
/// API (libpod, "ImageBuild") that bollard does not have.
fn in_network_of(docker: &Docker, process: i64) -> Docker {
    // As it stands in a query: [{"Name":"network","Host":false,"Path":"/proc/PROCESS/ns/net"}] and ["127.0.0.1"].
    let more = format!(
        "nsoptions=%5B%7B%22Name%22:%22network%22,%22Host%22:false,%22Path%22:%22/proc/{process}/ns/net%22%7D%5D\
         &dnsservers=%5B%22127.0.0.1%22%5D"
    );
    docker.clone().with_request_modifier(move |mut request| {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = parts.path_and_query.and_then(|whole| {
            let and = if whole.query().is_some() { '&' } else { '?' };
            format!("{whole}{and}{more}").parse().ok()
        });
        if let Ok(uri) = parts.try_into() {
            *request.uri_mut() = uri;
        }
        request
    })
}
