//! Takes secrets out of lines. A secret of several lines is known by each of them.

use std::borrow::Cow;

use caisson_wire::SecretBytes;

use crate::model::SecretName;

/// What is shorter is no secret, and stands in too many lines.
const SHORTEST: usize = 6;

/// The values that are not to be seen, the longest first, each with what is shown instead.
#[derive(Debug, Default)]
pub(super) struct Hidden(Vec<(SecretBytes, String)>);

impl Hidden {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretBytes)>) -> Self {
        let mut all = Vec::new();
        for (name, value) in secrets {
            let lines = value.expose().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| line.len() >= SHORTEST);
            all.extend(lines.map(|line| (SecretBytes::from(line), format!("[secret {name}]"))));
        }
        all.sort_by_key(|(value, _)| std::cmp::Reverse(value.expose().len()));
        Self(all)
    }

    /// The line without them. Where it was cut, it may end in the middle of one: that part goes as well.
    pub(super) fn without<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut line = Cow::Borrowed(line);
        for (value, shown) in &self.0 {
            let (value, mut from) = (value.expose(), 0);
            let next =
                |line: &[u8], from: usize| line[from..].windows(value.len()).position(|part| part == value);
            while let Some(at) = next(&line, from).map(|at| at + from) {
                line.to_mut().splice(at..at + value.len(), shown.bytes());
                // What is shown may hold the value itself.
                from = at + shown.len();
            }
        }
        for (value, shown) in &self.0 {
            let begun =
                (SHORTEST..value.expose().len()).rev().find(|n| line.ends_with(&value.expose()[..*n]));
            if let Some(begun) = begun {
                let at = line.len() - begun;
                line.to_mut().splice(at.., shown.bytes());
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_in_its_place() {
        let secrets = [
            ("TOKEN", "s3cr3t-t0ken"),
            ("LONGER", "s3cr3t-t0ken-and-more"),
            ("KEY", "-----BEGIN KEY-----\r\nMIIabcdef\n-----END KEY-----\n"),
            ("SHORT", "yes"),
            ("EMPTY", ""),
        ];
        let secrets: Vec<(SecretName, SecretBytes)> =
            secrets.map(|(name, value)| (name.parse().unwrap(), SecretBytes::from(value))).into();
        let hidden = Hidden::new(secrets.iter().map(|(name, value)| (name, value)));
        for (line, meant) in [
            ("nothing of it, yes", "nothing of it, yes"),
            ("a s3cr3t-t0ken, s3cr3t-t0ken!", "a [secret TOKEN], [secret TOKEN]!"),
            ("s3cr3t-t0ken-and-more", "[secret LONGER]"),
            ("key: MIIabcdef", "key: [secret KEY]"),
            ("cut off: s3cr3t-t0", "cut off: [secret LONGER]"),
            ("s3cr3 is no part of it", "s3cr3 is no part of it"),
        ] {
            assert_eq!(String::from_utf8_lossy(&hidden.without(line.as_bytes())), meant);
        }
        assert!(!format!("{hidden:?}").contains("s3cr3t"));
        let (name, value) = ("WORD".parse().unwrap(), SecretBytes::from("secret"));
        assert_eq!(&*Hidden::new([(&name, &value)]).without(b"a secret"), b"a [secret WORD]");
    }
}
