//! How far back the change log reaches: which entries to drop as new ones come.

use std::collections::VecDeque;

use crate::record::Revision;

/// Which part of the log's reach goes at once when it is exceeded: one in so many.
const SLACK: usize = 64;

/// How much of the change log is kept. Whichever bound is reached first counts; the newest entry always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) batches: usize,
    pub(crate) bytes: usize,
}

/// The sizes of the entries that the change log holds: the last `len` revisions up to the newest one.
#[derive(Debug)]
pub(crate) struct History {
    reach: Reach,
    sizes: VecDeque<usize>,
    bytes: usize,
    newest: Revision,
}

impl History {
    /// The history of a store at `newest` whose log holds no entries yet.
    pub(crate) fn empty(reach: Reach, newest: Revision) -> History {
        History { reach, sizes: VecDeque::new(), bytes: 0, newest }
    }

    /// The revision before the oldest entry: the oldest one that can be watched from.
    pub(crate) fn oldest(&self) -> Revision {
        Revision(self.newest.0 - self.sizes.len() as u64)
    }

    /// The newest revision.
    pub(crate) fn newest(&self) -> Revision {
        self.newest
    }

    /// The bounds.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// Starts over at a revision whose past is not in the log.
    pub(crate) fn restart(&mut self, newest: Revision) {
        *self = History::empty(self.reach, newest);
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Takes in the entry of the next revision.
    pub(crate) fn push(&mut self, size: usize) {
        self.sizes.push_back(size);
        self.bytes += size;
        self.newest = self.newest.next();
    }

    /// The oldest entries, with their sizes, that must go for an entry of `size` to come in within bounds. Once any
    /// must, some more go: removing one costs a leaf, and removing its neighbours too costs hardly more.
    pub(crate) fn surplus(&self, size: usize) -> Vec<(Revision, usize)> {
        let (mut count, mut bytes) = (self.sizes.len() + 1, self.bytes + size);
        let mut surplus = Vec::new();
        if count <= self.reach.batches && bytes <= self.reach.bytes {
            return surplus;
        }
        let (batches_kept, bytes_kept) =
            (self.reach.batches - self.reach.batches / SLACK, self.reach.bytes - self.reach.bytes / SLACK);
        for (revision, old) in (self.oldest().0 + 1..).zip(&self.sizes) {
            if count <= batches_kept && bytes <= bytes_kept {
                break;
            }
            surplus.push((Revision(revision), *old));
            count -= 1;
            bytes -= old;
        }
        surplus
    }

    /// Forgets the oldest `count` entries.
    pub(crate) fn drop_oldest(&mut self, count: usize) {
        self.bytes -= self.sizes.drain(..count).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_the_newest_entry_stays() {
        let mut history = History::empty(Reach { batches: 3, bytes: 100 }, Revision(7));
        let mut add = |size: usize| {
            let surplus = history.surplus(size);
            history.drop_oldest(surplus.len());
            history.push(size);
            (surplus.iter().map(|(r, _)| r.0).collect::<Vec<_>>(), history.oldest().0, history.newest().0)
        };
        assert_eq!(add(10), (vec![], 7, 8));
        assert_eq!(add(10), (vec![], 7, 9));
        assert_eq!(add(10), (vec![], 7, 10));
        assert_eq!(add(10), (vec![8], 8, 11));
        assert_eq!(add(85), (vec![9, 10], 10, 12));
        assert_eq!(add(500), (vec![11, 12], 12, 13));
    }

    #[test]
    fn a_long_history_is_trimmed_in_lots() {
        let mut history = History::empty(Reach { batches: 640, bytes: 1 << 20 }, Revision(0));
        let mut trims = Vec::new();
        for _ in 0..700 {
            let surplus = history.surplus(1);
            history.drop_oldest(surplus.len());
            history.push(1);
            assert!(history.len() <= 640);
            trims.extend((!surplus.is_empty()).then_some(surplus.len()));
        }
        assert_eq!(trims, [11; 6]);
    }
}
