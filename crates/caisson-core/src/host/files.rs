//! How many files and sockets the process may have open.

/// So many are enough for all connections at once: clients', engines', and the control socket's.
#[cfg(unix)]
const ENOUGH: u64 = 1 << 16;

/// Raises the limit to what is enough, or as far as the system allows, and says where it is then. Most systems give a
/// process far less than they let it ask for.
#[cfg(unix)]
pub(super) fn raise_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(ENOUGH);
    if current >= wanted {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, current, "the limit of open files could not be raised");
            current
        }
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) fn raise_limit() -> u64 {
    u64::MAX
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn the_limit_is_raised_as_far_as_it_may_be() {
        let raised = super::raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
        assert!(raised >= limit.maximum.unwrap_or(u64::MAX).min(super::ENOUGH));
        assert_eq!(super::raise_limit(), raised);
    }
}
