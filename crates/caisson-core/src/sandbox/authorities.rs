//! Certificate authorities that containers trust beside their image's own: behind a company's inspecting proxy,
//! what signs a registry or a service is nobody an image knows.

use std::{collections::BTreeMap, path::PathBuf};

use caisson_wire::{FileMode, LaunchFile};

/// Where they appear inside: in memory, and so never part of an image.
const INSIDE: &str = "/run/caisson/ca.pem";
/// More than any system's whole bundle, in bytes.
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
const PEM_START: &[u8] = b"-----BEGIN ";

/// Bundles of certificates in PEM: the host system's, and the one the settings name.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<PathBuf>);

/// A bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate authorities in {} cannot be read: {reason}. Check ca_bundle in settings.toml", .path.display())]
pub struct AuthoritiesError {
    path: PathBuf,
    reason: String,
}

/// What a container is given: a file, and the variables that tell programs of it.
pub(crate) struct Given {
    pub(crate) file: LaunchFile,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Authorities {
    /// Those of all `bundles`, taken together.
    pub fn new(bundles: Vec<PathBuf>) -> Self {
        Self(bundles)
    }

    /// All bundles as one; none where there are no bundles, so that the image's own authorities hold.
    ///
    /// # Errors
    /// When one of them is no readable file of certificates.
    pub(crate) async fn given(&self) -> Result<Option<Given>, AuthoritiesError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for path in &self.0 {
            let fault = |reason: String| AuthoritiesError { path: path.clone(), reason };
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
        let file = LaunchFile { path: INSIDE.into(), content: all.into(), mode: FileMode::Public };
        let environment = VARIABLES.iter().map(|name| ((*name).to_owned(), INSIDE.to_owned())).collect();
        Ok(Some(Given { file, environment }))
    }
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
        let file = Authorities::new(vec![path.clone(), path]).given().await.unwrap().unwrap().file;
        let text = String::from_utf8(file.content.expose().to_vec()).unwrap();
        assert_eq!(text.matches("-----BEGIN CERTIFICATE-----\n").count(), 2);
        assert!(Authorities::default().given().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_bundle_is_refused() {
        let empty = tempfile::NamedTempFile::new().unwrap();
        for path in ["/no/such/file".into(), empty.path().to_path_buf()] {
            assert!(Authorities::new(vec![path]).given().await.is_err());
        }
    }
}
