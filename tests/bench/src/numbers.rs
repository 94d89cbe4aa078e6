//! Percentiles of measured times, and what the thread that measures has used itself.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// The distribution of a measured time, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Spread {
    /// Of the samples; nothing when there are none.
    pub fn of(mut samples: Vec<Duration>) -> Option<Spread> {
        samples.sort();
        let at = |share: f64| {
            let rank = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len());
            milliseconds(samples[rank - 1])
        };
        (!samples.is_empty()).then(|| Spread { p50_ms: at(0.50), p99_ms: at(0.99), max_ms: at(1.0) })
    }
}

/// A time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// KiB in MiB.
pub fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

/// The middle one of the samples; `None` when there are none.
pub fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

/// Processor time of the thread that asks.
pub fn own_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.context("schedstat has no number")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let spread = Spread::of((1..=200).map(Duration::from_millis).collect()).unwrap();
        assert_eq!((spread.p50_ms, spread.p99_ms, spread.max_ms), (100.0, 198.0, 200.0));
        assert!(Spread::of(Vec::new()).is_none());
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }
}
