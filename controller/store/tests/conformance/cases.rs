//! Records, batches, conditions, snapshots, limits, reopening, and a random history against a model.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use proptest::prelude::*;
use weft_store::{
    BATCH_BYTES_MAX, BATCH_OPS_MAX, Batch, Conflict, Engine, KEY_BYTES_MAX, Revision, Span, Store,
    StoreError, Table, VALUE_BYTES_MAX,
};

use crate::{Bench, texts};

const A: Table = Table("a");
const AB: Table = Table("a-b");
const B: Table = Table("b");

fn keys(store: &dyn Store, span: &Span) -> Vec<String> {
    texts(store, A, span).into_iter().map(|(key, _)| key).collect()
}

pub fn a_new_store_is_empty(engine: Engine) {
    let bench = Bench::new(engine);
    let snapshot = bench.store().snapshot().unwrap();
    assert_eq!((bench.store().revision(), snapshot.revision()), (Revision::ZERO, Revision::ZERO));
    assert_eq!(snapshot.get(A, b"k").unwrap(), None);
    assert_eq!(snapshot.tables().unwrap(), []);
    assert_eq!(keys(bench.store(), &Span::all()), [""; 0]);
}

pub fn batches_change_records_and_count_revisions(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    assert_eq!(store.apply(Batch::new().put(A, "x", "1").put(B, "y", "2")).unwrap(), Revision(1));
    assert_eq!(
        store.apply(Batch::new().put(A, "x", "3").delete(B, "y").delete(B, "never")).unwrap(),
        Revision(2)
    );
    assert_eq!(store.apply(&Batch::new()).unwrap(), Revision(3), "an empty batch takes a revision too");
    assert_eq!(store.revision(), Revision(3));
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(A, b"x").unwrap().unwrap(), "3");
    assert_eq!(snapshot.get(B, b"y").unwrap(), None);
    assert_eq!(snapshot.tables().unwrap(), [A], "a table without records is none");
}

pub fn scans_are_ordered_and_bounded(engine: Engine) {
    let bench = Bench::new(engine);
    let mut batch = Batch::new();
    for key in ["b", "", "ab", "a", "b\u{7f}", "c"] {
        batch.put(A, key, "v");
    }
    bench.store().apply(&batch).unwrap();
    let scan = |span: Span| keys(bench.store(), &span);
    assert_eq!(scan(Span::all()), ["", "a", "ab", "b", "b\u{7f}", "c"]);
    assert_eq!(scan(Span::prefix("a")), ["a", "ab"]);
    assert_eq!(scan(Span::between("a", "b")), ["a", "ab"]);
    assert_eq!(
        scan(Span::between("b", "a")),
        [""; 0],
        "a span that ends before it starts is empty, not an error"
    );
    assert_eq!(scan(Span::between("b", "b")), [""; 0]);
    assert_eq!(scan(Span::all().after("ab")), ["b", "b\u{7f}", "c"]);
    assert_eq!(scan(Span::all().after("")), ["a", "ab", "b", "b\u{7f}", "c"]);
    assert_eq!(scan(Span::prefix("a").after("a")), ["ab"]);
    assert_eq!(scan(Span::prefix("a").after("zzz")), [""; 0]);
}

pub fn tables_do_not_mix(engine: Engine) {
    // "a-b" sorts between the end of "a" and "b", and keys of zero bytes look like the separator.
    let bench = Bench::new(engine);
    let mut batch = Batch::new();
    batch.put(A, "", "1").put(A, "\0\0", "2").put(A, "-b\0k", "3").put(AB, "k", "4").put(B, "k", "5");
    bench.store().apply(&batch).unwrap();
    let values =
        |table| texts(bench.store(), table, &Span::all()).into_iter().map(|(_, v)| v).collect::<Vec<_>>();
    assert_eq!(
        (values(A), values(AB), values(B)),
        (vec!["1".into(), "2".into(), "3".into()], vec!["4".into()], vec!["5".into()])
    );
    assert_eq!(bench.store().snapshot().unwrap().tables().unwrap(), [A, AB, B]);
    assert_eq!(texts(bench.store(), Table("a-"), &Span::all()), []);
}

pub fn the_last_operation_on_a_key_stands(engine: Engine) {
    let mut bench = Bench::new(engine);
    let mut batch = Batch::new();
    batch.put(A, "x", "1").delete(A, "x").put(A, "y", "1").put(A, "y", "2").put(A, "z", "1").delete(A, "z");
    batch.put(A, "x", "3");
    bench.store().apply(&batch).unwrap();
    let expected = [("x".to_owned(), "3".to_owned()), ("y".to_owned(), "2".to_owned())];
    assert_eq!(texts(bench.store(), A, &Span::all()), expected);
    bench.reopen();
    assert_eq!(texts(bench.store(), A, &Span::all()), expected);
}

pub fn conditions_guard_the_whole_batch(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    store.apply(Batch::new().put(A, "x", "1")).unwrap();
    let record = |found: Option<&'static str>| Conflict::Record {
        table: A,
        key: "x".into(),
        found: found.map(Into::into),
    };
    let one = Some("1");
    let refused = |batch: &mut Batch| match store.apply(batch.put(A, "other", "written")) {
        Err(StoreError::Conflict(conflict)) => conflict,
        result => panic!("a conflict was expected, not {result:?}"),
    };
    let stale = Conflict::Revision { expected: Revision(0), found: Revision(1) };
    assert_eq!(refused(Batch::new().expect_revision(Revision(0))), stale);
    assert_eq!(refused(Batch::new().expect_absent(A, "x")), record(one));
    assert_eq!(refused(Batch::new().expect_value(A, "x", "2")), record(one));
    assert_eq!(refused(Batch::new().expect_value(A, "x", "1").expect_absent(A, "x")), record(one));
    assert!(matches!(refused(Batch::new().expect_present(A, "y")), Conflict::Record { found: None, .. }));
    assert!(matches!(refused(Batch::new().expect_value(A, "y", "")), Conflict::Record { found: None, .. }));
    assert_eq!((store.revision(), keys(store, &Span::all())), (Revision(1), vec!["x".to_owned()]));

    let mut holds = Batch::new();
    holds.expect_revision(Revision(1)).expect_value(A, "x", "1").expect_present(A, "x").expect_absent(A, "y");
    // Conditions look at the state before the batch, so it may create what it expects to be absent.
    assert_eq!(store.apply(holds.put(A, "y", "1").delete(A, "x")).unwrap(), Revision(2));
    assert_eq!(keys(store, &Span::all()), ["y"]);
}

pub fn a_snapshot_stays_as_it_was(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    let mut batch = Batch::new();
    for n in 0..1000 {
        batch.put(A, format!("{n:04}"), "old");
    }
    store.apply(&batch).unwrap();
    let before = store.snapshot().unwrap();
    let mut scan = before.scan(A, &Span::all()).unwrap();
    let first = scan.next().unwrap().unwrap();
    // Overwritten, removed, added between, added after the end: while a scan is under way.
    let mut batch = Batch::new();
    for n in 0..1000 {
        match n % 3 {
            0 => batch.put(A, format!("{n:04}"), "new"),
            1 => batch.delete(A, format!("{n:04}")),
            _ => batch.put(A, format!("{n:04}+"), "new"),
        };
    }
    store.apply(batch.put(A, "9999", "new")).unwrap();
    store.apply(Batch::new().put(A, "0000", "newer").put(A, "0001", "newer")).unwrap();

    let seen: Vec<_> = std::iter::once(first).chain(scan.map(Result::unwrap)).collect();
    assert_eq!(seen.len(), 1000);
    assert!(seen.iter().enumerate().all(|(n, r)| r.key == format!("{n:04}") && r.value == "old"));
    assert_eq!(before.get(A, b"0001").unwrap().unwrap(), "old");
    assert_eq!(before.get(A, b"9999").unwrap(), None);
    assert_eq!((before.revision(), store.snapshot().unwrap().revision()), (Revision(1), Revision(3)));
    assert_eq!(store.snapshot().unwrap().get(A, b"0001").unwrap().unwrap(), "newer");
}

pub fn limits_are_refused_without_a_trace(engine: Engine) {
    let bench = Bench::new(engine);
    let store = bench.store();
    let too_large = |batch: &Batch| assert!(matches!(store.apply(batch), Err(StoreError::TooLarge { .. })));
    let (key, value) = (vec![b'k'; KEY_BYTES_MAX], vec![b'v'; VALUE_BYTES_MAX]);
    too_large(Batch::new().put(A, [key.as_slice(), b"k"].concat(), ""));
    too_large(Batch::new().put(A, "k", [value.as_slice(), b"v"].concat()));
    too_large(Batch::new().expect_absent(A, [key.as_slice(), b"k"].concat()));
    let (mut many, mut large) = (Batch::new(), Batch::new());
    (0..=BATCH_OPS_MAX).for_each(|_| {
        many.delete(A, "k");
    });
    (0..=BATCH_BYTES_MAX / VALUE_BYTES_MAX).for_each(|_| {
        large.put(A, "k", &value);
    });
    too_large(&many);
    too_large(&large);
    for name in ["", "A", "a b", "a\0b"] {
        let refused = store.apply(Batch::new().put(Table(name), "k", "v"));
        assert!(matches!(refused, Err(StoreError::TableName { .. })), "{name:?}");
    }
    assert_eq!((store.revision(), keys(store, &Span::all())), (Revision::ZERO, vec![]));
    store.apply(Batch::new().put(A, &key, &value)).unwrap();
    assert_eq!(store.snapshot().unwrap().get(A, &key).unwrap().unwrap(), value);
}

pub fn everything_survives_a_reopen(engine: Engine) {
    let mut bench = Bench::new(engine);
    for n in 1..=50_u64 {
        let mut batch = Batch::new();
        batch.put(A, n.to_be_bytes(), format!("{n}")).put(B, "newest", format!("{n}"));
        assert_eq!(bench.store().apply(&batch).unwrap(), Revision(n));
        if n % 10 == 0 {
            bench.reopen();
            assert_eq!(bench.store().revision(), Revision(n));
        }
    }
    let snapshot = bench.store().snapshot().unwrap();
    assert_eq!(snapshot.scan(A, &Span::all()).unwrap().count(), 50);
    assert_eq!(snapshot.get(B, b"newest").unwrap().unwrap(), "50");
}

pub fn the_data_is_locked(engine: Engine) {
    let mut bench = Bench::new(engine);
    assert!(matches!(bench.open(), Err(StoreError::Locked { .. })));
    // A watch or a snapshot that outlives its store keeps the engine open, and so the lock.
    let watch = bench.store().watch(Revision::ZERO).unwrap();
    let snapshot = bench.store().snapshot().unwrap();
    bench.close();
    assert!(matches!(bench.open(), Err(StoreError::Locked { .. })));
    drop(watch);
    assert!(matches!(bench.open(), Err(StoreError::Locked { .. })));
    drop(snapshot);
    bench.open().unwrap();
}

pub fn a_closed_store_opens_while_processes_start(engine: Engine) {
    // A process being started has copies of this one's descriptors, locks included, until it runs its program.
    let mut bench = Bench::new(engine);
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let reopened = catch_unwind(AssertUnwindSafe(|| (0..100).for_each(|_| bench.reopen())));
        stop.store(true, Ordering::Relaxed);
        reopened.unwrap();
    });
}

pub fn the_other_engine_is_refused(engine: Engine) {
    let mut bench = Bench::new(engine);
    bench.close();
    let other = if engine == Engine::Redb { Engine::Sled } else { Engine::Redb };
    match weft_store::open(other, bench.path(), weft_store::Options::default()) {
        Err(StoreError::OtherEngine { wanted, found, .. }) => assert_eq!((wanted, found), (other, engine)),
        result => panic!("the other engine's data was taken: {:?}", result.err()),
    }
    assert_eq!(engine.to_string().parse::<Engine>().unwrap(), engine);
    assert!(matches!("mysql".parse::<Engine>(), Err(StoreError::UnknownEngine { .. })));
}

pub fn check_counts_and_compact_gives_space_back(engine: Engine) {
    let mut bench = Bench::with(engine, weft_store::Options { log_batches_max: 2, ..Default::default() });
    for n in 0..20_u8 {
        let mut batch = Batch::new();
        (0..50_u8).for_each(|k| {
            batch.put(A, [n, k], [n; 4000]);
        });
        bench.store().apply(&batch).unwrap();
    }
    let report = bench.store().check().unwrap();
    let expected = (Revision(20), 1000, 1000 * 4002, 2);
    assert_eq!((report.revision, report.records, report.record_bytes, report.log_entries), expected);
    for n in 0..20_u8 {
        let mut batch = Batch::new();
        (0..50_u8).for_each(|k| {
            batch.delete(A, [n, k]);
        });
        bench.store().apply(batch.put(B, [n], "left")).unwrap();
    }
    let snapshot = bench.store().snapshot().unwrap();
    assert!(matches!(bench.store().compact(), Err(StoreError::InUse { .. })));
    drop(snapshot);
    let done = bench.store().compact().unwrap();
    assert!(done.bytes_after * 2 < done.bytes_before, "{done:?}");
    for reopened in [false, true] {
        if reopened {
            bench.reopen();
        }
        assert_eq!(texts(bench.store(), A, &Span::all()), []);
        assert_eq!(bench.store().check().unwrap().records, 20);
        assert_eq!(bench.store().revision(), Revision(40 + u64::from(reopened)));
        assert_eq!(bench.store().apply(&Batch::new()).unwrap(), Revision(41 + u64::from(reopened)));
    }
}

pub fn large_batches_survive_a_reopen(engine: Engine) {
    // The largest values, many at once, and then as many small records as a batch takes.
    let mut bench = Bench::new(engine);
    let value = |n: u8| (0..VALUE_BYTES_MAX).map(|i| (i as u8).wrapping_mul(31) ^ n).collect::<Vec<u8>>();
    let mut batch = Batch::new();
    (0..15).for_each(|n| {
        batch.put(A, [n], value(n));
    });
    bench.store().apply(&batch).unwrap();
    let mut batch = Batch::new();
    (0..BATCH_OPS_MAX as u64).for_each(|n| {
        batch.put(B, n.to_be_bytes(), n.to_be_bytes());
    });
    bench.store().apply(&batch).unwrap();
    bench.reopen();
    let snapshot = bench.store().snapshot().unwrap();
    for n in 0..15 {
        assert!(snapshot.get(A, &[n]).unwrap().unwrap() == value(n), "value {n}");
    }
    let small: Vec<_> = snapshot.scan(B, &Span::all()).unwrap().map(Result::unwrap).collect();
    assert!(small.len() == BATCH_OPS_MAX && small.iter().all(|r| r.key == r.value));
    if engine == Engine::Sled {
        // sled neither syncs its blob files nor removes them in step with its log, so there must be none.
        let blobs = bench.path().join("store.sled/data/blobs");
        assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
    }
    // A shorter value where a long one was leaves nothing of it behind.
    drop(snapshot);
    bench.store().apply(Batch::new().put(A, [3], "short").delete(A, [4])).unwrap();
    bench.reopen();
    assert_eq!(bench.store().snapshot().unwrap().get(A, &[3]).unwrap().unwrap(), "short");
    assert_eq!(bench.store().check().unwrap().records, 14 + BATCH_OPS_MAX as u64);
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<(u8, Vec<u8>, Option<Vec<u8>>)>),
    Guarded { key: Vec<u8>, expected: Option<Vec<u8>>, value: Vec<u8> },
    Reopen,
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    // Few and short keys, so that steps meet; values around the sizes at which engines change their ways.
    let key = || prop::collection::vec(prop::sample::select(vec![0_u8, 1, b'a', 0xff]), 0..3);
    let value = || {
        let size = prop_oneof![8 => 0..40_usize, 1 => 3000..5000_usize, 1 => 60_000..70_000_usize];
        (size, any::<u8>()).prop_map(|(size, byte)| vec![byte; size])
    };
    let op = (0..3_u8, key(), prop::option::weighted(0.7, value()));
    prop_oneof![
        8 => prop::collection::vec(op, 0..8).prop_map(Step::Apply),
        3 => (key(), prop::option::of(value()), value())
            .prop_map(|(key, expected, value)| Step::Guarded { key, expected, value }),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
    ]
}

type Model = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

pub fn a_full_random_history_matches_a_model(engine: Engine) {
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 1..40))| {
        let mut bench = Bench::new(engine);
        let (mut model, mut revision) = (Model::new(), Revision::ZERO);
        for step in steps {
            follow(&mut bench, &mut model, &mut revision, step)?;
            compare(bench.store(), &model, revision)?;
        }
    });
}

fn follow(
    bench: &mut Bench,
    model: &mut Model,
    revision: &mut Revision,
    step: Step,
) -> Result<(), TestCaseError> {
    match step {
        Step::Apply(ops) => {
            let mut batch = Batch::new();
            for (table, key, value) in ops {
                let table = [A, AB, B][usize::from(table)];
                match value {
                    Some(value) => {
                        batch.put(table, &key, &value);
                        model.insert((table, key), value);
                    }
                    None => {
                        batch.delete(table, &key);
                        model.remove(&(table, key));
                    }
                }
            }
            *revision = revision.next();
            prop_assert_eq!(bench.store().apply(&batch).unwrap(), *revision);
        }
        Step::Guarded { key, expected, value } => {
            let mut batch = Batch::new();
            match &expected {
                Some(expected) => batch.expect_value(A, &key, expected),
                None => batch.expect_absent(A, &key),
            };
            let holds = model.get(&(A, key.clone())) == expected.as_ref();
            match bench.store().apply(batch.put(A, &key, &value)) {
                Ok(made) => {
                    *revision = revision.next();
                    prop_assert!(holds && made == *revision);
                    model.insert((A, key), value);
                }
                Err(StoreError::Conflict(_)) => prop_assert!(!holds),
                Err(e) => panic!("{e}"),
            }
        }
        Step::Reopen => bench.reopen(),
        Step::Compact => drop(bench.store().compact().unwrap()),
    }
    Ok(())
}

fn compare(store: &dyn Store, model: &Model, revision: Revision) -> Result<(), TestCaseError> {
    let snapshot = store.snapshot().unwrap();
    prop_assert_eq!((snapshot.revision(), store.revision()), (revision, revision));
    let mut found = Model::new();
    for table in snapshot.tables().unwrap() {
        for record in snapshot.scan(table, &Span::all()).unwrap() {
            let record = record.unwrap();
            found.insert((table, record.key.to_vec()), record.value.to_vec());
        }
    }
    prop_assert!(&found == model, "found {:?}, expected {:?}", found.keys(), model.keys());
    for ((table, key), value) in model {
        let stored = snapshot.get(*table, key).unwrap();
        prop_assert!(stored.as_deref() == Some(value.as_slice()));
    }
    Ok(())
}
