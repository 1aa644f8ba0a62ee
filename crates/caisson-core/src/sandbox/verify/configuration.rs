//! What the engine says of the container, judged. Pure; Docker and Podman write it alike, but for a few words.

use caisson_wire::probe::Finding;
use serde_json::Value;

use crate::sandbox::Plan;

/// What is at `path`, where it says anything.
fn said<'a>(inspected: &'a Value, path: &str) -> Option<&'a Value> {
    inspected.pointer(path).filter(|value| !is_nothing(value))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// Broken when any of these says anything.
fn nothing_at(inspected: &Value, paths: &[&str], held: &str) -> Finding {
    let got: Vec<_> = paths
        .iter()
        .filter_map(|path| said(inspected, path).map(|value| format!("{path} is {value}")))
        .collect();
    if got.is_empty() { Finding::held(held) } else { Finding::broken(got.join("; ")) }
}

pub(super) fn network(_: &Plan, inspected: &Value) -> Finding {
    match inspected.pointer("/HostConfig/NetworkMode").and_then(Value::as_str) {
        Some("none") => {}
        mode => return Finding::broken(format!("its network is {mode:?}")),
    }
    let networks = inspected.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let others: Vec<_> = networks
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| *name != "none")
        .collect();
    if others.is_empty() {
        nothing_at(
            inspected,
            &["/NetworkSettings/IPAddress", "/NetworkSettings/GlobalIPv6Address"],
            "its network is none, and it has no address",
        )
    } else {
        Finding::broken(format!("it is in the networks {}", others.join(", ")))
    }
}

pub(super) fn ports(_: &Plan, inspected: &Value) -> Finding {
    let published = |path: &str| {
        let ports = inspected.pointer(path).and_then(Value::as_object);
        // A port that the image names and nobody published has no binding.
        ports.into_iter().flatten().any(|(_, bindings)| !is_nothing(bindings))
    };
    if published("/HostConfig/PortBindings") || published("/NetworkSettings/Ports") {
        return Finding::broken("a port is published");
    }
    nothing_at(inspected, &["/HostConfig/PublishAllPorts"], "no port is published")
}

/// Neither a name nor, by that, a value.
pub(super) fn secrets(plan: &Plan, inspected: &Value) -> Finding {
    let variables = inspected.pointer("/Config/Env").and_then(Value::as_array);
    let names: Vec<_> = variables
        .into_iter()
        .flatten()
        .filter_map(|pair| pair.as_str()?.split('=').next())
        .filter(|name| plan.secrets().iter().any(|secret| secret.as_str() == *name))
        .collect();
    let whole = inspected.to_string();
    if !names.is_empty() {
        return Finding::broken(format!("its variables hold {}", names.join(", ")));
    }
    if whole.contains(super::DECOY_SECRET) {
        return Finding::broken("the value of a secret stands in it");
    }
    Finding::held(format!("of {} secrets it holds neither name nor value", plan.secrets().len()))
}

pub(super) fn privileges(_: &Plan, inspected: &Value) -> Finding {
    nothing_at(
        inspected,
        &[
            "/HostConfig/Privileged",
            "/HostConfig/CapAdd",
            "/HostConfig/Devices",
            "/HostConfig/DeviceRequests",
            "/HostConfig/DeviceCgroupRules",
            "/HostConfig/GroupAdd",
            "/HostConfig/VolumesFrom",
            "/HostConfig/Links",
        ],
        "it is not privileged, and has neither capabilities nor devices",
    )
}

pub(super) fn namespaces(_: &Plan, inspected: &Value) -> Finding {
    let shared: Vec<_> = ["PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"]
        .into_iter()
        .filter_map(|mode| {
            let value = inspected.pointer(&format!("/HostConfig/{mode}"))?.as_str()?;
            // The engine's own choice of a user or cgroup namespace is no namespace of another container.
            let is_shared = value.starts_with("container:")
                || (value == "host" && matches!(mode, "PidMode" | "IpcMode" | "UTSMode"));
            is_shared.then(|| format!("{mode} is {value}"))
        })
        .collect();
    if shared.is_empty() {
        Finding::held("processes, memory and host name are its own")
    } else {
        Finding::broken(shared.join("; "))
    }
}

pub(super) fn log(_: &Plan, inspected: &Value) -> Finding {
    match inspected.pointer("/HostConfig/LogConfig/Type").and_then(Value::as_str) {
        Some("none") => nothing_at(inspected, &["/LogPath"], "the engine keeps none"),
        kind => Finding::broken(format!("the engine keeps a log ({kind:?})")),
    }
}

#[cfg(test)]
mod tests {
    use caisson_wire::probe::Outcome;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_loose_configuration_is_broken() {
        let plan = crate::sandbox::plan::tests::plan_of_everything(true);
        type Look = fn(&Plan, &Value) -> Finding;
        let cases: [(Look, Value, Value); 6] = [
            (
                network,
                json!({"HostConfig": {"NetworkMode": "none"}, "NetworkSettings": {"Networks": {"none": {}}, "IPAddress": ""}}),
                json!({"HostConfig": {"NetworkMode": "bridge"}}),
            ),
            (
                ports,
                json!({"HostConfig": {"PortBindings": {}}, "NetworkSettings": {"Ports": {"80/tcp": null}}}),
                json!({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}),
            ),
            (secrets, json!({"Config": {"Env": ["PATH=/bin"]}}), json!({"Config": {"Env": ["API_KEY=x"]}})),
            (
                privileges,
                json!({"HostConfig": {"Privileged": false, "CapAdd": null, "Devices": []}}),
                json!({"HostConfig": {"Privileged": true}}),
            ),
            (
                namespaces,
                json!({"HostConfig": {"PidMode": "", "IpcMode": "private", "UsernsMode": "keep-id"}}),
                json!({"HostConfig": {"PidMode": "host"}}),
            ),
            (
                log,
                json!({"HostConfig": {"LogConfig": {"Type": "none"}}, "LogPath": ""}),
                json!({"HostConfig": {"LogConfig": {"Type": "json-file"}}}),
            ),
        ];
        for (look, tight, loose) in cases {
            assert_eq!(look(&plan, &tight).outcome, Outcome::Held, "{tight}");
            assert_eq!(look(&plan, &loose).outcome, Outcome::Broken, "{loose}");
        }
    }
}
