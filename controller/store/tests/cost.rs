//! What a single commit writes after large batches: a bound on bytes, which are the same on any machine.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use weft_store::{Batch, Engine, Options, Table};

const PORTS: Table = Table("ports");
const BATCHES: u64 = 5;
const BATCH_RECORDS: u64 = 4096;
const SINGLES: u64 = 100;
/// Bytes per single commit at most, on average: a dozen and a half pages. With log entries of megabytes kept whole it
/// was 2 MB.
const BYTES_MAX: u64 = 64 * 1024;

// The one test of this file, because what a process has written is counted for the process.
#[test]
fn a_single_commit_costs_little_after_large_batches() {
    for engine in [Engine::Redb, Engine::Sled] {
        let directory = tempfile::tempdir().unwrap();
        // The log is full from the fourth batch on, so that large entries are trimmed, too.
        let options = Options { log_bytes_max: 6 * 1024 * 1024, ..Options::default() };
        let store = weft_store::open(engine, directory.path(), options).unwrap();
        for n in 0..BATCHES {
            let mut batch = Batch::new();
            for record in n * BATCH_RECORDS..(n + 1) * BATCH_RECORDS {
                batch.put(PORTS, scatter(record), [7; 400]);
            }
            store.apply(&batch).unwrap();
        }
        let before = written();
        for n in 0..SINGLES {
            store.apply(Batch::new().put(PORTS, scatter(1 << 40 | n), [7; 400])).unwrap();
        }
        let per_commit = (written() - before) / SINGLES;
        println!("{engine}: {per_commit} bytes per commit");
        assert!(per_commit < BYTES_MAX, "{engine}: {per_commit} bytes per commit");
    }
}

/// Bytes that this process has handed to `write` and its like.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse().unwrap()
}

/// Keys in no order, as identifiers are.
fn scatter(n: u64) -> [u8; 8] {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}
