//! What a server can have looked through: a message, or a line of its log.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    caisson_scan::fuzzing::scan(bytes).expect("what passes is JSON if it was, and without the secret");
});
