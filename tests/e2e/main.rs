//! End to end: the real command line and daemon, on real engines, with real servers and real clients.
//!
//! One binary; a module a feature. `scripts/test` starts the engines and names them in the environment.

/// Makes a test of each function on each engine: `on_engines!([podman docker] one, another);`
macro_rules! on_engines {
    ($engines:tt $($name:ident),+ $(,)?) => { $(on_engines!(@each $name $engines);)+ };
    (@each $name:ident [$($engine:ident)+]) => {
        mod $name {
            $(#[test]
            fn $engine() {
                if let Some(home) = caisson_tests::Home::new(on_engines!(@engine $engine)) {
                    super::$name(&home);
                }
            })+
        }
    };
    (@engine podman) => { caisson_tests::TestEngine::Podman };
    (@engine docker) => { caisson_tests::TestEngine::Docker };
    (@engine rootless) => { caisson_tests::TestEngine::Rootless };
}

mod agents;
mod audit;
mod bridge;
mod clients;
mod conformance;
mod crash;
mod desktop;
mod egress;
mod eras;
mod gate;
mod groups;
mod hostile;
mod inside;
mod inside_install;
mod install;
mod isolation;
mod pins;
mod registry;
mod sandbox;
mod seccomp;
mod secrets;
mod servers;
mod stats;
mod tasks;
mod verify;
mod workspace;
