//! The containers that belong to one Caisson home, and what they use.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::{ContainerSummary, ContainerSummaryStateEnum},
    query_parameters::{ListContainersOptionsBuilder, StatsOptionsBuilder},
};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use ts_rs::TS;

use super::{ContainerId, Engine, EngineError, client::QUICK};

/// For a moment before a container runs and after it has ended, Podman gives it a state that Docker's API does not
/// know, and then the whole list cannot be read. So long is waited then, and so often.
const STRANGE_STATE: Duration = Duration::from_millis(200);
const STRANGE_STATES: u32 = 15;

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
        let mut listed = self.list(home_id).await;
        for _ in 0..STRANGE_STATES {
            let Err(EngineError::Refused { text, .. }) = &listed else { break };
            if !text.contains("unknown variant") {
                break;
            }
            tokio::time::sleep(STRANGE_STATE).await;
            listed = self.list(home_id).await;
        }
        let listed = listed?;
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

    async fn list(&self, home_id: &str) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("dev.caisson.home={home_id}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        self.call("listing containers", QUICK, self.docker().list_containers(Some(options))).await
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
