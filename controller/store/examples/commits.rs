//! Measures both engines side by side in one run: single durable commits, and records per second in batches.
//!
//! `cargo run --release -p weft-store --example commits [directory]`; the directory decides which disk is measured.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use weft_store::{Batch, Engine, Options, Store, Table};

const TABLE: Table = Table("ports");
const VALUE_BYTES: usize = 500;
const ROUNDS: usize = 3;
const SINGLES: u64 = 1000;
const BATCHES: u64 = 20;
const BATCH_RECORDS: u64 = 1000;

fn main() -> Result<()> {
    let place = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "{SINGLES} single commits, then {BATCHES} batches of {BATCH_RECORDS}; values of {VALUE_BYTES} bytes"
    );
    println!("round engine commits/s p50 p99 records/s");
    for round in 1..=ROUNDS {
        // Turn by turn, so that whatever else the machine does meets both.
        for engine in [Engine::Redb, Engine::Sled] {
            let directory = tempfile::tempdir_in(&place)?;
            let store = weft_store::open(engine, directory.path(), Options::default())?;
            let (per_second, p50, p99) = singles(store.as_ref())?;
            let records = batches(store.as_ref())?;
            println!("{round} {engine} {per_second:.0} {p50:.2?} {p99:.2?} {records:.0}");
        }
    }
    Ok(())
}

fn singles(store: &dyn Store) -> Result<(f64, Duration, Duration)> {
    let mut times = Vec::new();
    for n in 0..SINGLES {
        let start = Instant::now();
        store.apply(Batch::new().put(TABLE, scatter(n), [7; VALUE_BYTES]))?;
        times.push(start.elapsed());
    }
    let per_second = times.len() as f64 / times.iter().sum::<Duration>().as_secs_f64();
    times.sort();
    Ok((per_second, times[times.len() / 2], times[times.len() * 99 / 100]))
}

fn batches(store: &dyn Store) -> Result<f64> {
    let start = Instant::now();
    for n in 0..BATCHES {
        let mut batch = Batch::new();
        for record in 0..BATCH_RECORDS {
            batch.put(TABLE, scatter(SINGLES + n * BATCH_RECORDS + record), [7; VALUE_BYTES]);
        }
        store.apply(&batch)?;
    }
    Ok((BATCHES * BATCH_RECORDS) as f64 / start.elapsed().as_secs_f64())
}

/// Keys in no order, as identifiers are.
fn scatter(n: u64) -> [u8; 8] {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
}
