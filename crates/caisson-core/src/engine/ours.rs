//! The containers that belong to one Caisson home, and what they use.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::ContainerSummaryStateEnum,
    query_parameters::{ListContainersOptionsBuilder, StatsOptionsBuilder},
};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use ts_rs::TS;

use super::{ContainerId, Engine, EngineError, EngineKind, client::QUICK};

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
    pub labels: HashMap<String, String>,
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
        let mut filters = HashMap::from([("label", vec![format!("dev.caisson.home={home_id}")])]);
        if self.facts().kind == EngineKind::Podman {
            // Podman has states of its own, for the moments before a container runs and after it has ended. Docker's
            // API does not know them, and one such container would make the whole list unreadable.
            let known = ["created", "running", "paused", "exited"];
            filters.insert("status", known.map(str::to_owned).to_vec());
        }
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed =
            self.call("listing containers", QUICK, self.docker().list_containers(Some(options))).await?;
        let ours = listed.into_iter().filter_map(|container| {
            let labels = container.labels.unwrap_or_default();
            Some(OurContainer {
                id: ContainerId::from(container.id?),
                name: container.names?.pop()?.trim_start_matches('/').to_owned(),
                server: labels.get("dev.caisson.server").cloned(),
                running: container.state == Some(ContainerSummaryStateEnum::RUNNING),
                labels,
            })
        });
        Ok(ours.collect())
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
