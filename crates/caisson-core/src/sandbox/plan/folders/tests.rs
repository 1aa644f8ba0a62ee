use std::collections::BTreeMap;

use super::*;

fn places() -> Places {
    Places {
        home: "/home/ada".into(),
        own: vec!["/home/ada/.config/caisson".into(), "/srv/run/docker.sock".into()],
    }
}

fn why(folder: &str) -> Option<String> {
    Closed::new(&places(), |_| None).why(Path::new(folder))
}

#[test]
fn ordinary_folders_may_be_granted() {
    for folder in [
        "/home/ada/projects",
        "/home/ada/projects/caisson/src",
        "/home/ada/Documents",
        "/home/ada/.cargo/registry",
        "/home/ada/.sshx",
        "/home/ada/.config/nvim",
        "/srv/data",
        "/srv/run/other",
        "/var/www",
        "/tmp/work",
        "/opt/data",
        "/mnt/disk",
        "/Users/ada/code",
        "/etcetera",
        "/home/bob/shared",
        "/home/ada/Library/Fonts",
    ] {
        assert_eq!(why(folder), None, "{folder}");
    }
}

#[test]
fn what_gives_more_than_a_folder_is_refused() {
    for folder in [
        "/",
        "/home",
        "/home/ada",
        "/HOME/ADA",
        "/root",
        "/etc",
        "/etc/ssl",
        "/proc",
        "/proc/1",
        "/sys",
        "/dev/shm",
        "/boot",
        "/var",
        "/usr",
        "/run",
        "/run/podman",
        "/run/user/1000",
        "/var/run",
        "/var/lib/docker/volumes",
        "/tmp",
        // What lies in a closed place.
        "/home/ada/.ssh",
        "/home/ada/.SSH",
        "/home/ada/.ssh/keys",
        "/home/ada/.gnupg",
        "/home/ada/.aws",
        "/home/ada/.config/gcloud/logs",
        "/home/ada/.kube",
        "/home/ada/.docker/run",
        "/home/ada/.mozilla/firefox",
        "/home/ada/.config/google-chrome/Default",
        "/home/ada/Library/Application Support/Google/Chrome",
        "/home/ada/AppData/Local/Microsoft/Edge/User Data",
        "/home/ada/.password-store",
        "/home/ada/Library/Safari",
        "/home/ada/.local/share/keyrings",
        "/home/ada/.config/caisson/servers",
        "/home/ada/.config/Claude",
        // What contains one.
        "/home/ada/.config",
        "/home/ada/.local",
        "/home/ada/.local/share",
        "/home/ada/.cargo",
        "/home/ada/Library",
        "/home/ada/AppData",
        "/home/ada/snap",
        "/srv/run",
        "/srv",
        // Another's, or a copy.
        "/home/bob/.ssh",
        "/mnt/backup/ada/.aws/x",
    ] {
        assert!(why(folder).is_some(), "{folder}");
    }
}

#[test]
fn the_reason_names_what_is_in_the_way() {
    let reason = |folder| why(folder).unwrap_or_default();
    assert!(reason("/home/ada/.config").contains("it contains"), "{}", reason("/home/ada/.config"));
    assert!(reason("/home/ada/.docker/run").contains("it lies in"), "{}", reason("/home/ada/.docker/run"));
    assert_eq!(reason("/home/ada"), "it is the home folder");
}

#[test]
fn a_closed_place_that_is_a_symlink_closes_what_it_leads_to() {
    let links = BTreeMap::from([("/home/ada/.ssh", "/data/ssh"), ("/home/ada", "/export/ada")]);
    let resolve = |path: &Path| links.get(path.to_str()?).map(PathBuf::from);
    let closed = Closed::new(&places(), resolve);
    for folder in ["/data/ssh", "/data/ssh/old", "/data", "/export/ada", "/export"] {
        assert!(closed.why(Path::new(folder)).is_some(), "{folder}");
    }
    assert_eq!(closed.why(Path::new("/data/code")), None);
}

fn grant(host: PathBuf) -> FolderGrant {
    FolderGrant { host, inside: "/workspace".into(), write: false }
}

#[cfg(unix)]
#[test]
fn grants_are_resolved_on_the_disk() {
    let disk = tempfile::tempdir().unwrap();
    let root = disk.path().canonicalize().unwrap();
    let home = root.join("home");
    for folder in ["home/.ssh/inner", "home/code", "home/real-aws"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(home.join(to), home.join(at)).unwrap();
    link(".ssh/inner", "harmless");
    link("code", "to-code");
    link("real-aws", ".aws");
    std::fs::File::create(home.join("file")).unwrap();
    let places = Places { home: home.clone(), own: Vec::new() };
    let resolve = |path: PathBuf| Folders::resolve(&[grant(path)], &places);

    let folders = resolve(home.join("to-code")).unwrap();
    assert_eq!(folders.iter().next().unwrap().host, home.join("code"), "the folder itself is mounted");
    for refused in ["harmless", ".ssh", "real-aws", "code/../.ssh", "."] {
        let error = resolve(home.join(refused)).unwrap_err();
        assert!(matches!(error, FolderError::Refused { .. }), "{refused}: {error}");
    }
    assert!(matches!(resolve(home.join("none")).unwrap_err(), FolderError::Missing(_)));
    assert!(matches!(resolve(home.join("file")).unwrap_err(), FolderError::NotAFolder(_)));
    assert!(matches!(resolve("code".into()).unwrap_err(), FolderError::Relative(_)));
}
