//! Following a store: order, waiting, falling behind, reopening.

use std::time::{Duration, Instant};

use weft_store::{Batch, Change, Engine, Op, Options, Revision, Store, StoreError, Table, Watch};

use crate::Bench;

const T: Table = Table("t");
/// Longer than any healthy machine takes; reaching it is a failure.
const DEADLINE: Duration = Duration::from_secs(30);

fn write(store: &dyn Store, count: u64) {
    for _ in 0..count {
        store.apply(Batch::new().put(T, "n", format!("{}", store.revision().next()))).unwrap();
    }
}

fn drain(watch: &mut dyn Watch) -> Vec<u64> {
    std::iter::from_fn(|| watch.try_next().unwrap()).map(|change| change.revision.0).collect()
}

fn short_log(engine: Engine) -> Bench {
    Bench::with(engine, Options { log_batches_max: 5, ..Options::default() })
}

pub fn a_watch_shows_every_batch_in_order(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    let mut batch = Batch::new();
    store.apply(batch.put(T, "a", "1").delete(Table("u"), "b").put(T, "a", "2")).unwrap();
    let mut watch = store.watch(Revision::ZERO).unwrap();
    assert_eq!(watch.try_next().unwrap(), Some(Change { revision: Revision(1), ops: batch.ops().to_vec() }));
    assert_eq!(watch.try_next().unwrap(), None);
    write(store, 3);
    assert_eq!(drain(watch.as_mut()), [2, 3, 4]);
    store.apply(&Batch::new()).unwrap();
    assert_eq!(watch.try_next().unwrap(), Some(Change { revision: Revision(5), ops: vec![] }));
    assert_eq!(drain(store.watch(Revision(3)).unwrap().as_mut()), [4, 5]);
    // What was refused is not shown.
    assert!(store.apply(Batch::new().expect_revision(Revision(1)).put(T, "a", "3")).is_err());
    assert_eq!(watch.try_next().unwrap(), None);
}

pub fn a_slow_watch_is_told_to_list_again(engine: Engine) {
    let bench = short_log(engine);
    let store = bench.store();
    let mut slow = store.watch(Revision::ZERO).unwrap();
    write(store, 5);
    assert_eq!(drain(store.watch(Revision::ZERO).unwrap().as_mut()), [1, 2, 3, 4, 5]);
    write(store, 4);
    for _ in 0..2 {
        assert!(matches!(slow.try_next(), Err(StoreError::Compacted { oldest: Revision(4) })));
    }
    assert!(matches!(store.watch(Revision(3)), Err(StoreError::Compacted { oldest: Revision(4) })));
    assert_eq!(drain(store.watch(Revision(4)).unwrap().as_mut()), [5, 6, 7, 8, 9]);
}

pub fn the_log_is_bounded_by_bytes_too(engine: Engine) {
    let bench = Bench::with(engine, Options { log_bytes_max: 10_000, ..Options::default() });
    for _ in 0..8 {
        bench.store().apply(Batch::new().put(T, "k", [7; 3000])).unwrap();
    }
    assert_eq!(bench.store().check().unwrap().log_entries, 3);
    bench.store().apply(Batch::new().put(T, "k", [7; 30_000])).unwrap();
    assert_eq!(drain(bench.store().watch(Revision(8)).unwrap().as_mut()), [9]);
    assert!(matches!(bench.store().watch(Revision(7)), Err(StoreError::Compacted { oldest: Revision(8) })));
}

pub fn a_watch_waits_for_the_next_batch(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    let mut watch = store.watch(Revision::ZERO).unwrap();
    assert_eq!(watch.next_within(Duration::from_millis(1)).unwrap(), None);
    std::thread::scope(|threads| {
        let seen = threads.spawn(move || {
            let start = Instant::now();
            let mut seen = Vec::new();
            while seen.len() < 20 && start.elapsed() < DEADLINE {
                seen.extend(watch.next_within(DEADLINE).unwrap().map(|change| {
                    let Op::Put { value, .. } = &change.ops[0] else { panic!("only puts were written") };
                    assert_eq!(*value, change.revision.to_string());
                    change.revision.0
                }));
            }
            seen
        });
        write(store, 20);
        assert_eq!(seen.join().unwrap(), (1..=20).collect::<Vec<_>>());
    });
}

pub fn the_future_cannot_be_watched(engine: Engine) {
    let bench = Bench::new(engine);
    write(bench.store(), 2);
    let early = bench.store().watch(Revision(3));
    assert!(matches!(early, Err(StoreError::NotYet { from: Revision(3), newest: Revision(2) })));
    bench.store().watch(Revision(2)).unwrap();
}

pub fn watching_goes_on_after_a_reopen(engine: Engine) {
    let mut bench = short_log(engine);
    write(bench.store(), 8);
    bench.reopen();
    assert_eq!(drain(bench.store().watch(Revision(3)).unwrap().as_mut()), [4, 5, 6, 7, 8]);
    assert!(matches!(bench.store().watch(Revision(2)), Err(StoreError::Compacted { oldest: Revision(3) })));
    write(bench.store(), 1);
    assert!(matches!(bench.store().watch(Revision(3)), Err(StoreError::Compacted { oldest: Revision(4) })));
}
