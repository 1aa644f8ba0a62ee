use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use zeroize::Zeroizing;

use super::{Client, record::hash};
use crate::registry::atomic;

/// So many copies of a client's file are kept; the oldest go first.
const KEPT: usize = 20;
/// So many digits of a file's SHA-256 are in its copy's name.
const DIGITS: usize = 16;

/// Copies of clients' files as they were before a change, in a folder for the user alone: they may hold tokens.
pub(super) struct Backups {
    folder: PathBuf,
}

impl Backups {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a copy of `bytes`, the file at `path`, and says where. `needed` is a copy that must not go.
    pub(super) fn keep(
        &self,
        client: Client,
        path: &Path,
        bytes: &[u8],
        needed: Option<&Path>,
    ) -> io::Result<PathBuf> {
        let folder = self.folder.join(client.id());
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let copy = folder.join(format!("{name}.{}", &hash(bytes)[..DIGITS]));
        atomic::write(&copy, bytes, 0o600)?;
        if let Err(error) = prune(&folder, &[Some(copy.as_path()), needed]) {
            tracing::warn!(%error, folder = %folder.display(), "old copies could not be removed");
        }
        Ok(copy)
    }

    /// The content of a copy; none when it is gone or is not what it was.
    pub(super) fn read(&self, copy: &Path) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = Zeroizing::new(fs::read(copy).ok()?);
        let whole = copy.to_str()?.ends_with(&hash(&bytes)[..DIGITS]);
        whole.then_some(bytes)
    }
}

fn prune(folder: &Path, needed: &[Option<&Path>]) -> io::Result<()> {
    let mut copies: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        copies.push((entry.metadata()?.modified()?, entry.path()));
    }
    copies.sort();
    let many = copies.len().saturating_sub(KEPT);
    for (_, copy) in copies.iter().take(many).filter(|(_, copy)| !needed.contains(&Some(copy))) {
        fs::remove_file(copy)?;
    }
    Ok(())
}
