//! Paths inside a container, by their text alone. What its file system makes of them is another question, which
//! the mounts answer.

/// The path that an absolute one is without `.`, `..` and doubled slashes; none for any other text.
pub(super) fn resolve(text: &str) -> Option<String> {
    if !text.starts_with('/') || text.contains(['\0', '\\']) {
        return None;
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// Whether a resolved path is `folder`, or leads into it.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || folder == "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, path) in [("/", "/"), ("//a/./b/", "/a/b"), ("/a/../../b", "/b"), ("/..", "/")] {
            assert_eq!(resolve(text).as_deref(), Some(path), "{text}");
        }
        for text in ["", "a", "~/a", "C:/a", "/a\\..\\b", "/a\0"] {
            assert_eq!(resolve(text), None, "{text:?}");
        }
        assert!(is_below("/a/b", "/a") && is_below("/a", "/a") && is_below("/a", "/"));
        assert!(!is_below("/ab", "/a") && !is_below("/", "/a"));
    }
}
