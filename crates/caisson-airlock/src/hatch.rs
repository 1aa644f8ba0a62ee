use std::{
    collections::BTreeMap,
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
};

use rustix::{
    cmsg_space,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use tokio::net::UnixStream;

/// Sockets that wait for the stream they belong to. More than that many connections there are not.
const MOST_WAITING: usize = 256;

/// Where the host hands in sockets for connections, each with a number. It does so before it tells the number, so that
/// a socket that is asked for is there, or does not come.
#[derive(Debug)]
pub(crate) struct Hatch {
    socket: OwnedFd,
    /// Those whose number has not been told yet.
    waiting: Mutex<BTreeMap<u64, OwnedFd>>,
}

impl Hatch {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, waiting: Mutex::default() }
    }

    /// The socket with a number; none where it did not come.
    pub(crate) fn take(&self, number: u64) -> Option<UnixStream> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((number, socket)) = self.receive() {
            waiting.extend(socket.map(|socket| (number, socket)));
            if waiting.len() > MOST_WAITING {
                waiting.pop_first();
            }
        }
        UnixStream::from_std(waiting.remove(&number)?.into()).ok()
    }

    /// What was handed in next, if anything was. The socket itself is missing where this process has no room for it.
    fn receive(&self) -> Option<(u64, Option<OwnedFd>)> {
        let mut number = [0; 8];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut number)], &mut control, flags).ok()?;
        (received.bytes == number.len()).then(|| (u64::from_be_bytes(number), only(&mut control)))
    }
}

/// The descriptor that came with a message.
pub(crate) fn only(control: &mut RecvAncillaryBuffer<'_>) -> Option<OwnedFd> {
    let descriptors = control.drain().filter_map(|message| {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message { Some(descriptors) } else { None }
    });
    descriptors.flatten().next()
}
