use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
};

use super::SessionStream;

/// An MCP session for plain threads, out of the async runtime: one reads, another writes.
#[derive(Debug)]
pub struct BlockingSession {
    /// Messages of the server.
    pub reader: SessionReader,
    /// Messages to the server.
    pub writer: SessionWriter,
}

/// Messages of the server.
#[derive(Debug)]
pub struct SessionReader(io::Chain<io::Cursor<Vec<u8>>, UnixStream>);

/// Messages to the server.
#[derive(Debug)]
pub struct SessionWriter(UnixStream);

impl SessionStream {
    /// Takes the session out of the async runtime, with what was read ahead.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn into_blocking(self) -> io::Result<BlockingSession> {
        let ahead = io::Cursor::new(self.reader.buffer().to_vec());
        let stream = self.reader.into_inner().reunite(self.writer).map_err(io::Error::other)?.into_std()?;
        stream.set_nonblocking(false)?;
        let writer = SessionWriter(stream.try_clone()?);
        Ok(BlockingSession { reader: SessionReader(ahead.chain(stream)), writer })
    }
}

impl SessionWriter {
    /// Tells the other side that no more comes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn end(self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl Read for SessionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for SessionWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
