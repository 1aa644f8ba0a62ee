use super::{How, Probe, Row};
use crate::sandbox::verify::configuration as look;

pub(super) const AIRLOCK: &[Row] = &[
    ("pid1-environment", "Read the variables of the airlock.", &["First process"]),
    ("pid1-memory", "Read the memory of the airlock, through /proc.", &["First process"]),
    ("pid1-descriptors", "Opened the descriptors of the airlock, the pipe among them.", &["First process"]),
    ("pid1-root", "Opened the root folder of the airlock, through /proc.", &["First process"]),
    ("pid1-ptrace", "Traced the airlock.", &["System calls"]),
    ("pid1-read-memory", "Read the memory of the airlock, by a call of the kernel.", &["System calls"]),
    (
        "pid1-steal-descriptor",
        "Took a descriptor of the airlock, by a call of the kernel.",
        &["System calls"],
    ),
    ("signal-kill", "Killed the airlock.", &["Namespaces"]),
    ("signal-stop", "Stopped the airlock.", &["Namespaces"]),
    ("signal-others", "Sent the airlock eight other signals.", &["Namespaces"]),
];

/// What the engine says of the container.
pub(super) fn configuration() -> impl Iterator<Item = Probe> {
    let rows: [(_, _, &'static [&'static str], _); 6] = [
        (
            "config-network",
            "Asked the engine for the container's networks.",
            &["Network"],
            How::Configuration(look::network),
        ),
        (
            "config-ports",
            "Asked the engine for the container's ports.",
            &["Network"],
            How::Configuration(look::ports),
        ),
        (
            "config-secrets",
            "Looked for secrets in the container's configuration.",
            &["Secret", "First process"],
            How::Configuration(look::secrets),
        ),
        (
            "config-privileges",
            "Asked the engine for the container's privileges, capabilities and devices.",
            &["Capabilities"],
            How::Configuration(look::privileges),
        ),
        (
            "config-namespaces",
            "Asked the engine whether the container shares a namespace.",
            &["Namespaces"],
            How::Configuration(look::namespaces),
        ),
        (
            "config-log",
            "Asked the engine for a log of what crosses the pipe.",
            &["Engine's log"],
            How::Configuration(look::log),
        ),
    ];
    rows.into_iter().map(|(name, tried, stopped_by, how)| Probe {
        name,
        group: "Configuration",
        tried,
        stopped_by,
        how,
    })
}

/// What ends a process, and the container.
pub(super) fn endings() -> impl Iterator<Item = Probe> {
    let rows: [(_, _, &'static [&'static str], _); 2] = [
        ("stubborn", "Ignored every signal it could, and did not end.", &["First process"], How::Stubborn),
        (
            "terminate-airlock",
            "Asked the airlock to end, and with it the container.",
            &["Afterwards"],
            How::Terminate,
        ),
    ];
    rows.into_iter().map(|(name, tried, stopped_by, how)| Probe {
        name,
        group: "Endings",
        tried,
        stopped_by,
        how,
    })
}
