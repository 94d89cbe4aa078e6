//! Measures what single commits cost after large batches: bytes and calls of writing, and CPU, per commit.
//!
//! `cargo run --release -p weft-store --example after_batches [directory]`; counts are from `/proc/self`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use weft_store::{Batch, Engine, Options, Table};

const TABLE: Table = Table("ports");
const VALUE_BYTES: usize = 400;
const BATCH_RECORDS: u64 = 4096;
const SINGLES: u64 = 300;

fn main() -> Result<()> {
    let place = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!("{SINGLES} single commits after batches of {BATCH_RECORDS}; values of {VALUE_BYTES} bytes");
    println!("engine batches | bytes/batch | bytes/commit writes/commit CPU-us/commit");
    for engine in [Engine::Redb, Engine::Sled] {
        for batches in [0, 1, 5, 25] {
            let directory = tempfile::tempdir_in(&place)?;
            let store = weft_store::open(engine, directory.path(), Options::default())?;
            let start = Cost::so_far()?;
            for n in 0..batches {
                let mut batch = Batch::new();
                for record in 0..BATCH_RECORDS {
                    batch.put(TABLE, scatter(n * BATCH_RECORDS + record), [7; VALUE_BYTES]);
                }
                store.apply(&batch)?;
            }
            let filled = Cost::so_far()?;
            for n in 0..SINGLES {
                store.apply(Batch::new().put(TABLE, scatter(1 << 40 | n), [7; VALUE_BYTES]))?;
            }
            let done = Cost::so_far()?;
            println!(
                "{engine} {batches} | {} | {} {} {}",
                (filled.bytes - start.bytes) / batches.max(1),
                (done.bytes - filled.bytes) / SINGLES,
                (done.calls - filled.calls) / SINGLES,
                (done.cpu_us - filled.cpu_us) / SINGLES,
            );
        }
    }
    Ok(())
}

/// What this process has spent.
struct Cost {
    bytes: u64,
    calls: u64,
    cpu_us: u64,
}

impl Cost {
    fn so_far() -> Result<Cost> {
        let io = std::fs::read_to_string("/proc/self/io")?;
        let field = |name: &str| -> Result<u64> {
            let line = io.lines().find_map(|line| line.strip_prefix(name)).context("a field of io")?;
            Ok(line.trim().parse()?)
        };
        // All threads: sled writes in some of its own. The first field is nanoseconds on a processor.
        let mut cpu_ns: u64 = 0;
        for thread in std::fs::read_dir("/proc/self/task")? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            cpu_ns += text.split(' ').next().context("a schedstat")?.parse::<u64>()?;
        }
        Ok(Cost { bytes: field("wchar:")?, calls: field("syscw:")?, cpu_us: cpu_ns / 1000 })
    }
}

/// Keys in no order, as identifiers are.
fn scatter(n: u64) -> [u8; 8] {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}
