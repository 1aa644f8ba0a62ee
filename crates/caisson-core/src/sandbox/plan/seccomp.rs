//! The system calls a server may make: an allow-list, kept as data in `seccomp.json` with a reason for each
//! group. What is not allowed fails with EPERM.

use serde::Deserialize;
use serde_json::{Value, json};

const DATA: &str = include_str!("seccomp.json");

#[derive(Deserialize)]
struct Profile {
    architectures: Vec<String>,
    allow: Vec<Group>,
    absent: Absent,
}

#[derive(Deserialize)]
struct Group {
    names: Vec<String>,
    #[serde(default)]
    args: Vec<Value>,
}

#[derive(Deserialize)]
struct Absent {
    errno: u32,
    names: Vec<String>,
}

/// The profile in the engines' format (containers/common, "seccomp.json"; Docker takes the same).
///
/// # Errors
/// When the data that is built in is broken, which a test rules out.
pub(super) fn profile() -> Result<String, serde_json::Error> {
    let profile: Profile = serde_json::from_str(DATA)?;
    let mut calls: Vec<Value> = Vec::with_capacity(profile.allow.len() + 1);
    for group in &profile.allow {
        calls.push(json!({ "names": group.names, "action": "SCMP_ACT_ALLOW", "args": group.args }));
    }
    let absent = profile.absent;
    calls.push(json!({ "names": absent.names, "action": "SCMP_ACT_ERRNO", "errnoRet": absent.errno }));
    // Only each machine's own calls: a 32-bit program on a 64-bit kernel is stopped.
    let map: Vec<Value> = profile
        .architectures
        .iter()
        .map(|name| json!({ "architecture": name, "subArchitectures": [] }))
        .collect();
    serde_json::to_string(&json!({ "defaultAction": "SCMP_ACT_ERRNO", "archMap": map, "syscalls": calls }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(group: &Value) -> impl Iterator<Item = &str> {
        group["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap())
    }

    #[test]
    fn no_call_is_both_allowed_and_denied_and_each_group_says_why() {
        let data: Value = serde_json::from_str(DATA).unwrap();
        let groups = |key: &str| data[key].as_array().unwrap().clone();
        for group in groups("allow").iter().chain(&groups("deny")).chain([&data["absent"]]) {
            assert!(group["why"].as_str().is_some_and(|why| why.ends_with('.')), "{group}");
        }
        let allowed = groups("allow");
        let allowed: BTreeSet<&str> = allowed.iter().flat_map(names).collect();
        let denied = groups("deny");
        let denied: Vec<&str> = denied.iter().chain([&data["absent"]]).flat_map(names).collect();
        assert!(denied.iter().all(|name| !allowed.contains(name)));
        assert_eq!(denied.len(), denied.iter().collect::<BTreeSet<_>>().len());
        for name in ["ptrace", "bpf", "userfaultfd", "io_uring_setup", "keyctl", "unshare", "setns", "mount"]
        {
            assert!(denied.contains(&name), "{name}");
        }
    }

    #[test]
    fn the_profile_is_an_allow_list_in_the_engines_format() {
        let profile: Value = serde_json::from_str(&profile().unwrap()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        assert_eq!(profile["archMap"][0]["architecture"], "SCMP_ARCH_X86_64");
        let calls = profile["syscalls"].as_array().unwrap();
        let clone = calls.iter().find(|call| call["names"][0] == "clone").unwrap();
        let new_namespaces = 0x0002_0000u64 // mount
            | 0x0200_0000 // cgroup
            | 0x0400_0000 // UTS
            | 0x0800_0000 // IPC
            | 0x1000_0000 // user
            | 0x2000_0000 // PID
            | 0x4000_0000; // network
        assert_eq!(clone["args"][0]["value"], new_namespaces);
        let clone3 = calls.iter().find(|call| call["names"][0] == "clone3").unwrap();
        assert_eq!((&clone3["action"], &clone3["errnoRet"]), (&json!("SCMP_ACT_ERRNO"), &json!(38)));
    }
}
