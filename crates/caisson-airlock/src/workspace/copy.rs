use std::{io::Write as _, os::fd::OwnedFd};

use caisson_wire::{FilesReport, FilesTask, WHOLE};
use rustix::{
    fs::{Mode, mkdirat, renameat},
    io::Errno,
};

use super::walk::{Fault, Manner, Walk, open, open_in};

/// A copy that is not whole yet.
const PART: &str = "part";

/// Carries out a task, as a process of its own that runs it and prints the report.
pub(crate) fn run(task: &str) -> Result<(), Box<dyn std::error::Error>> {
    let report = carry_out(&serde_json::from_str(task)?)?;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, &report)?;
    Ok(out.flush()?)
}

fn carry_out(task: &FilesTask) -> Result<FilesReport, Fault> {
    match task {
        FilesTask::Look { from } => Walk::new(Manner::Look, u64::MAX).run(open(from)?, None),
        FilesTask::Collect { from, to, most } => {
            Walk::new(Manner::Collect, *most).run(open(from)?, Some(open(to)?))
        }
        FilesTask::Keep { from, to, most } => keep(open(from)?, &open(to)?, *most),
        FilesTask::Restore { from, to } => {
            let whole = open_in(&open(from)?, WHOLE).map_err(|_| Fault::NotWhole)?;
            Walk::new(Manner::Keep, u64::MAX).run(whole, Some(open(to)?))
        }
    }
}

/// The copy gets its name last: what has that name is whole.
fn keep(from: OwnedFd, to: &OwnedFd, most: u64) -> Result<FilesReport, Fault> {
    mkdirat(to, PART, Mode::RWXU).map_err(Fault::Write)?;
    let part = open_in(to, PART).map_err(Fault::Write)?;
    let report = Walk::new(Manner::Keep, most).run(from, Some(part))?;
    let sync = open_in(to, PART).and_then(rustix::fs::syncfs);
    // The kernel of gVisor has no such call, and loses nothing by it.
    if let Err(error) = sync.or_else(|error| if error == Errno::NOSYS { Ok(()) } else { Err(error) }) {
        return Err(Fault::Write(error));
    }
    renameat(to, PART, to, WHOLE).map_err(Fault::Write)?;
    Ok(report)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the files of a test need not be whole after a crash")]
mod tests;
