use std::{
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use caisson_wire::FileFate;
use rustix::fs::{CWD, FileType, mknodat};

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.from()).unwrap();
        fs::create_dir(place.to()).unwrap();
        place
    }

    fn from(&self) -> std::path::PathBuf {
        self.0.path().join("from")
    }

    fn to(&self) -> std::path::PathBuf {
        self.0.path().join("to")
    }

    fn text(path: &Path) -> String {
        path.to_str().unwrap().to_owned()
    }

    fn collect(&self, most: u64) -> FilesReport {
        let task = FilesTask::Collect { from: Self::text(&self.from()), to: Self::text(&self.to()), most };
        carry_out(&task).unwrap()
    }

    fn keep(&self, most: u64) -> Result<FilesReport, Fault> {
        carry_out(&FilesTask::Keep { from: Self::text(&self.from()), to: Self::text(&self.to()), most })
    }
}

fn fates(report: &FilesReport) -> Vec<(&str, FileFate)> {
    let mut fates: Vec<_> = report.remarks.iter().map(|remark| (remark.path.as_str(), remark.what)).collect();
    fates.sort_by_key(|(path, _)| *path);
    fates
}

fn names(folder: &Path) -> Vec<Vec<u8>> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().as_bytes().to_vec()).collect();
    names.sort();
    names
}

fn hostile(from: &Path) {
    fs::write(from.join("plain"), "hello").unwrap();
    fs::create_dir_all(from.join("a/b")).unwrap();
    fs::write(from.join("a/b/deep"), "deep").unwrap();
    fs::write(from.join("tool"), "#!/bin/sh").unwrap();
    fs::set_permissions(from.join("tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("/etc/passwd", from.join("passwd")).unwrap();
    symlink("..", from.join("a/up")).unwrap();
    fs::hard_link(from.join("plain"), from.join("hard")).unwrap();
    mknodat(CWD, from.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::write(from.join("two\nlines\u{1b}[2J"), "odd").unwrap();
    fs::write(from.join(std::ffi::OsStr::from_bytes(b"\xff")), "odd").unwrap();
}

#[test]
fn what_is_collected_is_harmless() {
    let place = Place::new();
    hostile(&place.from());
    let report = place.collect(1 << 20);
    assert_eq!(
        fates(&report),
        [
            ("a/up", FileFate::Symlink),
            ("passwd", FileFate::Symlink),
            ("pipe", FileFate::Special),
            ("two\nlines\u{1b}[2J", FileFate::Renamed),
            ("\u{fffd}", FileFate::Renamed),
        ]
    );
    assert_eq!((report.files, report.folders), (6, 2));
    let found = names(&place.to());
    assert_eq!(found, [&b"%FF"[..], b"a", b"hard", b"plain", b"tool", b"two%0Alines%1B[2J"]);
    assert_eq!(fs::read_to_string(place.to().join("a/b/deep")).unwrap(), "deep");
    for name in ["plain", "hard", "tool"] {
        let mode = place.to().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
}

#[test]
fn nothing_is_written_through_what_stands_there() {
    let place = Place::new();
    let outside = place.0.path().join("outside");
    fs::write(&outside, "untouched").unwrap();
    fs::write(place.from().join("a"), "new").unwrap();
    fs::write(place.from().join("b"), "new").unwrap();
    fs::create_dir(place.from().join("c")).unwrap();
    fs::write(place.from().join("c/d"), "new").unwrap();
    fs::write(place.to().join("a"), "old").unwrap();
    symlink(&outside, place.to().join("b")).unwrap();
    symlink(place.0.path(), place.to().join("c")).unwrap();
    let report = place.collect(1 << 20);
    assert_eq!(
        fates(&report),
        [("a", FileFate::Unusable), ("b", FileFate::Unusable), ("c", FileFate::Unusable)]
    );
    assert_eq!(fs::read_to_string(place.to().join("a")).unwrap(), "old");
    assert_eq!(fs::read_to_string(outside).unwrap(), "untouched");
    assert!(!place.0.path().join("d").exists());
}

#[test]
fn sizes_are_bounded() {
    let place = Place::new();
    let sparse = fs::File::create(place.from().join("sparse")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    fs::write(place.from().join("small"), "12345").unwrap();
    let report = place.collect(8);
    assert_eq!(fates(&report), [("sparse", FileFate::TooLarge)]);
    assert_eq!((report.files, report.bytes), (1, 5));
    assert!(matches!(place.keep(8), Err(Fault::TooLarge(8))));

    let look = carry_out(&FilesTask::Look { from: Place::text(&place.from()) }).unwrap();
    assert_eq!((look.files, look.bytes), (2, (1 << 40) + 5));
    assert_eq!(look.found.len(), 2);
}

#[test]
fn folders_without_end_are_left_out() {
    let place = Place::new();
    let mut folder = place.from();
    for _ in 0..150 {
        folder.push("d");
    }
    fs::create_dir_all(&folder).unwrap();
    fs::write(place.from().join("z"), "1").unwrap();
    let report = place.collect(1 << 20);
    assert_eq!((report.folders, report.files), (100, 1));
    assert!(fates(&report).iter().any(|(_, fate)| *fate == FileFate::TooDeep));
}

#[test]
fn a_great_many_files_are_copied() {
    let place = Place::new();
    for at in 0..10_000 {
        fs::write(place.from().join(at.to_string()), "x").unwrap();
    }
    for at in 0..300 {
        symlink("/", place.from().join(format!("l{at}"))).unwrap();
    }
    let report = place.collect(1 << 20);
    assert_eq!((report.files, report.bytes), (10_000, 10_000));
    assert_eq!((report.remarks.len(), report.more_remarks), (200, 100));
}

/// Somebody swaps a folder for a link, and a file for a pipe, again and again.
#[test]
fn a_race_leads_nowhere() {
    let place = Place::new();
    let outside = place.0.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (folder, link) = (place.from().join("x"), place.0.path().join("link"));
            symlink(&outside, &link).unwrap();
            fs::create_dir(place.0.path().join("real")).unwrap();
            fs::rename(place.0.path().join("real"), &folder).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let swap = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &folder, CWD, &link, swap).unwrap();
            }
        });
        for round in 0..300 {
            let to = place.0.path().join(format!("to-{round}"));
            fs::create_dir(&to).unwrap();
            let task =
                FilesTask::Collect { from: Place::text(&place.from()), to: Place::text(&to), most: 1 << 20 };
            let report = carry_out(&task).unwrap();
            assert_eq!(report.files, 0, "a file of another folder was copied");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// A file that grows as fast as it can be read.
#[test]
fn a_file_that_grows_ends() {
    let place = Place::new();
    let path = place.from().join("grows");
    fs::write(&path, vec![b'x'; 4 << 20]).unwrap();
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = fs::File::options().append(true).open(&path).unwrap();
            while !stop.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut file, b"more").unwrap();
            }
        });
        let report = place.collect(1 << 30);
        stop.store(true, Ordering::Relaxed);
        report
    });
    assert_eq!(report.files, 1);
    assert_eq!(place.to().join("grows").metadata().unwrap().len(), report.bytes);
}

#[test]
fn what_is_kept_is_put_back_as_it_was() {
    let place = Place::new();
    hostile(&place.from());
    fs::set_permissions(place.from().join("a"), fs::Permissions::from_mode(0o500)).unwrap();
    let kept = place.keep(1 << 20).unwrap();
    assert_eq!(fates(&kept), [("pipe", FileFate::Special)]);
    assert_eq!(names(&place.to()), [b"whole"]);

    let back = place.0.path().join("back");
    fs::create_dir(&back).unwrap();
    let task = FilesTask::Restore { from: Place::text(&place.to()), to: Place::text(&back) };
    assert_eq!(carry_out(&task).unwrap().files, kept.files);
    assert_eq!(fs::read_link(back.join("passwd")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read_link(back.join("a/up")).unwrap(), Path::new(".."));
    let mode = |path: &str| back.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("tool"), mode("a"), mode("plain")), (0o755, 0o500, mode("hard")));
    assert!(back.join("two\nlines\u{1b}[2J").exists());
    fs::set_permissions(place.from().join("a"), fs::Permissions::from_mode(0o700)).unwrap();

    // One that was cut short is not put back.
    fs::rename(place.to().join("whole"), place.to().join("part")).unwrap();
    assert!(matches!(carry_out(&task), Err(Fault::NotWhole)));
}
