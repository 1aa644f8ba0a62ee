//! A small tar archive made in memory.

use std::io;

/// What an engine builds from: a `Dockerfile`, empty folders, and perhaps a program.
pub(super) fn build_context(
    dockerfile: &str,
    folders: &[&str],
    program: Option<(&str, &[u8])>,
) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "Dockerfile", 0o644, dockerfile.as_bytes())?;
    for folder in folders {
        append(&mut archive, folder, 0o755, &[])?;
    }
    if let Some((path, bytes)) = program {
        append(&mut archive, path, 0o755, bytes)?;
    }
    archive.into_inner()
}

/// A folder when `path` ends with a slash. Time and owner are always the same, so that the archive is too.
fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    if path.ends_with('/') {
        header.set_entry_type(tar::EntryType::Directory);
    }
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_holds_what_it_should() {
        let archive = build_context("FROM scratch", &["tmp/"], Some(("example", b"ELF"))).unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), entry.size())
            })
            .collect();
        assert_eq!(
            entries,
            [("Dockerfile".into(), 0o644, 12), ("tmp/".into(), 0o755, 0), ("example".to_owned(), 0o755, 3)]
        );
    }
}
