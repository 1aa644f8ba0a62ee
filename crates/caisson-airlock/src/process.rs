use std::{
    io::{self, PipeReader},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use caisson_wire::Exit;
use rustix::process::Pid;
use tokio::{net::unix::pipe, sync::oneshot};

use crate::{reaper::Reaper, workspace::Room};

/// A process that was started, and the far ends of its pipes, as yet untouched.
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) input: pipe::Sender,
    pub(crate) output: pipe::Receiver,
    pub(crate) errors: pipe::Receiver,
    pub(crate) ending: Ending,
    /// Folders of its own, which go with it.
    pub(crate) room: Option<Room>,
}

/// The wait for the end of a process.
pub(crate) struct Ending(oneshot::Receiver<Exit>);

impl Process {
    /// Starts a process that speaks on standard input and output.
    pub(crate) fn start(reaper: &Reaper, command: &mut Command) -> io::Result<Self> {
        let (output, write) = io::pipe()?;
        Self::start_with(reaper, command, output, write, io::pipe()?)
    }

    /// Starts a process whose standard output is a log, and goes where standard error goes.
    pub(crate) fn start_logging(reaper: &Reaper, command: &mut Command) -> io::Result<Self> {
        let (output, _nobody_writes) = io::pipe()?;
        let errors = io::pipe()?;
        Self::start_with(reaper, command, output, errors.1.try_clone()?, errors)
    }

    fn start_with(
        reaper: &Reaper,
        command: &mut Command,
        output: PipeReader,
        output_write: io::PipeWriter,
        (errors, errors_write): (PipeReader, io::PipeWriter),
    ) -> io::Result<Self> {
        let (input_read, input) = io::pipe()?;
        command.stdin(input_read).stdout(output_write).stderr(errors_write);
        let started = reaper.spawn(command);
        // The command holds the child's ends too; the output would never end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (pid, ended) = started?;
        Ok(Self {
            pid,
            input: pipe::Sender::from_owned_fd(OwnedFd::from(input))?,
            output: pipe::Receiver::from_owned_fd(OwnedFd::from(output))?,
            errors: pipe::Receiver::from_owned_fd(OwnedFd::from(errors))?,
            ending: Ending(ended),
            room: None,
        })
    }
}

impl Ending {
    /// Waits until the process has ended and was reaped. Safe to give up on; not to be asked again after
    /// it has answered.
    pub(crate) async fn wait(&mut self) -> Exit {
        // The reaper forgets no waiter, short of the airlock's own end.
        (&mut self.0).await.unwrap_or(Exit::Signal(9))
    }
}
