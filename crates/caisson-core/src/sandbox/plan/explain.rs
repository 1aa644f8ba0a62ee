use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Plan, PlanKind, UserNamespace};
use crate::model::{HostRule, Workspace, WorkspacePer};
use caisson_wire::HostPattern;

/// One thing a reviewer wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PlanLine {
    /// What it is about, in a word or two.
    pub what: String,
    /// What the plan says. May hold what a server's file says: show escaped.
    pub value: String,
    /// Why, or what follows.
    pub why: String,
}

pub(super) fn lines(plan: &Plan) -> Vec<PlanLine> {
    let mut lines = Vec::new();
    let mut line = |what: &str, value: String, why: &str| {
        lines.push(PlanLine { what: what.to_owned(), value, why: why.to_owned() });
    };
    line("Image", plan.image.to_string(), "exactly this content runs; nothing is pulled at start");
    reach(plan, &mut line);
    folders(plan, &mut line);
    rights(plan, &mut line);
    limits(plan, &mut line);
    life(plan, &mut line);
    for warning in &plan.warnings {
        line("Note", warning.clone(), "worth knowing before you agree");
    }
    lines
}

type Line<'a> = dyn FnMut(&str, String, &str) + 'a;

/// What it can talk to, and what it is told.
fn reach(plan: &Plan, line: &mut Line<'_>) {
    line(
        "Network",
        "none".into(),
        "loopback is its only interface, and no port of it is open to this machine",
    );
    if plan.hosts.is_empty() {
        line("Hosts", "none".into(), "it can reach nothing outside its container");
    }
    for host in &plan.hosts {
        line("Host", host.to_string(), of_host(host));
    }
    for secret in &plan.secrets {
        line("Secret", secret.to_string(), "taken from the keychain at start; it stands in no configuration");
    }
}

/// What a rule lets it do.
fn of_host(rule: &HostRule) -> &'static str {
    match rule.host() {
        HostPattern::Name(_) => "it may connect there by name, through Caisson, which resolves it",
        HostPattern::Beneath(_) => "it may connect to every name beneath, through Caisson, which resolves it",
        HostPattern::Network(network) if network.addr().is_loopback() => {
            "this machine itself: whatever listens there on that port, for this machine's eyes alone"
        }
        HostPattern::Network(_) => "it may connect there, also where it lies in this machine's own networks",
    }
}

/// What it can read and write.
fn folders(plan: &Plan, line: &mut Line<'_>) {
    for bind in &plan.binds {
        let (what, why) = if bind.write {
            ("Folder, writable", "it can read, change and delete all that is in it")
        } else {
            ("Folder, read-only", "it can read all that is in it and change nothing")
        };
        line(what, format!("{} at {}", bind.host.display(), bind.inside), why);
    }
    if let Some(workspace) = &plan.workspace {
        self::workspace(workspace, line);
    }
    let kept = |inside: &str| plan.workspace.is_none() || inside != Workspace::OUTPUT;
    for volume in plan.volumes.iter().filter(|volume| kept(&volume.inside)) {
        line("Kept between runs", volume.inside.clone(), "a volume of its own, which no other server sees");
    }
    if plan.read_only_root {
        line("Root folder", "read-only".into(), "it cannot change its own programs");
    } else {
        line("Root folder", "writable".into(), "what the install leaves there becomes the image");
    }
    for tmpfs in &plan.tmpfs {
        let what = if tmpfs.exec { "in memory" } else { "in memory, no programs" };
        line("Temporary", format!("{} ({}, {what})", tmpfs.path, size(tmpfs.size)), "gone when it stops");
    }
}

/// What it works in.
fn workspace(workspace: &Workspace, line: &mut Line<'_>) {
    line(
        "Workspace",
        Workspace::OUTPUT.into(),
        "kept between runs in a volume of its own, whose size no engine limits; `caisson workspace` snapshots and empties it",
    );
    if let Some(folder) = &workspace.output {
        line(
            "Collected into",
            format!("{} (at most {})", folder.display(), workspace.size),
            "when you say so, in a folder of its own there; the server never sees it",
        );
    }
    if workspace.per == WorkspacePer::Session {
        line(
            "Sessions",
            Workspace::SESSIONS.into(),
            "each has folders of its own there, out of the others' way but not closed to them",
        );
    }
}

/// What it is allowed to do to the kernel.
fn rights(plan: &Plan, line: &mut Line<'_>) {
    let user = plan.user;
    let who = format!("{}:{}", user.uid, user.gid);
    let why = match (user.uid, plan.user_namespace) {
        (0, _) if plan.kind == PlanKind::Install => {
            "what is installed belongs to root, so the server cannot change it"
        }
        (0, _) => "root inside, without the powers of root",
        (65532, _) => "nobody on this machine",
        (_, UserNamespace::KeepId) => {
            "your own, so that what it writes in your folders is yours; kept by keep-id"
        }
        (_, UserNamespace::Engine) => "your own, so that what it writes in your folders is yours",
    };
    line("User", who, why);
    line("Capabilities", "none".into(), "it has none of root's powers, whoever it runs as");
    line("New privileges", "never".into(), "no program inside can gain any");
    line(
        "System calls",
        "Caisson's list".into(),
        "no ptrace, bpf, io_uring, mounts, keyrings or new namespaces",
    );
    line("Devices", "none".into(), "but /dev/null and its like");
    line(
        "Namespaces",
        "its own".into(),
        "it sees no process, memory or name of this machine or of other servers",
    );
    line(
        "Kernel's files",
        "masked, read-only".into(),
        "no setting of this machine, in /proc or /sys, can be changed",
    );
    if let Some(runtime) = &plan.runtime {
        line("Runtime", runtime.clone(), "in place of the engine's default");
    }
}

/// What it may use.
fn limits(plan: &Plan, line: &mut Line<'_>) {
    line("Memory", size(plan.memory), "no swap beyond it; at the limit its processes are ended");
    let cpus = plan.nano_cpus / 10_000_000;
    line("Processors", format!("{}.{:02}", cpus / 100, cpus % 100), "it is slowed down beyond that");
    line("Processes", plan.pids.to_string(), "a fork bomb ends here");
    for ulimit in plan.ulimits.iter().filter(|ulimit| ulimit.name == "nofile") {
        line("Open files", ulimit.hard.to_string(), "for each process");
    }
    for ulimit in plan.ulimits.iter().filter(|ulimit| ulimit.name == "core") {
        let most = if ulimit.hard == 0 { "none".to_owned() } else { size(ulimit.hard) };
        line("Core dumps", most, "when it crashes, what is in its memory is written nowhere");
    }
}

/// How it begins and ends.
fn life(plan: &Plan, line: &mut Line<'_>) {
    line(
        "First process",
        plan.entrypoint.join(" "),
        "Caisson's airlock: every byte in or out passes through it",
    );
    line("Engine's log", "none".into(), "what it prints is kept by Caisson alone, in memory");
    if plan.auto_remove {
        line("Afterwards", "removed".into(), "the container is gone as soon as it stops");
    } else {
        line("Afterwards", "committed, then removed".into(), "the install becomes an image");
    }
}

fn size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{} {unit}", bytes / factor);
        }
    }
    format!("{bytes} bytes")
}
