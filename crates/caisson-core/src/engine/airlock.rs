//! The airlock's volume: the airlock itself, and files that the engine must be able to read.
//!
//! There is one volume for each version of the airlock, named after its content and shared by every Caisson
//! on this engine. A file in it is trusted only once it was read back and compared, so one that a crash cut
//! short is written again. The helper container's name is a lock between processes.

use std::{collections::BTreeSet, io, time::Duration};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use super::{
    ContainerId, Engine, EngineError, Tar,
    archive::{Entry, INSIDE, pack},
    client::SLOW,
    error::tidy,
};

const ACTION: &str = "putting the airlock into its volume";
/// Another process that holds the lock for so long has crashed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of the airlock's volume.
#[derive(Debug, Default)]
pub(super) struct SharedFiles {
    airlock: Option<SharedFile>,
    /// When the volume was made, by the engine's clock. Another time means another, empty volume.
    made: Option<String>,
    /// Names of files known to be whole.
    whole: BTreeSet<String>,
}

/// A file of the volume.
#[derive(Clone, Debug)]
struct SharedFile {
    name: String,
    mode: u32,
    bytes: Bytes,
    digest: String,
}

/// The airlock's volume, filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AirlockVolume {
    /// Its name.
    pub(super) name: String,
    /// Where it is on the engine's machine.
    pub(super) mountpoint: String,
}

impl SharedFile {
    fn new(name: impl Into<String>, mode: u32, bytes: Bytes) -> Self {
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: name.into(), mode, bytes, digest }
    }

    fn short(&self) -> &str {
        &self.digest[..12]
    }
}

impl Engine {
    /// Makes sure that the airlock is in its volume. Gives the volume's name.
    ///
    /// # Errors
    /// [`EngineError::NoAirlock`] when Caisson has none for this engine's processor.
    pub async fn ensure_airlock(&self) -> Result<String, EngineError> {
        Ok(self.airlock_volume(&[]).await?.name)
    }

    /// Makes sure that the program which tries to break out lies beside the airlock, under a name made from its content.
    /// Gives its path inside of containers.
    ///
    /// # Errors
    /// [`EngineError::NoAirlock`] when Caisson has none for this engine's processor.
    pub async fn ensure_probe(&self) -> Result<String, EngineError> {
        let mut probe = SharedFile::new("", 0o755, self.read_artifact("probe").await?);
        probe.name = format!("probe-{}", probe.short());
        let path = format!("{INSIDE}/{}", probe.name);
        self.airlock_volume(&[probe]).await?;
        Ok(path)
    }

    /// Makes sure that the airlock is in its volume, and a seccomp profile beside it for engines whose API wants
    /// a profile's path. Gives the volume and that path.
    pub(super) async fn airlock_with(
        &self,
        profile: Option<&str>,
    ) -> Result<(AirlockVolume, Option<String>), EngineError> {
        let file = profile.map(|profile| {
            let mut file = SharedFile::new("", 0o644, Bytes::copy_from_slice(profile.as_bytes()));
            file.name = format!("seccomp-{}.json", file.short());
            file
        });
        let volume = self.airlock_volume(file.as_slice()).await?;
        let path = file.map(|file| format!("{}/{}", volume.mountpoint.trim_end_matches('/'), file.name));
        Ok((volume, path))
    }

    async fn airlock_volume(&self, more: &[SharedFile]) -> Result<AirlockVolume, EngineError> {
        let mut shared = self.0.shared.lock().await;
        let airlock = match &shared.airlock {
            Some(airlock) => airlock.clone(),
            None => shared.airlock.insert(self.read_airlock().await?).clone(),
        };
        let name = format!("caisson-airlock-{}", airlock.short());
        self.ensure_volume(&name, &[("dev.caisson.kind".to_owned(), "airlock".to_owned())].into(), None)
            .await?;
        let found = self.call(ACTION, SLOW, self.docker().inspect_volume(&name)).await?;
        let made = found.created_at.map(|at| at.to_string());
        if shared.made != made {
            shared.whole.clear();
            shared.made = made;
        }
        let files: Vec<_> =
            std::iter::once(&airlock).chain(more).filter(|file| !shared.whole.contains(&file.name)).collect();
        if !files.is_empty() {
            self.fill(&name, &files).await?;
            shared.whole.extend(files.into_iter().map(|file| file.name.clone()));
        }
        Ok(AirlockVolume { name, mountpoint: found.mountpoint })
    }

    async fn read_airlock(&self) -> Result<SharedFile, EngineError> {
        Ok(SharedFile::new("airlock", 0o755, self.read_artifact("airlock").await?))
    }

    /// A program of Caisson's for inside, for this engine's processor.
    async fn read_artifact(&self, name: &str) -> Result<Bytes, EngineError> {
        let path = self.0.artifacts.join(format!("{name}-linux-{}", self.facts().arch));
        let bytes = tokio::fs::read(&path).await.and_then(|bytes| {
            if bytes.is_empty() {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"))
            } else {
                Ok(bytes)
            }
        });
        let bytes = bytes.map_err(|why| EngineError::NoAirlock { file: path.display().to_string(), why })?;
        Ok(bytes.into())
    }

    /// Writes the files that are not whole yet, and reads them back.
    async fn fill(&self, volume: &str, files: &[&SharedFile]) -> Result<(), EngineError> {
        let lock = format!("{volume}-fill");
        let began = Instant::now();
        let helper = loop {
            match self.helper(volume, Some(&lock), None).await {
                Err(EngineError::InUse(_)) if began.elapsed() < PATIENCE => {
                    sleep(Duration::from_millis(200)).await
                }
                Err(EngineError::InUse(_)) if began.elapsed() < 2 * PATIENCE => {
                    tracing::warn!(lock, "taking over from a process that seems to have crashed");
                    self.remove(&ContainerId::from(lock.clone())).await?;
                }
                other => break other?,
            }
        };
        let missing = self.not_whole(helper.id(), files).await?;
        if !missing.is_empty() {
            let entries: Vec<_> = missing
                .iter()
                .map(|file| Entry { path: &file.name, mode: file.mode, uid: 0, gid: 0, bytes: &file.bytes })
                .collect();
            let archive = pack(&entries)
                .map_err(|e| EngineError::Refused { action: ACTION, text: tidy(&e.to_string()) })?;
            self.put_archive(helper.id(), INSIDE, Tar::bytes(archive)).await?;
            if let Some(file) = self.not_whole(helper.id(), &missing).await?.first() {
                let text = format!("the file {} came back changed", file.name);
                return Err(EngineError::Refused { action: ACTION, text });
            }
        }
        helper.remove().await
    }

    /// Those of the files that the volume does not have, or not as they should be.
    async fn not_whole<'a>(
        &self,
        helper: &ContainerId,
        files: &[&'a SharedFile],
    ) -> Result<Vec<&'a SharedFile>, EngineError> {
        let mut missing = Vec::new();
        for file in files {
            let path = format!("{INSIDE}/{}", file.name);
            if self.get_file(helper, &path, file.bytes.len()).await?.as_ref() != Some(&file.bytes) {
                missing.push(*file);
            }
        }
        Ok(missing)
    }
}
