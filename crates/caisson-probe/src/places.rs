//! Where can be written, and what is mounted.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    process::Command,
};

use caisson_wire::probe::{Finding, Ground};
use rustix::fs::{CWD, FileType, makedev, mknodat};

use crate::{
    Probe,
    folders::unchanged,
    kernel,
    status::{none_of, refused, shortened},
};

/// What a probe makes, and takes away again.
const MARK: &str = ".caisson-probe";

pub(crate) const PROBES: &[Probe] = &[
    ("write-root", |_| cannot_write(&["/"])),
    ("write-programs", |_| {
        cannot_write(&[
            "/bin",
            "/sbin",
            "/lib",
            "/usr",
            "/usr/bin",
            "/usr/local/bin",
            "/opt",
            "/var",
            "/srv",
            "/root",
        ])
    }),
    ("write-settings", |_| {
        let finding = cannot_write(&["/etc"]);
        if finding.outcome == caisson_wire::probe::Outcome::Broken {
            return finding;
        }
        let opened: Vec<_> = ["/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/etc/ld.so.preload"]
            .into_iter()
            .filter(|file| File::options().write(true).open(file).is_ok())
            .map(str::to_owned)
            .collect();
        none_of(&opened, "no file in /etc can be written", "these can be written")
    }),
    ("writable-places", writable_places),
    ("unexpected-mounts", unexpected_mounts),
    ("remount-root", |ground| {
        refused(
            ground,
            "mounting the root folder writable",
            kernel::mount(c"/", None, libc::MS_REMOUNT | libc::MS_BIND),
        )
    }),
    ("run-noexec", |_| noexec("/run")),
    ("shm-noexec", |_| noexec("/dev/shm")),
    ("memory-folder-flags", memory_folder_flags),
    ("make-device", make_device),
    ("device-list", device_list),
    ("airlock-binary", |_| {
        let finding = cannot_write(&["/caisson"]);
        if finding.outcome == caisson_wire::probe::Outcome::Broken {
            return finding;
        }
        let opened: Vec<_> = fs::read_dir("/caisson")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| {
                File::options().write(true).open(file).is_ok()
                    || fs::set_permissions(file, Permissions::from_mode(0o777)).is_ok()
            })
            .map(|file| file.display().to_string())
            .collect();
        none_of(&opened, "the airlock's folder is read-only", "these can be changed")
    }),
    ("pipe-folder", |_| match fs::read_dir("/caisson-pipe") {
        Err(error) => Finding::not_applicable(format!("the pipe is no socket here: {error}")),
        Ok(entries) => {
            let left: Vec<_> = entries.flatten().map(|entry| entry.path().display().to_string()).collect();
            match File::create_new(format!("/caisson-pipe/{MARK}")) {
                Ok(_) => Finding::broken("a file could be made where the pipe's socket was"),
                Err(_) => {
                    none_of(&left, "the folder of the pipe's socket is empty and read-only", "it still holds")
                }
            }
        }
    }),
];

/// Makes a file in each folder that is there; none may be made.
fn cannot_write(folders: &[&str]) -> Finding {
    let there: Vec<_> = folders.iter().filter(|folder| Path::new(folder).is_dir()).collect();
    let made: Vec<_> = there
        .iter()
        .filter(|folder| is_writable(Path::new(folder)))
        .map(|folder| (**folder).to_string())
        .collect();
    if there.is_empty() {
        return Finding::not_applicable("the image has none of these folders");
    }
    none_of(
        &made,
        format!(
            "no file could be made in {}",
            shortened(&there.iter().map(|folder| (**folder).to_string()).collect::<Vec<_>>())
        ),
        "a file could be made in",
    )
}

fn is_writable(folder: &Path) -> bool {
    let file = folder.join(format!("{MARK}-{}", std::process::id()));
    let made = File::create_new(&file).is_ok();
    if made {
        // What cannot be removed is empty and does no harm.
        drop(fs::remove_file(file));
    }
    made
}

/// Where mounts lie, as the kernel lists them (proc_pid_mountinfo(5)).
fn mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped).collect()
}

/// Blanks in a mount's path are written in octal.
fn unescaped(path: &str) -> String {
    path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn granted(ground: &Ground) -> BTreeSet<&str> {
    let memory = ground.memory_folders.iter().map(|(path, _)| path.as_str());
    let others = [&ground.read_only, &ground.writable, &ground.volumes, &ground.image_volumes];
    memory.chain(others.into_iter().flatten().map(String::as_str)).collect()
}

/// Every mount that can be written is one the plan names.
fn writable_places(ground: &Ground) -> Finding {
    let granted = granted(ground);
    // The engine's own folders in memory; /dev is writable for root inside.
    let own = ["/dev", "/dev/shm", "/dev/mqueue", "/dev/pts"];
    let mounts = mounts();
    let loose: Vec<_> = mounts
        .iter()
        .filter(|path| !granted.contains(path.as_str()) && !own.contains(&path.as_str()))
        .filter(|path| Path::new(path).is_dir() && is_writable(Path::new(path)))
        .cloned()
        .collect();
    none_of(
        &loose,
        format!("of {} mounts, only those of the plan can be written", mounts.len()),
        "a file could be made in",
    )
}

/// Every mount is the kernel's, the engine's, the airlock's, or named in the plan.
fn unexpected_mounts(ground: &Ground) -> Finding {
    // Podman gives the user inside a line in copies of its own of the last two.
    const OWN: [&str; 11] = [
        "/",
        "/caisson",
        "/caisson-pipe",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/run/.containerenv",
        "/run/secrets",
        "/var/tmp",
        "/etc/passwd",
        "/etc/group",
    ];
    let granted = granted(ground);
    let of_the_kernel = |path: &str| {
        ["/proc", "/sys", "/dev"].iter().any(|top| path == *top || path.starts_with(&format!("{top}/")))
    };
    let others: Vec<_> = mounts()
        .into_iter()
        .filter(|path| {
            !OWN.contains(&path.as_str()) && !of_the_kernel(path) && !granted.contains(path.as_str())
        })
        .collect();
    none_of(&others, "every mount is the plan's or the engine's own", "these are mounted unasked")
}

/// Copies this program there and runs the copy.
fn noexec(folder: &str) -> Finding {
    let copy = Path::new(folder).join(format!("{MARK}-{}", std::process::id()));
    if let Err(error) = fs::copy("/proc/self/exe", &copy) {
        drop(fs::remove_file(&copy));
        return Finding::held(format!("no program could be put there: {error}"));
    }
    drop(fs::set_permissions(&copy, Permissions::from_mode(0o700)));
    let ran = Command::new(&copy).arg("--list").output();
    drop(fs::remove_file(&copy));
    match ran {
        Ok(_) => Finding::broken(format!("a program that was put into {folder} ran")),
        Err(error) => Finding::held(format!("a program that was put into {folder} does not run: {error}")),
    }
}

/// Folders in memory, in which neither set-user-id programs nor devices work.
fn memory_folder_flags(ground: &Ground) -> Finding {
    use rustix::fs::StatVfsMountFlags as Flags;
    let tight = |path: &str| {
        rustix::fs::statvfs(path).is_ok_and(|stat| stat.f_flag.contains(Flags::NOSUID | Flags::NODEV))
    };
    let loose: Vec<_> =
        ground.memory_folders.iter().map(|(path, _)| path.clone()).filter(|path| !tight(path)).collect();
    if ground.own_kernel && !loose.is_empty() {
        return Finding::not_applicable("gVisor does not tell how its folders are mounted");
    }
    none_of(&loose, "every folder in memory is nosuid and nodev", "set-user-id programs or devices work in")
}

/// Makes a character device, null, and a block device, and opens what was made.
fn make_device(ground: &Ground) -> Finding {
    let folders = ground.memory_folders.iter().map(|(path, _)| path).chain(&ground.writable);
    let kinds = [(FileType::CharacterDevice, "character"), (FileType::BlockDevice, "block")];
    let mut last = String::new();
    for (folder, (kind, name)) in folders.flat_map(|folder| kinds.map(|kind| (folder, kind))) {
        let (made, opened) = unchanged(Path::new(folder), || device(Path::new(folder), kind));
        match made {
            Ok(()) if opened && ground.own_kernel => {
                return Finding::not_applicable(
                    "a device was made, of gVisor's own kernel and not of the host's",
                );
            }
            Ok(()) if opened => {
                return Finding::broken(format!("a {name} device was made in {folder}, and opened"));
            }
            Ok(()) => last = "a node was made, and leads nowhere".to_owned(),
            Err(error) => last = error.to_string(),
        }
    }
    Finding::held(format!("no device could be made: {last}"))
}

/// Makes a device in a folder, opens it, and takes it away again. Says whether it was made, and opened.
fn device(folder: &Path, kind: FileType) -> (io::Result<()>, bool) {
    let path = folder.join(format!("{MARK}-{}", std::process::id()));
    let made = mknodat(CWD, &path, kind, 0o600.into(), makedev(1, 3));
    let opened = made.is_ok() && File::open(&path).is_ok();
    if made.is_ok() {
        drop(fs::remove_file(&path));
    }
    (made.map_err(Into::into), opened)
}

fn device_list(ground: &Ground) -> Finding {
    const HARMLESS: [&str; 8] = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"];
    /// Made by gVisor itself, in its own kernel.
    const GVISOR: [&str; 2] = ["fuse", "net/tun"];
    let mut found = Vec::new();
    list_devices(Path::new("/dev"), 0, &mut found);
    let others: Vec<_> = found
        .into_iter()
        .filter(|name| !HARMLESS.contains(&name.as_str()) && !name.starts_with("pts/"))
        .filter(|name| !(ground.own_kernel && GVISOR.contains(&name.as_str())))
        .collect();
    none_of(&others, "there are none but /dev/null and its like", "there are devices")
}

fn list_devices(folder: &Path, depth: u32, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < 4 {
            list_devices(&entry.path(), depth + 1, found);
        } else if kind.is_block_device() || kind.is_char_device() {
            let path = entry.path();
            let name = path.strip_prefix("/dev").unwrap_or(&path).display().to_string();
            found.push(name.escape_debug().to_string());
        }
    }
}

/// Opens a file for writing, and writes nothing. A device stands for a file that is masked: what is written there is
/// lost.
pub(crate) fn opens_for_writing(path: &str) -> io::Result<()> {
    let file = File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.file_type().is_char_device() {
        Err(io::ErrorKind::PermissionDenied.into())
    } else {
        Ok(())
    }
}

/// The finding of files that must not be opened for writing.
pub(crate) fn not_writable(paths: &[&str]) -> Finding {
    let (mut opened, mut last) = (Vec::new(), None);
    for path in paths {
        match opens_for_writing(path) {
            Ok(()) => opened.push((*path).to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = Some(error),
        }
    }
    match last {
        None if opened.is_empty() => Finding::not_applicable("this kernel shows none of these files"),
        None => none_of(&opened, "", "these could be opened for writing"),
        Some(error) => none_of(
            &opened,
            format!("none could be opened for writing: {error}"),
            "these could be opened for writing",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mounts_are_read_as_the_kernel_writes_them() {
        assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
        assert!(mounts().contains(&"/proc".to_owned()));
    }
}
