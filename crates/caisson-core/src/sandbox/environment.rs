//! What a server is given at launch: its command, environment and files. Pure.

use std::collections::BTreeMap;

use caisson_wire::{Command, FileMode, LaunchFile, SecretBytes};

use super::{HOME, authorities::Given, vessel::ImageSettings};
use crate::model::{SecretName, SecretPlace, Server, Workspace};

/// The airlock's HTTP proxy (DESIGN §4).
const PROXY: &str = "http://127.0.0.1:3128";
/// The variable that tells a server where its workspace is.
pub(super) const WORKSPACE: &str = "CAISSON_WORKSPACE";
/// What no proxy is needed for.
const DIRECT: &str = "localhost,127.0.0.1,::1";

/// Defaults that hold in every container, an install's too. `hosts`: whether any host may be reached.
pub fn base_environment(hosts: bool) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        env.insert(name.to_owned(), value.to_owned());
    };
    set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    set("HOME", HOME);
    set("TMPDIR", "/tmp");
    set("LANG", "C.UTF-8");
    if hosts {
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            set(name, PROXY);
        }
        for name in ["NO_PROXY", "no_proxy"] {
            set(name, DIRECT);
        }
    }
    env
}

/// The environment of an image over [`base_environment`]; what is no `NAME=value` is left out.
pub fn with_image(mut env: BTreeMap<String, String>, image: &[String]) -> BTreeMap<String, String> {
    let pairs = image.iter().filter_map(|pair| pair.split_once('=')).filter(|(name, _)| !name.is_empty());
    env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}

/// The command and files of a server's launch. Secrets come last: nothing else may take their place.
pub(super) fn compose(
    server: &Server,
    image: &ImageSettings,
    authorities: Option<Given>,
    secrets: Vec<(SecretName, SecretPlace, SecretBytes)>,
) -> (Command, Vec<LaunchFile>) {
    let mut plain = base_environment(!server.permissions.hosts.is_empty());
    let mut files = Vec::new();
    if let Some(Given { file, environment }) = authorities {
        files.push(file);
        plain.extend(environment);
    }
    let mut plain = with_image(plain, &image.env);
    plain.extend(server.env.clone());
    if server.permissions.workspace.is_some() {
        plain.insert(WORKSPACE.to_owned(), Workspace::ROOT.to_owned());
    }
    let mut env: BTreeMap<String, SecretBytes> =
        plain.into_iter().map(|(name, value)| (name, SecretBytes::from(value))).collect();
    for (name, place, content) in secrets {
        match place {
            SecretPlace::Env => {
                env.insert(name.to_string(), content);
            }
            SecretPlace::File => {
                files.push(LaunchFile {
                    path: format!("/run/secrets/{name}"),
                    content,
                    mode: FileMode::Secret,
                });
            }
        }
    }
    let cwd = server.workdir.as_ref().map(|folder| folder.display().to_string());
    (Command { argv: server.command.clone(), env, cwd }, files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LifeSettings, Limits, Permissions, Source, Transport};

    #[test]
    fn later_words_win_and_secrets_last() {
        let server = Server {
            source: Source::Example,
            image: crate::model::Digest::of(b""),
            command: vec!["server".into()],
            env: BTreeMap::from([("B".into(), "server".into()), ("TOKEN".into(), "plain".into())]),
            workdir: Some("/app".into()),
            transport: Transport::Stdio,
            permissions: Permissions { hosts: vec!["a.example".parse().unwrap()], ..Permissions::default() },
            limits: Limits::default(),
            life: LifeSettings::default(),
        };
        let image = ImageSettings {
            env: ["PATH=/image", "B=image", "=x", "y"].map(Into::into).into(),
            ..ImageSettings::default()
        };
        let secrets = vec![
            ("TOKEN".parse().unwrap(), SecretPlace::Env, SecretBytes::from("s1")),
            ("KEY".parse().unwrap(), SecretPlace::File, SecretBytes::from("s2")),
        ];
        let (command, files) = compose(&server, &image, None, secrets);
        let value = |name: &str| command.env.get(name).map(SecretBytes::expose);
        assert_eq!(value("PATH"), Some(&b"/image"[..]));
        assert_eq!(value("B"), Some(&b"server"[..]));
        assert_eq!(value("TOKEN"), Some(&b"s1"[..]));
        assert_eq!(value("https_proxy"), Some(PROXY.as_bytes()));
        assert_eq!(value("HOME"), Some(HOME.as_bytes()));
        assert!(!command.env.contains_key(WORKSPACE));
        assert!(!command.env.contains_key("KEY") && !command.env.contains_key(""));
        assert_eq!(files[0].path, "/run/secrets/KEY");
        assert_eq!((files[0].content.expose(), files[0].mode), (&b"s2"[..], FileMode::Secret));
        assert_eq!(command.cwd.as_deref(), Some("/app"));
        assert!(base_environment(false).keys().all(|name| !name.to_ascii_lowercase().contains("proxy")));
    }
}
