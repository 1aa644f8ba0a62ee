use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// What a folder's `.dockerignore` leaves out (Docker documentation, "Dockerfile: .dockerignore file").
pub(super) struct Ignored(Gitignore);

impl Ignored {
    /// Reads the text of a `.dockerignore`.
    pub(super) fn read(text: &str) -> Result<Self, ignore::Error> {
        let mut builder = GitignoreBuilder::new("");
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Docker's patterns begin at the folder, git's may match at any depth unless they begin with '/'.
            let (not, pattern) = line.strip_prefix('!').map_or(("", line), |rest| ("!", rest.trim_start()));
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            if !matches!(pattern, "" | ".") {
                builder.add_line(None, &format!("{not}/{pattern}"))?;
            }
        }
        builder.build().map(Self)
    }

    /// Whether `path`, relative to the folder, is left out. What is below a folder left out may still be in.
    pub(super) fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        self.0.matched_path_or_any_parents(path, is_folder).is_ignore()
    }

    /// Whether something may be taken in again below a folder that is left out.
    pub(super) fn has_exceptions(&self) -> bool {
        self.0.num_whitelists() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_docker_says() {
        let ignored = Ignored::read(
            "# comment\n\n*.md\n!README.md\n/node_modules/\n**/*.key\ndist\n!dist/keep.js\n.git",
        )
        .unwrap();
        for (path, out) in [
            ("a.md", true),
            ("README.md", false),
            ("docs/a.md", false),
            ("node_modules/x/index.js", true),
            ("sub/node_modules/x", false),
            ("sub/deep/tls.key", true),
            ("tls.key", true),
            ("dist/out.js", true),
            ("dist/keep.js", false),
            (".git/config", true),
            (".github", false),
            ("src/main.rs", false),
        ] {
            assert_eq!(ignored.leaves_out(Path::new(path), false), out, "{path}");
        }
        assert!(ignored.has_exceptions());
        assert!(!Ignored::read("").unwrap().leaves_out(Path::new("x"), false));
    }
}
