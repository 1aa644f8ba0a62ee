//! Children of a probe: what would end the probe itself is done by a child of its own.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    process::{Child, Command, ExitCode, Stdio},
    time::Duration,
};

use caisson_wire::probe::Finding;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::{Probe, airlock, kernel};

pub(crate) const PROBES: &[Probe] = &[
    // The host ends it, and judges whether it could.
    ("stubborn", |_| {
        kernel::ignore_signals();
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    }),
    // Nothing is left of it when the container ends: the host looks.
    ("terminate-airlock", |_| {
        if !airlock::is_airlock() {
            return Finding::broken("PID 1 is not the airlock, so it was not asked to end");
        }
        if let Err(error) = kill_process(Pid::INIT, Signal::TERM) {
            return Finding::not_applicable(format!("it could not be asked: {error}"));
        }
        std::thread::sleep(Duration::from_secs(20));
        Finding::broken("the airlock did not end when it was asked to")
    }),
];

/// A child that does `what`.
pub(crate) fn spawn(what: &[&str]) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg("--child")
        .args(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// What a child does.
pub(crate) fn run(what: &[&str]) -> ExitCode {
    let done = match what {
        // Waits until its parent ends or lets go.
        ["wait"] => io::stdin().read(&mut [0]).is_ok(),
        ["take-memory", bytes] => bytes.parse().is_ok_and(take_memory),
        ["fill", path, bytes] => bytes.parse().is_ok_and(|bytes| fill(path, bytes).is_ok()),
        ["crash"] => {
            let sent = kill_process(getpid(), Signal::SEGV);
            std::thread::sleep(Duration::from_secs(5));
            sent.is_err()
        }
        _ => false,
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes memory and touches each page of it, and is the first to go when there is none left.
fn take_memory(bytes: usize) -> bool {
    const STEP: usize = 1 << 20;
    // Where this cannot be said, the kernel chooses by size, which is this one as well.
    drop(
        fs::File::options()
            .write(true)
            .open("/proc/self/oom_score_adj")
            .and_then(|mut file| file.write_all(b"1000")),
    );
    let mut taken: Vec<Vec<u8>> = Vec::new();
    for step in 0..bytes.div_ceil(STEP) {
        let mut block = Vec::new();
        if block.try_reserve_exact(STEP).is_err() {
            return false;
        }
        // Pages that are alike could be shared.
        block.resize(STEP, u8::try_from(step % 251).unwrap_or(1) | 1);
        taken.push(std::hint::black_box(block));
    }
    true
}

/// Writes so many bytes into a file.
fn fill(path: &str, bytes: u64) -> io::Result<()> {
    const STEP: usize = 1 << 20;
    let mut file = File::create_new(path)?;
    let block = vec![0x5a; STEP];
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
        file.write_all(&block[..now])?;
        left -= u64::try_from(now).unwrap_or(left);
    }
    Ok(())
}
