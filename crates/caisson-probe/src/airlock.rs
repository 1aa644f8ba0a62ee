//! The airlock itself, PID 1: its memory, variables and descriptors, and signals to it.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::fd::AsFd,
    path::PathBuf,
    time::Duration,
};

use caisson_wire::probe::{Finding, Ground};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use crate::{
    Probe, kernel,
    secrets::variables_of,
    status::{is_denied, none_of, of, refused},
};

/// How long a signal may take to show.
const MOMENT: Duration = Duration::from_millis(300);

pub(crate) const PROBES: &[Probe] = &[
    ("pid1-environment", environment),
    ("pid1-memory", |_| memory()),
    ("pid1-descriptors", |_| descriptors()),
    ("pid1-root", |_| match fs::read_dir("/proc/1/root").or_else(|_| fs::read_dir("/proc/1/cwd")) {
        Ok(_) => Finding::broken("the root folder of the airlock could be opened through /proc"),
        Err(error) => Finding::held(format!("the airlock's folders are closed: {error}")),
    }),
    ("pid1-ptrace", |ground| on_airlock(ground, "tracing the airlock", kernel::ptrace_seize_1())),
    ("pid1-read-memory", |ground| {
        match kernel::read_memory_of(1) {
            // From a kernel that may read there, and where nothing is.
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
                Finding::broken("the kernel would read the airlock's memory for it")
            }
            answer => on_airlock(ground, "reading the airlock's memory", answer),
        }
    }),
    ("pid1-steal-descriptor", |ground| match pidfd_open(Pid::INIT, PidfdFlags::empty()) {
        Ok(airlock) => on_airlock(
            ground,
            "taking a descriptor of the airlock",
            kernel::steal_descriptor(airlock.as_fd()),
        ),
        Err(error) => Finding::held(format!("the airlock could not be named: {error}")),
    }),
    ("signal-kill", |_| survives(Signal::KILL, "SIGKILL")),
    ("signal-stop", |_| survives(Signal::STOP, "SIGSTOP")),
    ("signal-others", |_| {
        for (signal, name) in [
            (Signal::INT, "SIGINT"),
            (Signal::HUP, "SIGHUP"),
            (Signal::QUIT, "SIGQUIT"),
            (Signal::ABORT, "SIGABRT"),
            (Signal::USR1, "SIGUSR1"),
            (Signal::SEGV, "SIGSEGV"),
            (Signal::PIPE, "SIGPIPE"),
            (Signal::ALARM, "SIGALRM"),
        ] {
            let finding = survives(signal, name);
            if finding.outcome == caisson_wire::probe::Outcome::Broken {
                return finding;
            }
        }
        Finding::held("the airlock took eight other signals and still runs")
    }),
];

/// A system call whose object is the airlock: allowed, it has got through on any kernel.
fn on_airlock<T>(ground: &Ground, what: &str, answer: std::io::Result<T>) -> Finding {
    match answer {
        Ok(_) => Finding::broken(format!("{what} was allowed")),
        answer => refused(ground, what, answer),
    }
}

/// What an image sets for each of its processes may stand there; nothing else.
fn environment(ground: &Ground) -> Finding {
    let Some(variables) = variables_of("1") else {
        return Finding::held("the variables of the airlock cannot be read");
    };
    let secret = |name: &String| ground.secret_variables.contains(name) || ground.secret_files.contains(name);
    let secrets: Vec<_> = variables.into_iter().map(|(name, _)| name).filter(secret).collect();
    match secrets.is_empty() {
        true if ground.own_kernel => Finding::broken(
            "they could be read, though no secret is among them: gVisor keeps processes of one user no secrets from each other",
        ),
        true => Finding::broken("they could be read, though no secret is among them"),
        false => Finding::broken(format!("they could be read, with the secrets {}", secrets.join(", "))),
    }
}

/// Opens its memory and reads a byte of it, at an address of its own.
fn memory() -> Finding {
    let maps = match fs::read_to_string("/proc/1/maps") {
        Ok(maps) => maps,
        Err(error) => return Finding::held(format!("where its memory lies cannot be read: {error}")),
    };
    let start = maps.lines().find_map(|line| u64::from_str_radix(line.split('-').next()?, 16).ok());
    let mut file = match File::open("/proc/1/mem") {
        Ok(file) => file,
        Err(error) => return Finding::held(format!("its memory cannot be opened: {error}")),
    };
    let read = file.seek(SeekFrom::Start(start.unwrap_or(0))).and_then(|_| file.read_exact(&mut [0]));
    match read {
        Ok(()) => Finding::broken("a byte of the airlock's memory could be read"),
        Err(error) if maps.is_empty() || is_denied(&error) => {
            Finding::held(format!("nothing of its memory can be read: {error}"))
        }
        Err(_) => Finding::held("its memory can be opened, and nothing of it read"),
    }
}

/// Opened they are, and not written to.
fn descriptors() -> Finding {
    let entries = match fs::read_dir("/proc/1/fd") {
        Ok(entries) => entries,
        Err(error) => return Finding::held(format!("the airlock's descriptors cannot be listed: {error}")),
    };
    let leads_somewhere = |file: &PathBuf| {
        fs::read_link(file)
            .is_ok_and(|to| !to.starts_with("/dev") && !to.to_string_lossy().starts_with("anon"))
    };
    let paths: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(leads_somewhere).collect();
    let opened: Vec<_> = paths
        .iter()
        .filter(|path| File::options().write(true).open(path).is_ok() || File::open(path).is_ok())
        .map(|path| path.display().to_string())
        .collect();
    none_of(
        &opened,
        format!("none of {} descriptors could be opened", paths.len()),
        "descriptors of the airlock could be opened",
    )
}

/// Whether PID 1 is the airlock. Nobody else's is to be harmed, should this ever run outside of a container.
pub(crate) fn is_airlock() -> bool {
    fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "airlock")
}

/// The kernel spares PID 1 of what it has not asked for (pid_namespaces(7)).
fn survives(signal: Signal, name: &str) -> Finding {
    if !is_airlock() {
        return Finding::broken("PID 1 is not the airlock, so it was not sent anything");
    }
    let sent = kill_process(Pid::INIT, signal);
    std::thread::sleep(MOMENT);
    match of("1", "State").as_deref() {
        Some(state) if state.starts_with(['T', 't', 'Z', 'X']) => {
            let _nobody_left = kill_process(Pid::INIT, Signal::CONT);
            Finding::broken(format!("after {name} the airlock is in the state {state}"))
        }
        Some(_) => match sent {
            Ok(()) => Finding::held(format!("the airlock was sent {name} and still runs")),
            Err(error) => Finding::held(format!("{name} could not be sent: {error}")),
        },
        None => Finding::broken(format!("after {name} the airlock is gone")),
    }
}
