//! What the host lays out so that a container could find it, if it could: a file, a port on loopback, a socket without
//! a file. Gone when dropped.

use std::{
    io,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use caisson_wire::probe::Ground;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};

/// The decoys that are laid out.
pub(super) struct Decoys {
    _folder: TempDir,
    /// Who listens; ends with this.
    _listening: JoinSet<()>,
    taken: Arc<AtomicUsize>,
}

impl Decoys {
    /// Lays out the decoys, the file beneath `scratch`, and tells the ground where they are.
    pub(super) async fn lay_out(scratch: &Path, ground: &mut Ground) -> io::Result<Self> {
        let scratch = scratch.to_owned();
        let folder = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&scratch)?;
            let folder = tempfile::Builder::new().prefix("verify-").tempdir_in(&scratch)?;
            std::fs::File::create_new(folder.path().join("decoy"))?;
            Ok::<_, io::Error>(folder)
        });
        let folder = folder.await.map_err(io::Error::other)??;
        ground.decoy_file = Some(folder.path().join("decoy").display().to_string());

        let taken = Arc::new(AtomicUsize::new(0));
        let mut listening = JoinSet::new();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ground.decoy_port = Some(listener.local_addr()?.port());
        let count = taken.clone();
        listening.spawn(async move {
            loop {
                match listener.accept().await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                    // Out of descriptors, say: not to be tried in a loop without a pause.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                }
            }
        });
        abstract_socket(ground, &taken, &mut listening)?;
        Ok(Self { _folder: folder, _listening: listening, taken })
    }

    /// How many connections were taken so far.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(target_os = "linux")]
fn abstract_socket(
    ground: &mut Ground,
    taken: &Arc<AtomicUsize>,
    listening: &mut JoinSet<()>,
) -> io::Result<()> {
    use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};

    let nonce = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    let name = format!("caisson-decoy-{nonce:016x}");
    let address = SocketAddr::from_abstract_name(&name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    ground.decoy_socket = Some(name);
    let count = taken.clone();
    listening.spawn(async move {
        loop {
            match listener.accept().await {
                Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    });
    Ok(())
}

/// Only Linux has sockets without a file.
#[cfg(not(target_os = "linux"))]
fn abstract_socket(_: &mut Ground, _: &Arc<AtomicUsize>, _: &mut JoinSet<()>) -> io::Result<()> {
    Ok(())
}

/// The namespaces of Caisson itself; none where the engine does not share this kernel.
pub(super) fn own_namespaces() -> Vec<String> {
    let link = |kind| std::fs::read_link(format!("/proc/self/ns/{kind}")).ok();
    ["ipc", "mnt", "net", "pid", "uts"]
        .into_iter()
        .filter_map(link)
        .map(|to| to.display().to_string())
        .collect()
}
