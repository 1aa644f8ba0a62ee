use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Reads lines of bounded length.
#[derive(Debug)]
pub struct LineReader<R> {
    from: BufReader<R>,
    /// What of the line has arrived. Kept here, so that dropping [`Self::next`]'s future loses nothing.
    line: Vec<u8>,
    /// Whether `line` was handed out and begins anew.
    taken: bool,
    longest: usize,
}

/// Why there is no further line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// A line is longer than allowed; where the next one begins is not known.
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    /// The stream ended inside a line.
    #[error("the connection ended in the middle of a line")]
    Cut,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads lines of at most `longest` bytes.
    pub fn new(from: R, longest: usize) -> Self {
        Self { from: BufReader::with_capacity(32 << 10, from), line: Vec::new(), taken: false, longest }
    }

    /// The next line that is not blank, without its end; none when the stream ended. Can be cancelled.
    ///
    /// # Errors
    /// When the stream fails, a line is too long, or the stream ends inside a line.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        if std::mem::take(&mut self.taken) {
            self.line.clear();
            // One large message shall not hold its memory for as long as the connection lives.
            self.line.shrink_to(64 << 10);
        }
        loop {
            let chunk = self.from.fill_buf().await?;
            if chunk.is_empty() {
                return if self.line.trim_ascii().is_empty() { Ok(None) } else { Err(LineError::Cut) };
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if self.line.len() + part.len() > self.longest {
                return Err(LineError::TooLong(self.longest));
            }
            self.line.extend_from_slice(part);
            let consumed = part.len() + usize::from(end.is_some());
            self.from.consume(consumed);
            if end.is_some() {
                if self.line.trim_ascii().is_empty() {
                    self.line.clear();
                    continue;
                }
                self.taken = true;
                return Ok(Some(self.line.trim_ascii_end()));
            }
        }
    }

    /// The stream, with what was read ahead of the last line.
    pub fn into_inner(self) -> BufReader<R> {
        self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(bytes: &[u8], longest: usize) -> (Vec<String>, Option<LineError>) {
        let mut reader = LineReader::new(bytes, longest);
        let mut lines = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(line)) => lines.push(String::from_utf8_lossy(line).into_owned()),
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_told_apart_and_bounded() {
        let (lines, error) = all(b"a\r\n\n \nbc\n", 8).await;
        assert_eq!((lines, error.is_none()), (vec!["a".to_owned(), "bc".to_owned()], true));
        assert!(matches!(all(b"a\nhalf", 8).await.1, Some(LineError::Cut)));
        assert!(matches!(all(b"123456789\n", 8).await.1, Some(LineError::TooLong(8))));
        let endless = vec![b'x'; 1 << 20];
        assert!(matches!(all(&endless, 100).await.1, Some(LineError::TooLong(100))));
    }

    #[tokio::test]
    async fn a_cancelled_read_loses_nothing() {
        use tokio::io::AsyncWriteExt;
        let (mut near, far) = tokio::io::duplex(64);
        let mut reader = LineReader::new(far, 64);
        near.write_all(b"ab").await.unwrap();
        let wait = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(wait, reader.next()).await.is_err());
        near.write_all(b"cd\n").await.unwrap();
        assert_eq!(reader.next().await.unwrap(), Some(&b"abcd"[..]));
    }
}
