//! Certificate authorities of the user's company, for installs: registries behind an inspecting proxy are
//! signed by nobody the base image knows.

use std::{collections::BTreeMap, path::PathBuf};

use caisson_wire::{FileMode, LaunchFile};

use super::CatalogError;

/// Where an install finds them.
const INSIDE: &str = "/run/caisson/ca.pem";
/// More than any system's whole bundle.
const LARGEST: u64 = 8 << 20;
/// The variables by which OpenSSL, Node, npm, pip, requests, git and curl are told.
const VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "NPM_CONFIG_CAFILE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
];

/// One file of all `bundles`, in PEM; none where there are no bundles, so that the image's own apply.
/// The file is given over the pipe into a folder in memory, and so is never part of an image.
pub(super) async fn launch_file(bundles: &[PathBuf]) -> Result<Option<LaunchFile>, CatalogError> {
    let mut all = Vec::new();
    for path in bundles {
        let fault = |reason: String| CatalogError::CaBundle { path: path.clone(), reason };
        let about = tokio::fs::metadata(path).await.map_err(|error| fault(error.to_string()))?;
        if about.len() > LARGEST {
            return Err(fault(format!("it is larger than {} MiB", LARGEST >> 20)));
        }
        let pem = tokio::fs::read(path).await.map_err(|error| fault(error.to_string()))?;
        if !pem.windows(PEM_START.len()).any(|window| window == PEM_START) {
            return Err(fault("it holds no certificate in PEM form".into()));
        }
        all.extend_from_slice(&pem);
        all.push(b'\n');
    }
    let file = || LaunchFile { path: INSIDE.into(), content: all.into(), mode: FileMode::Public };
    Ok((!bundles.is_empty()).then(file))
}

const PEM_START: &[u8] = b"-----BEGIN ";

/// What tells programs of the file.
pub(super) fn environment() -> BTreeMap<String, String> {
    VARIABLES.iter().map(|name| ((*name).to_owned(), INSIDE.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn bundles_become_one_file() {
        let mut one = tempfile::NamedTempFile::new().unwrap();
        one.write_all(b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----").unwrap();
        let path = one.path().to_path_buf();
        let file = launch_file(&[path.clone(), path]).await.unwrap().unwrap();
        let text = String::from_utf8(file.content.expose().to_vec()).unwrap();
        assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), 2);
        assert!(launch_file(&[]).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_bundle_is_refused() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for path in ["/no/such/file".into(), empty.path().to_path_buf()] {
            assert!(matches!(launch_file(&[path]).await, Err(CatalogError::CaBundle { .. })));
        }
    }
}
