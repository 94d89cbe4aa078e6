//! The operating system's bound on open files: every host is two connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{info, warn};
use weft_model::HostIndex;

/// What is needed beside connections of hosts: the store, the API's clients, the runtime.
const RESERVE: u64 = 1024;

/// Raises the bound as far as the process may, and warns if not every host that could join would fit. Gives back how many
/// connections each of the two kinds may have, so that neither takes the other's, nor the API's.
pub fn raise() -> usize {
    let wanted = 2 * u64::from(HostIndex::MAX.get()) + RESERVE;
    let allowed = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_or(soft, |()| hard)
        }
        Ok((soft, _)) => soft,
        Err(error) => {
            warn!(%error, "the bound on open files is not known");
            RESERVE
        }
    };
    let each = share(allowed);
    if allowed < wanted {
        warn!(
            allowed,
            wanted,
            hosts = each,
            "not every host that may join fits into the bound on open files (LimitNOFILE of the service)"
        );
    } else {
        info!(allowed, "open files");
    }
    each
}

/// How many connections of one kind fit, with some to spare for hosts that dial again before we see that they went.
fn share(allowed: u64) -> usize {
    const MOST: u64 = 20_000;
    let reserve = RESERVE.min(allowed / 4);
    usize::try_from(((allowed - reserve) / 2).clamp(1, MOST)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_and_the_rest_fit() {
        for allowed in [64, 1024, 20_000, 65_536, u64::MAX] {
            let each = u64::try_from(share(allowed)).unwrap();
            assert!((1..=20_000).contains(&each) && 2 * each < allowed, "{allowed}: {each}");
        }
        assert!(
            share(20_000) >= 9_000,
            "the usual hard limit of a container serves nearly ten thousand hosts"
        );
    }

    #[test]
    fn the_bound_is_raised() {
        raise();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
