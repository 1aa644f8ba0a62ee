use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
};

use schemars::JsonSchema;
use serde::Serialize;

/// Files that say how much memory there is, for cgroup 2 and 1.
const MEMORY: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
/// Files that say how many processes there may be.
const PROCESSES: [&str; 2] = ["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"];

/// What a server sees of the place it runs in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Surroundings {
    /// The user id.
    uid: u32,
    /// The group id.
    gid: u32,
    /// The effective capabilities, a bit mask in hexadecimal; 0 is none.
    capabilities: String,
    /// Whether programs it starts can never gain privileges.
    no_new_privileges: Option<bool>,
    /// Whether a seccomp filter is in force.
    seccomp: Option<bool>,
    /// The network interfaces.
    interfaces: Vec<String>,
    /// Whether a file can be made in the root folder.
    root_writable: bool,
    /// The names of the environment variables. Values are never told.
    variables: Vec<String>,
    /// The most memory, in bytes, as far as can be seen; none when unlimited or not told.
    memory: Option<u64>,
    /// The most processes, as far as can be seen.
    processes: Option<u64>,
    /// The names of the files in `/run/secrets`. Their content is never told.
    secrets: Vec<String>,
    /// The kernel it runs on: the host's own, or one between, such as gVisor's.
    kernel: String,
    /// How many processes it sees.
    visible_processes: usize,
}

impl Surroundings {
    pub(crate) fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let status: BTreeMap<_, _> =
            status.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k, v.trim())).collect();
        let on = |name| status.get(name).map(|value| *value != "0");
        let mut variables: Vec<_> =
            std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        variables.sort();
        Self {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            capabilities: status.get("CapEff").map_or("unknown", |mask| nonzero(mask)).to_owned(),
            no_new_privileges: on("NoNewPrivs"),
            seccomp: on("Seccomp"),
            interfaces: interfaces(),
            root_writable: root_writable(),
            variables,
            memory: limit(MEMORY),
            processes: limit(PROCESSES),
            secrets: secrets(),
            kernel: fs::read_to_string("/proc/version").unwrap_or_default().trim().to_owned(),
            visible_processes: visible_processes(),
        }
    }
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = |value: Option<bool>| value.map_or("unknown", |on| if on { "yes" } else { "no" });
        let most = |value: Option<u64>| value.map_or("not told".to_owned(), |most| most.to_string());
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        writeln!(f, "This is what a server sees from inside its caisson.")?;
        writeln!(f, "user and group:      {}:{}", self.uid, self.gid)?;
        writeln!(f, "capabilities:        {}", self.capabilities)?;
        writeln!(f, "no new privileges:   {}", known(self.no_new_privileges))?;
        writeln!(f, "seccomp filter:      {}", known(self.seccomp))?;
        writeln!(f, "network interfaces:  {}", list(&self.interfaces))?;
        writeln!(f, "root writable:       {}", known(Some(self.root_writable)))?;
        writeln!(f, "variables:           {}", list(&self.variables))?;
        writeln!(f, "files of secrets:    {}", list(&self.secrets))?;
        writeln!(f, "memory, in bytes:    {}", most(self.memory))?;
        writeln!(f, "processes, at most:  {}", most(self.processes))?;
        writeln!(f, "processes, visible:  {}", self.visible_processes)?;
        write!(f, "kernel:              {}", self.kernel)
    }
}

fn secrets() -> Vec<String> {
    let files = fs::read_dir("/run/secrets").into_iter().flatten().flatten();
    let mut names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A mask without its leading zeros.
fn nonzero(mask: &str) -> &str {
    let shown = mask.trim_start_matches('0');
    if shown.is_empty() { "0" } else { shown }
}

fn interfaces() -> Vec<String> {
    // Two lines of headings come first (proc_pid_net(5)).
    let table = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
    table
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

fn root_writable() -> bool {
    let probe = "/.caisson-example";
    let made = File::options().write(true).create_new(true).open(probe).is_ok();
    if made {
        // What cannot be removed is empty and does no harm.
        drop(fs::remove_file(probe));
    }
    made
}

fn limit(files: [&str; 2]) -> Option<u64> {
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok())?;
    // cgroup 2 says `max`, cgroup 1 a number beyond all bounds.
    text.trim().parse().ok().filter(|limit| *limit < 1 << 60)
}

fn visible_processes() -> usize {
    let numbered = |name: &std::ffi::OsStr| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
    fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| numbered(&entry.file_name())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surroundings_are_told_without_values() {
        let seen = Surroundings::look();
        assert!(seen.visible_processes > 0 && seen.variables.contains(&"PATH".to_owned()));
        let told = format!("{seen}{}", serde_json::to_string(&seen).unwrap());
        let path = std::env::var_os("PATH").unwrap();
        assert!(!told.contains(path.to_str().unwrap()));
        assert_eq!((nonzero("0000"), nonzero("00a0")), ("0", "a0"));
    }
}
