use std::time::Duration;

use caisson_wire::{Connection, EgressName, Header, Refusal, Stream, frame};
use tokio::{net::TcpStream, time::timeout};

use super::{Egress, carry::carry, names::meant};

/// How long the host may take to connect.
const PATIENCE: Duration = Duration::from_secs(90);

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
        Ok(stream) => egress.relay(client, stream, &target).await,
        Err(_) => drop(client.set_zero_linger()),
    }
}

impl Egress {
    /// Asks the host for a connection. Waited for even if the client has gone: only then is it known to be
    /// over on both sides, and clients that come and go in haste pile nothing up.
    pub(super) async fn connect(&self, target: &EgressName) -> Result<Stream, (Refusal, String)> {
        let (host, port) = (meant(&target.host), target.port);
        let unreachable = |error: String| (Refusal::Unreachable, error);
        let mut stream = self.0.opener.open().await.map_err(|error| unreachable(error.to_string()))?;
        let asked = async {
            frame::write(&mut stream, &Header::Egress { host, port }).await?;
            frame::read(&mut stream).await
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(Some(Connection::Open))) => Ok(stream),
            Ok(Ok(Some(Connection::Refused { why, detail }))) => Err((why, detail)),
            Ok(Ok(None)) => Err(unreachable("the host hung up".into())),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_) => Err(unreachable("the host did not answer in time".into())),
        }
    }

    /// Carries bytes both ways until both have ended, or the name is no longer allowed.
    pub(super) async fn relay(&self, mut client: TcpStream, mut stream: Stream, target: &EgressName) {
        let mut names = self.0.names.subscribe();
        let cut = tokio::select! {
            carried = carry(&mut client, &mut stream) => carried.is_err(),
            _changed = names.wait_for(|names| !names.allows(&target.host, target.port)) => true,
        };
        if cut {
            drop(client.set_zero_linger());
        }
    }
}
