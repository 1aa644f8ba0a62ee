//! Who may call what. Only here a `Permit` is made.
