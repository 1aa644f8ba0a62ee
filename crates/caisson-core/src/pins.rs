//! What installed servers say of themselves, kept from when they last ran: the eras of MCP they know, how they
//! answer `initialize` and `server/discover`, and what they list. So a client is answered before a container
//! runs. It must never answer for a server whose definition has changed, nor tell one caller what was said to
//! another alone.

mod profile;

pub use profile::Profile;
pub(crate) use profile::SESSION_VERSIONS;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    model::{Digest, LifeSettings, Server, ServerName},
    registry::{State, StateError},
};

/// The most bytes of one thing a server says that are kept.
const LONGEST: usize = 4 << 20;
/// The most things one server says that are kept, and their bytes. Clients choose their capabilities, and so how
/// many kinds of them there are.
const MOST: i64 = 400;
const MOST_BYTES: i64 = 64 << 20;

/// Under what it is kept that all clients are alike to a server.
const UNIFORM: &str = "uniform";

/// Everything that is pinned. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pins(State);

/// What is pinned of one server, as it is defined at the moment.
#[derive(Clone, Debug)]
pub struct Pin {
    state: State,
    server: ServerName,
    definition: Digest,
    /// How often this and its clones have changed what is pinned.
    changes: Arc<AtomicU64>,
}

/// The eras of MCP a server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eras {
    /// With sessions: up to 2025-11-25.
    pub legacy: bool,
    /// Without: from 2026-07-28 on.
    pub modern: bool,
}

impl Pins {
    /// The pins in a state file.
    pub fn new(state: State) -> Self {
        Self(state)
    }

    /// What is pinned of `server`, defined so.
    pub fn of(&self, name: &ServerName, server: &Server) -> Pin {
        // When a server runs changes nothing of what it says.
        let what_runs = Server { life: LifeSettings::default(), ..server.clone() };
        // A definition is made of texts and numbers, which can always be written.
        let definition = Digest::of(&serde_json::to_vec(&what_runs).unwrap_or_default());
        Pin { state: self.0.clone(), server: name.clone(), definition, changes: Arc::default() }
    }

    /// Forgets a server.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub fn forget(&self, server: &ServerName) -> Result<(), StateError> {
        self.0.with(|db| db.execute("DELETE FROM pins WHERE server = ?1", [server.as_str()]).map(drop))
    }
}

impl Pin {
    /// Which definition of the server it is about.
    pub fn definition(&self) -> &Digest {
        &self.definition
    }

    /// A number that is another whenever this, or a clone of it, has changed what is pinned.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The eras the server knows; none when it was never asked.
    pub fn eras(&self) -> Option<Eras> {
        serde_json::from_str(&self.get("eras")?).ok()
    }

    /// Keeps which eras the server knows. Of earlier definitions everything is forgotten.
    pub fn set_eras(&self, eras: Eras) {
        let outdated = self.state.with(|db| {
            db.execute(
                "DELETE FROM pins WHERE server = ?1 AND definition <> ?2",
                params![self.server.as_str(), self.definition.as_str()],
            )
        });
        if let Err(error) = outdated {
            tracing::warn!(%error, "what servers said before their change was not forgotten");
        }
        self.set("eras", &serde_json::to_string(&eras).unwrap_or_default());
    }

    /// Whether all clients are alike to the server: what it says was found not to depend on what they can do.
    pub fn is_uniform(&self) -> bool {
        self.get(UNIFORM).is_some()
    }

    /// Keeps whether all clients are alike to the server.
    pub fn set_uniform(&self, is_uniform: bool) {
        if is_uniform {
            self.set(UNIFORM, "true");
        } else {
            self.forget(UNIFORM);
        }
    }

    /// What a client of `profile`, one with sessions, can be told of `method`: what its kind was, and else, where all
    /// are alike, what those were that can do nothing beyond the least.
    pub fn known(&self, profile: &Profile, method: &str) -> Option<Box<RawValue>> {
        let others = || self.result(&profile.stand_in(method), method).filter(|_| self.is_uniform());
        self.result(profile, method).or_else(others)
    }

    /// Holds what the server said to a client of `profile`, one with sessions, against what it said to those that can do
    /// nothing beyond the least. Where that is not the same, clients are not alike to it.
    pub fn compare(&self, profile: &Profile, method: &str, result: &RawValue) {
        let others = self.result(&profile.stand_in(method), method);
        if others.is_some_and(|others| others.get() != result.get()) && self.is_uniform() {
            self.set_uniform(false);
        }
    }

    /// The result of `method` as the server gave it to clients of `profile`.
    pub fn result(&self, profile: &Profile, method: &str) -> Option<Box<RawValue>> {
        serde_json::from_str(&self.get(&format!("{profile} {method}"))?).ok()
    }

    /// Keeps the result of `method`. Whether it is another than was kept before.
    pub fn set_result(&self, profile: &Profile, method: &str, result: &RawValue) -> bool {
        let what = format!("{profile} {method}");
        let before = self.get(&what);
        if before.as_deref() == Some(result.get()) {
            return false;
        }
        self.set(&what, result.get());
        before.is_some()
    }

    fn get(&self, what: &str) -> Option<String> {
        let said = self.state.with(|db| {
            db.prepare("SELECT said FROM pins WHERE server = ?1 AND definition = ?2 AND what = ?3")?
                .query_row(params![self.server.as_str(), self.definition.as_str(), what], |row| row.get(0))
                .optional()
        });
        // Without a pin the server is asked, which is only slower.
        said.unwrap_or_else(|error| {
            tracing::warn!(%error, "a pin could not be read");
            None
        })
    }

    /// Forgets the result of `method`.
    pub fn forget_result(&self, profile: &Profile, method: &str) {
        self.forget(&format!("{profile} {method}"));
    }

    /// Forgets all that the server says; the eras it knows stay.
    pub fn forget_results(&self) {
        self.forget_where("what <> ?3", "eras");
    }

    fn forget(&self, what: &str) {
        self.forget_where("what = ?3", what);
    }

    /// Forgets of this definition what meets a condition on `?3`, which is `what`.
    fn forget_where(&self, condition: &str, what: &str) {
        let forgotten = self.state.with(|db| {
            db.execute(
                &format!("DELETE FROM pins WHERE server = ?1 AND definition = ?2 AND {condition}"),
                params![self.server.as_str(), self.definition.as_str(), what],
            )
        });
        self.changes.fetch_add(1, Ordering::Release);
        if let Err(error) = forgotten {
            tracing::warn!(%error, "what a server said was not forgotten");
        }
    }

    /// Makes room, when there is none: of what the server says, what it said to Caisson itself is kept, and all
    /// else forgotten.
    fn make_room(&self, db: &Connection) -> rusqlite::Result<()> {
        let is_full = db.query_row(
            "SELECT count(*) >= ?3 OR total(octet_length(said)) >= ?4 FROM pins \
             WHERE server = ?1 AND definition = ?2",
            params![self.server.as_str(), self.definition.as_str(), MOST, MOST_BYTES],
            |row| row.get(0),
        )?;
        if is_full {
            let own = Profile::own().map(|profile| profile.to_string());
            // What stands before the last blank is the profile.
            db.execute(
                "DELETE FROM pins WHERE server = ?1 AND definition = ?2 \
                 AND rtrim(rtrim(what, replace(what, ' ', ''))) \
                 NOT IN (SELECT '' UNION SELECT value FROM json_each(?3))",
                params![
                    self.server.as_str(),
                    self.definition.as_str(),
                    // Texts can always be written.
                    serde_json::to_string(&own).unwrap_or_default()
                ],
            )?;
        }
        Ok(())
    }

    fn set(&self, what: &str, said: &str) {
        if said.len() > LONGEST {
            return;
        }
        let kept = self.state.with(|db| {
            self.make_room(db)?;
            db.execute(
                "INSERT INTO pins (server, definition, what, said) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET said = excluded.said",
                params![self.server.as_str(), self.definition.as_str(), what, said],
            )
        });
        self.changes.fetch_add(1, Ordering::Release);
        if let Err(error) = kept {
            tracing::warn!(%error, "what a server said was not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::CallerId;

    fn server(image: u8) -> Server {
        serde_json::from_value(serde_json::json!({
            "source": "example",
            "image": format!("sha256:{}", format!("{image:02x}").repeat(32)),
            "command": ["/server"],
        }))
        .unwrap()
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_was_said_holds_for_one_definition() {
        let pins = Pins::new(State::in_memory().unwrap());
        let name: ServerName = "a".parse().unwrap();
        let profile = Profile::modern();
        let pin = pins.of(&name, &server(1));
        assert!(!pin.set_result(&profile, "tools/list", &raw(r#"{"tools":[ ]}"#)));
        assert_eq!(pin.result(&profile, "tools/list").unwrap().get(), r#"{"tools":[ ]}"#);
        assert!(!pin.set_result(&profile, "tools/list", &raw(r#"{"tools":[ ]}"#)));
        assert!(pin.set_result(&profile, "tools/list", &raw(r#"{"tools":[1]}"#)));
        assert!(pin.result(&profile, "prompts/list").is_none());
        let changed = pins.of(&name, &server(2));
        assert!(changed.result(&profile, "tools/list").is_none());
        changed.set_eras(Eras { legacy: true, modern: false });
        assert_eq!(changed.eras(), Some(Eras { legacy: true, modern: false }));
        assert!(pin.result(&profile, "tools/list").is_none(), "the old definition's pins are gone");
        let lively = Server { life: LifeSettings { idle_stop: 7, ..LifeSettings::default() }, ..server(2) };
        assert!(pins.of(&name, &lively).eras().is_some());
        pins.forget(&name).unwrap();
        assert!(changed.eras().is_none());
    }

    #[test]
    fn kinds_of_clients_without_end_are_not_kept() {
        let pin = Pins::new(State::in_memory().unwrap()).of(&"a".parse().unwrap(), &server(1));
        pin.set_eras(Eras { legacy: true, modern: false });
        pin.set_uniform(true);
        for profile in Profile::own() {
            pin.set_result(&profile, "tools/list", &raw("{}"));
        }
        let kind = |number: i64| {
            let capabilities = [("x".to_owned(), number.into())].into();
            Profile::modern_with(&capabilities, &CallerId::for_test("token 1"))
        };
        for number in 0..MOST {
            pin.set_result(&kind(number), "tools/list", &raw("{}"));
        }
        assert!(pin.result(&kind(0), "tools/list").is_none());
        assert!(pin.result(&kind(MOST - 1), "tools/list").is_some());
        for profile in Profile::own() {
            assert!(pin.result(&profile, "tools/list").is_some(), "{profile:?}");
        }
        assert!(pin.eras().is_some() && pin.is_uniform());
        pin.forget_result(&kind(MOST - 1), "tools/list");
        assert!(pin.result(&kind(MOST - 1), "tools/list").is_none());
    }

    fn able(version: &str) -> Profile {
        let params = serde_json::json!({"protocolVersion": version, "capabilities": {"roots": {}}});
        let hello = serde_json::json!({"method": "initialize", "params": params});
        Profile::of(hello.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn where_all_clients_are_alike_one_stands_for_another() {
        let pins = Pins::new(State::in_memory().unwrap());
        let pin = pins.of(&"a".parse().unwrap(), &server(1));
        pin.set_result(&Profile::plain("2025-06-18"), "initialize", &raw("1"));
        pin.set_result(&Profile::least(), "tools/list", &raw("2"));
        let client = able("2025-06-18");
        let known = |method: &str| pin.known(&client, method).map(|known| known.get().to_owned());
        assert_eq!((known("initialize"), known("tools/list")), (None, None));
        pin.set_uniform(true);
        assert_eq!(known("initialize").as_deref(), Some("1"));
        assert_eq!(known("tools/list").as_deref(), Some("2"));
        assert!(pin.known(&able("2024-11-05"), "initialize").is_none(), "each version has its own beginning");
        pin.set_result(&client, "tools/list", &raw("3"));
        assert_eq!(known("tools/list").as_deref(), Some("3"), "what was said to the kind itself comes first");
        assert!(!pins.of(&"a".parse().unwrap(), &server(2)).is_uniform());
        pins.forget(&"a".parse().unwrap()).unwrap();
        assert!(!pin.is_uniform());
    }

    #[test]
    fn a_server_that_says_otherwise_to_some_is_uniform_no_more() {
        let pin = Pins::new(State::in_memory().unwrap()).of(&"a".parse().unwrap(), &server(1));
        pin.set_uniform(true);
        pin.set_result(&Profile::least(), "tools/list", &raw("1"));
        pin.compare(&able("2025-11-25"), "tools/list", &raw("1"));
        pin.compare(&able("2025-11-25"), "prompts/list", &raw("2"));
        pin.compare(&able("2025-11-25"), "initialize", &raw("2"));
        assert!(pin.is_uniform(), "it said nothing else to anybody");
        pin.compare(&able("2025-11-25"), "tools/list", &raw("2"));
        assert!(!pin.is_uniform());
    }
}
