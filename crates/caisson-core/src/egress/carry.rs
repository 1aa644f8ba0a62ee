//! Carries a connection's bytes both ways, hears its greeting, and counts.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use caisson_wire::{Beside, Stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::tcp::WriteHalf,
    time::timeout,
};

use super::{
    Outside,
    greeting::{Greeting, Heard},
    hatch::Hose,
};

/// Room for what is on its way, each way.
const ROOM: usize = 64 << 10;
/// How long a greeting that has begun may take.
const GREETING: Duration = Duration::from_secs(30);

/// Bytes that were carried so far.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
}

/// Why a connection was cut.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// It asks for another name than it was opened for.
    #[error("{0}")]
    Mismatch(String),
    /// The airlock did what no airlock does.
    #[error("its airlock sent {0}")]
    Breach(String),
    /// Either end failed.
    #[error(transparent)]
    Io(io::Error),
}

/// What is no byte of the connection is told by its kind: no socket fails so by itself.
impl From<io::Error> for CarryError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData {
            Self::Breach(error.to_string())
        } else {
            Self::Io(error)
        }
    }
}

impl Tally {
    /// Bytes the server has sent out.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes that came back.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Carries bytes until both ways have ended. Each way closes on its own; an error of either ends both.
///
/// # Errors
/// When the connection asks for another name than it was opened for, and when either end fails.
pub async fn carry<S>(inside: S, outside: Outside, tally: &Tally) -> Result<(), CarryError>
where
    S: AsyncRead + AsyncWrite,
{
    let Outside { mut stream, name, address } = outside;
    let (mut from_inside, mut to_inside) = split(inside);
    let (mut from_outside, mut to_outside) = stream.split();
    let greeting = name.map(|name| Greeting::to(name, address.port()));
    let out = send(&mut from_inside, &mut to_outside, greeting, tally);
    let back = async {
        let mut room = vec![0; ROOM];
        pass(&mut from_outside, &mut to_inside, &mut room, &tally.received).await
    };
    tokio::try_join!(out, back).map(drop)
}

/// As [`carry`], through a socket the airlock has taken. How each half ends, `stream` tells.
///
/// # Errors
/// As [`carry`] has them, and when something comes from inside that is no byte.
pub async fn carry_beside(
    hose: Hose,
    stream: Stream,
    outside: Outside,
    tally: &Tally,
) -> Result<(), CarryError> {
    let Outside { stream: mut socket, name, address } = outside;
    let (ends, mut ending) = split(stream);
    let (from_outside, mut to_outside) = socket.split();
    let mut from_inside = Beside::new(hose.bytes(), ends);
    let greeting = name.map(|name| Greeting::to(name, address.port()));
    let out = send(&mut from_inside, &mut to_outside, greeting, tally);
    let back = async {
        hose.fill(from_outside.as_ref(), &tally.received).await?;
        // The airlock may have gone already, which is as good.
        hose.end();
        drop(ending.shutdown().await);
        Ok(())
    };
    tokio::try_join!(out, back).map(drop)
}

/// Carries what comes from inside, once its greeting was heard.
async fn send(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut WriteHalf<'_>,
    greeting: Option<Greeting>,
    tally: &Tally,
) -> Result<(), CarryError> {
    let mut room = vec![0; ROOM];
    if let Some(greeting) = greeting {
        let first = hear(greeting, from, &mut room).await?;
        to.write_all(&first).await?;
        tally.sent.fetch_add(first.len() as u64, Ordering::Relaxed);
    }
    pass(from, to, &mut room, &tally.sent).await
}

/// Waits for the greeting. An end before it is whole is an end: what was held goes nowhere.
async fn hear(
    mut greeting: Greeting,
    from: &mut (impl AsyncRead + Unpin),
    room: &mut [u8],
) -> Result<Vec<u8>, CarryError> {
    loop {
        let read = from.read(room);
        let read = if greeting.has_begun() {
            let late = |_| CarryError::Mismatch("it does not say whom it asks for".to_owned());
            timeout(GREETING, read).await.map_err(late)??
        } else {
            read.await?
        };
        if read == 0 && greeting.has_begun() {
            return Err(CarryError::Mismatch("it ended before it said whom it asks for".to_owned()));
        }
        if read == 0 {
            return Ok(Vec::new());
        }
        match greeting.hear(&room[..read]) {
            Heard::Part => {}
            Heard::Fine(first) => return Ok(first),
            Heard::Refused(why) => return Err(CarryError::Mismatch(why)),
        }
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    room: &mut [u8],
    count: &AtomicU64,
) -> Result<(), CarryError> {
    loop {
        let read = from.read(room).await?;
        if read == 0 {
            // The other side may have gone already, which is as good.
            drop(to.shutdown().await);
            return Ok(());
        }
        to.write_all(&room[..read]).await?;
        count.fetch_add(read as u64, Ordering::Relaxed);
    }
}
