//! What anybody on this machine can say on a connection to the bridge.
#![no_main]

use std::cell::OnceCell;

use caisson_core::fuzzing::Edge;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static EDGE: OnceCell<Edge> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    EDGE.with(|edge| {
        let edge = edge.get_or_init(|| Edge::new().expect("a bridge can be made"));
        edge.feed(bytes).expect("it is answered or closed, and leaves nothing behind");
    });
});
