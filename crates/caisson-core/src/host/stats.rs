//! What servers were called for and what they use: measured when somebody asks, told while somebody watches.

mod exposition;

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::Host;
use crate::{
    control::api::{ApiError, CallStats, ReadStats, ServerStats, Stats, ToolStats},
    engine::ContainerUse,
    metrics::{self, ToolReading},
    model::{CallCounts, Event, ServerName, ServerState, utc},
    sandbox::{TrafficSums, Vitals},
};

/// So long processors are watched, to say how busy they are.
const MOMENT: Duration = Duration::from_millis(250);
/// So many containers an engine is asked about at a time.
const AT_ONCE: usize = 8;
/// Counts are told no more often than this.
const PAUSE: Duration = Duration::from_secs(2);

/// What is known of a server without asking its engine.
struct Standing {
    name: ServerName,
    state: ServerState,
    vitals: Vitals,
    memory_limit: Option<u64>,
    traffic: TrafficSums,
    tools: Vec<ToolReading>,
}

/// What a container used, and when.
#[derive(Clone, Copy)]
struct Sample {
    uses: ContainerUse,
    at: Instant,
}

impl Host {
    pub(super) async fn stats(&self, read: ReadStats) -> Result<Stats, ApiError> {
        if let Some(name) = &read.server {
            self.in_force(name)?;
        }
        let known = self.known_servers(read.server.as_ref());
        let watching = async {
            let first = self.samples(&known).await;
            sleep(MOMENT).await;
            (first, self.samples(&known).await)
        };
        let (machine, own, (first, second)) = tokio::join!(metrics::machine(), metrics::own(), watching);
        let samples = first.into_iter().zip(second);
        Ok(Stats {
            at: utc::millis(SystemTime::now()),
            since: utc::whole_seconds(self.0.started),
            servers: known.into_iter().zip(samples).map(|(known, samples)| view(known, samples)).collect(),
            machine,
            own,
        })
    }

    /// All numbers as programs collect them.
    pub(super) async fn exposition(&self) -> String {
        let known = self.known_servers(None);
        let (own, samples) = tokio::join!(metrics::own(), self.samples(&known));
        let uses = samples.into_iter().map(|sample| sample.map(|sample| sample.uses).unwrap_or_default());
        exposition::text(self.0.started, own, known.into_iter().zip(uses))
    }

    /// Tells those who watch what was counted, whenever something was.
    pub(super) async fn tell_counts(self) {
        let mut told: HashMap<ServerName, CallCounts> = HashMap::new();
        loop {
            self.0.metrics.changed().await;
            sleep(PAUSE).await;
            let counts: HashMap<_, _> = self.0.metrics.counts().into_iter().collect();
            if self.0.events.receiver_count() > 0 {
                for (server, counts) in counts.iter().filter(|(server, now)| told.get(*server) != Some(*now))
                {
                    // Whoever watched may have gone.
                    drop(self.0.events.send(Event::Counted { server: server.clone(), counts: *counts }));
                }
            }
            told = counts;
        }
    }

    fn known_servers(&self, only: Option<&ServerName>) -> Vec<Standing> {
        let parts = &self.0;
        let listed = parts.registry.list().into_iter();
        let listed = listed.filter(|listed| only.is_none_or(|only| *only == listed.name));
        let known = listed.map(|listed| Standing {
            // The sandbox does not know a server whose file was never readable.
            state: parts.sandbox.state(&listed.name).unwrap_or(ServerState::Stopped),
            vitals: parts.sandbox.vitals(&listed.name).unwrap_or_default(),
            traffic: parts.sandbox.traffic_sums(&listed.name).unwrap_or_default(),
            memory_limit: listed.server.map(|server| server.limits.memory.bytes()),
            tools: parts.metrics.of(&listed.name),
            name: listed.name,
        });
        known.collect()
    }

    /// What the containers of these servers use; none for a server that does not run.
    async fn samples(&self, servers: &[Standing]) -> Vec<Option<Sample>> {
        let sample = async |server: &Standing| {
            let uses = self.0.sandbox.uses(server.vitals.running.as_ref()?).await;
            Some(Sample { uses, at: Instant::now() })
        };
        stream::iter(servers).map(sample).buffered(AT_ONCE).collect().await
    }
}

fn view(known: Standing, (first, second): (Option<Sample>, Option<Sample>)) -> ServerStats {
    let Standing { name, state, vitals, memory_limit, traffic, tools } = known;
    let calls = |reading: &ToolReading| CallStats {
        counts: reading.counts,
        latency: reading.latencies.percentiles(),
    };
    ServerStats {
        name,
        state,
        running_since: vitals.running.map(|running| running.since / 1000),
        starts: vitals.starts,
        failures: vitals.failures,
        cpu: first.zip(second).and_then(|(first, second)| busy(first, second)),
        uses: second.map(|second| second.uses).unwrap_or_default(),
        memory_limit,
        traffic,
        calls: calls(&ToolReading::sum(&tools)),
        tools: tools
            .iter()
            .map(|tool| ToolStats { tool: tool.name.as_deref().map(str::to_owned), calls: calls(tool) })
            .collect(),
    }
}

/// How busy a container kept processors between two moments, in percent of one.
fn busy(first: Sample, second: Sample) -> Option<f64> {
    let spent = second.uses.cpu_nanos?.checked_sub(first.uses.cpu_nanos?)?;
    let passed = second.at.duration_since(first.at);
    (!passed.is_zero()).then(|| Duration::from_nanos(spent).as_secs_f64() / passed.as_secs_f64() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn processors_are_busy_for_the_time_they_were_used() {
        let began = Instant::now();
        let sample = |millis, cpu_nanos| Sample {
            uses: ContainerUse { cpu_nanos, ..ContainerUse::default() },
            at: began + Duration::from_millis(millis),
        };
        for (first, second, meant) in [
            (sample(0, Some(0)), sample(250, Some(125_000_000)), Some(50.0)),
            (sample(0, Some(7)), sample(500, Some(1_000_000_007)), Some(200.0)),
            (sample(0, Some(7)), sample(250, Some(7)), Some(0.0)),
            // The container is another one, or gone; or no time has passed.
            (sample(0, Some(7)), sample(250, Some(6)), None),
            (sample(0, Some(7)), sample(250, None), None),
            (sample(0, Some(7)), sample(0, Some(8)), None),
        ] {
            assert_eq!(busy(first, second), meant);
        }
    }
}
