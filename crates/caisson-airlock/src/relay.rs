use std::time::Duration;

use caisson_wire::{AirlockEvent, Exit, Stream};
use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncWriteExt, WriteHalf, split},
    net::unix::pipe,
    sync::watch,
    time::timeout,
};

use crate::{
    family,
    input::{Silence, feed},
    output::Output,
    process::{Ending, Process},
    processes::Place,
};

/// How long to read on what a host sends to a process that has ended, so that it is not left waiting.
const FAREWELL: Duration = Duration::from_secs(10);

/// Relays between a process and its stream until the process has ended, and tells the host of start and end.
///
/// When the host has let go of the stream, the process has the grace to end, and is made to end after that.
/// So too when the host has sent all it will, if that `ends` what the process is there for.
pub(crate) async fn session(place: Place, process: Process, stream: Stream, ends: bool) {
    let Process { pid, input, output, errors, mut ending, room } = process;
    place.started(pid).await;
    let (from_host, to_host) = split(stream);
    let (end, ended) = watch::channel(false);
    let errors = Output::new(errors, ended.clone()).send_apart(place.process, place.processes.opener.clone());
    let errors = tokio::spawn(errors);
    let output = tokio::spawn(answer(output, ended, to_host));
    let mut feeding = tokio::spawn(feed(from_host, input));
    let exit = tokio::select! {
        exit = ending.wait() => exit,
        silence = &mut feeding => match silence {
            Ok(Silence::Ended) if !ends => ending.wait().await,
            _ => see_off(pid, &mut ending, place.processes.grace).await,
        }
    };
    place.reaped();
    end.send_replace(true);
    drop((output.await, errors.await));
    drop(room);
    place.processes.events.tell(AirlockEvent::Exited { process: place.process, exit }).await;
    drop(place);
    if !feeding.is_finished() && timeout(FAREWELL, &mut feeding).await.is_err() {
        feeding.abort();
    }
}

/// Relays what a process without a stream prints, until it has ended, and tells the host of start and end.
pub(crate) async fn alone(place: Place, process: Process) {
    let Process { pid, input, output: _, errors, mut ending, room: _ } = process;
    place.started(pid).await;
    let (end, ended) = watch::channel(false);
    let errors = Output::new(errors, ended).send_apart(place.process, place.processes.opener.clone());
    let errors = tokio::spawn(errors);
    let exit = ending.wait().await;
    place.reaped();
    // Until here: some servers end when their input does.
    drop(input);
    end.send_replace(true);
    drop(errors.await);
    place.processes.events.tell(AirlockEvent::Exited { process: place.process, exit }).await;
}

async fn answer(output: pipe::Receiver, ended: watch::Receiver<bool>, mut to_host: WriteHalf<Stream>) {
    if Output::new(output, ended).send(&mut to_host).await.is_ok() {
        drop(to_host.shutdown().await);
    }
}

/// Waits for a process that nobody needs any more, and makes it end when it does not.
async fn see_off(pid: Pid, ending: &mut Ending, grace: Duration) -> Exit {
    for signal in [Signal::TERM, Signal::KILL] {
        if let Ok(exit) = timeout(grace, ending.wait()).await {
            return exit;
        }
        family::signal(pid, signal);
    }
    ending.wait().await
}
