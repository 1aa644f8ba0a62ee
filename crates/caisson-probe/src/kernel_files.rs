//! The kernel's own files: what `/proc` and `/sys` tell and take.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use caisson_wire::probe::{Finding, Ground};

use crate::{
    Probe,
    places::{not_writable, opens_for_writing},
    status::none_of,
};

/// How long a tree of files is walked through.
const WALK: Duration = Duration::from_secs(4);

/// What engines mask (OCI runtime specification, `maskedPaths`).
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/devices/virtual/powercap",
];

pub(crate) const PROBES: &[Probe] = &[
    ("proc-kcore", |_| unreadable(&["/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"])),
    ("proc-kallsyms", |_| symbols()),
    ("kernel-log", |_| unreadable(&["/proc/kmsg", "/dev/kmsg"])),
    ("proc-sysrq", |_| not_writable(&["/proc/sysrq-trigger", "/proc/sys/kernel/sysrq"])),
    ("masked-paths", masked),
    ("kernel-helpers", |_| {
        not_writable(&[
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/kernel/hotplug",
            "/proc/sys/kernel/poweroff_cmd",
            "/proc/sys/fs/binfmt_misc/register",
            "/proc/sys/vm/panic_on_oom",
            "/sys/kernel/uevent_helper",
        ])
    }),
    ("writable-sysctl", |ground| not_writable_below(ground, "/proc/sys")),
    ("writable-sys", |ground| not_writable_below(ground, "/sys")),
    ("writable-proc", |ground| {
        if ground.own_kernel {
            return own();
        }
        not_writable(&[
            "/proc/irq/default_smp_affinity",
            "/proc/bus/pci/devices",
            "/proc/mtrr",
            "/proc/fs/nfsd",
            "/proc/timer_list",
        ])
    }),
    ("cgroup-escape", cgroup),
];

fn own() -> Finding {
    Finding::not_applicable("these are files of gVisor's own kernel, and not of the host's")
}

/// Reads one byte of each; an empty file stands for one that is masked.
fn unreadable(paths: &[&str]) -> Finding {
    let read = |path: &&&str| {
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(**path);
        file.and_then(|mut file| file.read(&mut [0])).is_ok_and(|length| length > 0)
    };
    let leaks: Vec<_> = paths.iter().filter(read).map(|path| (*path).to_owned()).collect();
    none_of(&leaks, "nothing could be read", "these could be read")
}

/// Addresses of the kernel's functions, which help to attack it; all are 0 for who may not know them.
fn symbols() -> Finding {
    let Ok(file) = File::open("/proc/kallsyms") else {
        return Finding::held("the kernel does not tell where its functions are");
    };
    let mut text = String::new();
    drop(file.take(64 << 10).read_to_string(&mut text));
    let known = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|address| address.bytes().any(|b| b != b'0'));
    match known.count() {
        0 => Finding::held("all addresses read as 0"),
        count => Finding::broken(format!("addresses of {count} functions could be read")),
    }
}

/// Masked files are empty, masked folders too.
fn masked(ground: &Ground) -> Finding {
    if ground.own_kernel {
        return own();
    }
    let shows = |path: &&&str| match fs::read_dir(**path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => File::open(**path).and_then(|mut file| file.read(&mut [0])).is_ok_and(|length| length > 0),
    };
    let leaks: Vec<_> = MASKED.iter().filter(shows).map(|path| (*path).to_owned()).collect();
    none_of(
        &leaks,
        format!("{} files and folders are masked or absent", MASKED.len()),
        "these can be looked into",
    )
}

/// Opens each file below for writing, and writes nothing.
fn not_writable_below(ground: &Ground, top: &str) -> Finding {
    if ground.own_kernel {
        return own();
    }
    let began = Instant::now();
    let (mut folders, mut opened, mut tried) = (vec![PathBuf::from(top)], Vec::new(), 0u32);
    while let Some(folder) = folders.pop() {
        if began.elapsed() > WALK {
            break;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                tried += 1;
                let path = entry.path().display().to_string();
                if opens_for_writing(&path).is_ok() {
                    opened.push(path);
                }
            }
        }
    }
    none_of(
        &opened,
        format!("none of {tried} files could be opened for writing"),
        "these could be opened for writing",
    )
}

/// A cgroup's release agent is run by the host, as root: neither may one be set, nor a cgroup be made.
fn cgroup(ground: &Ground) -> Finding {
    if ground.own_kernel {
        return own();
    }
    let top = Path::new("/sys/fs/cgroup");
    if !top.is_dir() {
        return Finding::held("no cgroup is to be seen");
    }
    let inner = fs::read_dir(top)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    let mut got = Vec::new();
    for folder in std::iter::once(top.to_owned()).chain(inner) {
        for file in [
            "release_agent",
            "notify_on_release",
            "cgroup.procs",
            "devices.allow",
            "memory.limit_in_bytes",
            "pids.max",
        ] {
            let path = folder.join(file).display().to_string();
            if opens_for_writing(&path).is_ok() {
                got.push(path);
            }
        }
        let made = folder.join(format!("caisson-probe-{}", std::process::id()));
        if fs::create_dir(&made).is_ok() {
            drop(fs::remove_dir(&made));
            got.push(made.display().to_string());
        }
    }
    none_of(&got, "no release agent, limit or cgroup can be changed", "these could be changed or made")
}
