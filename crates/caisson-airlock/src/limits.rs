//! Limits of each process, set on the airlock itself and inherited by all it starts.

use caisson_wire::ProcessLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lowers the limits to what is asked for; those that are lower stay. Says which could not be set: some kernels,
/// such as gVisor's, know not all of them, and no server should fail for that.
pub(crate) fn lower(most: ProcessLimits) -> Vec<String> {
    let asked = [
        (Resource::Nofile, most.files, "open files"),
        (Resource::Nproc, most.processes, "processes"),
        (Resource::Core, most.core, "core dumps"),
    ];
    let mut problems = Vec::new();
    for (resource, most, what) in asked {
        let Some(most) = most else { continue };
        // None means without limit.
        let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
        if let Err(error) = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }) {
            problems.push(format!("the limit of {what} could not be set: {error}"));
        }
    }
    problems
}
