use std::{io, time::Duration};

use caisson_wire::{Connection, EgressName, Handed, Header, Refusal, Stream, frame, splice::Pipes};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::{
    Egress,
    carry::{beside, carry},
    names::meant,
};

/// How long the host may take to connect.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection's way to the host: a stream of the pipe, or a socket beside it.
pub(super) enum Way {
    Stream(Stream),
    /// How each half of the socket ends, the stream tells.
    Beside(UnixStream, Stream),
}

impl Way {
    /// Sends what a client has said already.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.write_all(bytes).await,
            Self::Beside(socket, _) => socket.write_all(bytes).await,
        }
    }
}

/// Connects a client, which reached the listener of a host, to that host. When that cannot be, the
/// connection is reset: there is no way to say why.
pub(super) async fn to_name(egress: Egress, client: TcpStream, target: EgressName) {
    let EgressName { host, port } = &target;
    if !egress.0.names.borrow().allows(host, *port) {
        egress.refused(&meant(host), *port);
        drop(client.set_zero_linger());
        return;
    }
    match egress.connect(&target).await {
        Ok(way) => egress.relay(client, way, &target).await,
        Err(_) => drop(client.set_zero_linger()),
    }
}

impl Egress {
    /// Asks the host for a connection. Waited for even if the client has gone: only then is it known to be
    /// over on both sides, and clients that come and go in haste pile nothing up.
    pub(super) async fn connect(&self, target: &EgressName) -> Result<Way, (Refusal, String)> {
        let (host, port) = (meant(&target.host), target.port);
        let unreachable = |error: String| (Refusal::Unreachable, error);
        let mut stream = self.0.opener.open().await.map_err(|error| unreachable(error.to_string()))?;
        let asked = async {
            frame::write(&mut stream, &Header::Egress { host, port }).await?;
            frame::read(&mut stream).await
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(Some(Connection::Open))) => Ok(Way::Stream(stream)),
            Ok(Ok(Some(Connection::Beside { number }))) => {
                let socket = self.0.hatch.as_ref().and_then(|hatch| hatch.take(number));
                let handed = if socket.is_some() { Handed::Taken } else { Handed::Missing };
                frame::write(&mut stream, &handed).await.map_err(|error| unreachable(error.to_string()))?;
                Ok(match socket {
                    Some(socket) => Way::Beside(socket, stream),
                    None => Way::Stream(stream),
                })
            }
            Ok(Ok(Some(Connection::Refused { why, detail }))) => Err((why, detail)),
            Ok(Ok(None)) => Err(unreachable("the host hung up".into())),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable("the host did not answer in time".into())),
        }
    }

    /// Carries bytes both ways until both have ended, or the name is no longer allowed.
    pub(super) async fn relay(&self, mut client: TcpStream, way: Way, target: &EgressName) {
        let mut names = self.0.names.subscribe();
        let cut = tokio::select! {
            carried = carried(&mut client, way, &self.0.pipes) => carried.is_err(),
            _changed = names.wait_for(|names| !names.allows(&target.host, target.port)) => true,
        };
        if cut {
            drop(client.set_zero_linger());
        }
    }
}

async fn carried(client: &mut TcpStream, way: Way, pipes: &Pipes) -> io::Result<()> {
    match way {
        Way::Stream(mut stream) => carry(client, &mut stream).await,
        Way::Beside(socket, stream) => beside(client, &socket, stream, pipes).await,
    }
}
