use caisson_wire::Command;

use crate::{process::Process, program, reaper::Reaper, workspace::Rooms};

/// How the process of a session is started.
#[derive(Clone)]
pub(crate) struct Sessions {
    command: Command,
    rooms: Option<Rooms>,
}

impl Sessions {
    pub(crate) fn new(command: Command, rooms: Option<Rooms>) -> Self {
        Self { command, rooms }
    }

    /// Starts a process, with folders of its own where sessions have them; or says why that cannot be.
    pub(crate) fn start(&self, reaper: &Reaper) -> Result<Process, String> {
        let Some(rooms) = &self.rooms else { return start(reaper, &self.command) };
        let given = rooms.give(&self.command);
        let (command, room) =
            given.map_err(|error| format!("a session's folders cannot be made: {error}"))?;
        Ok(Process { room: Some(room), ..start(reaper, &command)? })
    }
}

/// Starts a process that runs a command.
pub(crate) fn start(reaper: &Reaper, command: &Command) -> Result<Process, String> {
    let mut command = program::prepare(command).map_err(|error| error.to_string())?;
    Process::start(reaper, &mut command).map_err(|error| format!("the process cannot be started: {error}"))
}
