//! What the container may use: processes, memory, processor time, files, room. Each bomb goes a little beyond its
//! limit and no further, so that it hurts nobody where the limit does not hold.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use caisson_wire::probe::{Finding, Ground};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Probe, children, status::refused};

const MIB: u64 = 1 << 20;
/// So many processes beyond the limit are tried.
const MORE: usize = 8;

pub(crate) const PROBES: &[Probe] = &[
    ("fork-bomb", fork_bomb),
    ("memory-bomb", memory_bomb),
    ("processor-bomb", processor_bomb),
    ("fill-tmp", |ground| fill(ground, "/tmp")),
    ("fill-home", |ground| fill(ground, "/home/server")),
    ("fill-run", |ground| fill(ground, "/run")),
    ("fill-shm", |ground| fill(ground, "/dev/shm")),
    ("open-files", open_files),
    ("raise-limits", |ground| {
        let now = getrlimit(Resource::Nofile);
        let more = now.maximum.map(|most| most + 1);
        let answer = match more {
            None => return Finding::broken("there is no limit of open files to raise"),
            more => setrlimit(Resource::Nofile, Rlimit { current: more, maximum: more }),
        };
        refused(ground, "raising a limit", answer.map_err(Into::into))
    }),
    ("core-dump", |_| core_dump()),
];

fn fork_bomb(ground: &Ground) -> Finding {
    let most = usize::try_from(ground.processes).unwrap_or(usize::MAX);
    if most > 4096 {
        return Finding::not_applicable(format!(
            "{most} processes are allowed: trying them all would hurt the machine"
        ));
    }
    let mut children = Vec::new();
    let refusal = loop {
        match children::spawn(&["wait"]) {
            Ok(child) => children.push(child),
            Err(error) => break Some(error),
        }
        if children.len() > most + MORE {
            break None;
        }
    };
    let count = children.len();
    for child in &mut children {
        drop(child.kill());
    }
    for child in &mut children {
        drop(child.wait());
    }
    match refusal {
        Some(error) => Finding::held(format!("after {count} processes there was no other: {error}")),
        None => Finding::broken(format!("{count} processes ran at a time, and {most} are allowed")),
    }
}

fn memory_bomb(ground: &Ground) -> Finding {
    let wanted = ground.memory + 64 * MIB;
    if ground.machine_memory > 0 && wanted > ground.machine_memory / 2 {
        return Finding::not_applicable(
            "the limit is near to all of the machine's memory: filling it would hurt others",
        );
    }
    let child = match children::spawn(&["take-memory", &wanted.to_string()]) {
        Ok(mut child) => child.wait(),
        Err(error) => Err(error),
    };
    match child {
        Err(error) => Finding::held(format!("there was no memory for another process: {error}")),
        Ok(status) if status.success() => Finding::broken(format!(
            "a process took {} MiB, and {} are allowed",
            wanted / MIB,
            ground.memory / MIB
        )),
        Ok(status) => Finding::held(match status.signal() {
            Some(signal) => format!("the process that took too much was ended by signal {signal}"),
            None => "the process that took too much was given no more".to_owned(),
        }),
    }
}

/// Keeps one thread more than there are processors busy.
fn processor_bomb(ground: &Ground) -> Finding {
    const SPAN: Duration = Duration::from_millis(1500);
    let allowed = f64::from(u32::try_from(ground.nano_cpus / 1_000_000).unwrap_or(u32::MAX)) / 1000.0;
    let threads = ground.machine_cpus.clamp(1, 64) + 1;
    let machine = f64::from(ground.machine_cpus);
    if ground.machine_cpus == 0 || allowed * 1.2 >= machine {
        return Finding::not_applicable("it may use nearly all processors that there are");
    }
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let (before, stopped) = (processor_time(), throttled());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::black_box(began.elapsed());
                }
            });
        }
        std::thread::sleep(SPAN);
        stop.store(true, Ordering::Relaxed);
    });
    let (Some(before), Some(after)) = (before, processor_time()) else {
        return Finding::not_applicable("this kernel does not tell the time that was used");
    };
    let used = (after - before).as_secs_f64() / began.elapsed().as_secs_f64();
    // What is counted and what is granted do not begin at the same moment.
    if used > allowed * 1.25 + 0.1 {
        Finding::broken(format!("{used:.2} processors were used, and {allowed:.2} are allowed"))
    } else if stopped.is_some_and(|before| throttled() == Some(before)) || used < allowed * 0.8 {
        // Who is given no more than this by a busy machine has not met the limit.
        Finding::not_applicable(format!(
            "the machine is too busy to tell: {used:.2} processors were used of {allowed:.2}"
        ))
    } else {
        Finding::held(format!("with {threads} busy threads, {used:.2} processors were used of {allowed:.2}"))
    }
}

/// How often the kernel has made the container wait for its next share of processor time, where it tells (cgroups(7)).
fn throttled() -> Option<u64> {
    const FILES: [&str; 3] =
        ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"];
    let text = FILES.iter().find_map(|file| fs::read_to_string(file).ok())?;
    text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok())
}

/// Processor time of this process (proc_pid_stat(5)).
fn processor_time() -> Option<Duration> {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(clock.tv_sec).ok()?, u32::try_from(clock.tv_nsec).ok()?))
}

/// Fills a folder in memory beyond its size, and takes away what was written.
fn fill(ground: &Ground, folder: &str) -> Finding {
    /// What `/dev/shm` may hold, where the plan does not say: more is not tried.
    const SHM: u64 = 16 * MIB;
    let known = ground.memory_folders.iter().find(|(path, _)| path == folder).map(|(_, size)| *size);
    let Some(size) = known.or((folder == "/dev/shm").then_some(SHM)) else {
        return Finding::not_applicable("there is no such folder in memory");
    };
    if ground.machine_memory > 0 && size > ground.machine_memory / 2 {
        return Finding::not_applicable(
            "it may be as large as the machine's memory: filling it would hurt others",
        );
    }
    let path = format!("{folder}/.caisson-probe-{}", std::process::id());
    let child =
        children::spawn(&["fill", &path, &(size + MIB).to_string()]).and_then(|mut child| child.wait());
    let written = fs::metadata(&path).map_or(0, |facts| facts.len());
    drop(fs::remove_file(&path));
    match child {
        Err(error) => Finding::held(format!("no process could be started to fill it: {error}")),
        Ok(status) if status.success() => {
            Finding::broken(format!("it took {} MiB, and {} are allowed", written / MIB, size / MIB))
        }
        Ok(_) => Finding::held(format!("it took {} MiB and no more", written / MIB)),
    }
}

fn open_files(ground: &Ground) -> Finding {
    let most = usize::try_from(ground.files).unwrap_or(usize::MAX);
    let mut files = Vec::new();
    let refusal = loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break Some(error),
        }
        if files.len() > most {
            break None;
        }
    };
    match refusal {
        Some(error) => Finding::held(format!("after {} open files there was no other: {error}", files.len())),
        None => Finding::broken(format!("{} files were open at a time, and {most} are allowed", files.len())),
    }
}

/// A process that crashes leaves nothing of its memory behind.
fn core_dump() -> Finding {
    if getrlimit(Resource::Core).maximum != Some(0) {
        return Finding::broken("the size of a core dump is not limited to nothing");
    }
    match children::spawn(&["crash"]).and_then(|mut child| child.wait()) {
        Ok(status) if status.core_dumped() => {
            Finding::broken("a process that crashed left its memory behind")
        }
        Ok(_) => Finding::held("a process that crashed left nothing behind"),
        Err(error) => Finding::held(format!("no process could be started to crash: {error}")),
    }
}
