//! Tries to break out of the container it runs in, one named try at a time: `probe NAME GROUND`.
//!
//! `caisson verify` runs it in a container made from a server's own plan. Each try is harmless if it succeeds, leaves
//! nothing behind, and prints one line of JSON, a [`Finding`]. Whether a plan holds is decided on the host; this only
//! says what happened.

mod airlock;
mod calls;
mod children;
mod folders;
mod kernel;
mod kernel_files;
mod limits;
mod names;
mod neighbours;
mod network;
mod places;
mod privileges;
mod proxy;
mod secrets;
mod status;

use std::{io::Write, process::ExitCode};

use caisson_wire::probe::{Finding, Ground};

/// A try, by its name. `caisson_core` has a table of the same names, with the texts for people.
type Probe = (&'static str, fn(&Ground) -> Finding);

/// Every try there is.
fn probes() -> impl Iterator<Item = &'static Probe> {
    let groups: [&[Probe]; 13] = [
        network::PROBES,
        names::PROBES,
        proxy::PROBES,
        neighbours::PROBES,
        places::PROBES,
        kernel_files::PROBES,
        calls::PROBES,
        privileges::PROBES,
        limits::PROBES,
        folders::PROBES,
        secrets::PROBES,
        airlock::PROBES,
        children::PROBES,
    ];
    groups.into_iter().flatten()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let said = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--child", what @ ..] => return children::run(what),
        ["--list"] => probes().map(|(name, _)| format!("{name}\n")).collect(),
        [name, ground] => match tried(name, ground) {
            Ok(line) => line,
            Err(why) => return failed(&why),
        },
        _ => return failed("usage: probe NAME GROUND | --list; Caisson runs it inside a container"),
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(said.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn tried(name: &str, ground: &str) -> Result<String, String> {
    let ground: Ground =
        serde_json::from_str(ground).map_err(|error| format!("the ground is odd: {error}"))?;
    let (_, probe) =
        probes().find(|(known, _)| *known == name).ok_or_else(|| format!("there is no probe {name}"))?;
    let line = serde_json::to_string(&probe(&ground)).map_err(|error| error.to_string())?;
    Ok(format!("{line}\n"))
}

fn failed(why: &str) -> ExitCode {
    // Nothing is left to be done when even this cannot be said.
    drop(writeln!(std::io::stderr(), "caisson-probe: {why}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_kebab_case() {
        let names: Vec<_> = probes().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
        let kebab =
            |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        assert!(names.iter().all(kebab), "{names:?}");
    }

    #[test]
    fn an_odd_question_is_no_finding() {
        assert!(tried("raw-socket", "{").is_err());
        assert!(tried("nothing-of-this-name", &serde_json::to_string(&Ground::default()).unwrap()).is_err());
    }
}
