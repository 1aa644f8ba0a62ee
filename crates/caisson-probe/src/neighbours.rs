//! What lives beside the container: the engine, other containers, the host's processes and sessions, Caisson itself.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr as UnixAddr, UnixStream},
    },
    path::{Path, PathBuf},
};

use caisson_wire::probe::{Finding, Ground};

use crate::{Probe, network::PATIENCE, status::none_of};

const ENGINES: [&str; 12] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/containerd.sock",
    "/run/crio/crio.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/run/snapd.sock",
    "/run/systemd/private",
    "/run/lxd.socket",
];

pub(crate) const PROBES: &[Probe] = &[
    ("engine-sockets", |_| {
        let mut paths: Vec<PathBuf> = ENGINES.iter().map(PathBuf::from).collect();
        paths.extend(users().into_iter().flat_map(|user| {
            ["podman/podman.sock", "docker.sock", "containerd-rootless"].map(|socket| user.join(socket))
        }));
        absent(&paths, "no socket of an engine is there")
    }),
    ("engine-ports", |_| {
        let open = [2375u16, 2376, 2377, 4243, 5000, 8443, 10250].into_iter().filter(|port| {
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], *port)), PATIENCE).is_ok()
        });
        let open: Vec<_> = open.map(|port| format!("127.0.0.1:{port}")).collect();
        none_of(&open, "nobody answers on an engine's usual ports", "somebody answers on")
    }),
    ("caisson-files", |ground| {
        let paths: Vec<PathBuf> = ground.absent.iter().map(PathBuf::from).collect();
        absent(&paths, "neither Caisson's files nor its control socket are there")
    }),
    ("keychain", |_| {
        let mut paths: Vec<PathBuf> = ["/run/dbus/system_bus_socket", "/tmp/.X11-unix", "/run/user/0/bus"]
            .iter()
            .map(PathBuf::from)
            .collect();
        paths.extend(users().into_iter().flat_map(|user| {
            ["bus", "keyring/control", "gnupg/S.gpg-agent", "ssh-agent.socket", "wayland-0"]
                .map(|it| user.join(it))
        }));
        absent(&paths, "no session bus, keyring, agent or display is there")
    }),
    ("abstract-socket", abstract_socket),
    ("abstract-list", |_| {
        let Ok(table) = fs::read_to_string("/proc/self/net/unix") else {
            return Finding::held("the list of sockets cannot be read");
        };
        let named = table
            .lines()
            .filter_map(|line| line.split_whitespace().nth(7))
            .filter(|name| name.starts_with('@'));
        let named: Vec<_> = named.map(|name| name.escape_debug().to_string()).collect();
        none_of(&named, "no abstract socket is there", "abstract sockets are there")
    }),
    ("host-processes", |_| processes()),
    ("host-memory", |_| {
        let table = |name: &str| fs::read_to_string(format!("/proc/sysvipc/{name}")).unwrap_or_default();
        let shared: Vec<_> = ["shm", "sem", "msg"]
            .into_iter()
            .filter(|name| table(name).lines().nth(1).is_some())
            .map(|name| format!("/proc/sysvipc/{name}"))
            .collect();
        none_of(&shared, "there is no shared memory, semaphore or queue", "others' are listed in")
    }),
    ("own-namespaces", namespaces),
    ("host-name", |ground| {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if name == ground.hostname {
            Finding::held(format!("the host name is {name:?}, as in every caisson"))
        } else {
            Finding::broken(format!("the host name is {name:?}"))
        }
    }),
];

/// The folders of logged-in users: those that are there, and the usual ones.
fn users() -> Vec<PathBuf> {
    let found = fs::read_dir("/run/user").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut users: Vec<_> = found.collect();
    users.extend(["/run/user/0", "/run/user/1000"].map(PathBuf::from));
    users.sort();
    users.dedup();
    users
}

/// Whether a path is there, even one that may not be looked at.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES)),
    }
}

fn absent(paths: &[PathBuf], held: &str) -> Finding {
    let there: Vec<_> =
        paths.iter().filter(|path| is_there(path)).map(|path| path.display().to_string()).collect();
    none_of(&there, held, "these are there")
}

fn abstract_socket(ground: &Ground) -> Finding {
    let Some(name) = &ground.decoy_socket else {
        return Finding::not_applicable("the host laid out no decoy: it has no abstract sockets");
    };
    let connected = UnixAddr::from_abstract_name(name).and_then(|address| UnixStream::connect_addr(&address));
    match connected {
        Ok(_) => Finding::broken("an abstract socket of the host took the connection"),
        Err(error) => Finding::held(format!("the host's abstract socket was not found: {error}")),
    }
}

/// Every process but the airlock and the probes themselves.
fn processes() -> Finding {
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse::<u32>().ok()?;
        let name = fs::read_to_string(format!("/proc/{number}/comm")).ok()?;
        Some((number, name.trim().escape_debug().to_string()))
    });
    let mut seen = 0;
    let others: Vec<_> = names
        .inspect(|_| seen += 1)
        // What is run by way of /proc/self/exe has that name.
        .filter(|(_, name)| !["airlock", "exe"].contains(&name.as_str()) && !name.starts_with("probe"))
        .map(|(number, name)| format!("{name} ({number})"))
        .collect();
    none_of(&others, format!("{seen} processes are seen, all of this container"), "other processes are seen")
}

fn namespaces(ground: &Ground) -> Finding {
    if ground.own_kernel {
        return Finding::not_applicable("gVisor numbers its namespaces by itself");
    }
    if ground.host_namespaces.is_empty() {
        return Finding::not_applicable("this machine's own namespaces are not known");
    }
    let links =
        ["ipc", "mnt", "net", "pid", "uts"].map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")));
    let shared: Vec<_> = links
        .into_iter()
        .flatten()
        .map(|link| link.display().to_string())
        .filter(|link| ground.host_namespaces.contains(link))
        .collect();
    none_of(&shared, "none of five namespaces is the host's", "these are the host's own")
}
