use std::collections::BTreeMap;

use super::*;
use crate::{
    engine::{EngineFacts, EngineKind, IdMapping, LimitsEnforced},
    model::{
        FolderGrant, LifeSettings, Limits, MemorySize, Permissions, SecretGrant, SecretPlace, Server, Source,
        Transport, Workspace, WorkspacePer,
    },
};

const ADA: UserIds = UserIds { uid: 1000, gid: 1000 };
const HOME_ID: &str = "K7q9-x2v8m4t1";

fn facts(kind: EngineKind, ids: IdMapping) -> EngineFacts {
    EngineFacts {
        kind,
        version: "1".into(),
        api_version: "1.41".into(),
        rootless: matches!(ids, IdMapping::KeepId | IdMapping::RootIsUser),
        cgroup_version: 2,
        cgroup_driver: "systemd".into(),
        ids,
        runtimes: vec!["runc".into(), "runsc".into()],
        default_runtime: "runc".into(),
        arch: "amd64".into(),
        os: "linux".into(),
        cpus: 4,
        memory: 8 << 30,
        max_files: 20_000,
        max_processes: 32_768,
        limits: LimitsEnforced { memory: true, pids: true, cpu: true },
        remote: false,
    }
}

pub(in crate::sandbox) fn docker() -> EngineFacts {
    facts(EngineKind::Docker, IdMapping::Shared)
}

fn server() -> Server {
    Server {
        source: Source::Example,
        image: Digest::of(b"image"),
        command: vec!["/server".into()],
        env: BTreeMap::new(),
        workdir: None,
        transport: Transport::Stdio,
        permissions: Permissions::default(),
        limits: Limits::default(),
        life: LifeSettings::default(),
    }
}

fn granted(write: bool) -> Folders {
    let grant = FolderGrant { host: "/home/ada/notes".into(), inside: "/workspace/input".into(), write };
    Folders::unchecked(vec![grant])
}

fn plan(server: &Server, folders: &Folders, facts: &EngineFacts) -> Result<Plan, PlanError> {
    Plan::for_server(&"notes".parse().unwrap(), server, folders, facts, ADA, HOME_ID)
}

#[test]
fn a_plan_that_grants_nothing() {
    let plan = plan_of_nothing();
    insta::assert_json_snapshot!("nothing_granted", plan);
    insta::assert_snapshot!("nothing_granted_explained", explained(&plan));
}

/// A server that was granted something of each kind.
pub(in crate::sandbox) fn server_of_everything() -> Server {
    let mut server = server();
    server.permissions = Permissions {
        blocked: Vec::new(),
        hosts: vec!["api.example.com".parse().unwrap(), "db.example.com:5432".parse().unwrap()],
        folders: Vec::new(),
        secrets: vec![SecretGrant { name: "API_KEY".parse().unwrap(), place: SecretPlace::File }],
        state: Some("/data".into()),
        workspace: None,
        root: false,
        runtime: Some("runsc".into()),
    };
    server.limits.cpus = 16.0;
    server.limits.files = 50_000;
    server
}

/// Its plan, on an engine that enforces no limit; its folder may be written or only read.
pub(in crate::sandbox) fn plan_of_everything(write: bool) -> Plan {
    let mut facts = facts(EngineKind::Podman, IdMapping::KeepId);
    facts.limits = LimitsEnforced { memory: false, pids: false, cpu: false };
    plan(&server_of_everything(), &granted(write), &facts).unwrap()
}

/// The plan of a server that was granted nothing.
pub(in crate::sandbox) fn plan_of_nothing() -> Plan {
    plan(&server(), &Folders::default(), &docker()).unwrap()
}

#[test]
fn a_plan_that_grants_everything() {
    let plan = plan_of_everything(true);
    insta::assert_json_snapshot!("everything_granted", plan);
    insta::assert_snapshot!("everything_granted_explained", explained(&plan));
}

#[test]
fn a_plan_of_an_install() {
    let needs = InstallNeeds { image: Digest::of(b"base"), root: false, limits: InstallNeeds::limits() };
    let plan = Plan::for_install(&"notes".parse().unwrap(), &needs, &docker(), HOME_ID).unwrap();
    insta::assert_json_snapshot!("install", plan);
}

fn with_workspace(workspace: Workspace) -> Server {
    let mut server = server();
    server.permissions.workspace = Some(workspace);
    server
}

#[test]
fn a_plan_with_a_workspace() {
    let server = with_workspace(Workspace {
        input: Some("/home/ada/notes".into()),
        output: Some("/home/ada/out".into()),
        per: WorkspacePer::Session,
        size: MemorySize::mib(2048),
    });
    let plan = plan(&server, &granted(false), &docker()).unwrap();
    assert_eq!(plan.user(), ADA, "what is collected is the user's");
    insta::assert_json_snapshot!("workspace", plan);
    insta::assert_snapshot!("workspace_explained", explained(&plan));
}

#[test]
fn workspaces_that_cannot_be_are_refused() {
    let each = Workspace { per: WorkspacePer::Session, ..Workspace::default() };
    let mut http = with_workspace(each);
    http.transport = Transport::Http { port: 80, path: "/mcp".into() };
    let refused = |server: &Server, folders: &Folders, facts: &EngineFacts| plan(server, folders, facts);
    let none = Folders::default();
    assert!(matches!(refused(&http, &none, &docker()), Err(PlanError::SessionsShareAProcess)));

    let mut root = with_workspace(Workspace::default());
    root.permissions.root = true;
    assert!(matches!(refused(&root, &none, &docker()), Err(PlanError::RootsWorkspace)));
    let rootless = facts(EngineKind::Podman, IdMapping::KeepId);
    assert_eq!(refused(&root, &none, &rootless).unwrap().user(), UserIds { uid: 0, gid: 0 });

    let mut state = with_workspace(Workspace::default());
    for (inside, clashes) in [
        ("/workspace", true),
        ("/workspace/output", true),
        ("/workspace/output/deep", true),
        ("/workspace/tmp/x", true),
        ("/workspace/outputs", false),
        ("/workspace/notes", false),
    ] {
        state.permissions.state = Some(inside.into());
        let clash = matches!(refused(&state, &none, &docker()), Err(PlanError::Clash(_)));
        assert_eq!(clash, clashes, "{inside}");
    }
}

#[test]
fn what_copies_sees_what_it_copies_and_nothing_else() {
    let server = with_workspace(Workspace::default());
    let name = "notes".parse().unwrap();
    let (from, to) = ("caisson-output-x-notes".to_owned(), "caisson-snapshot-x-y.notes".to_owned());
    let facts = facts(EngineKind::Podman, IdMapping::KeepId);
    let plan = |moved| Plan::for_files(&name, &server, moved, &facts, ADA, HOME_ID).unwrap();
    let out = plan(Moved::Out { from: from.clone(), to: granted(true) });
    insta::assert_json_snapshot!("files", out);
    let across = plan(Moved::Across { from: from.clone(), to: to.clone() });
    let mounts: Vec<_> =
        across.volumes().iter().map(|volume| (volume.inside.as_str(), volume.read_only)).collect();
    assert_eq!((mounts, across.binds().len()), (vec![("/from", true), ("/to", false)], 0));
    let seen = plan(Moved::Seen { from });
    assert_eq!((seen.volumes().len(), seen.volumes()[0].read_only, seen.binds().len()), (1, true, 0));
    for plan in [out, across, seen] {
        assert_eq!((plan.user(), plan.user_namespace()), (ADA, UserNamespace::KeepId));
        assert!(plan.read_only_root() && plan.auto_remove() && plan.hosts().is_empty());
        assert_eq!(plan.network(), Network::None);
    }
}

fn explained(plan: &Plan) -> String {
    let line = |line: PlanLine| format!("{:<20}{}\n{:<20}  {}\n", line.what, line.value, "", line.why);
    plan.explain().into_iter().map(line).collect()
}

#[test]
fn who_the_server_is_inside() {
    let nobody = UserIds { uid: 65532, gid: 65532 };
    let root = UserIds { uid: 0, gid: 0 };
    let (none, some) = (Folders::default(), granted(false));
    for (ids, folders, as_root, user, meant, namespace) in [
        (IdMapping::Shared, &none, false, ADA, nobody, UserNamespace::Engine),
        (IdMapping::KeepId, &none, false, ADA, nobody, UserNamespace::Engine),
        (IdMapping::RootIsUser, &none, false, ADA, nobody, UserNamespace::Engine),
        (IdMapping::Virtual, &none, false, ADA, nobody, UserNamespace::Engine),
        (IdMapping::Shared, &some, false, ADA, ADA, UserNamespace::Engine),
        (IdMapping::KeepId, &some, false, ADA, ADA, UserNamespace::KeepId),
        (IdMapping::RootIsUser, &some, false, ADA, root, UserNamespace::Engine),
        (IdMapping::Virtual, &some, false, ADA, ADA, UserNamespace::Engine),
        (IdMapping::Shared, &some, false, root, root, UserNamespace::Engine),
        (IdMapping::KeepId, &some, false, root, root, UserNamespace::Engine),
        (IdMapping::Shared, &none, false, root, nobody, UserNamespace::Engine),
        (IdMapping::Shared, &some, true, ADA, root, UserNamespace::Engine),
        (IdMapping::KeepId, &none, true, ADA, root, UserNamespace::Engine),
    ] {
        let mut server = server();
        server.permissions.root = as_root;
        let facts = facts(EngineKind::Docker, ids);
        let name = "notes".parse().unwrap();
        let plan = Plan::for_server(&name, &server, folders, &facts, user, HOME_ID).unwrap();
        assert_eq!((plan.user(), plan.user_namespace()), (meant, namespace), "{ids:?} {as_root} {user:?}");
        let told = plan.warnings().iter().any(|warning| warning.contains("root"));
        assert_eq!(told, meant == root && (as_root || user == root), "{ids:?} {as_root} {user:?}");
    }
}

#[test]
fn whatever_is_granted_the_rest_stays_closed() {
    let mut open = server();
    open.permissions.root = true;
    open.permissions.hosts = vec!["a.example".parse().unwrap()];
    open.permissions.state = Some("/data".into());
    for facts in [docker(), facts(EngineKind::Podman, IdMapping::KeepId)] {
        let plan = plan(&open, &granted(true), &facts).unwrap();
        assert_eq!(plan.network(), Network::None);
        assert_eq!(plan.cap_drop(), ["ALL"]);
        assert!(plan.no_new_privileges() && plan.read_only_root() && plan.auto_remove());
        assert_eq!(plan.memory(), plan.memory_swap());
        assert_eq!(plan.entrypoint(), ["/caisson/airlock"]);
    }
}

#[test]
fn limits_nothing_can_run_within_are_refused() {
    let set = |change: &dyn Fn(&mut Limits)| {
        let mut server = server();
        change(&mut server.limits);
        plan(&server, &Folders::default(), &docker())
    };
    for (what, refused) in [
        ("memory", set(&|limits| limits.memory = MemorySize::mib(4))),
        ("processes", set(&|limits| limits.processes = 1)),
        ("files", set(&|limits| limits.files = 3)),
        ("cpus", set(&|limits| limits.cpus = 0.0)),
        ("cpus", set(&|limits| limits.cpus = -1.0)),
        ("cpus", set(&|limits| limits.cpus = f64::NAN)),
        ("cpus", set(&|limits| limits.cpus = f64::INFINITY)),
    ] {
        assert!(matches!(refused, Err(PlanError::Limit { what: of, .. }) if of == what), "{what}");
    }
    assert_eq!(set(&|limits| limits.cpus = 0.5).unwrap().nano_cpus(), 500_000_000);
}

#[test]
fn nothing_lies_on_another_thing_or_where_it_must_not() {
    let state = |path: &str, folders: &Folders| {
        let mut server = server();
        server.permissions.state = Some(path.into());
        plan(&server, folders, &docker())
    };
    assert!(
        matches!(state("/workspace/input", &granted(false)), Err(PlanError::Clash(at)) if at == "/workspace/input")
    );
    assert!(matches!(state("/caisson/x", &Folders::default()), Err(PlanError::Inside { .. })));
    assert!(matches!(state("/tmp", &Folders::default()), Err(PlanError::Inside { .. })));
    let plan = state("/home/server/.data", &Folders::default()).unwrap();
    assert_eq!(plan.volumes()[0].name, "caisson-state-k7q9x2v8-notes");
}

#[test]
fn what_the_engine_does_not_have_is_said() {
    let mut server = server();
    server.permissions.runtime = Some("kata".into());
    let error = plan(&server, &Folders::default(), &docker()).unwrap_err().to_string();
    assert!(error.contains("\"kata\"") && error.contains("runc, runsc"), "{error}");
    let mut far = docker();
    far.remote = true;
    let error = plan(&self::server(), &granted(false), &far).unwrap_err();
    assert!(matches!(error, PlanError::RemoteFolders));
}

#[test]
fn the_hash_tells_plans_apart_and_not_their_containers() {
    let plan_of = |server: &Server| plan(server, &Folders::default(), &docker()).unwrap();
    let one = plan_of(&server());
    assert_eq!(one.hash(), plan_of(&server()).hash());
    let named = one.clone().with_nonce("abc");
    assert_eq!((named.hash(), named.container_name().as_str()), (one.hash(), "caisson-k7q9x2v8-notes-abc"));
    assert_eq!(one.labels()["dev.caisson.plan"], one.hash().to_string());
    let mut other = server();
    other.permissions.hosts = vec!["a.example".parse().unwrap()];
    assert_ne!(plan_of(&other).hash(), one.hash());
}
