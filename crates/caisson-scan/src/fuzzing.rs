//! The entrance for fuzzing, and for the tests that do the same in small: bytes as a hostile server would have them
//! looked through.

use std::sync::LazyLock;

use serde::de::IgnoredAny;

use super::{Context, Direction, DlpError, DlpPolicy, Finding, Findings, OwnSecrets, Scanner, Verdict};

/// What nobody may see.
const SECRET: &str = "s3cr3t-w0rd-of-hers";

/// A scanner, and the secret `s3cr3t-w0rd-of-hers`.
struct Setup {
    scanner: Scanner,
    secrets: OwnSecrets,
}

impl Setup {
    fn new() -> Result<Self, DlpError> {
        let secrets = OwnSecrets::new([("KEY", &SECRET.into())])?;
        Ok(Self { scanner: Scanner::new(&DlpPolicy::default())?, secrets })
    }

    fn context(&self, direction: Direction) -> Context<'_> {
        Context { direction, server: "fuzz", tool: None, secrets: &self.secrets }
    }
}

/// Looks through `bytes` as a message both ways, and as a line.
///
/// # Errors
/// When what is let through is no JSON where it was looked through as such, or holds the secret.
pub fn scan(bytes: &[u8]) -> Result<(), String> {
    static SETUP: LazyLock<Result<Setup, DlpError>> = LazyLock::new(Setup::new);
    let setup = SETUP.as_ref().map_err(ToString::to_string)?;
    for direction in [Direction::ToServer, Direction::ToClient] {
        let context = setup.context(direction);
        let look = |message: &[u8]| setup.scanner.message(message, &context);
        // What cannot be read does not pass.
        let Ok(verdict) = look(bytes) else { continue };
        let Some(passes) = passes(bytes, verdict)? else { continue };
        serde_json::from_slice::<IgnoredAny>(&passes)
            .map_err(|error| shown("it is no JSON", &passes, error))?;
        let again = look(&passes).map_err(|error| shown("it is not read again", &passes, error))?;
        clean(&passes, again)?;
    }
    let context = setup.context(Direction::ToClient);
    match passes(bytes, setup.scanner.line(bytes, &context))? {
        Some(passes) => clean(&passes, setup.scanner.line(&passes, &context)),
        None => Ok(()),
    }
}

/// What goes on; none when nothing does.
fn passes(bytes: &[u8], verdict: Verdict) -> Result<Option<Vec<u8>>, String> {
    match verdict {
        Verdict::Clean => Ok(Some(bytes.to_vec())),
        Verdict::Noted(findings) if has_own(&findings) => {
            Err(shown("it is passed on with it", bytes, "noted"))
        }
        Verdict::Noted(_) => Ok(Some(bytes.to_vec())),
        Verdict::Redacted { message, .. } => Ok(Some(message)),
        Verdict::Blocked(_) => Ok(None),
    }
}

/// Whether what is passed on holds none, as far as whoever looks through it again can tell.
fn clean(passed: &[u8], again: Verdict) -> Result<(), String> {
    let findings = match again {
        Verdict::Clean => return Ok(()),
        Verdict::Noted(findings) | Verdict::Redacted { findings, .. } | Verdict::Blocked(findings) => {
            findings
        }
    };
    if has_own(&findings) { Err(shown("it holds the secret", passed, "found again")) } else { Ok(()) }
}

fn has_own(findings: &Findings) -> bool {
    let is_own = |finding: &Finding| finding.kind.as_str() == "secret.own";
    findings.iter().any(is_own)
}

fn shown(what: &str, bytes: &[u8], why: impl std::fmt::Display) -> String {
    format!("{what} ({why}): {}", bytes.escape_ascii())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_passes_without_it() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/scan");
        let mut looked = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            scan(&std::fs::read(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            looked += 1;
        }
        assert!(looked >= 5, "{looked}");
    }

    /// Pieces of a message: what JSON is made of, and the secret in many ways, whole and in part.
    fn piece() -> impl Strategy<Value = String> {
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let unicode: String = SECRET.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let twice = STANDARD.encode(STANDARD.encode(SECRET));
        prop_oneof![
            4 => prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\"text\":\"", "\"blob\":\"", "\"},{\"text\":\"", "\\n", "%41", "é", "\u{200b}",
            ]).prop_map(str::to_owned),
            2 => prop::sample::select(vec![SECRET.to_owned(), STANDARD.encode(SECRET), hex, percent, unicode, twice]),
            1 => (0..SECRET.len()).prop_map(|at| SECRET[..at].to_owned()),
            1 => (0..SECRET.len()).prop_map(|at| SECRET[at..].to_owned()),
            1 => "[ -~]{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn whatever_comes(pieces in prop::collection::vec(piece(), 0..24)) {
            let inner = pieces.concat();
            for bytes in [inner.clone(), format!(r#"{{"result":{{"content":[{{"text":"{inner}"}}]}}}}"#)] {
                prop_assert_eq!(scan(bytes.as_bytes()), Ok(()));
            }
        }

        #[test]
        fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(scan(&bytes), Ok(()));
        }
    }
}
