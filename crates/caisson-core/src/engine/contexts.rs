//! The Docker context the user chose with `docker context use`.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::Address;

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: String,
}

/// The name and address of the current context. None when there is none, when it is the default, or when its
/// files cannot be read: then the usual places are looked at all the same.
pub(super) async fn current(home: &Path) -> Option<(String, Address)> {
    let docker = home.join(".docker");
    let config: Config = read(&docker.join("config.json")).await?;
    let name = config.current.filter(|name| !name.is_empty() && name != "default")?;
    // Docker CLI, "cli/context/store": a context's folder is the SHA-256 of its name.
    let folder: String = Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let meta: Meta = read(&docker.join("contexts/meta").join(folder).join("meta.json")).await?;
    Some((super::error::tidy(&name), meta.endpoints.docker.host.as_str().into()))
}

async fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&tokio::fs::read(path).await.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_current_context_is_read() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(current(home.path()).await, None);

        let docker = home.path().join(".docker");
        let folder =
            docker.join("contexts/meta/fe9c6bd7a66301f49ca9b6a70b217107cd1284598bfc254700c989b916da791e");
        tokio::fs::create_dir_all(&folder).await.unwrap();
        tokio::fs::write(docker.join("config.json"), r#"{"auths":{},"currentContext":"desktop-linux"}"#)
            .await
            .unwrap();
        assert_eq!(current(home.path()).await, None);
        let meta = r#"{"Name":"desktop-linux","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///home/ada/.docker/desktop/docker.sock","SkipTLSVerify":false}}}"#;
        tokio::fs::write(folder.join("meta.json"), meta).await.unwrap();
        let address = Address::Unix("/home/ada/.docker/desktop/docker.sock".into());
        assert_eq!(current(home.path()).await, Some(("desktop-linux".into(), address)));
    }
}
