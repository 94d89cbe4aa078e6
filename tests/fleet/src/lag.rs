//! How long events waited for the loop: a histogram that costs nothing to keep.

use std::time::Duration;

const STEPS: usize = 16;
const BUCKETS: usize = STEPS * 24;

/// Durations by size, 6 % apart, from a microsecond up.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: Box::new([0; BUCKETS]), total: 0 }
    }
}

impl Histogram {
    /// Notes that so many events took this long at most.
    pub fn note(&mut self, took: Duration, events: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let power = usize::try_from(micros.ilog2()).unwrap_or(0);
        let step = if power >= 4 { (micros >> (power - 4)) & 15 } else { (micros << (4 - power)) & 15 };
        let at = (power * STEPS + usize::try_from(step).unwrap_or(0)).min(BUCKETS - 1);
        self.counts[at] += events;
        self.total += events;
    }

    /// The duration that this share of events did not exceed, rounded up to the bucket's end.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                let (power, step) = (at / STEPS, (at % STEPS + 1) as u64);
                return Duration::from_nanos((1000u64 << power) + ((1000u64 << power) * step) / 16);
            }
        }
        Duration::ZERO
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts.iter()) {
            *sum += count;
        }
        self.total += other.total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close_and_never_below() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.note(Duration::from_micros(micros), 1);
        }
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile(share).as_secs_f64() * 1e6;
            assert!(found >= exact && found < exact * 1.07 + 1.0, "{share}: {found}");
        }
    }
}
