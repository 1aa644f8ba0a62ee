//! What the images Caisson makes are called and labelled. A name keeps an image from an engine's clean-up; what runs is
//! named by its id.

use std::collections::BTreeMap;

use super::{CatalogError, suggest_name};
use crate::model::Source;

/// The label that says what an image is for.
pub(super) const KIND: &str = "dev.caisson.kind";
/// An image that a server runs in, made by an install.
pub(super) const SERVER: &str = "server";

/// What an image is called and labelled.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl Tag {
    /// A fresh name for the image of a server from `source`. It is a label too: so no two installs make the
    /// same image, be it out of an engine's build cache, and each is removed with its own server alone.
    pub(super) fn server(source: &Source, version: Option<&str>) -> Result<Self, CatalogError> {
        let mut nonce = [0; 4];
        getrandom::fill(&mut nonce).map_err(|error| CatalogError::Failed {
            what: source.to_string(),
            reason: format!("the system gives no random numbers: {error}"),
        })?;
        let name = suggest_name(source).map_or_else(|| "server".to_owned(), String::from);
        let name = spelled(&name, version.unwrap_or("local"), u32::from_be_bytes(nonce));
        let mut labels = labels(SERVER, &source.to_string());
        labels.insert("dev.caisson.name".to_owned(), name.clone());
        Ok(Self { name, labels })
    }

    /// `name` for a base image; `from` is what it is made of.
    pub(super) fn base(name: String, from: &str) -> Self {
        Self { name, labels: labels("base", from) }
    }
}

fn labels(kind: &str, source: &str) -> BTreeMap<String, String> {
    [(KIND, kind), ("dev.caisson.source", source)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// Within what the OCI distribution specification allows for a name and a tag.
fn spelled(name: &str, version: &str, nonce: u32) -> String {
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let version =
        version.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' });
    let version: String = version.take(64).collect();
    format!(
        "localhost/caisson/server-{}:{}-{nonce:08x}",
        words.join("-"),
        version.trim_start_matches(['.', '-'])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_within_the_rules() {
        for (name, version, tag) in [
            ("everything", "1.2.0", "server-everything:1.2.0-00000007"),
            ("a__b.-c", "1!2.0+x", "server-a-b-c:1-2.0-x-00000007"),
            ("a", "..1", "server-a:1-00000007"),
        ] {
            assert_eq!(spelled(name, version, 7), format!("localhost/caisson/{tag}"));
        }
    }
}
