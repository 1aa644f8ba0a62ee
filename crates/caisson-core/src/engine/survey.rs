//! Looks at every place where an engine may be, and chooses one.

use std::{io::ErrorKind, path::Path};

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{
    Address, Candidate, EngineChoice, EngineFacts, EngineKind, Problem, Severity, Tried,
    error::tidy,
    machine::{Machine, Os},
    probe::{ProbeError, probe},
    problem::{Circumstances, problems},
};

/// What was found at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Survey {
    /// What people call it: `Docker`, `rootless Podman`, `DOCKER_HOST`.
    pub name: String,
    /// Its address, such as `unix:///var/run/docker.sock`.
    pub address: String,
    /// Whether this is the one Caisson uses.
    pub chosen: bool,
    /// Whether the user named it, by a setting or by a variable.
    pub named: bool,
    /// What came of it.
    pub outcome: Outcome,
    /// What it is, when it answered.
    pub facts: Option<EngineFacts>,
    /// What is wrong with it, the worst first.
    pub problems: Vec<Problem>,
}

/// What came of looking at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// An engine answered.
    Found,
    /// There is nothing.
    Absent,
    /// A socket is there, but nobody listens.
    NotRunning,
    /// A socket is there, but not for this user.
    PermissionDenied,
    /// It could not be used.
    Failed {
        /// Why.
        why: String,
    },
}

impl Survey {
    /// Whether servers can run there.
    pub fn usable(&self) -> bool {
        self.outcome == Outcome::Found
            && !self.problems.iter().any(|problem| problem.severity == Severity::Blocks)
    }

    /// Why it was not taken.
    pub(super) fn tried(&self) -> Tried {
        let mut why = match &self.outcome {
            Outcome::Found if self.usable() => "it is not of the kind that was asked for".to_owned(),
            Outcome::Found => String::new(),
            Outcome::Absent => "there is nothing".to_owned(),
            Outcome::NotRunning => "nobody listens".to_owned(),
            Outcome::PermissionDenied => "this user may not open it".to_owned(),
            Outcome::Failed { why } => why.clone(),
        };
        if let Some(problem) = self.problems.first().filter(|problem| problem.severity == Severity::Blocks) {
            if why.is_empty() {
                why.clone_from(&problem.what);
            }
            why.push_str(". ");
            why.push_str(&problem.fix);
        }
        Tried { name: self.name.clone(), address: self.address.clone(), why }
    }
}

/// Looks at all `candidates` at once. The order stays.
pub(super) async fn survey(candidates: &[Candidate], machine: &Machine) -> Vec<Survey> {
    join_all(candidates.iter().map(|candidate| look(candidate, machine))).await
}

async fn look(candidate: &Candidate, machine: &Machine) -> Survey {
    let (outcome, facts, problems) = match probe(&candidate.address).await {
        Ok(said) => {
            let facts = said.facts(&candidate.address, machine, is_installed);
            let local = facts.ids != super::IdMapping::Virtual;
            let around = Circumstances {
                hybrid_cgroups: local && machine.hybrid_cgroups,
                no_seccomp: !said.info.has_option("seccomp"),
                remaps_users: said.info.has_option("userns"),
                over_tcp: matches!(candidate.address, Address::Tcp(_)),
            };
            let problems = problems(&facts, &around);
            (Outcome::Found, Some(facts), problems)
        }
        Err(error) => {
            let outcome = outcome(&error);
            let problems = unreachable(candidate, &outcome, machine.os).into_iter().collect();
            (outcome, None, problems)
        }
    };
    Survey {
        name: candidate.name.clone(),
        address: candidate.address.to_string(),
        chosen: false,
        named: candidate.named,
        outcome,
        facts,
        problems,
    }
}

/// Podman's list holds runtimes that it would look for, in several places, of which it tells one.
fn is_installed(name: &str, path: &str) -> bool {
    Path::new(path).exists()
        || ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
            .iter()
            .any(|folder| Path::new(folder).join(name).exists())
}

fn outcome(error: &ProbeError) -> Outcome {
    let kind = match error {
        ProbeError::Connect(error) => Some(error.kind()),
        ProbeError::Answer(_)
        | ProbeError::Status { .. }
        | ProbeError::Silent
        | ProbeError::Unsupported(_) => None,
    };
    if matches!(kind, Some(ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::Unsupported)) {
        return Outcome::Absent;
    }
    if kind == Some(ErrorKind::ConnectionRefused) {
        return Outcome::NotRunning;
    }
    if kind == Some(ErrorKind::PermissionDenied) {
        return Outcome::PermissionDenied;
    }
    Outcome::Failed { why: tidy(&error.to_string()) }
}

/// What to do about an endpoint that did not answer. A place where nothing ever was is no problem, unless the
/// user named it.
fn unreachable(candidate: &Candidate, outcome: &Outcome, os: Os) -> Option<Problem> {
    let name = &candidate.name;
    let podman = name.contains("Podman") || candidate.address.to_string().contains("podman");
    let what = match outcome {
        Outcome::Found => return None,
        Outcome::Absent if candidate.named => {
            format!("{name} names {}, where there is nothing", candidate.address)
        }
        Outcome::Absent => return None,
        Outcome::NotRunning => format!("{name} is installed, but does not run"),
        Outcome::PermissionDenied => format!("{name} runs, but this user may not open its socket"),
        Outcome::Failed { why } => format!("{name} cannot be used: {why}"),
    };
    let fix = match (outcome, os) {
        (Outcome::PermissionDenied, _) if podman => {
            "Use rootless Podman in its place: systemctl --user enable --now podman.socket".to_owned()
        }
        (Outcome::PermissionDenied, _) => {
            "Use rootless Podman (it gives no one root): systemctl --user enable --now podman.socket. Or let this user use Docker, which makes them as powerful as root: sudo usermod -aG docker \"$USER\", then log in anew".to_owned()
        }
        (Outcome::Absent, _) => format!("Correct {name}, unset it, or start the engine it names"),
        (Outcome::NotRunning | Outcome::Found, Os::Linux) => match name.as_str() {
            "rootless Podman" => "systemctl --user enable --now podman.socket",
            "rootless Docker" => "systemctl --user enable --now docker",
            "Podman" => "sudo systemctl enable --now podman.socket",
            "Docker" => "sudo systemctl enable --now docker",
            "Docker Desktop" => "systemctl --user start docker-desktop",
            "Colima" => "colima start",
            "Podman machine" => "podman machine start",
            _ => "Start the engine",
        }
        .to_owned(),
        (Outcome::NotRunning | Outcome::Found, Os::Mac | Os::Windows) => match name.as_str() {
            "Colima" => "colima start".to_owned(),
            "Podman machine" => "podman machine start".to_owned(),
            name => format!("Start {name}"),
        },
        (Outcome::Failed { .. }, _) => "Restart the engine, or choose another with the setting engine".to_owned(),
    };
    Some(Problem { severity: Severity::Blocks, what, fix })
}

/// Which of the surveyed endpoints to use. When the user named some, only those count: a server's image is in
/// one engine's store, so falling back silently to another would look like losing it.
pub(super) fn choose(surveys: &[Survey], choice: &EngineChoice) -> Option<usize> {
    let only_named = *choice == EngineChoice::Auto && surveys.iter().any(|survey| survey.named);
    let wanted = |survey: &Survey| {
        let kind = survey.facts.as_ref().map(|facts| facts.kind);
        survey.usable()
            && (!only_named || survey.named)
            && match choice {
                EngineChoice::Auto | EngineChoice::Address(_) => true,
                EngineChoice::Podman => kind == Some(EngineKind::Podman),
                EngineChoice::Docker => kind == Some(EngineKind::Docker),
            }
    };
    let enforces = |survey: &Survey| survey.facts.as_ref().is_some_and(|facts| facts.limits.all());
    let usable = || surveys.iter().enumerate().filter(|(_, survey)| wanted(survey));
    usable().find(|(_, survey)| enforces(survey)).or_else(|| usable().next()).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{IdMapping, LimitsEnforced},
        *,
    };

    fn found(name: &str, kind: EngineKind, enforced: bool) -> Survey {
        let facts = EngineFacts {
            kind,
            version: "5.0".into(),
            api_version: "1.44".into(),
            rootless: false,
            cgroup_version: 2,
            cgroup_driver: "systemd".into(),
            ids: IdMapping::Shared,
            runtimes: vec![],
            default_runtime: "runc".into(),
            arch: "amd64".into(),
            os: "linux".into(),
            cpus: 1,
            memory: 1 << 30,
            max_files: 1024,
            max_processes: 1024,
            limits: LimitsEnforced { memory: enforced, pids: true, cpu: true },
            remote: false,
        };
        Survey {
            name: name.into(),
            address: format!("unix:///{name}"),
            chosen: false,
            named: false,
            outcome: Outcome::Found,
            facts: Some(facts),
            problems: vec![],
        }
    }

    fn lost(name: &str, outcome: Outcome) -> Survey {
        let candidate = Candidate { name: name.into(), address: Address::from("/x"), named: false };
        let problems = unreachable(&candidate, &outcome, Os::Linux).into_iter().collect();
        Survey { outcome, facts: None, problems, ..found(name, EngineKind::Docker, true) }
    }

    #[test]
    fn choices() {
        use EngineKind::{Docker, Podman};
        let denied = || lost("docker", Outcome::PermissionDenied);
        let blocked = Survey {
            problems: vec![Problem { severity: Severity::Blocks, what: "x".into(), fix: "y".into() }],
            ..found("b", Podman, true)
        };
        let named = |survey: Survey| Survey { named: true, ..survey };
        let table: Vec<(&str, Vec<Survey>, EngineChoice, Option<usize>)> = vec![
            ("none", vec![], EngineChoice::Auto, None),
            ("first", vec![found("d", Docker, true), found("p", Podman, true)], EngineChoice::Auto, Some(0)),
            ("next", vec![denied(), found("p", Podman, true)], EngineChoice::Auto, Some(1)),
            (
                "enforcing",
                vec![found("r", Podman, false), found("d", Docker, true)],
                EngineChoice::Auto,
                Some(1),
            ),
            ("weak", vec![found("r", Podman, false)], EngineChoice::Auto, Some(0)),
            ("blocked", vec![blocked, found("d", Docker, true)], EngineChoice::Auto, Some(1)),
            (
                "kind",
                vec![found("d", Docker, true), found("p", Podman, false)],
                EngineChoice::Podman,
                Some(1),
            ),
            ("no such kind", vec![found("d", Docker, true)], EngineChoice::Podman, None),
            ("named alone", vec![named(denied()), found("p", Podman, true)], EngineChoice::Auto, None),
            (
                "named, other kind",
                vec![named(denied()), found("p", Podman, true)],
                EngineChoice::Podman,
                Some(1),
            ),
        ];
        for (case, surveys, choice, expected) in table {
            assert_eq!(choose(&surveys, &choice), expected, "{case}");
        }
    }

    #[test]
    fn every_endpoint_that_fails_says_what_to_do() {
        for (name, outcome, fix) in [
            ("Docker", Outcome::PermissionDenied, "usermod -aG docker"),
            ("Podman", Outcome::PermissionDenied, "systemctl --user enable --now podman.socket"),
            ("Docker", Outcome::NotRunning, "sudo systemctl enable --now docker"),
            ("rootless Podman", Outcome::NotRunning, "systemctl --user enable --now podman.socket"),
            ("Colima", Outcome::NotRunning, "colima start"),
            ("Docker", Outcome::Failed { why: "gibberish".into() }, "Restart the engine"),
        ] {
            let survey = lost(name, outcome);
            assert!(survey.problems[0].fix.contains(fix), "{survey:?}");
            assert!(survey.tried().why.contains(fix), "{:?}", survey.tried());
        }
        assert_eq!(lost("OrbStack", Outcome::Absent).problems, []);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn sockets_that_are_no_engine() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::this();
        let look_at = async |path: &Path| {
            let candidate = Candidate { name: "x".into(), address: Address::Unix(path.into()), named: true };
            look(&candidate, &machine).await
        };
        let absent = look_at(&folder.path().join("absent.sock")).await;
        assert_eq!((&absent.outcome, absent.problems.len()), (&Outcome::Absent, 1), "{absent:?}");

        let left = folder.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert_eq!(look_at(&left).await.outcome, Outcome::NotRunning);

        let odd = folder.path().join("odd.sock");
        let listener = tokio::net::UnixListener::bind(&odd).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let _ = stream.read(&mut [0; 1024]).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<html>\x1b[31m\n").await;
            }
        });
        let odd = look_at(&odd).await;
        assert!(matches!(&odd.outcome, Outcome::Failed { why } if !why.contains('\u{1b}')), "{odd:?}");
    }
}
