//! What `caisson verify` found last of each server.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::{State, StateError};
use crate::model::{ServerName, Verification};

/// The verifications that are kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Verifications(State);

impl Verifications {
    /// The verifications in a state file.
    pub fn new(state: State) -> Self {
        Self(state)
    }

    /// The last of a server. One that another version of Caisson has written, and that cannot be read, is none.
    ///
    /// # Errors
    /// When the state file cannot be read.
    pub fn of(&self, server: &ServerName) -> Result<Option<Verification>, StateError> {
        let found: Option<String> = self.0.with(|db| {
            let found = "SELECT found FROM verifications WHERE server = ?1";
            db.query_row(found, [server.as_str()], |row| row.get(0)).optional()
        })?;
        Ok(found.and_then(|found| serde_json::from_str(&found).ok()))
    }

    /// The last of each server.
    ///
    /// # Errors
    /// When the state file cannot be read.
    pub fn all(&self) -> Result<BTreeMap<ServerName, Verification>, StateError> {
        self.0.with(|db| {
            let mut all = BTreeMap::new();
            let mut statement = db.prepare("SELECT server, found FROM verifications")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (server, found): (String, String) = (row.get(0)?, row.get(1)?);
                if let (Ok(server), Ok(found)) = (server.parse(), serde_json::from_str(&found)) {
                    all.insert(server, found);
                }
            }
            Ok(all)
        })
    }

    /// Keeps what was found of a server, in the place of what was found before.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub fn keep(&self, server: &ServerName, found: &Verification) -> Result<(), StateError> {
        // Texts and numbers can always be written.
        let found = serde_json::to_string(found).unwrap_or_default();
        self.0.with(|db| {
            db.execute(
                "INSERT INTO verifications (server, found) VALUES (?1, ?2) \
                 ON CONFLICT DO UPDATE SET found = excluded.found",
                params![server.as_str(), found],
            )
            .map(drop)
        })
    }

    /// Forgets a server.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub fn forget(&self, server: &ServerName) -> Result<(), StateError> {
        self.0
            .with(|db| db.execute("DELETE FROM verifications WHERE server = ?1", [server.as_str()]).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, EngineIdentity, ProbeOutcome, ProbeResult};

    #[test]
    fn the_last_is_kept_until_it_is_forgotten() {
        let kept = Verifications::new(State::in_memory().unwrap());
        let name: ServerName = "a".parse().unwrap();
        let probe = ProbeResult {
            name: "raw-socket".into(),
            group: "Network".into(),
            tried: "A raw socket.".into(),
            outcome: ProbeOutcome::Held,
            happened: "refused".into(),
            stopped_by: Some("System calls".into()),
        };
        let engine = EngineIdentity {
            kind: "Podman".into(),
            version: "4".into(),
            runtime: "runc".into(),
            rootless: true,
        };
        let mut found = Verification { at: 1, plan: Digest::of(b"plan"), engine, probes: vec![probe] };
        assert_eq!(kept.of(&name).unwrap(), None);
        kept.keep(&name, &found).unwrap();
        found.at = 2;
        kept.keep(&name, &found).unwrap();
        assert_eq!(kept.of(&name).unwrap(), Some(found.clone()));
        assert_eq!(kept.all().unwrap(), BTreeMap::from([(name.clone(), found)]));
        kept.0.with(|db| db.execute("UPDATE verifications SET found = '{}'", []).map(drop)).unwrap();
        assert_eq!((kept.of(&name).unwrap(), kept.all().unwrap().len()), (None, 0));
        kept.forget(&name).unwrap();
        assert_eq!(kept.of(&name).unwrap(), None);
    }
}
