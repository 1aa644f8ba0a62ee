//! Workspaces: folders of a session's own, and what is done with the files a server has left.
//!
//! Those files are hostile: links that lead elsewhere, pipes nobody writes to, names that mislead, a file that grows
//! while it is read. So each is reached from its folder's descriptor by one name, never by a path, and no link is
//! ever followed.

mod copy;
mod names;
mod rooms;
mod walk;

pub(crate) use copy::run;
pub(crate) use rooms::{Room, Rooms};
