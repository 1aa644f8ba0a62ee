//! Names that something is being done to: an install, a removal. The second who wants one is told at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    control::api::{ApiError, ErrorCode},
    model::ServerName,
};

/// The names in use, and for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Arc<Mutex<BTreeMap<ServerName, &'static str>>>);

/// A name in use, until dropped.
#[derive(Debug)]
pub(super) struct NameHeld {
    names: Names,
    name: ServerName,
}

impl Names {
    /// Takes `name` for what `doing` says: `installed`, `removed`.
    pub(super) fn hold(&self, name: &ServerName, doing: &'static str) -> Result<NameHeld, ApiError> {
        let mut held = self.lock();
        if let Some(doing) = held.get(name) {
            return Err(ApiError::new(ErrorCode::Busy, format!("{name} is being {doing} at this moment"))
                .why("two changes of one server at a time would undo each other")
                .fix("wait until that has ended, or choose another name"));
        }
        held.insert(name.clone(), doing);
        Ok(NameHeld { names: self.clone(), name: name.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerName, &'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NameHeld {
    fn drop(&mut self) {
        self.names.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_and_the_first_lets_go() {
        let names = Names::default();
        let name: ServerName = "a".parse().unwrap();
        let held = names.hold(&name, "installed").unwrap();
        let error = names.hold(&name, "removed").unwrap_err();
        assert_eq!(
            (error.code, error.what.as_str()),
            (ErrorCode::Busy, "a is being installed at this moment")
        );
        assert!(names.hold(&"b".parse().unwrap(), "installed").is_ok());
        drop(held);
        assert!(names.hold(&name, "removed").is_ok());
    }
}
