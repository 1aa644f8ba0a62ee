//! The bytes between Caisson and a container's first process.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream each way. Dropping it ends the container's first process.
pub trait Pipe: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static> Pipe for T {}
