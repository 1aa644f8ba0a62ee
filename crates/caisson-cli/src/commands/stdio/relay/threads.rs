//! A thread each way: with blocking calls no other task is in the way, which is the fastest there is.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use caisson_core::control::BlockingSession;

use crate::{commands::Outcome, exit};

/// A large message takes few calls, and a small one costs no more.
const BUFFER: usize = 64 << 10;

/// Relays until the session ends. The client's end of input ends the server's, whose last words are still
/// written; then the server closes.
pub(in crate::commands::stdio) fn run(session: BlockingSession) -> Outcome {
    let BlockingSession { mut reader, mut writer } = session;
    let client_ended = Arc::new(AtomicBool::new(false));
    let noted = client_ended.clone();
    // It may wait for the client for ever; the end of the process takes it along.
    thread::spawn(move || {
        if copy(&mut io::stdin().lock(), &mut writer).is_ok() {
            // Before the server learns of it, and ends too.
            noted.store(true, Ordering::SeqCst);
        }
        // A server that is gone needs no end of input.
        drop(writer.end());
    });
    match copy(&mut reader, &mut io::stdout().lock()) {
        // The client is gone, or it closed its end first: nobody misses an answer.
        Err(_) => Ok(exit::OK),
        Ok(()) if client_ended.load(Ordering::SeqCst) => Ok(exit::OK),
        Ok(()) => Err(super::ended()),
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(&buffer[..read])?;
        to.flush()?;
    }
}
