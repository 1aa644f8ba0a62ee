//! Workspaces: the folders a server works in, and the containers that copy what is in them.

use super::{
    Bind, Folders, Plan, PlanError, PlanKind, Tmpfs, UserIds, VolumeMount,
    build::{base, finish, short, user_inside},
};
use crate::{
    engine::EngineFacts,
    model::{Limits, MemorySize, Server, ServerName, SnapshotName, Transport, Workspace, WorkspacePer},
};

/// Room for the links in the folders of sessions.
const SESSIONS_SIZE: u64 = 1 << 20;
/// Where a container that copies sees what it reads.
const FROM: &str = "/from";
/// Where it sees what it writes.
const TO: &str = "/to";

/// What a container of [`PlanKind::Files`] reads and writes.
#[derive(Clone, Debug)]
pub(in crate::sandbox) enum Moved {
    /// It counts what is in a volume.
    Seen { from: String },
    /// It copies a volume into an empty folder of the user's, which was resolved and found harmless.
    Out { from: String, to: Folders },
    /// It copies a volume into another.
    Across { from: String, to: String },
}

impl Moved {
    /// Where the container sees what it reads.
    pub(in crate::sandbox) const FROM: &'static str = FROM;
    /// Where the container sees what it writes.
    pub(in crate::sandbox) const TO: &'static str = TO;
}

impl Plan {
    /// The plan of a container that copies files of a server's workspace: as closed as a server's, as the same user,
    /// and with what it reads and writes alone. It runs the airlock's own program, and nothing of the server's.
    ///
    /// # Errors
    /// When the engine cannot hold what every plan asks of it.
    pub(in crate::sandbox) fn for_files(
        name: &ServerName,
        server: &Server,
        moved: Moved,
        facts: &EngineFacts,
        user: UserIds,
        home_id: &str,
    ) -> Result<Self, PlanError> {
        let limits = Limits {
            memory: MemorySize::mib(256),
            cpus: 1.0,
            processes: 32,
            files: 1024,
            scratch: MemorySize::mib(1),
        };
        let mut plan = base(PlanKind::Files, name, server.image.clone(), &limits, facts, home_id)?;
        (plan.user, plan.user_namespace) = user_inside(server.permissions.root, true, facts.ids, user);
        let volume =
            |name, inside: &str, read_only| VolumeMount { name, inside: inside.to_owned(), read_only };
        match moved {
            Moved::Seen { from } => plan.volumes.push(volume(from, FROM, true)),
            Moved::Out { from, to } => {
                if facts.remote {
                    return Err(PlanError::RemoteFolders);
                }
                plan.volumes.push(volume(from, FROM, true));
                plan.binds = to
                    .iter()
                    .map(|to| Bind { host: to.host.clone(), inside: TO.to_owned(), write: true })
                    .collect();
            }
            Moved::Across { from, to } => {
                plan.volumes = vec![volume(from, FROM, true), volume(to, TO, false)];
            }
        }
        finish(plan)
    }

    /// Adds the folders of a workspace; its input stands among the server's folders already.
    pub(super) fn add_workspace(
        &mut self,
        workspace: &Workspace,
        transport: &Transport,
        scratch: MemorySize,
        home_id: &str,
    ) -> Result<(), PlanError> {
        let others = self.binds.iter().map(|bind| &bind.inside);
        let others = others.chain(self.volumes.iter().map(|volume| &volume.inside));
        if let Some(clash) = others.into_iter().find(|inside| is_within(inside)) {
            return Err(PlanError::Clash(clash.clone()));
        }
        let mut tmpfs = |path: &str, size| {
            self.tmpfs.push(Tmpfs { path: path.to_owned(), size, exec: false });
        };
        tmpfs(Workspace::TMP, scratch.bytes());
        match (workspace.per, transport) {
            (WorkspacePer::Server, _) => {}
            (WorkspacePer::Session, Transport::Stdio) => tmpfs(Workspace::SESSIONS, SESSIONS_SIZE),
            (WorkspacePer::Session, Transport::Http { .. }) => return Err(PlanError::SessionsShareAProcess),
        }
        let name = output_volume(&self.server, home_id);
        self.volumes.push(VolumeMount { name, inside: Workspace::OUTPUT.to_owned(), read_only: false });
        self.workspace = Some(workspace.clone());
        Ok(())
    }
}

/// Whether a place inside would hide the workspace's folders, or lie within one of them.
fn is_within(inside: &str) -> bool {
    let own = [Workspace::INPUT, Workspace::OUTPUT, Workspace::TMP, Workspace::SESSIONS];
    let beneath = |own: &&str| inside.strip_prefix(*own).is_some_and(|rest| rest.starts_with('/'));
    inside == Workspace::ROOT || own.iter().any(beneath)
}

/// The volume with what a server has put out.
pub(in crate::sandbox) fn output_volume(name: &ServerName, home_id: &str) -> String {
    format!("caisson-output-{}-{name}", short(home_id))
}

/// The volume of a snapshot.
pub(in crate::sandbox) fn snapshot_volume(
    name: &ServerName,
    snapshot: &SnapshotName,
    home_id: &str,
) -> String {
    format!("{}{snapshot}.{name}", snapshots(home_id))
}

/// The snapshot of the server that a volume holds, by the volume's name.
pub(in crate::sandbox) fn snapshot_of(
    volume: &str,
    name: &ServerName,
    home_id: &str,
) -> Option<SnapshotName> {
    let (snapshot, of) = volume.strip_prefix(&snapshots(home_id))?.split_once('.')?;
    if of == name.as_str() { snapshot.parse().ok() } else { None }
}

fn snapshots(home_id: &str) -> String {
    format!("caisson-snapshot-{}-", short(home_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_of_one_snapshot_of_one_server() {
        let server = |name: &str| name.parse::<ServerName>().unwrap();
        let volume = snapshot_volume(&server("a.b-c"), &"x-1".parse().unwrap(), "home");
        assert_eq!(volume, "caisson-snapshot-home-x-1.a.b-c");
        assert_eq!(snapshot_of(&volume, &server("a.b-c"), "home"), Some("x-1".parse().unwrap()));
        for (other, home) in [("b-c", "home"), ("a", "home"), ("a.b-c", "away")] {
            assert_eq!(snapshot_of(&volume, &server(other), home), None, "{other} {home}");
        }
        assert_eq!(snapshot_of("caisson-output-home-a.b-c", &server("a.b-c"), "home"), None);
    }
}
