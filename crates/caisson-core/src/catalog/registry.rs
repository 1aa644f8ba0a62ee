use hyper::Uri;

use super::CatalogError;
use crate::model::HostRule;

/// A package registry: its address, and the hosts an install may reach for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackageRegistry {
    /// The address the package manager is given.
    pub(super) url: String,
    /// The host people know it by.
    pub(super) host: String,
    /// All an install may reach.
    pub(super) egress: Vec<HostRule>,
}

const NPM: &str = "https://registry.npmjs.org/";
const PYPI: &str = "https://pypi.org/simple/";
/// Where pypi.org keeps the files themselves. Other indexes serve them from their own host.
const PYPI_FILES: &str = "files.pythonhosted.org";

impl PackageRegistry {
    /// The npm registry: the setting's, or the public one.
    pub(super) fn npm(setting: Option<&str>) -> Result<Self, CatalogError> {
        Self::read("npm_registry", setting.unwrap_or(NPM))
    }

    /// The Python package index: the setting's, or the public one with its file host.
    pub(super) fn pypi(setting: Option<&str>) -> Result<Self, CatalogError> {
        let mut registry = Self::read("pypi_index", setting.unwrap_or(PYPI))?;
        if registry.host == "pypi.org" {
            registry.egress.extend(PYPI_FILES.parse::<HostRule>());
        }
        Ok(registry)
    }

    fn read(setting: &'static str, url: &str) -> Result<Self, CatalogError> {
        let fault = |why| CatalogError::Setting { setting, why };
        let uri: Uri = url.parse().map_err(|_| fault("it is not a URL"))?;
        let default_port = match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            Some(_) | None => return Err(fault("it begins with neither https:// nor http://")),
        };
        // It would stand in the install's command line and in the lockfile.
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(fault("it holds a user name or password"));
        }
        let host = uri.host().ok_or_else(|| fault("it names no host"))?.to_ascii_lowercase();
        let rule = format!("{host}:{}", uri.port_u16().unwrap_or(default_port))
            .parse()
            .map_err(|_| fault("its host is not a DNS name"))?;
        Ok(Self { url: url.to_owned(), host, egress: vec![rule] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_reaches_its_registry_alone() {
        let hosts = |registry: Result<PackageRegistry, CatalogError>| -> Vec<String> {
            registry.unwrap().egress.iter().map(ToString::to_string).collect()
        };
        assert_eq!(hosts(PackageRegistry::npm(None)), ["registry.npmjs.org:443"]);
        assert_eq!(hosts(PackageRegistry::pypi(None)), ["pypi.org:443", "files.pythonhosted.org:443"]);
        assert_eq!(
            hosts(PackageRegistry::npm(Some("http://Nexus.example.com:8081/npm/"))),
            ["nexus.example.com:8081"]
        );
        assert_eq!(
            hosts(PackageRegistry::pypi(Some("http://pypi.example.com/simple"))),
            ["pypi.example.com:80"]
        );
        assert_eq!(hosts(PackageRegistry::npm(Some("https://10.0.0.1/"))), ["10.0.0.1:443"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "registry.example.com", "ftp://a.com/", "https://me:pw@a.com/", "https:///x"] {
            assert!(PackageRegistry::npm(Some(bad)).is_err(), "{bad:?}");
        }
    }
}
