use std::time::Duration;

use caisson_wire::Refusal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    Egress,
    tunnel::Way,
    wish::{Wish, heard},
};

/// The largest request head taken.
const LARGEST_HEAD: usize = 16 << 10;
/// How long a client may take to say what it wants, or to read that it cannot have it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a client is not served: a status of HTTP, and words for people.
type Denial = (&'static str, String);

/// Serves one client of the proxy.
pub(super) async fn serve(egress: Egress, mut client: TcpStream) {
    let Ok(Some(wish)) = timeout(PATIENCE, listen(&mut client)).await else { return };
    let denial = match wish {
        Err(why) => ("400 Bad Request", why.to_owned()),
        Ok(wish) => match egress.fulfil(&wish).await {
            Err(denial) => denial,
            Ok(mut way) => {
                let begun = async {
                    client.write_all(wish.answer.as_bytes()).await?;
                    way.write_all(&wish.first).await
                };
                if begun.await.is_ok() {
                    egress.relay(client, way, &wish.target).await;
                }
                return;
            }
        },
    };
    drop(timeout(PATIENCE, deny(client, denial)).await);
}

async fn listen(client: &mut TcpStream) -> Option<Result<Wish, &'static str>> {
    let mut said = Vec::new();
    loop {
        if let Some(wish) = heard(&said) {
            return Some(wish);
        }
        if said.len() >= LARGEST_HEAD {
            return Some(Err("The request is too large."));
        }
        let room = (LARGEST_HEAD - said.len()) as u64;
        client.take(room).read_buf(&mut said).await.ok().filter(|read| *read > 0)?;
    }
}

impl Egress {
    async fn fulfil(&self, wish: &Wish) -> Result<Way, Denial> {
        let (host, port) = (&wish.target.host, wish.target.port);
        if !self.0.names.borrow().allows(host, port) {
            self.refused(host, port);
            let host = host.escape_debug();
            let why = format!("{host}:{port} is not among the hosts that the user of Caisson allowed.");
            return Err(("403 Forbidden", why));
        }
        self.connect(&wish.target).await.map_err(|(why, detail)| match why {
            Refusal::Forbidden => ("403 Forbidden", detail),
            Refusal::Unresolved | Refusal::Unreachable => ("502 Bad Gateway", detail),
        })
    }
}

async fn deny(mut client: TcpStream, (status, why): Denial) -> std::io::Result<()> {
    let reply = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\r\n{why}\n",
        why.len() + 1
    );
    client.write_all(reply.as_bytes()).await?;
    client.shutdown().await?;
    // Read to the end: closing with bytes unread would take the reply back.
    tokio::io::copy(&mut client.take(1 << 20), &mut tokio::io::sink()).await.map(drop)
}
