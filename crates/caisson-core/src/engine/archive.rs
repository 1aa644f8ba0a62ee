//! Files in and out of containers and volumes, as tar archives through the engine's API.
//!
//! Volumes have no archive API of their own, so a helper container stands in: it is created with the volume
//! mounted, never started, and removed. Its image is empty and is made here, so no registry is needed.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    time::Duration,
};

use bollard::{
    body_full, body_try_stream,
    models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions},
    query_parameters::{
        CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
    },
};
use bytes::Bytes;
use futures::{Stream, stream::BoxStream};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use tokio_util::io::ReaderStream;

use super::{
    ContainerId, Engine, EngineError,
    client::{LONG, SLOW},
    error::tidy,
};

/// The helper's image.
const HELPER_IMAGE: &str = "localhost/caisson-helper:1";
const HELPER_LABEL: (&str, &str) = ("dev.caisson.kind", "helper");
/// A helper lives for a moment. One that is this old was left behind by a crash.
const HELPER_AGE: Duration = Duration::from_secs(120);
/// Where a helper sees its volume.
pub(super) const INSIDE: &str = "/caisson";

/// bollard's own body, whose name it keeps to itself.
pub(super) type Body = Either<Full<Bytes>, StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>>;

/// A tar archive on its way to an engine.
pub struct Tar(Body);

impl Tar {
    /// An archive in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(body_full(bytes.into()))
    }

    /// An archive that is produced as it is sent. An error of the stream fails the request.
    pub fn stream(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self(body_try_stream(stream))
    }

    /// An archive in a file, from the file's position on.
    pub fn file(file: tokio::fs::File) -> Self {
        Self::stream(ReaderStream::with_capacity(file, 64 << 10))
    }

    pub(super) fn into_body(self) -> Body {
        self.0
    }
}

/// One entry of an archive made here.
pub(super) struct Entry<'a> {
    /// Its path, relative; a folder when it ends with `/`.
    pub(super) path: &'a str,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) bytes: &'a [u8],
}

/// An archive of these entries.
pub(super) fn pack(entries: &[Entry<'_>]) -> io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(if entry.path.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_mode(entry.mode);
        header.set_uid(entry.uid.into());
        header.set_gid(entry.gid.into());
        header.set_size(entry.bytes.len() as u64);
        archive.append_data(&mut header, entry.path, entry.bytes)?;
    }
    Ok(archive.into_inner()?.into())
}

impl Engine {
    /// Unpacks an archive into a folder of a container, running or not.
    ///
    /// # Errors
    /// When the engine refuses, or the folder is not there.
    pub async fn put_archive(
        &self,
        container: &ContainerId,
        folder: &str,
        tar: Tar,
    ) -> Result<(), EngineError> {
        let options = UploadToContainerOptionsBuilder::new().path(folder).build();
        let upload = self.docker().upload_to_container(container.as_str(), Some(options), tar.into_body());
        self.call("putting files into a container", LONG, upload).await
    }

    /// The file at `path` in a container, or the archive of a folder there.
    ///
    /// # Errors
    /// When there is none, when it is longer than `most` bytes, or when the engine refuses.
    pub async fn get_archive(
        &self,
        container: &ContainerId,
        path: &str,
        most: usize,
    ) -> Result<Bytes, EngineError> {
        const ACTION: &str = "reading files of a container";
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut archive = Vec::new();
        let stream = self.docker().download_from_container(container.as_str(), Some(options));
        self.drain(ACTION, SLOW, stream, |part| {
            if archive.len() + part.len() > most {
                return Err(EngineError::TooLarge { what: tidy(path), most });
            }
            archive.extend_from_slice(&part);
            Ok(())
        })
        .await?;
        Ok(archive.into())
    }

    /// The content of one regular file in a container; none when there is no such file, or it is longer than
    /// `most` bytes.
    pub(super) async fn get_file(
        &self,
        container: &ContainerId,
        path: &str,
        most: usize,
    ) -> Result<Option<Bytes>, EngineError> {
        // Headers and padding come on top.
        let archive = match self.get_archive(container, path, most + (64 << 10)).await {
            Ok(archive) => archive,
            Err(EngineError::NotFound(_) | EngineError::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(first_file(&archive))
    }

    /// Creates a container with `volume` at [`INSIDE`], which is never started. With a name, there is only one
    /// at a time: [`EngineError::InUse`] says that another process has it.
    pub(super) async fn helper(
        &self,
        volume: &str,
        name: Option<&str>,
        userns: Option<&str>,
    ) -> Result<Helper, EngineError> {
        const ACTION: &str = "creating a helper container";
        self.ensure_helper_image().await?;
        let body = ContainerCreateBody {
            image: Some(HELPER_IMAGE.to_owned()),
            cmd: Some(vec!["/never-started".to_owned()]),
            labels: Some(labels()),
            host_config: Some(HostConfig {
                network_mode: Some("none".to_owned()),
                userns_mode: userns.map(str::to_owned),
                mounts: Some(vec![Mount {
                    typ: Some(MountType::VOLUME),
                    source: Some(volume.to_owned()),
                    target: Some(INSIDE.to_owned()),
                    volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
                    ..Default::default()
                }]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = name.map(|name| CreateContainerOptionsBuilder::new().name(name).build());
        let engine = self.clone();
        // Detached, so that a caller who gives up in the middle leaves no container behind.
        let created = tokio::spawn(async move {
            let created = engine.call(ACTION, SLOW, engine.docker().create_container(options, body)).await?;
            Ok::<_, EngineError>(Helper { id: ContainerId::from(created.id), engine, removed: false })
        });
        created
            .await
            .map_err(|error| EngineError::Refused { action: ACTION, text: tidy(&error.to_string()) })?
    }

    async fn ensure_helper_image(&self) -> Result<(), EngineError> {
        if self.image(HELPER_IMAGE).await?.is_some() {
            return Ok(());
        }
        let folder = Entry { path: "caisson/", mode: 0o755, uid: 0, gid: 0, bytes: &[] };
        let rootfs = pack(&[folder]).map_err(|error| EngineError::Refused {
            action: "making the helper's image",
            text: tidy(&error.to_string()),
        })?;
        self.import(Tar::bytes(rootfs), HELPER_IMAGE, &BTreeMap::new()).await.map(drop)
    }

    /// Removes helpers that a crash left behind. They cost nothing, so failing to is no error.
    pub(super) async fn sweep_helpers(&self) {
        let listed = self.labelled(&format!("{}={}", HELPER_LABEL.0, HELPER_LABEL.1)).await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        for helper in listed.unwrap_or_default() {
            let created = Duration::from_secs(helper.created.try_into().unwrap_or_default());
            if now.saturating_sub(created) > HELPER_AGE
                && let Err(error) = self.remove(&ContainerId::from(helper.id)).await
            {
                tracing::warn!(%error, "could not remove a helper container");
            }
        }
    }
}

fn labels() -> HashMap<String, String> {
    HashMap::from([(HELPER_LABEL.0.to_owned(), HELPER_LABEL.1.to_owned())])
}

/// A helper container. Removed when dropped.
pub(super) struct Helper {
    id: ContainerId,
    engine: Engine,
    removed: bool,
}

impl Helper {
    pub(super) fn id(&self) -> &ContainerId {
        &self.id
    }

    /// Removes it, and returns when it is gone.
    pub(super) async fn remove(mut self) -> Result<(), EngineError> {
        self.engine.remove(&self.id).await?;
        self.removed = true;
        Ok(())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.removed {
            return;
        }
        let (engine, id) = (self.engine.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { engine.remove(&id).await });
        }
    }
}

fn first_file(archive: &[u8]) -> Option<Bytes> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        if entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            io::copy(&mut entry, &mut content).ok()?;
            return Some(content.into());
        }
    }
    None
}
