//! Every probe: its name, what it tries, and the lines of the plan that are to stop it. Data alone; the tries themselves
//! are the program `caisson-probe`'s, under the same names.

mod files;
mod kernel;
mod limits;
mod network;
mod own;

use std::time::Duration;

use caisson_wire::probe::Finding;
use serde_json::Value;

use crate::sandbox::Plan;

/// One try to break out.
pub(super) struct Probe {
    /// Its name, which stays.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) group: &'static str,
    /// What is tried, in a sentence.
    pub(super) tried: &'static str,
    /// What the plan's lines that stop it are about; the first that a plan has counts.
    pub(super) stopped_by: &'static [&'static str],
    /// How it is run.
    pub(super) how: How,
}

/// How a probe is run, and who judges.
pub(super) enum How {
    /// By the program of that name inside, which judges by itself, within this time.
    Inside(Duration),
    /// By looking at what the engine says of the container.
    Configuration(fn(&Plan, &Value) -> Finding),
    /// Inside; held when the host can end it.
    Stubborn,
    /// Inside; held when it ends its own container and Caisson sees it.
    Terminate,
}

/// How long most probes may take.
const USUAL: Duration = Duration::from_secs(20);

type Row = (&'static str, &'static str, &'static [&'static str]);

/// The probes of a group that run inside.
fn inside(group: &'static str, within: Duration, rows: &'static [Row]) -> impl Iterator<Item = Probe> {
    rows.iter().map(move |&(name, tried, stopped_by)| Probe {
        name,
        group,
        tried,
        stopped_by,
        how: How::Inside(within),
    })
}

/// Every probe, in the order in which they are run: the bombs late, and the end of the airlock last.
pub(super) fn probes() -> Vec<Probe> {
    let mut all = Vec::new();
    all.extend(own::configuration());
    all.extend(inside("Network", USUAL, network::NETWORK));
    all.extend(inside("Names", USUAL, network::NAMES));
    all.extend(inside("Proxy", USUAL, network::PROXY));
    all.extend(inside("Neighbours", USUAL, network::NEIGHBOURS));
    all.extend(inside("Files", USUAL, files::FILES));
    all.extend(inside("Folders", USUAL, files::FOLDERS));
    all.extend(inside("Secrets", USUAL, files::SECRETS));
    all.extend(inside("Kernel", USUAL, kernel::FILES));
    all.extend(inside("System calls", USUAL, kernel::CALLS));
    all.extend(inside("Privileges", USUAL, kernel::PRIVILEGES));
    all.extend(inside("Airlock", USUAL, own::AIRLOCK));
    all.extend(inside("Limits", limits::WITHIN, limits::LIMITS));
    all.extend(own::endings());
    all
}
