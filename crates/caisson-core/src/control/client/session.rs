use std::{io, path::Path};

use tokio::io::{AsyncWriteExt, BufReader};

use super::gone;
use crate::control::{
    LONGEST_LINE,
    api::{ApiError, OpenSession, Request},
    lines::LineReader,
    message::{self, FromServer, RequestOut},
    socket::{self, ReadHalf, WriteHalf},
};

/// A connection that has become an MCP session: what is written and read are its messages, one a line.
#[derive(Debug)]
pub struct SessionStream {
    /// Messages of the server.
    pub reader: BufReader<ReadHalf>,
    /// Messages to the server. Shutting it down ends the server's input.
    pub writer: WriteHalf,
}

impl SessionStream {
    /// Opens a session over a connection of its own. The outer error says that nothing listens on `socket`.
    ///
    /// # Errors
    /// When no process answers, or it refuses.
    pub async fn open(socket: &Path, params: &OpenSession) -> io::Result<Result<Self, ApiError>> {
        let (reader, mut writer) = socket::connect(socket).await?;
        writer.write_all(&message::line(&RequestOut::new(1, OpenSession::METHOD, params))).await?;
        let mut lines = LineReader::new(reader, LONGEST_LINE);
        let answer = match lines.next().await {
            Ok(Some(line)) => serde_json::from_slice::<FromServer<'_>>(line).ok(),
            Ok(None) | Err(_) => None,
        };
        Ok(match answer {
            Some(FromServer { error: Some(error), .. }) => Err(error.into()),
            Some(FromServer { result: Some(_), .. }) => Ok(Self { reader: lines.into_inner(), writer }),
            _ => Err(gone()),
        })
    }
}
