//! Writes Caisson into AI clients' configuration, and takes it out again. Never changes what is not ours.
