use std::{fmt, sync::Arc};

use caisson_wire::SecretBytes;

use super::{DlpError, exact::Exact};

/// The secrets that Caisson itself handed out, ready to be found in every usual encoding. Made for a server when it
/// starts, within milliseconds. Cheap to clone.
///
/// What is shorter than 6 bytes is not found: it stands in too many texts.
#[derive(Clone, Default)]
pub struct OwnSecrets(Arc<Known>);

#[derive(Default)]
struct Known {
    exact: Exact,
    titles: Vec<Arc<str>>,
}

impl OwnSecrets {
    /// These, each with its name.
    ///
    /// # Errors
    /// When they are so long that they cannot be found together.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a SecretBytes)>) -> Result<Self, DlpError> {
        let (names, values): (Vec<_>, Vec<_>) = secrets.into_iter().unzip();
        let exact = Exact::new(values.iter().map(|value| value.expose())).map_err(DlpError::Secrets)?;
        let titles = names.iter().map(|name| format!("secret {name}").into()).collect();
        Ok(Self(Arc::new(Known { exact, titles })))
    }

    pub(super) fn exact(&self) -> &Exact {
        &self.0.exact
    }

    /// What one is called.
    pub(super) fn title(&self, number: u16) -> Arc<str> {
        self.0.titles.get(usize::from(number)).cloned().unwrap_or_else(|| "secret".into())
    }

    /// A pointer into a message, or nothing of it if its names spell a secret together.
    pub(super) fn hidden_in(&self, pointer: &str) -> String {
        let joined = pointer.replace('/', "");
        let has = |text: &str| self.exact().find(text.as_bytes()).next().is_some();
        if has(pointer) || has(&joined) { "/…".to_owned() } else { pointer.to_owned() }
    }
}

impl fmt::Debug for OwnSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnSecrets").field(&self.0.titles).finish()
    }
}
