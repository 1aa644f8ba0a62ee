//! Runtimes by the names people know, and by those engines have for them. Pure.

use crate::engine::EngineFacts;

/// A runtime that puts a kernel of its own between a server and the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolating {
    /// A kernel in user space.
    Gvisor,
    /// A virtual machine.
    Kata,
    /// A small virtual machine.
    Krun,
}

/// Each with the name people have for it, and the names engines have, as their own documents say to set it up.
const KNOWN: [(Isolating, &str, &[&str]); 3] = [
    (Isolating::Gvisor, "gVisor", &["runsc", "gvisor", "io.containerd.runsc.v1"]),
    (
        Isolating::Kata,
        "Kata Containers",
        &["kata", "kata-runtime", "kata-qemu", "kata-clh", "kata-fc", "io.containerd.kata.v2"],
    ),
    (Isolating::Krun, "libkrun", &["krun", "crun-krun", "io.containerd.krun.v1"]),
];

impl Isolating {
    /// What a runtime is, by any of its names; none for one that shares the host's kernel, or is not known.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let named = |(_, _, names): &&(Self, &str, &[&str])| names.contains(&name.as_str());
        KNOWN.iter().find(named).map(|(runtime, ..)| *runtime)
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        KNOWN.iter().find(|(runtime, ..)| *runtime == self).map_or("", |(_, title, _)| title)
    }

    /// What engines call it.
    pub fn names(self) -> &'static [&'static str] {
        KNOWN.iter().find(|(runtime, ..)| *runtime == self).map_or(&[], |(.., names)| names)
    }

    /// The first of an engine's runtimes that is one of these, by the engine's name.
    pub fn offered(facts: &EngineFacts) -> Option<&str> {
        facts.runtimes.iter().map(String::as_str).find(|name| Self::of(name).is_some())
    }
}

/// The engine's name for the runtime that was asked for: that very one, or another name of the same.
pub(super) fn named<'a>(asked: &str, facts: &'a EngineFacts) -> Option<&'a str> {
    let has = |wanted: &str| facts.runtimes.iter().map(String::as_str).find(|name| *name == wanted);
    has(asked).or_else(|| Isolating::of(asked)?.names().iter().find_map(|name| has(name)))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::docker, *};

    #[test]
    fn a_runtime_is_found_by_any_name() {
        let with = |runtimes: &[&str]| EngineFacts {
            runtimes: runtimes.iter().map(ToString::to_string).collect(),
            ..docker()
        };
        for (asked, runtimes, found) in [
            ("runsc", &["runc", "runsc"][..], Some("runsc")),
            ("gvisor", &["runc", "runsc"], Some("runsc")),
            ("gVisor", &["runc", "runsc"], Some("runsc")),
            ("gvisor", &["runc", "io.containerd.runsc.v1"], Some("io.containerd.runsc.v1")),
            ("kata", &["kata-runtime", "runc"], Some("kata-runtime")),
            ("kata", &["io.containerd.kata.v2", "runc"], Some("io.containerd.kata.v2")),
            ("kata-runtime", &["kata", "runc"], Some("kata")),
            ("krun", &["crun", "krun"], Some("krun")),
            // A name that only the engine knows.
            ("youki", &["runc", "youki"], Some("youki")),
            ("gvisor", &["runc"], None),
            ("kata", &["runc", "runsc"], None),
            ("youki", &["runc"], None),
        ] {
            assert_eq!(named(asked, &with(runtimes)), found, "{asked} of {runtimes:?}");
        }
        assert_eq!(Isolating::offered(&with(&["crun", "runc"])), None);
        assert_eq!(Isolating::offered(&with(&["kata", "runc", "runsc"])), Some("kata"));
    }
}
