//! Exports and imports across engines, and what is done with damaged files.

use std::fs;

use weft_store::{Batch, Engine, Revision, Span, Store, StoreError, Table};

use crate::{Bench, texts};

const PORTS: Table = Table("ports");
const HOSTS: Table = Table("hosts");

fn filled(engine: Engine) -> Bench {
    let bench = Bench::new(engine);
    for n in 0..5_u8 {
        let mut batch = Batch::new();
        batch.put(PORTS, [n, 0xff, 0], [n; 9]).put(HOSTS, [n], "").put(HOSTS, "", "empty key");
        bench.store().apply(&batch).unwrap();
    }
    bench
}

fn exported(store: &dyn Store) -> Vec<u8> {
    let mut file = Vec::new();
    assert_eq!(store.export(&mut file).unwrap(), store.revision());
    file
}

pub fn an_export_comes_back_the_same_in_either_engine(engine: Engine) {
    let source = filled(engine);
    let file = exported(source.store());
    assert_eq!(file.iter().filter(|&&b| b == b'\n').count(), 1 + 11 + 1);
    for target in [Engine::Redb, Engine::Sled] {
        let mut target = Bench::new(target);
        assert_eq!(target.store().import(&mut file.as_slice()).unwrap(), Revision(5));
        for _ in 0..2 {
            assert_eq!(exported(target.store()), file);
            assert_eq!(target.store().check().unwrap().records, 11);
            // The past is not in the file: who watched the old store has to list again.
            assert!(matches!(
                target.store().watch(Revision(4)),
                Err(StoreError::Compacted { oldest: Revision(5) })
            ));
            target.reopen();
        }
        assert_eq!(target.store().apply(&Batch::new()).unwrap(), Revision(6));
    }
}

pub fn every_damaged_export_is_refused(engine: Engine) {
    let file = exported(filled(engine).store());
    let target = Bench::new(engine);
    let refused = |damaged: &[u8], what: &str| {
        let result = target.store().import(&mut &*damaged);
        assert!(matches!(result, Err(StoreError::BadExport { .. })), "{what}: {result:?}");
        assert_eq!(target.store().revision(), Revision::ZERO, "{what}");
    };
    for cut in 0..file.len() {
        refused(&file[..cut], &format!("cut at {cut}"));
    }
    for at in 0..file.len() {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped, &format!("flipped a bit at {at}"));
    }
    let lines: Vec<&[u8]> = file.split_inclusive(|&b| b == b'\n').collect();
    for left_out in 0..lines.len() {
        let rest: Vec<&[u8]> =
            lines.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, l)| *l).collect();
        refused(&rest.concat(), &format!("without line {left_out}"));
    }
    refused(&[file.as_slice(), b"\n"].concat(), "with more after the end");
    refused(&vec![b'x'; 4_000_000], "one endless line");
    assert_eq!(target.store().check().unwrap().records, 0);
}

pub fn only_new_stores_take_an_import(engine: Engine) {
    let source = filled(engine);
    let file = exported(source.store());
    let again = source.store().import(&mut file.as_slice());
    assert!(matches!(again, Err(StoreError::NotEmpty { revision: Revision(5) })));
    assert_eq!(exported(source.store()), file);
}

pub fn a_refused_import_leaves_a_usable_store(engine: Engine) {
    let file = exported(filled(engine).store());
    let mut target = Bench::new(engine);
    target.store().import(&mut &file[..file.len() - 1]).unwrap_err();
    target.reopen();
    assert_eq!(
        (target.store().revision(), texts(target.store(), HOSTS, &Span::all())),
        (Revision::ZERO, vec![])
    );
    target.store().import(&mut file.as_slice()).unwrap();
    assert_eq!(exported(target.store()), file);
}

pub fn damaged_data_is_an_error(engine: Engine) {
    // Whatever is done to the file, opening or checking says so, or everything is still there; nothing panics.
    let mut source = filled(engine);
    let whole = exported(source.store());
    source.close();
    let data = match engine {
        Engine::Redb => source.path().join("store.redb"),
        Engine::Sled => source.path().join("store.sled").join("data").join("db"),
    };
    let original = fs::read(&data).unwrap();
    let survives = |content: &[u8], what: &str| -> bool {
        fs::write(&data, content).unwrap();
        let outcome = source.open().and_then(|store| store.check().map(|_| exported(store.as_ref())));
        match outcome {
            Ok(found) => {
                assert!(found == whole, "{what}: the check passed, but the records are not what they were");
                true
            }
            Err(
                StoreError::OpenData { .. }
                | StoreError::Damaged(_)
                | StoreError::Check(_)
                | StoreError::Read(_),
            ) => false,
            Err(e) => panic!("{what}: {e:?}"),
        }
    };
    assert!(survives(&original, "untouched"));
    let written: Vec<usize> = (0..original.len()).filter(|&at| original[at] != 0).collect();
    let mut noticed = 0;
    for &at in written.iter().step_by(written.len() / 60) {
        let mut damaged = original.clone();
        damaged[at..].iter_mut().take(16).for_each(|b| *b ^= 0x55);
        noticed += usize::from(!survives(&damaged, &format!("damaged at {at}")));
    }
    assert!(noticed > 0, "no damage reached anything");
    assert!(!survives(&[0x5a; 8192], "another file"));
}
