//! A folder as the tar archive that an engine builds from.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    path::Path,
};

use super::ignored::Ignored;

/// The most a build may be sent, before compression.
const LARGEST: u64 = 512 << 20;
/// The most files it may be sent.
const MOST_FILES: u64 = 50_000;

/// The largest Dockerfile, in bytes.
const LARGEST_DOCKERFILE: u64 = 1 << 20;

/// A folder that was packed.
pub(super) struct Context {
    /// The archive.
    pub(super) archive: File,
    /// The Dockerfile in it, exactly as it was packed.
    pub(super) dockerfile: String,
}

/// Why a folder cannot be sent; follows the folder's path in a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum ContextError {
    #[error("is not a folder")]
    NotAFolder,
    #[error("has no Dockerfile. Write one, or name the folder that has it; a link to one does not count")]
    NoDockerfile,
    #[error("has a Dockerfile of more than {} KiB", LARGEST_DOCKERFILE >> 10)]
    LargeDockerfile,
    #[error(
        "holds more than {} MiB or {MOST_FILES} files. Leave out what the build does not need: write it into .dockerignore",
        LARGEST >> 20
    )]
    TooLarge,
    #[error("has a .dockerignore that cannot be understood: {0}")]
    Ignore(#[from] ignore::Error),
    #[error("cannot be read: {0}")]
    Read(io::Error),
    #[error("cannot be packed: {0}")]
    Write(io::Error),
}

/// Packs `folder` into a nameless file in `scratch`, which is gone when it is dropped. Blocks.
///
/// Symlinks are packed as they are and never followed; sockets, devices and pipes are left out.
pub(super) fn pack(folder: &Path, scratch: &Path) -> Result<Context, ContextError> {
    if !folder.is_dir() {
        return Err(ContextError::NotAFolder);
    }
    let dockerfile = folder.join("Dockerfile");
    match fs::symlink_metadata(&dockerfile) {
        Ok(about) if !about.is_file() => return Err(ContextError::NoDockerfile),
        Ok(about) if about.len() > LARGEST_DOCKERFILE => return Err(ContextError::LargeDockerfile),
        Ok(_) => {}
        Err(_) => return Err(ContextError::NoDockerfile),
    }
    // Read once: what is checked is what is built, though the file may change meanwhile.
    let dockerfile = fs::read_to_string(dockerfile).map_err(ContextError::Read)?;
    let ignored = match fs::read_to_string(folder.join(".dockerignore")) {
        Ok(text) => Ignored::read(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ignored::read("")?,
        Err(error) => return Err(ContextError::Read(error)),
    };
    fs::create_dir_all(scratch).map_err(ContextError::Write)?;
    let file = tempfile::tempfile_in(scratch).map_err(ContextError::Write)?;
    let mut packer = Packer {
        folder,
        ignored,
        dockerfile: &dockerfile,
        tar: tar::Builder::new(BufWriter::new(file)),
        bytes: 0,
        files: 0,
    };
    packer.folder(Path::new(""))?;
    let mut file = packer
        .tar
        .into_inner()
        .and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error))
        .map_err(ContextError::Write)?;
    file.flush().and_then(|()| file.rewind()).map_err(ContextError::Write)?;
    Ok(Context { archive: file, dockerfile })
}

struct Packer<'a> {
    folder: &'a Path,
    ignored: Ignored,
    dockerfile: &'a str,
    tar: tar::Builder<BufWriter<File>>,
    bytes: u64,
    files: u64,
}

impl Packer<'_> {
    /// Packs what is in `inside`, a path relative to the folder.
    fn folder(&mut self, inside: &Path) -> Result<(), ContextError> {
        let mut names = fs::read_dir(self.folder.join(inside))
            .and_then(|entries| {
                entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(ContextError::Read)?;
        // The same folder gives the same archive, so that the engine's build cache works.
        names.sort();
        for name in names {
            self.entry(&inside.join(name))?;
        }
        Ok(())
    }

    fn entry(&mut self, inside: &Path) -> Result<(), ContextError> {
        let path = self.folder.join(inside);
        let about = fs::symlink_metadata(&path).map_err(ContextError::Read)?;
        if inside == Path::new("Dockerfile") {
            let text = self.dockerfile.as_bytes();
            self.count(text.len() as u64)?;
            let mut header = header(&about, text.len() as u64);
            header.set_entry_type(tar::EntryType::Regular);
            return self.tar.append_data(&mut header, inside, text).map_err(ContextError::Write);
        }
        let left_out = self.ignored.leaves_out(inside, about.is_dir());
        if about.is_dir() {
            if !left_out {
                self.count(0)?;
                self.tar
                    .append_data(&mut header(&about, 0), inside, io::empty())
                    .map_err(ContextError::Write)?;
            }
            if !left_out || self.ignored.has_exceptions() {
                self.folder(inside)?;
            }
        } else if left_out {
        } else if about.is_symlink() {
            self.count(0)?;
            let target = fs::read_link(&path).map_err(ContextError::Read)?;
            self.tar.append_link(&mut header(&about, 0), inside, target).map_err(ContextError::Write)?;
        } else if about.is_file() {
            self.count(about.len())?;
            let file = File::open(&path).map_err(ContextError::Read)?;
            // A file that grows or shrinks meanwhile must not shift what follows in the archive.
            let exact = Exact { inner: file, left: about.len() };
            self.tar
                .append_data(&mut header(&about, about.len()), inside, exact)
                .map_err(ContextError::Read)?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), ContextError> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > LARGEST || self.files > MOST_FILES { Err(ContextError::TooLarge) } else { Ok(()) }
    }
}

/// A header that tells nothing of the user: owner is root, as in every image.
fn header(about: &fs::Metadata, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(about, tar::HeaderMode::Deterministic);
    header.set_size(size);
    header
}

/// Exactly `left` bytes: cut when there are more, an error when there are fewer.
struct Exact {
    inner: File,
    left: u64,
}

impl io::Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        match io::Read::read(&mut self.inner, &mut buffer[..most])? {
            0 => Err(io::Error::other("a file shrank while it was read")),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::symlink};

    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn names(context: Context) -> Vec<String> {
        let mut archive = tar::Archive::new(context.archive);
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn a_folder_is_packed_without_what_it_ignores_or_links_to() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = folder.path();
        write(at, "Dockerfile", "FROM scratch\n");
        write(at, ".dockerignore", "node_modules\nDockerfile\nout\n!out/keep\n");
        write(at, "node_modules/x/index.js", "x");
        write(at, "out/keep", "k");
        write(at, "out/drop", "d");
        write(at, "src/main.rs", "fn main() {}");
        symlink("/etc", at.join("escape")).unwrap();
        let packed = pack(at, scratch.path()).unwrap();
        assert_eq!(
            names(packed),
            [".dockerignore", "Dockerfile", "escape", "out/keep", "src", "src/main.rs"]
        );
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_archive_keeps_contents_and_modes_and_no_owner() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(folder.path(), "Dockerfile", "FROM scratch\n");
        let mut archive = tar::Archive::new(pack(folder.path(), scratch.path()).unwrap().archive);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "FROM scratch\n");
        assert_eq!((entry.header().uid().unwrap(), entry.header().mode().unwrap() & 0o777), (0, 0o644));
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let told = |path: &Path| pack(path, scratch.path()).map(drop).unwrap_err().to_string();
        assert!(told(folder.path()).starts_with("has no Dockerfile"));
        assert_eq!(told(&folder.path().join("missing")), "is not a folder");
        symlink("/etc/passwd", folder.path().join("Dockerfile")).unwrap();
        assert!(told(folder.path()).starts_with("has no Dockerfile"));
        fs::remove_file(folder.path().join("Dockerfile")).unwrap();
        write(folder.path(), "Dockerfile", &"#".repeat(2 << 20));
        assert!(told(folder.path()).starts_with("has a Dockerfile of more"));
        write(folder.path(), "Dockerfile", "FROM scratch\n");
        File::create(folder.path().join("huge")).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(told(folder.path()).starts_with("holds more than 512 MiB"));
    }
}
