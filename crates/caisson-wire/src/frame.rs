//! A frame: a length, four bytes big-endian, and so many bytes of JSON.

use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

/// The largest frame, in bytes: a launch with its secrets and files is the largest there is.
pub const LARGEST: usize = 4 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The pipe failed, or ended inside a frame.
    #[error("the pipe failed: {0}")]
    Io(#[from] std::io::Error),
    /// The other side announced more bytes than belong here.
    #[error("a frame of {0} bytes is too large")]
    TooLarge(usize),
    /// The bytes are not the message that belongs here.
    #[error("a frame is not what belongs here: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes one frame and flushes.
///
/// # Errors
/// When the pipe fails or the message is larger than [`LARGEST`].
pub async fn write<T: Serialize, W: AsyncWrite + Unpin>(to: &mut W, message: &T) -> Result<(), FrameError> {
    let json = Zeroizing::new(serde_json::to_vec(message)?);
    let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= LARGEST);
    let length = length.ok_or(FrameError::TooLarge(json.len()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4 + json.len()));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&json);
    to.write_all(&bytes).await?;
    Ok(to.flush().await?)
}

/// Reads one frame; none when the stream ended before it.
///
/// # Errors
/// When the pipe fails, ends inside the frame, or the frame is not a `T`.
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(from: &mut R) -> Result<Option<T>, FrameError> {
    read_within(from, LARGEST).await
}

/// As [`read`], of at most `most` bytes: a hostile side can open many streams, and make the reader hold so much on each.
///
/// # Errors
/// As [`read`] has them, and when the frame is larger.
pub async fn read_within<T: DeserializeOwned, R: AsyncRead + Unpin>(
    from: &mut R,
    most: usize,
) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        return Err(FrameError::TooLarge(length));
    }
    // Grows as bytes arrive: an announced length alone reserves nothing.
    let mut json = Zeroizing::new(Vec::with_capacity(length.min(16 << 10)));
    from.take(length as u64).read_to_end(&mut json).await?;
    if json.len() < length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Some(serde_json::from_slice(&json)?))
}
