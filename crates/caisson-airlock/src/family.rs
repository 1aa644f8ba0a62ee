use std::{collections::HashMap, fs};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Sends a signal to a process that has not been reaped, its group, and whatever else descends from it.
///
/// A descendant that made itself an orphan in another group is not found; it ends with the container.
pub(crate) fn signal(process: Pid, signal: Signal) {
    for member in descendants(process) {
        let _ = kill_process(member, signal);
    }
    let _ = kill_process_group(process, signal);
}

fn descendants(of: Pid) -> Vec<Pid> {
    let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // It may have ended since the folder was listed.
        if let Some(parent) = fs::read(entry.path().join("stat")).ok().and_then(|stat| parent(&stat)) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![of];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        // Removed, so that even a listing that makes no tree comes to an end.
        let theirs = children.remove(parent).unwrap_or_default();
        found.extend(theirs);
        next += 1;
    }
    found.retain(|pid| *pid != of);
    found
}

/// The parent in `/proc/PID/stat`: the second field after the name, which stands in parentheses and may
/// hold anything (proc_pid_stat(5)).
fn parent(stat: &[u8]) -> Option<Pid> {
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_ends + 1..)?).ok()?;
    Pid::from_raw(rest.split_ascii_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_parent() {
        assert_eq!(parent(b"7 (a) S 42 7 7 0"), Pid::from_raw(42));
        assert_eq!(parent(b"7 (a) S 1 7 ) S 42 7 7 0"), Pid::from_raw(42));
        for odd in
            [b"".as_slice(), b"7 a S 42", b"7 (a", b"7 (a)", b"7 (a) S", b"7 (a) S x", b"7 (\xff) \xff 4"]
        {
            assert_eq!(parent(odd), None);
        }
    }

    #[test]
    fn grandchildren_are_found() {
        let mut child =
            std::process::Command::new("sh").args(["-c", "sleep 60 & sleep 60 & wait"]).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let wanted = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while descendants(pid).len() < 2 {
            assert!(std::time::Instant::now() < wanted);
            std::thread::yield_now();
        }
        for member in descendants(pid) {
            kill_process(member, Signal::KILL).unwrap();
        }
        child.wait().unwrap();
    }
}
