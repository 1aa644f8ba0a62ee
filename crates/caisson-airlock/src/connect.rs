use std::{io, net::Ipv4Addr, net::Ipv6Addr, time::Duration};

use caisson_wire::{Connection, Refusal, Stream, frame};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    time::timeout,
};

/// How long the container's own loopback may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Connects the host to a port on the container's loopback.
pub(crate) async fn to_port(mut stream: Stream, port: u16) {
    match timeout(PATIENCE, connect(port)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(mut server) => {
            if frame::write(&mut stream, &Connection::Open).await.is_ok() {
                // However it ends, it has ended.
                drop(copy_bidirectional(&mut stream, &mut server).await);
            }
        }
        Err(error) => {
            let detail = format!("nothing answers on port {port} inside: {error}");
            let refused = Connection::Refused { why: Refusal::Unreachable, detail };
            if frame::write(&mut stream, &refused).await.is_ok() {
                drop(stream.shutdown().await);
            }
        }
    }
}

/// Many servers listen on `localhost`, which may mean the one or the other.
async fn connect(port: u16) -> io::Result<TcpStream> {
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(server) => Ok(server),
        Err(error) => TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.map_err(|_| error),
    }
}
