//! Granted folders: what is granted to be read cannot be changed, and no path leads out of them. They are the user's
//! own: what is made in them has a name of its own and is taken away again.

use std::{
    ffi::CString,
    fs::{self, File, Permissions},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use caisson_wire::probe::{Finding, Ground};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat_with};

use crate::{Probe, status::none_of};

/// How long a race is run in each folder.
const RACE: Duration = Duration::from_millis(400);

pub(crate) const PROBES: &[Probe] = &[
    ("folder-write", |ground| read_only(ground)),
    ("folder-parent", |ground| each(ground, all(ground), &|_, folder| parent(folder))),
    ("folder-symlink", |ground| writable(ground, &|ground, folder| link_to_decoy(folder, &decoy(ground)))),
    ("folder-symlink-relative", |ground| {
        writable(ground, &|ground, folder| {
            let decoy = decoy(ground);
            let far = "../".repeat(40) + decoy.trim_start_matches('/');
            link_to_decoy(folder, &far)
        })
    }),
    ("folder-hard-link", |ground| writable(ground, &hard_link)),
    ("folder-race", |ground| writable(ground, &race)),
    ("folder-proc-links", |ground| {
        writable(ground, &|ground, folder| {
            link_to_decoy(folder, &format!("/proc/1/root{}", decoy(ground)))
                .or_else(|| link_to_decoy(folder, &format!("/proc/self/root{}", decoy(ground))))
        })
    }),
];

fn decoy(ground: &Ground) -> String {
    ground.decoy_file.clone().unwrap_or_else(|| "/etc/shadow".to_owned())
}

fn all(ground: &Ground) -> Vec<&String> {
    ground.read_only.iter().chain(&ground.writable).collect()
}

type Try<'a> = &'a dyn Fn(&Ground, &Path) -> Option<String>;

/// Tries in each folder; what comes back tells how it got through.
fn each(ground: &Ground, folders: Vec<&String>, try_it: Try<'_>) -> Finding {
    if folders.is_empty() {
        return Finding::not_applicable("no folder is granted");
    }
    let got: Vec<_> = folders.iter().filter_map(|folder| try_it(ground, Path::new(folder))).collect();
    none_of(&got, format!("none of {} granted folders was left", folders.len()), "it got through")
}

fn writable(ground: &Ground, try_it: Try<'_>) -> Finding {
    if ground.writable.is_empty() {
        return Finding::not_applicable("no writable folder is granted");
    }
    if ground.decoy_file.is_none() {
        return Finding::not_applicable("the host laid out no decoy");
    }
    each(ground, ground.writable.iter().collect(), &|ground, folder| {
        unchanged(folder, || try_it(ground, folder))
    })
}

/// Does something in a folder, and puts the folder's own times back.
pub(crate) fn unchanged<T>(folder: &Path, work: impl FnOnce() -> T) -> T {
    let before = fs::metadata(folder);
    let done = work();
    if let Ok(facts) = before {
        let time = |seconds, nanos| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanos };
        let times = rustix::fs::Timestamps {
            last_access: time(facts.atime(), facts.atime_nsec()),
            last_modification: time(facts.mtime(), facts.mtime_nsec()),
        };
        // Whoever may write and does not own the folder cannot: its times then tell that somebody was there.
        let _put_back = rustix::fs::utimensat(CWD, folder, &times, rustix::fs::AtFlags::empty());
    }
    done
}

/// A name nobody else has.
fn mark(folder: &Path, what: &str) -> PathBuf {
    folder.join(format!(".caisson-probe-{}-{what}", std::process::id()))
}

/// Makes, changes, renames and removes in folders that can only be read.
fn read_only(ground: &Ground) -> Finding {
    if ground.read_only.is_empty() {
        return Finding::not_applicable("no folder is granted to be read only");
    }
    let mut got = Vec::new();
    for folder in ground.read_only.iter().map(Path::new) {
        let mut tell = |what: &str| got.push(format!("{what} in {}", folder.display()));
        let (file, inner) = (mark(folder, "file"), mark(folder, "folder"));
        if File::create_new(&file).is_ok() {
            drop(fs::remove_file(&file));
            tell("a file was made");
        }
        if fs::create_dir(&inner).is_ok() {
            drop(fs::remove_dir(&inner));
            tell("a folder was made");
        }
        if symlink("/", &file).is_ok() {
            drop(fs::remove_file(&file));
            tell("a link was made");
        }
        let facts = fs::metadata(folder);
        // To what it is already: nothing changes where it is allowed.
        if facts.is_ok_and(|facts| {
            fs::set_permissions(folder, Permissions::from_mode(facts.mode() & 0o7777)).is_ok()
        }) {
            tell("rights were set");
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(64) {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_file())
                && File::options().append(true).open(&path).is_ok()
            {
                tell("a file was opened for writing");
            }
            if fs::rename(&path, &file).is_ok() {
                drop(fs::rename(&file, &path));
                tell("a file was renamed");
            }
        }
    }
    none_of(&got, format!("nothing could be changed in {} folders", ground.read_only.len()), "it got through")
}

/// `..` of a folder is the folder above it inside, and from there on up the container's own root.
fn parent(folder: &Path) -> Option<String> {
    let facts = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    let above = folder.parent()?;
    if facts(&folder.join("..")) != facts(above) {
        return Some(format!("{}/.. is another folder than {}", folder.display(), above.display()));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, folder, flags, Mode::empty()).ok()?;
    for _ in 0..64 {
        at = openat(at.as_fd(), "..", flags, Mode::empty()).ok()?;
    }
    let top = rustix::fs::fstat(&at).ok().map(|stat| (stat.st_dev, stat.st_ino));
    (top != facts(Path::new("/")))
        .then(|| format!("`..` of {} leads above the container's root", folder.display()))
}

/// A link to a file of the host's, made where the host would follow it.
fn link_to_decoy(folder: &Path, decoy: &str) -> Option<String> {
    let link = mark(folder, "link");
    symlink(decoy, &link).ok()?;
    let read = fs::read(&link);
    drop(fs::remove_file(&link));
    read.is_ok().then(|| format!("a link in {} led to a file of the host", folder.display()))
}

/// A second name for a file outside of the folder, and for one of the folder outside of it.
fn hard_link(ground: &Ground, folder: &Path) -> Option<String> {
    let link = mark(folder, "hard");
    for file in [decoy(ground).as_str(), "/caisson/airlock", "/proc/self/exe", "/etc/passwd", "/bin/sh"] {
        if fs::hard_link(file, &link).is_ok() {
            drop(fs::remove_file(&link));
            return Some(format!("{file} got a second name in {}", folder.display()));
        }
    }
    let own = mark(folder, "own");
    File::create_new(&own).ok()?;
    let outside = Path::new("/tmp").join(format!(".caisson-probe-{}-hard", std::process::id()));
    let linked = fs::hard_link(&own, &outside).is_ok();
    drop(fs::remove_file(&own));
    drop(fs::remove_file(&outside));
    linked.then(|| format!("a file of {} got a second name outside of it", folder.display()))
}

/// Swaps a folder and a link to the host's, over and over, while a path through them is opened.
fn race(ground: &Ground, folder: &Path) -> Option<String> {
    let decoy = PathBuf::from(decoy(ground));
    let (name, outside) = (decoy.file_name()?, decoy.parent()?);
    let (inner, link) = (mark(folder, "race"), mark(folder, "swap"));
    fs::create_dir(&inner).ok()?;
    if symlink(outside, &link).is_err() {
        drop(fs::remove_dir(&inner));
        return None;
    }
    let path = inner.join(name);
    let (over, began) = (AtomicBool::new(false), Instant::now());
    let won = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                swap(&inner, &link);
            }
        });
        let mut won = false;
        while began.elapsed() < RACE && !won {
            won = fs::read(&path).is_ok();
        }
        over.store(true, Ordering::Relaxed);
        won
    });
    for left in [&inner, &link] {
        // Which is which, is not known by now.
        drop(fs::remove_file(left).or_else(|_| fs::remove_dir(left)));
    }
    won.then(|| format!("a race in {} led to a file of the host", folder.display()))
}

fn swap(one: &Path, other: &Path) {
    let text = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes());
    if let (Ok(one), Ok(other)) = (text(one), text(other)) {
        // A file system that cannot swap has no such race.
        let _swapped = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
    }
}
