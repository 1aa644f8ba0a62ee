//! The numbers in the text format that Prometheus and its kin collect. No host, argument or result is among them.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, prometheus_text},
    metrics::MetricType,
    registry::Registry,
};

use super::Standing;
use crate::{
    engine::ContainerUse,
    metrics::{Latencies, OwnUse},
    model::{CallCounts, ServerState, utc},
};

/// Upper ends of the ranges into which the times of answers are put, in milliseconds.
const RANGES: [u64; 14] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000];

/// A name, what it means, and how it is read.
type Metric<T, N> = (&'static str, &'static str, fn(&T) -> N);

/// What is counted of each tool's calls.
const OF_TOOLS: [Metric<CallCounts, u64>; 4] = [
    ("caisson_calls", "Calls that were let through", |counts| counts.calls),
    ("caisson_calls_denied", "Calls that were not let through", |counts| counts.denied),
    ("caisson_calls_failed", "Calls that were answered with an error", |counts| counts.failed),
    ("caisson_calls_unanswered", "Calls that had no answer", |counts| counts.unanswered),
];

/// What is counted of each server; nothing where it is not known.
const OF_SERVERS: [Metric<Server, Option<Number>>; 14] = [
    ("caisson_server_up", "Whether the server runs", |server| Gauge(u64::from(server.runs())).into()),
    ("caisson_server_sessions", "Open sessions", |server| Gauge(server.sessions()).into()),
    ("caisson_server_start_time_seconds", "Since when its container runs", |server| {
        server.standing.vitals.running.as_ref().map(|running| Gauge(running.since / 1000))
    }),
    ("caisson_server_starts", "Containers that came up", |server| {
        Counter(server.standing.vitals.starts).into()
    }),
    ("caisson_server_failures", "Containers that failed", |server| {
        Counter(server.standing.vitals.failures).into()
    }),
    ("caisson_server_cpu_seconds", "Processor time of its container", |server| {
        server.uses.cpu_nanos.map(|nanos| Seconds(Duration::from_nanos(nanos)))
    }),
    ("caisson_server_memory_bytes", "Memory of its container", |server| server.uses.memory.map(Gauge)),
    ("caisson_server_memory_limit_bytes", "Memory its container may use", |server| {
        server.standing.memory_limit.map(Gauge)
    }),
    ("caisson_server_processes", "Processes and threads", |server| server.uses.processes.map(Gauge)),
    ("caisson_server_connections", "Connections it has opened", |server| {
        Counter(server.standing.traffic.connections).into()
    }),
    ("caisson_server_open_connections", "Connections that are open", |server| {
        Gauge(server.standing.traffic.open).into()
    }),
    ("caisson_server_refused_connections", "Connections it was refused", |server| {
        Counter(server.standing.traffic.refused).into()
    }),
    ("caisson_server_sent_bytes", "Bytes it has sent to hosts", |server| {
        Counter(server.standing.traffic.sent).into()
    }),
    ("caisson_server_received_bytes", "Bytes it got from hosts", |server| {
        Counter(server.standing.traffic.received).into()
    }),
];

use Number::{Counter, Gauge, Seconds};

/// A number, as what it is told.
#[derive(Clone, Copy)]
enum Number {
    /// It goes up and down.
    Gauge(u64),
    /// It only grows.
    Counter(u64),
    /// It only grows.
    Seconds(Duration),
}

struct Server {
    standing: Standing,
    uses: ContainerUse,
}

struct Numbers {
    started: u64,
    own: Option<OwnUse>,
    servers: Vec<Server>,
}

/// All of them. `started` is when Caisson was.
pub(super) fn text(
    started: SystemTime,
    own: Option<OwnUse>,
    servers: impl Iterator<Item = (Standing, ContainerUse)>,
) -> String {
    let servers = servers.map(|(standing, uses)| Server { standing, uses }).collect();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Numbers { started: utc::whole_seconds(started), own, servers }));
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_own(&mut encoder)?;
        for (name, help, of) in OF_SERVERS {
            let Some(kind) = self.servers.iter().find_map(of).map(Number::kind) else { continue };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for server in &self.servers {
                let labels = [("server", server.standing.name.as_str())];
                if let Some(number) = of(server) {
                    number.encode(family.encode_family(&labels)?)?;
                }
            }
        }
        for (name, help, of) in OF_TOOLS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, counts, _) in self.tools() {
                Counter(of(counts)).encode(family.encode_family(&labels)?)?;
            }
        }
        let (name, help) = ("caisson_call_duration_seconds", "How long answers took");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, _, latencies) in self.tools() {
            encode_latencies(family.encode_family(&labels)?, latencies)?;
        }
        Ok(())
    }
}

impl Numbers {
    fn encode_own(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let mut build =
            encoder.encode_descriptor("caisson_build_info", "Caisson", None, MetricType::Gauge)?;
        Gauge(1).encode(build.encode_family(&version)?)?;
        let began = ("process_start_time_seconds", "When Caisson started", Gauge(self.started));
        let own = self.own.map(|own| {
            let cpu = Seconds(Duration::from_millis(own.cpu_millis));
            [
                ("process_resident_memory_bytes", "Caisson's own memory", Gauge(own.memory)),
                ("process_cpu_seconds", "Caisson's own processor time", cpu),
            ]
        });
        for (name, help, number) in std::iter::once(began).chain(own.into_iter().flatten()) {
            number.encode(encoder.encode_descriptor(name, help, None, number.kind())?)?;
        }
        Ok(())
    }

    /// Every tool of every server. What is not counted by name has no name here.
    fn tools(&self) -> impl Iterator<Item = (impl EncodeLabelSet, &CallCounts, &Latencies)> {
        self.servers.iter().flat_map(|Server { standing, .. }| {
            standing.tools.iter().map(|tool| {
                let labels =
                    [("server", standing.name.as_str()), ("tool", tool.name.as_deref().unwrap_or_default())];
                (labels, &tool.counts, &tool.latencies)
            })
        })
    }
}

impl Server {
    fn runs(&self) -> bool {
        matches!(self.standing.state, ServerState::Running { .. })
    }

    fn sessions(&self) -> u64 {
        if let ServerState::Running { sessions } = self.standing.state { sessions as u64 } else { 0 }
    }
}

impl Number {
    fn kind(self) -> MetricType {
        match self {
            Self::Gauge(_) => MetricType::Gauge,
            Self::Counter(_) | Self::Seconds(_) => MetricType::Counter,
        }
    }

    fn encode(self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Gauge(number) => encoder.encode_gauge(&number),
            Self::Counter(number) => encoder.encode_counter::<NoLabelSet, _, f64>(&number, None),
            Self::Seconds(time) => encoder.encode_counter::<NoLabelSet, _, f64>(&time.as_secs_f64(), None),
        }
    }
}

fn encode_latencies(mut encoder: MetricEncoder<'_>, latencies: &Latencies) -> fmt::Result {
    let mut before = 0;
    let mut range = |end: f64, within: u64| {
        let count = within - before;
        before = within;
        (end, count)
    };
    let ranges = RANGES.map(Duration::from_millis).map(|end| (end.as_secs_f64(), latencies.within(end)));
    let all = (f64::INFINITY, latencies.count());
    let ranges: Vec<_> = ranges.into_iter().chain([all]).map(|(end, within)| range(end, within)).collect();
    let total = latencies.total().as_secs_f64();
    encoder.encode_histogram::<NoLabelSet>(total, latencies.count(), &ranges, None)
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Numbers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
