use serde::Deserialize;

use crate::model::Digest;

/// A language that packages are installed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::catalog) enum Runtime {
    /// npm packages.
    Node,
    /// PyPI packages.
    Python,
}

/// How a runtime's base image is made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// The image to pull, by its digest, where a registry answers.
    pub(super) pull: String,
    /// What to run on the Debian base where none does. Nothing: the base has all.
    #[serde(default)]
    pub(super) on_debian: Option<String>,
}

/// How the Debian base is made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Debian {
    pub(super) suite: String,
    pub(super) packages: Vec<String>,
    pub(super) leave_out: Vec<String>,
    pub(super) keep: Vec<String>,
    pub(super) hooks: Vec<String>,
}

const DEBIAN: &str = include_str!("../../../../../images/debian.toml");
const NODE: &str = include_str!("../../../../../images/node.toml");
const PYTHON: &str = include_str!("../../../../../images/python.toml");

impl Runtime {
    /// Its name, as people write it.
    pub(in crate::catalog) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Node => NODE,
            Self::Python => PYTHON,
        }
    }

    /// Its recipe. It is part of the program, so that only a broken build makes this fail.
    pub(super) fn recipe(self) -> Result<Recipe, toml::de::Error> {
        toml::from_str(self.text())
    }

    /// The tag of the finished base image: another recipe, another tag.
    pub(super) fn tag(self) -> String {
        tag(self.name(), &[self.text(), DEBIAN])
    }
}

/// The Debian base's recipe.
pub(super) fn debian() -> Result<Debian, toml::de::Error> {
    toml::from_str(DEBIAN)
}

/// The tag of the Debian base.
pub(super) fn debian_tag() -> String {
    tag("debian", &[DEBIAN])
}

fn tag(name: &str, recipes: &[&str]) -> String {
    format!("localhost/caisson/base-{name}:{}", Digest::of(recipes.concat().as_bytes()).short())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipes_are_whole() {
        assert!(Runtime::Node.recipe().unwrap().on_debian.is_some());
        assert!(Runtime::Python.recipe().unwrap().on_debian.is_none());
        assert!(debian().unwrap().packages.contains(&"python3-venv".to_owned()));
        assert_ne!(Runtime::Node.tag(), Runtime::Python.tag());
        assert!(debian_tag().starts_with("localhost/caisson/base-debian:"));
    }

    #[test]
    fn what_is_pulled_is_named_by_its_digest() {
        for runtime in [Runtime::Node, Runtime::Python] {
            let pull = runtime.recipe().unwrap().pull;
            let (_, digest) = pull.split_once('@').unwrap_or_default();
            assert!(digest.parse::<Digest>().is_ok(), "{pull}");
        }
    }
}
