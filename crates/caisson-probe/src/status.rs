//! What the kernel says of a process, and how an answer of its reads.

use std::{fs, io};

use caisson_wire::probe::{Finding, Ground};

/// A line of `/proc/PROCESS/status`, such as `CapEff`.
pub(crate) fn of(process: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}

/// Whether an answer means that whoever asked may not.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::EROFS))
}

/// The finding of a system call that the filter or a missing capability is to refuse. An answer of another kind comes
/// from behind them: the call got through to the kernel.
pub(crate) fn refused<T>(ground: &Ground, call: &str, answer: io::Result<T>) -> Finding {
    let own = |what: &str| {
        Finding::not_applicable(format!(
            "{what}; the kernel that answers is gVisor's own, and not the host's"
        ))
    };
    match answer {
        Err(error) if is_denied(&error) => Finding::held(format!("{call} was refused: {error}")),
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            Finding::not_applicable(format!("this kernel does not know such a call: {call}"))
        }
        Err(error) if ground.own_kernel => own(&format!("{call} answered: {error}")),
        Err(error) => Finding::broken(format!("{call} got through to the kernel, which answered: {error}")),
        Ok(_) if ground.own_kernel => own(&format!("{call} was allowed")),
        Ok(_) => Finding::broken(format!("{call} was allowed")),
    }
}

/// The finding of things that must all be refused: `got` names those that were not.
pub(crate) fn none_of(got: &[String], held: impl Into<String>, broken: &str) -> Finding {
    if got.is_empty() {
        Finding::held(held)
    } else {
        Finding::broken(format!("{broken}: {}", shortened(got)))
    }
}

/// A list for people: the first few.
pub(crate) fn shortened(list: &[String]) -> String {
    const FEW: usize = 8;
    let mut text = list.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > FEW {
        text.push_str(&format!(" and {} more", list.len() - FEW));
    }
    text
}
