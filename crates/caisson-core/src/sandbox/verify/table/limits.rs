use std::time::Duration;

use super::Row;

/// Bombs take their time, the longest on a kernel of gVisor's.
pub(super) const WITHIN: Duration = Duration::from_secs(60);

pub(super) const LIMITS: &[Row] = &[
    ("open-files", "Opened more files than it may.", &["Open files"]),
    ("raise-limits", "Raised a limit of its own.", &["Capabilities"]),
    ("core-dump", "Crashed, to leave its memory behind.", &["Core dumps"]),
    ("fill-tmp", "Filled /tmp beyond its size.", &["Temporary"]),
    ("fill-home", "Filled the home folder beyond its size.", &["Temporary"]),
    ("fill-run", "Filled /run beyond its size.", &["Temporary"]),
    ("fill-shm", "Filled /dev/shm beyond its size.", &["Temporary"]),
    ("processor-bomb", "Kept every processor busy.", &["Processors"]),
    ("fork-bomb", "Started more processes than it may.", &["Processes"]),
    ("memory-bomb", "Took more memory than it may.", &["Memory"]),
];
