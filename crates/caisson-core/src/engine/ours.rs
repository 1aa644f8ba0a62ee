//! The containers that belong to one Caisson home, and what they use.

use std::{collections::BTreeMap, time::Duration};

use bollard::query_parameters::StatsOptionsBuilder;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use ts_rs::TS;

use super::{ContainerId, Engine, EngineError};

/// A container of a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurContainer {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: String,
    /// The server it belongs to, by its label.
    pub server: Option<String>,
    /// Whether it runs.
    pub running: bool,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
}

/// A container as an engine lists it, the fields that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Listed {
    pub(super) id: String,
    names: Vec<String>,
    labels: BTreeMap<String, String>,
    state: String,
    /// Seconds since 1970.
    pub(super) created: i64,
}

/// What a container uses. Engines that cannot count leave things out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ContainerUse {
    /// Memory, in bytes.
    #[ts(type = "number | null")]
    pub memory: Option<u64>,
    /// Processor time since its start, in nanoseconds.
    #[ts(type = "number | null")]
    pub cpu_nanos: Option<u64>,
    /// Processes and threads.
    #[ts(type = "number | null")]
    pub processes: Option<u64>,
}

impl Engine {
    /// Every container with the label `dev.caisson.home` of this value, running or not.
    ///
    /// # Errors
    /// When the engine cannot tell.
    pub async fn list_ours(&self, home_id: &str) -> Result<Vec<OurContainer>, EngineError> {
        let listed = self.labelled(&format!("dev.caisson.home={home_id}")).await?;
        let ours = listed.into_iter().map(|container| OurContainer {
            id: ContainerId::from(container.id),
            name: container
                .names
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            server: container.labels.get("dev.caisson.server").cloned(),
            running: container.state == "running",
            labels: container.labels,
        });
        Ok(ours.collect())
    }

    /// Every container with a label, `key=value`.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<Listed>, EngineError> {
        const ACTION: &str = "listing containers";
        let filters = serde_json::json!({ "label": [label] }).to_string();
        let query: String = filters.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.read(ACTION, &format!("/v{}/containers/json?all=true&filters={query}", self.facts().api_version))
            .await
    }

    /// What a container uses; nothing where the engine cannot count.
    pub async fn stats(&self, id: &ContainerId) -> ContainerUse {
        let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
        let mut stats = self.docker().stats(id.as_str(), Some(options));
        let Ok(Some(Ok(stats))) = timeout(Duration::from_secs(5), stats.next()).await else {
            return ContainerUse::default();
        };
        ContainerUse {
            memory: stats.memory_stats.and_then(|memory| memory.usage),
            cpu_nanos: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|usage| usage.total_usage),
            processes: stats.pids_stats.and_then(|pids| pids.current),
        }
    }
}
