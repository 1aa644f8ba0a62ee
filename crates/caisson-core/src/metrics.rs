//! How often each tool was called, what became of it, and how long it took, since Caisson started.
//!
//! It holds no argument, result or secret, and stays small whatever strangers name: a tool is counted by its name
//! where its server says that it has one, and so many a server; every other call is one of [`ToolReading::name`]
//! none. On a call's way stand two locks, each held for the time of an addition: one that is only read, and one that
//! calls of the same tool share.

mod latency;
mod machine;
mod series;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use jiff::tz::TimeZone;
use tokio::sync::Notify;

pub use latency::{Latencies, Percentiles};
pub use machine::{MachineUse, OwnUse, machine, own};
pub use series::{Series, ToolReading};

use self::series::Common;
use crate::{
    gate::Clock,
    model::{CallCounts, ServerName, is_hidden},
};

/// Tools of one server that are counted by name.
const MOST_TOOLS: usize = 256;
/// The longest name, in bytes. MCP 2025-11-25, "Tools: Tool Names", knows 128 characters.
const LONGEST_NAME: usize = 256;

/// The counts. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    common: Arc<Common>,
    servers: RwLock<HashMap<ServerName, Tools>>,
}

/// What is counted of one server. There are as many as the user has installed.
#[derive(Default)]
struct Tools {
    named: BTreeMap<Arc<str>, Arc<Series>>,
    others: Option<Arc<Series>>,
}

impl Metrics {
    /// Counts from here on. What today is, `clock` and `zone` tell.
    pub fn new(clock: Clock, zone: TimeZone) -> Self {
        let common = Arc::new(Common { clock, zone, news: Notify::new() });
        Self(Arc::new(Inner { common, servers: RwLock::default() }))
    }

    /// Where calls of a tool are counted. `is_known` is asked whether its server says that it has it, unless it is
    /// counted by name already.
    pub fn series(&self, server: &ServerName, tool: &str, is_known: impl FnOnce() -> bool) -> Arc<Series> {
        if let Some(series) = self.read().get(server).and_then(|tools| tools.named.get(tool)) {
            return series.clone();
        }
        let is_named = is_countable(tool) && is_known();
        let mut servers = self.write();
        let tools = servers.entry(server.clone()).or_default();
        let new = || Arc::new(Series::new(self.0.common.clone()));
        if is_named && (tools.named.len() < MOST_TOOLS || tools.named.contains_key(tool)) {
            tools.named.entry(tool.into()).or_insert_with(new).clone()
        } else {
            tools.others.get_or_insert_with(new).clone()
        }
    }

    /// What was counted of a server, by tool; those without a name last.
    pub fn of(&self, server: &ServerName) -> Vec<ToolReading> {
        let servers = self.read();
        let Some(tools) = servers.get(server) else { return Vec::new() };
        let named = tools.named.iter().map(|(name, series)| (Some(name.clone()), series));
        let others = tools.others.iter().map(|series| (None, series));
        named.chain(others).map(|(name, series)| series.read(name)).collect()
    }

    /// What became of the calls of each server, of all its tools together.
    pub fn counts(&self) -> Vec<(ServerName, CallCounts)> {
        let servers = self.read();
        let counts = servers.iter().map(|(server, tools)| {
            let all = tools.named.values().chain(&tools.others).map(|series| series.counts());
            (server.clone(), all.fold(CallCounts::default(), CallCounts::and))
        });
        counts.collect()
    }

    /// A server was removed: a later one of that name is another one.
    pub fn forget(&self, server: &ServerName) {
        self.write().remove(server);
    }

    /// Waits until something was counted that nobody has waited for.
    pub async fn changed(&self) {
        self.0.common.news.notified().await;
    }

    // No panic happens while the lock is held.
    fn read(&self) -> RwLockReadGuard<'_, HashMap<ServerName, Tools>> {
        self.0.servers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ServerName, Tools>> {
        self.0.servers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Whether a name is one that people can read and tell from others.
fn is_countable(tool: &str) -> bool {
    !tool.is_empty() && tool.len() <= LONGEST_NAME && !tool.contains(is_hidden)
}

#[cfg(test)]
mod tests;
