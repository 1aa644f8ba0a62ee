//! Writes the control API's TypeScript bindings to where the window imports them from.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/backend/bindings");
    fs::create_dir_all(&folder)?;
    File::create(folder.join("api.ts"))?.write_all(caisson_core::control::bindings::typescript().as_bytes())
}
