//! The containers that belong to one Caisson home, and what they use.

use std::{collections::BTreeMap, time::Duration};

use bollard::{models::ContainerMemoryStats, query_parameters::StatsOptionsBuilder};
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
    /// Memory, in bytes, without what the kernel keeps of files and would give back.
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
            memory: stats.memory_stats.as_ref().and_then(held),
            cpu_nanos: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|usage| usage.total_usage),
            processes: stats.pids_stats.and_then(|pids| pids.current),
        }
    }
}

/// The memory a container holds, counted as `docker stats` does.
fn held(memory: &ContainerMemoryStats) -> Option<u64> {
    // What they are called by control groups of version 1, and of version 2.
    let files = ["total_inactive_file", "inactive_file"];
    let files = memory.stats.as_ref().and_then(|stats| files.iter().find_map(|name| stats.get(*name)));
    Some(memory.usage?.saturating_sub(files.copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_a_container_holds() {
        let memory = |usage, stats: &[(&str, u64)]| {
            let stats = stats.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
            held(&ContainerMemoryStats { usage, stats: Some(stats), ..ContainerMemoryStats::default() })
        };
        assert_eq!(memory(Some(100), &[("inactive_file", 30)]), Some(70));
        assert_eq!(memory(Some(100), &[("inactive_file", 5), ("total_inactive_file", 40)]), Some(60));
        assert_eq!(memory(Some(100), &[("inactive_file", 200)]), Some(0));
        assert_eq!(memory(Some(100), &[]), Some(100));
        assert_eq!(memory(None, &[("inactive_file", 30)]), None);
    }
}
