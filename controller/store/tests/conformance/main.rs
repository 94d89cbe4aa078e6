//! What every engine must do: each case runs on redb and on sled.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod cases;
mod transfer;
mod watching;

use std::path::Path;

use weft_store::{Engine, Options, Record, Span, Store, StoreError, Table};

/// A store in a directory that goes away with it.
pub struct Bench {
    /// The engine under test.
    pub engine: Engine,
    store: Option<Box<dyn Store>>,
    options: Options,
    directory: tempfile::TempDir,
}

impl Bench {
    /// A new store.
    pub fn new(engine: Engine) -> Bench {
        Bench::with(engine, Options::default())
    }

    /// A new store with other options.
    pub fn with(engine: Engine, options: Options) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let store = weft_store::open(engine, directory.path(), options).unwrap();
        Bench { engine, store: Some(store), options, directory }
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.store.as_deref().unwrap()
    }

    /// Closes the store and opens it again.
    pub fn reopen(&mut self) {
        self.close();
        self.store = Some(self.open().unwrap());
    }

    /// Closes the store.
    pub fn close(&mut self) {
        self.store = None;
    }

    /// Opens the directory once more.
    pub fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        weft_store::open(self.engine, self.directory.path(), self.options)
    }

    /// Where the data is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// The keys and values of a span as text, which is what the cases write.
pub fn texts(store: &dyn Store, table: Table, span: &Span) -> Vec<(String, String)> {
    let snapshot = store.snapshot().unwrap();
    let records: Result<Vec<Record>, StoreError> = snapshot.scan(table, span).unwrap().collect();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    records.unwrap().iter().map(|r| (text(&r.key), text(&r.value))).collect()
}

/// Runs each case on each engine, as a test of its own.
macro_rules! on_both_engines {
    ($module:ident: $($case:ident),+ $(,)?) => {
        mod $module {
            mod redb {
                $(#[test] fn $case() { crate::$module::$case(weft_store::Engine::Redb); })+
            }
            mod sled {
                $(#[test] fn $case() { crate::$module::$case(weft_store::Engine::Sled); })+
            }
        }
    };
}

mod run {
    on_both_engines!(cases:
        a_new_store_is_empty, batches_change_records_and_count_revisions, scans_are_ordered_and_bounded,
        tables_do_not_mix, the_last_operation_on_a_key_stands, conditions_guard_the_whole_batch,
        a_snapshot_stays_as_it_was, limits_are_refused_without_a_trace, everything_survives_a_reopen,
        the_data_is_locked, a_closed_store_opens_while_processes_start, the_other_engine_is_refused, check_counts_and_compact_gives_space_back,
        large_batches_survive_a_reopen, a_full_random_history_matches_a_model,
    );
    on_both_engines!(watching:
        a_watch_shows_every_batch_in_order, a_slow_watch_is_told_to_list_again, the_log_is_bounded_by_bytes_too,
        a_watch_waits_for_the_next_batch, the_future_cannot_be_watched, watching_goes_on_after_a_reopen,
    );
    on_both_engines!(transfer:
        an_export_comes_back_the_same_in_either_engine, every_damaged_export_is_refused, only_new_stores_take_an_import,
        a_refused_import_leaves_a_usable_store, damaged_data_is_an_error,
    );
}
