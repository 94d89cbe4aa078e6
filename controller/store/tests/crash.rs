//! Kills a process with SIGKILL in the middle of a write storm: what was acknowledged is there, and nothing by halves.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use weft_store::{Batch, Engine, Options, Revision, Span, Store, Table};

/// Records that every batch rewrites, so that all of them carry the number of the newest batch.
const STAMPED: [Table; 3] = [Table("alpha"), Table("beta"), Table("gamma")];
const STAMPED_KEYS: u64 = 8;
/// One record per batch; the oldest goes as a new one comes.
const TRAIL: Table = Table("trail");
const TRAIL_LEN: u64 = 40;
const KILLS: usize = 10;
/// From the first acknowledgement on; a round ends at a random moment before.
const ROUND_MS_MAX: u64 = 900;

#[test]
fn redb_survives_being_killed() {
    survive(Engine::Redb);
}

#[test]
fn sled_survives_being_killed() {
    survive(Engine::Sled);
}

/// Not a test of its own: the process that the tests above start and kill.
#[test]
#[ignore = "started by the other tests"]
fn storm() {
    let (Ok(engine), Ok(path)) = (std::env::var("WEFT_STORM_ENGINE"), std::env::var("WEFT_STORM_PATH"))
    else {
        return;
    };
    let compacting = std::env::var_os("WEFT_STORM_COMPACTS").is_some();
    let store = open(engine.parse().unwrap(), Path::new(&path));
    let mut out = std::io::stdout();
    loop {
        let number = store.revision().next().0;
        store.apply(&batch(number)).unwrap();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
        if compacting && number.is_multiple_of(7) {
            store.compact().unwrap();
        }
    }
}

fn survive(engine: Engine) {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut storm = Storm::start(engine, directory.path(), round % 3 == 2);
        let before = acknowledged;
        acknowledged = storm.kill_at_random();
        assert!(acknowledged > before, "round {round}: the storm wrote nothing");
        let store = open(engine, directory.path());
        let revision = store.revision().0;
        // The batch under way may have become durable before anybody heard of it; a second one cannot have been.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&revision),
            "round {round}: {acknowledged} -> {revision}"
        );
        assert_whole(store.as_ref(), revision);
        acknowledged = revision;
        println!("{engine}, round {round}: killed at {revision}");
    }
}

/// Every record is exactly what the batches up to this one have made it.
fn assert_whole(store: &dyn Store, newest: u64) {
    let snapshot = store.snapshot().unwrap();
    for table in STAMPED {
        let records: Vec<_> = snapshot.scan(table, &Span::all()).unwrap().map(Result::unwrap).collect();
        assert_eq!(records.len() as u64, STAMPED_KEYS);
        for record in records {
            let key = u64::from_be_bytes(record.key.as_ref().try_into().unwrap());
            assert!(record.value == stamp(newest, key), "{table} {key} is not of batch {newest}");
        }
    }
    let trail: Vec<_> = snapshot.scan(TRAIL, &Span::all()).unwrap().map(|r| r.unwrap().key).collect();
    let expected = (newest.saturating_sub(TRAIL_LEN) + 1..=newest).map(|n| n.to_be_bytes());
    assert!(
        trail
            .iter()
            .map(|key| key.as_ref())
            .eq(expected.collect::<Vec<_>>().iter().map(|key| key.as_slice()))
    );
    drop(snapshot);
    let report = store.check().unwrap();
    let mut watch = store.watch(Revision(newest - report.log_entries)).unwrap();
    for number in newest - report.log_entries + 1..=newest {
        let change = watch.try_next().unwrap().expect("the log holds what the report counted");
        assert_eq!((change.revision, change.ops.as_slice()), (Revision(number), batch(number).ops()));
    }
}

fn open(engine: Engine, path: &Path) -> Box<dyn Store> {
    weft_store::open(engine, path, Options { log_batches_max: 20, ..Options::default() }).unwrap()
}

fn batch(number: u64) -> Batch {
    let mut batch = Batch::new();
    for table in STAMPED {
        (0..STAMPED_KEYS).for_each(|key| {
            batch.put(table, key.to_be_bytes(), stamp(number, key));
        });
    }
    batch.put(TRAIL, number.to_be_bytes(), "");
    if number > TRAIL_LEN {
        batch.delete(TRAIL, (number - TRAIL_LEN).to_be_bytes());
    }
    batch
}

/// The number, made longer now and then: small values, values of several pages, and batches of several megabytes.
fn stamp(number: u64, key: u64) -> Vec<u8> {
    let repeats = match (number % 29, number % 5) {
        (28, _) => 30_000,
        (_, 4) => 700 * key,
        _ => 1,
    };
    number.to_be_bytes().repeat(repeats.max(1) as usize)
}

/// A process that writes until it is killed.
struct Storm {
    child: Child,
    heard: mpsc::Receiver<u64>,
}

impl Storm {
    fn start(engine: Engine, path: &Path, compacting: bool) -> Storm {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["storm", "--exact", "--ignored", "--nocapture"]);
        command.env("WEFT_STORM_ENGINE", engine.to_string()).env("WEFT_STORM_PATH", path);
        if compacting {
            command.env("WEFT_STORM_COMPACTS", "1");
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, heard) = mpsc::channel();
        // Ends with the pipe, that is, with the process.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // A line that the kill cut short names a smaller number, which only makes the check weaker.
                if let Some(number) = line.strip_prefix("acknowledged ").and_then(|n| n.parse().ok()) {
                    let _ = tell.send(number);
                }
            }
        });
        Storm { child, heard }
    }

    /// Kills the process at some moment and returns the last number it acknowledged.
    fn kill_at_random(&mut self) -> u64 {
        let mut last =
            self.heard.recv_timeout(Duration::from_secs(60)).expect("the storm begins within a minute");
        let length = RandomState::new().build_hasher().finish() % (ROUND_MS_MAX * 1000);
        let end = Instant::now() + Duration::from_micros(length);
        while let Ok(number) = self.heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
            last = number;
        }
        assert!(self.child.try_wait().unwrap().is_none(), "the storm ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.heard.iter().last().unwrap_or(last)
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
