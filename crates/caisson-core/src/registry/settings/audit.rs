use serde::{Deserialize, Serialize};

use crate::audit::Retention;

/// What `settings.toml` says of the record of what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSettings {
    /// So many entries are kept.
    pub entries: u64,
    /// And none that is so many days older than the latest.
    pub days: Option<u32>,
    /// What of a call's arguments is kept.
    pub arguments: KeptArguments,
}

/// What of a call's arguments is kept in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeptArguments {
    /// Their digest: it tells equal from unequal. Who knows what they may have been can try.
    #[default]
    Digest,
    /// Beside it, the arguments as a person is shown them, without what the scanner takes out.
    Shown,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let Retention { entries, days } = Retention::default();
        Self { entries, days, arguments: KeptArguments::default() }
    }
}

impl AuditSettings {
    /// How much of the record is kept.
    pub fn retention(&self) -> Retention {
        Retention { entries: self.entries, days: self.days }
    }
}
