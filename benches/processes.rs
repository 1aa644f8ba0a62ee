//! What processes hold in memory, as Linux tells it.

use std::{collections::HashMap, fs};

use crate::Fallible;

/// A resident set, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resident {
    /// Of the process, and all it started.
    pub(crate) all: u64,
    /// Of those among them that are the engine's own command line.
    pub(crate) engine: u64,
}

/// The resident set of one process, in bytes.
pub(crate) fn resident(pid: u32) -> Fallible<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident set")?;
    Ok(kilobytes.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// The resident set of a process and all it started.
pub(crate) fn resident_with_children(pid: u32) -> Fallible<Resident> {
    let mut children: HashMap<u32, Vec<(u32, String)>> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile holds nothing.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name stands in brackets and may hold any character; the parent is the second field after it.
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let Some(parent) = stat[close + 1..].split_whitespace().nth(1) else { continue };
        children.entry(parent.parse()?).or_default().push((pid, stat[open + 1..close].to_owned()));
    }
    let mut sum = Resident { all: resident(pid)?, engine: 0 };
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for (child, name) in children.remove(&parent).unwrap_or_default() {
            let size = resident(child).unwrap_or(0);
            sum.all += size;
            if matches!(name.as_str(), "docker" | "podman") {
                sum.engine += size;
            }
            parents.push(child);
        }
    }
    Ok(sum)
}
