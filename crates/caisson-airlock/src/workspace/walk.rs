use std::{
    ffi::{CStr, OsStr},
    fs::File,
    io::{self, Read as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
};

use caisson_wire::{FileFate, FileRemark, FilesReport, FoundFile};
use rustix::{
    fs::{
        AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat, readlinkat, statat,
        symlinkat, unlinkat,
    },
    io::Errno,
};

use super::names::{beneath, plain};

/// The most files and folders, of whatever kind.
pub(super) const MOST_FILES: u64 = 100_000;
/// The most folders within folders. Each level holds two descriptors.
pub(super) const MOST_LEVELS: usize = 100;
/// So many files are named, and so many remarks kept.
const MOST_TOLD: usize = 200;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is made of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing: they are counted.
    Look,
    /// Copies that are harmless to their user: regular files and folders alone, none of them executable.
    Collect,
    /// Copies that are as the originals, for the server to find again.
    Keep,
}

/// Why the whole was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{folder} cannot be opened: {error}")]
    Folder { folder: String, error: Errno },
    #[error("the copy cannot be written: {0}")]
    Write(Errno),
    #[error("it holds more than the {0} bytes that may be copied")]
    TooLarge(u64),
    #[error("it holds more than {MOST_FILES} files")]
    TooMany,
    #[error("there is no whole copy in it")]
    NotWhole,
}

/// What became of one entry, short of a copy.
enum Miss {
    Left(FileFate, Option<String>),
    Fault(Fault),
}

impl From<Errno> for Miss {
    fn from(error: Errno) -> Self {
        match error {
            // Of the target, and no other file would fare better.
            Errno::NOSPC | Errno::DQUOT | Errno::ROFS => Self::Fault(Fault::Write(error)),
            _ => Self::Left(FileFate::Unusable, Some(io::Error::from(error).to_string())),
        }
    }
}

impl From<io::Error> for Miss {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error)
            .map_or_else(|| Self::Left(FileFate::Unusable, Some(error.to_string())), Self::from)
    }
}

/// A folder that is being gone through.
struct Level {
    from: Dir,
    to: Option<OwnedFd>,
    path: String,
    mode: Mode,
}

/// One way through a server's files.
pub(super) struct Walk {
    manner: Manner,
    most: u64,
    seen: u64,
    report: FilesReport,
}

impl Walk {
    /// A walk that copies `most` bytes at most.
    pub(super) fn new(manner: Manner, most: u64) -> Self {
        Self { manner, most, seen: 0, report: FilesReport::default() }
    }

    /// Goes through all of `from`, and makes of it what it makes in `to`.
    pub(super) fn run(mut self, from: OwnedFd, to: Option<OwnedFd>) -> Result<FilesReport, Fault> {
        let top = |error| Fault::Folder { folder: "the workspace".to_owned(), error };
        let mode = Mode::from_raw_mode(fstat(&from).map_err(top)?.st_mode);
        let mut levels = vec![Level { from: Dir::new(from).map_err(top)?, to, path: String::new(), mode }];
        loop {
            let depth = levels.len();
            let Some(level) = levels.last_mut() else { break };
            let entry = match level.from.read() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => {
                    let path = level.path.clone();
                    self.remark(path, FileFate::Unusable, Some(io::Error::from(error).to_string()));
                    continue;
                }
                None => {
                    if let Some(ended) = levels.pop() {
                        self.leave(&ended);
                    }
                    continue;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let path = beneath(&level.path, name.to_bytes());
            self.seen += 1;
            if self.seen > MOST_FILES {
                if self.manner == Manner::Keep {
                    return Err(Fault::TooMany);
                }
                self.remark(path, FileFate::TooMany, None);
                break;
            }
            match self.entry(level, depth, name, &path) {
                Ok(beneath) => levels.extend(beneath),
                Err(Miss::Left(fate, detail)) => self.remark(path, fate, detail),
                Err(Miss::Fault(fault)) => return Err(fault),
            }
        }
        Ok(self.report)
    }

    /// Takes one entry; gives the folder to go into, where it is one.
    fn entry(&mut self, level: &Level, depth: usize, name: &CStr, path: &str) -> Result<Option<Level>, Miss> {
        let stat = statat(level.from.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth > MOST_LEVELS => Err(Miss::Left(FileFate::TooDeep, None)),
            FileType::Directory => self.folder(level, name, path).map(Some),
            FileType::RegularFile => self.file(level, name, path).map(|()| None),
            FileType::Symlink => self.link(level, name).map(|()| None),
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(Miss::Left(FileFate::Special, None)),
        }
    }

    fn folder(&mut self, level: &Level, name: &CStr, path: &str) -> Result<Level, Miss> {
        let from = openat(level.from.fd()?, name, FOLDER, Mode::empty())?;
        let mode = Mode::from_raw_mode(fstat(&from)?.st_mode);
        let to = match &level.to {
            Some(to) => {
                let name = self.name(name, path);
                mkdirat(to, name.as_slice(), Mode::RWXU)?;
                Some(openat(to, name.as_slice(), FOLDER, Mode::empty())?)
            }
            None => None,
        };
        self.report.folders += 1;
        Ok(Level { from: Dir::new(from)?, to, path: path.to_owned(), mode })
    }

    /// A folder that was gone through gets its own mode at last: with it, nothing might have been put there.
    fn leave(&mut self, level: &Level) {
        if self.manner == Manner::Keep
            && let Some(to) = &level.to
            && let Err(error) = fchmod(to, level.mode)
        {
            self.remark(level.path.clone(), FileFate::Changed, Some(io::Error::from(error).to_string()));
        }
    }

    fn link(&self, level: &Level, name: &CStr) -> Result<(), Miss> {
        match (self.manner, &level.to) {
            (Manner::Keep, Some(to)) => {
                let target = readlinkat(level.from.fd()?, name, Vec::new())?;
                Ok(symlinkat(target, to, name)?)
            }
            (Manner::Keep | Manner::Look | Manner::Collect, _) => Err(Miss::Left(FileFate::Symlink, None)),
        }
    }

    fn file(&mut self, level: &Level, name: &CStr, path: &str) -> Result<(), Miss> {
        // What it is may have changed since it was looked at: a pipe nobody writes to must not stop this.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let from = match self.manner {
            Manner::Look => None,
            Manner::Collect | Manner::Keep => Some(openat(level.from.fd()?, name, flags, Mode::empty())?),
        };
        let before = match &from {
            Some(from) => fstat(from)?,
            None => statat(level.from.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?,
        };
        if FileType::from_raw_mode(before.st_mode) != FileType::RegularFile {
            return Err(Miss::Left(FileFate::Special, None));
        }
        let size = u64::try_from(before.st_size).unwrap_or(u64::MAX);
        if size > self.most.saturating_sub(self.report.bytes) {
            return Err(match self.manner {
                Manner::Keep => Miss::Fault(Fault::TooLarge(self.most)),
                Manner::Look | Manner::Collect => {
                    Miss::Left(FileFate::TooLarge, Some(format!("{size} bytes")))
                }
            });
        }
        if let (Some(from), Some(to)) = (from, &level.to) {
            self.copy(File::from(from), to, &before, name, path)?;
        } else if self.report.found.len() < MOST_TOLD {
            self.report.found.push(FoundFile { path: path.to_owned(), bytes: size });
        }
        self.report.files += 1;
        self.report.bytes += size;
        Ok(())
    }

    /// Copies as many bytes as the file had when it was opened, however many it has by now.
    fn copy(&mut self, from: File, to: &OwnedFd, before: &Stat, name: &CStr, path: &str) -> Result<(), Miss> {
        let name = self.name(name, path);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut copy = File::from(openat(to, name.as_slice(), flags, Mode::RUSR | Mode::WUSR)?);
        let size = u64::try_from(before.st_size).unwrap_or(u64::MAX);
        let mut from = from.take(size);
        let copied = match io::copy(&mut from, &mut copy) {
            Ok(copied) => copied,
            Err(error) => {
                // Half a file is worth less than none. When even that fails, the remark says that it is of no use.
                let _useless = unlinkat(to, name.as_slice(), AtFlags::empty());
                return Err(error.into());
            }
        };
        if self.manner == Manner::Keep {
            fchmod(&copy, Mode::from_raw_mode(before.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO))?;
        }
        let after = fstat(from.get_ref())?;
        let same = |of: fn(&Stat) -> (i64, i64, u64)| of(before) == of(&after);
        if copied != size || !same(|stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec)) {
            self.remark(path.to_owned(), FileFate::Changed, None);
        }
        Ok(())
    }

    /// The name the copy gets.
    fn name(&mut self, name: &CStr, path: &str) -> Vec<u8> {
        let name = name.to_bytes();
        if self.manner != Manner::Collect {
            return name.to_vec();
        }
        let plain = plain(name);
        if *plain != *name {
            let given = String::from_utf8_lossy(&plain).into_owned();
            self.remark(path.to_owned(), FileFate::Renamed, Some(given));
        }
        plain.into_owned()
    }

    fn remark(&mut self, path: String, what: FileFate, detail: Option<String>) {
        if self.report.remarks.len() < MOST_TOLD {
            self.report.remarks.push(FileRemark { path, what, detail });
        } else {
            self.report.more_remarks += 1;
        }
    }
}

/// Opens a folder that is no link.
pub(super) fn open(folder: &str) -> Result<OwnedFd, Fault> {
    rustix::fs::open(folder, FOLDER, Mode::empty())
        .map_err(|error| Fault::Folder { folder: folder.to_owned(), error })
}

/// Opens a folder within one that is open.
pub(super) fn open_in(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    openat(folder, OsStr::from_bytes(name.as_bytes()), FOLDER, Mode::empty())
}
