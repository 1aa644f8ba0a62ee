//! Standard input and output. Pipes, as every client gives, are read without a thread of their own, whose waking would
//! take more time than most calls.

use std::{io, os::fd::AsFd as _};

use tokio::{
    io::{Join, join},
    net::unix::pipe,
};

/// Both as one stream, where both are pipes.
pub(crate) fn pipes() -> io::Result<Join<pipe::Receiver, pipe::Sender>> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(join(pipe::Receiver::from_owned_fd(input)?, pipe::Sender::from_owned_fd(output)?))
}
