//! What the process is, and what it may become.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use caisson_wire::probe::Finding;

use crate::{
    Probe, kernel,
    status::{of, refused, shortened},
};

/// How long set-user-id programs are looked for.
const WALK: Duration = Duration::from_secs(6);

pub(crate) const PROBES: &[Probe] = &[
    ("cap-effective", |_| capabilities("CapEff")),
    ("cap-permitted", |_| capabilities("CapPrm")),
    ("cap-inheritable", |_| capabilities("CapInh")),
    ("cap-bounding", |_| capabilities("CapBnd")),
    ("cap-ambient", |_| capabilities("CapAmb")),
    ("no-new-privileges", |_| match rustix::thread::no_new_privs() {
        Ok(true) => Finding::held("no program can gain privileges by being executed"),
        Ok(false) => Finding::broken("a program may gain privileges by being executed"),
        Err(error) => Finding::not_applicable(format!("this kernel does not tell: {error}")),
    }),
    ("seccomp-filter", |ground| match of("self", "Seccomp").as_deref() {
        Some("2") => Finding::held("a filter of system calls is in force"),
        _ if ground.own_kernel => {
            Finding::not_applicable("gVisor's own kernel stands in the place of the filter")
        }
        Some(mode) => Finding::broken(format!("no filter is in force (mode {mode})")),
        None => Finding::not_applicable("this kernel does not tell"),
    }),
    ("setuid-programs", |_| setuid_programs()),
    ("become-root", |ground| {
        if ground.uid == 0 {
            return Finding::not_applicable("it runs as root inside, without any capability");
        }
        refused(ground, "becoming root", kernel::set_user(0))
    }),
    ("become-other-user", |ground| {
        refused(ground, "becoming another user", kernel::set_user(ground.uid ^ 1))
    }),
    ("become-other-group", |ground| {
        refused(ground, "becoming a member of another group", kernel::set_group(ground.uid ^ 1))
    }),
    ("raise-priority", |ground| {
        // Before what it has: whoever started the engine may have given it precedence over others.
        let before = |priority| rustix::process::setpriority_process(None, priority - 1);
        let answer = rustix::process::getpriority_process(None).and_then(before).map_err(Into::into);
        refused(ground, "taking precedence over other processes", answer)
    }),
    ("spare-from-oom", |ground| {
        let written = fs::File::options().write(true).open("/proc/self/oom_score_adj");
        let written = written.and_then(|mut file| file.write_all(b"-1000"));
        refused(ground, "being spared when memory runs out", written)
    }),
];

fn capabilities(set: &str) -> Finding {
    match of("self", set) {
        None => Finding::not_applicable("this kernel does not tell"),
        Some(mask) if mask.bytes().all(|byte| byte == b'0') => Finding::held("the set is empty"),
        Some(mask) => Finding::broken(format!("the set is {mask}")),
    }
}

/// Programs that would run as their owner. With no-new-privileges, or from a mount without them, they do not.
fn setuid_programs() -> Finding {
    let is_locked = matches!(rustix::thread::no_new_privs(), Ok(true));
    let began = Instant::now();
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::from("/")]);
    while let Some(folder) = folders.pop() {
        if began.elapsed() > WALK {
            break;
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(facts) = path.symlink_metadata() else { continue };
            if facts.is_dir() {
                if !["/proc", "/sys", "/dev"].iter().any(|kernel| path == Path::new(kernel)) {
                    folders.push(path);
                }
            } else if facts.is_file() && facts.permissions().mode() & 0o6000 != 0 {
                found.push(format!("{} (of {})", path.display().to_string().escape_debug(), facts.uid()));
            }
        }
    }
    match (found.is_empty(), is_locked) {
        (true, _) => Finding::held("there is no set-user-id or set-group-id program"),
        (false, true) => Finding::held(format!(
            "{} such programs are there and gain nothing: {}",
            found.len(),
            shortened(&found)
        )),
        (false, false) => Finding::broken(format!("these may gain privileges: {}", shortened(&found))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_is_not_empty_is_told() {
        let told = capabilities("CapBnd");
        let mask = of("self", "CapBnd").unwrap();
        let is_empty = mask.bytes().all(|byte| byte == b'0');
        assert_eq!(told.outcome == caisson_wire::probe::Outcome::Held, is_empty);
    }
}
