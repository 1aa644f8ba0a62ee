//! What a container can say on its pipe, and a server on its standard output.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    caisson_wire::fuzzing::pipe(bytes).expect("the pipe ends");
    let cuts = bytes.iter().take(8).map(|byte| usize::from(*byte) * 3);
    assert!(caisson_core::fuzzing::are_lines(bytes, cuts), "lines differ with their pieces");
});
