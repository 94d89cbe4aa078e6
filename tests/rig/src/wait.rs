//! Waiting for a condition with a deadline, instead of sleeping and hoping.
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longest pause between two looks at a condition.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Looks at `condition` until it answers `Ok(true)` or `limit` has passed.
///
/// `Ok(false)` and `Err` both mean "not yet"; the error of the last look is shown when time is up, so a condition
/// that says `bail!("3 of 5 flows")` explains its own failure.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        let last = match condition() {
            Ok(true) => return Ok(()),
            Ok(false) => "the condition was false".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() >= deadline {
            bail!("waited {limit:?} for {what}; at last: {last}");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_condition_returns_at_once_and_a_late_one_is_seen() {
        let mut looks = 0;
        wait_until("three looks", Duration::from_secs(5), || {
            looks += 1;
            Ok(looks == 3)
        })
        .expect("the third look is true");
        assert_eq!(looks, 3);
    }

    #[test]
    fn running_out_of_time_shows_the_last_state() {
        let error =
            wait_until("rain", Duration::from_millis(5), || bail!("still dry")).expect_err("never true");
        let text = error.to_string();
        assert!(text.contains("rain") && text.contains("still dry"), "{text}");
    }
}
