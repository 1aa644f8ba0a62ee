//! Images that tests build of folders.

use std::{fs, path::Path};

/// Writes a `Dockerfile` of these steps after `FROM scratch`. Its first layer is like no other's: images of tests that
/// run side by side on one engine share none, since Podman may take one away from an image in the making.
#[track_caller]
pub fn write_dockerfile(folder: &Path, steps: &str) {
    let own = folder.to_string_lossy();
    fs::write(folder.join("own"), &*own).expect("our own folder");
    fs::write(folder.join("Dockerfile"), format!("FROM scratch\nCOPY own /own\n{steps}"))
        .expect("our own folder");
}
