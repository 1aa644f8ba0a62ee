//! A Unix socket where Caisson and an airlock meet, in place of the attachment: neither the engine's service nor its
//! monitor then stands in the way of a byte. See `docs/adr/0005-a-socket-in-place-of-the-attachment.md`.
//!
//! It lies in a folder of its own that the container sees read-only, and that nobody but the user can reach
//! otherwise. It is gone before the server's first process starts: one connection is taken, the airlock's.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use tokio::{net::UnixListener, time::timeout};

use super::{EngineFacts, IdMapping, Pipe};
use crate::{
    egress::{BytesOnly, Hatch},
    sandbox::Plan,
};

// Short: a socket's path may have some hundred bytes.
const NAME: &str = "sock";
/// A container that was started has a running airlock long before.
const PATIENCE: Duration = Duration::from_secs(2);
/// Runtimes whose containers run on the engine's own kernel, where a socket is a socket.
const SHARING: [&str; 2] = ["runc", "crun"];

/// Whether airlocks are met at sockets on one engine, and where.
#[derive(Debug)]
pub(super) struct Meetings {
    /// The folder of the sockets' folders; none where no meeting is wanted.
    parent: Option<PathBuf>,
    /// Whether the first meeting came about.
    works: OnceLock<bool>,
}

impl Meetings {
    pub(super) fn new(parent: Option<PathBuf>) -> Self {
        Self { parent, works: OnceLock::new() }
    }

    /// A meeting for the container of a plan, where one may come about.
    pub(super) fn prepare(&self, plan: &Plan, facts: &EngineFacts) -> Option<Meeting> {
        let parent = self.parent.as_ref()?;
        let runtime = plan.runtime().unwrap_or(&facts.default_runtime);
        let one_kernel = facts.ids != IdMapping::Virtual && SHARING.contains(&runtime);
        if !one_kernel || self.works.get() == Some(&false) {
            return None;
        }
        let meeting = Meeting::prepare(parent);
        meeting.inspect_err(|error| tracing::debug!(%error, "no socket in place of the attachment")).ok()
    }

    /// Remembers how a meeting went; the first says whether others are tried.
    pub(super) fn remember(&self, met: bool) {
        if !self.works.get_or_init(|| met) && !met {
            tracing::info!(
                "this engine's containers do not reach a socket of this machine: they are attached to"
            );
        }
    }

    /// Whether a failure may be the meeting's fault: none has come about before.
    pub(super) fn suspect(&self) -> bool {
        self.works.get() != Some(&true)
    }
}

/// A socket that waits for one airlock. Dropped, it and its folder are gone.
#[derive(Debug)]
pub(super) struct Meeting {
    folder: PathBuf,
    listener: UnixListener,
}

impl Meeting {
    fn prepare(parent: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let folder = parent.join(format!("{:08x}", getrandom::u32().map_err(io::Error::other)?));
        fs::create_dir(&folder)?;
        let listening = || {
            let path = folder.join(NAME);
            let listener = UnixListener::bind(&path)?;
            // For whatever user id the airlock has. Nobody else gets through the folder above.
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
            fs::set_permissions(&path, Permissions::from_mode(0o666))?;
            Ok(listener)
        };
        match listening() {
            Ok(listener) => Ok(Self { folder, listener }),
            Err(error) => {
                remove(&folder);
                Err(error)
            }
        }
    }

    /// The folder to show to the container.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The socket's path where its folder is seen as `inside`.
    pub(super) fn socket_in(inside: &str) -> String {
        format!("{inside}/{NAME}")
    }

    /// Waits for the airlock; not for long. Speaks to it first, one byte, and with that hands over a hatch, if it can.
    pub(super) async fn meet(self) -> Option<(Box<dyn Pipe>, Option<Hatch>)> {
        let accepted = timeout(PATIENCE, self.listener.accept()).await;
        let pipe = accepted.ok()?.ok()?.0;
        let hatch = Hatch::open().and_then(|(hatch, inside)| {
            Hatch::introduce(&pipe, &inside)?;
            Ok(hatch)
        });
        let hatch = match hatch {
            Ok(hatch) => Some(hatch),
            Err(error) => {
                tracing::debug!(%error, "no hatch beside the pipe");
                pipe.try_write(&[0]).ok()?;
                None
            }
        };
        Some((Box::new(BytesOnly::new(pipe)), hatch))
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    drop(fs::remove_file(folder.join(NAME)));
    drop(fs::remove_dir(folder));
}
