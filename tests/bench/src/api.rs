//! What the API takes: creates per second and their latency, durable, with 1, 8 and 32 clients, also beside reads.

pub mod audit;
pub mod calls;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weft_scenarios::simulated::{self, Controller, Http, Listen};

use crate::numbers::{Spread, milliseconds};
use crate::report::{Report, Row};
use crate::size::{Size, System};
use crate::world;

/// What is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Network,
    Subnet,
    Port,
}

/// Whether a client reads while others write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    None,
    Beside,
}

/// What one combination came to.
struct Measured {
    kind: Kind,
    clients: usize,
    latencies: Vec<Duration>,
    reads: Vec<Duration>,
    took: Duration,
    cpu: Duration,
}

/// Runs the benchmark.
pub fn run(size: Size) -> Result<Report> {
    let mut report = Report::new("api", "creates over REST, every one durable before it is answered");
    report.note("`floor` is one thread that appends 512 bytes to a file in the same directory and calls `fdatasync`, again and again.");
    report.note("`reads` is one more client that reads a port and a page of 20 networks in turn, as fast as it is answered.");
    report.note("Clients are threads of the benchmark with one kept connection each, on the same two cores.");
    for ports in size.api_ports() {
        let folder = tempfile::tempdir()?;
        if *ports > 0 {
            let population = world::population(System { ports: *ports, hosts: 10_000, wide: 0 });
            simulated::fill(&population, folder.path())?;
        }
        let floor = fdatasync(folder.path())?;
        let controller = Controller::start(folder.path(), Listen::free()?, &["--audit-interval", "3600"])?;
        controller.http()?.post("/v1/tenants", r#"{"tenant":{"id":"bench","name":"bench"}}"#)?;
        for kind in [Kind::Network, Kind::Subnet, Kind::Port] {
            for clients in [1, 8, 32] {
                for reads in [Reads::None, Reads::Beside] {
                    // Reads beside every kind would tell the same thing three times.
                    if reads == Reads::None || kind == Kind::Port {
                        let measured = measure(&controller, (kind, clients, reads), size.api_time())?;
                        report.push(row(*ports, &measured, floor));
                    }
                }
            }
        }
    }
    Ok(report)
}

fn row(ports: u32, measured: &Measured, floor: Spread) -> Row {
    let seconds = measured.took.as_secs_f64();
    let creates = measured.latencies.len() as f64 / seconds;
    let reads = (!measured.reads.is_empty()).then(|| measured.reads.len() as f64 / seconds);
    Row::default()
        .whole("ports before", ports)
        .text("create", format!("{:?}", measured.kind).to_lowercase())
        .whole("clients", measured.clients)
        .number("creates/s", creates, 0)
        .spread("p50 / p99 ms", Spread::of(measured.latencies.clone()))
        .number("CPU us per create", milliseconds(measured.cpu) * 1000.0 / measured.latencies.len() as f64, 0)
        .number("reads/s", reads.unwrap_or(f64::NAN), 0)
        .spread("read p50 / p99 ms", Spread::of(measured.reads.clone()))
        .spread("floor p50 / p99 ms", Some(floor))
}

fn measure(controller: &Controller, what: (Kind, usize, Reads), time: Duration) -> Result<Measured> {
    let (kind, clients, reads) = what;
    let (stop, made) = (AtomicBool::new(false), AtomicU64::new(0));
    let writers = (0..clients).map(|_| Client::open(controller, kind)).collect::<Result<Vec<_>>>()?;
    let before = (count(controller, kind)?, controller.cpu_of_all()?);
    let begin = Instant::now();
    let (latencies, reads) = std::thread::scope(|scope| -> Result<_> {
        let reader = (reads == Reads::Beside).then(|| scope.spawn(|| read(controller, &stop)));
        let writers: Vec<_> = writers
            .into_iter()
            .map(|client| scope.spawn(|| client.create_until(begin + time, &made)))
            .collect();
        let written: Vec<_> = writers.into_iter().map(join).collect();
        stop.store(true, Ordering::Relaxed);
        let read = reader.map_or(Ok(Vec::new()), join)?;
        let latencies = written.into_iter().collect::<Result<Vec<_>>>()?.concat();
        Ok((latencies, read))
    })?;
    let took = begin.elapsed();
    let after = (count(controller, kind)?, controller.cpu_of_all()?);
    let expected = made.load(Ordering::Relaxed) as f64;
    let there = after.0.zip(before.0).map_or(expected, |(after, before)| after - before);
    ensure!(there == expected, "{expected} of kind {kind:?} were acknowledged, {there} are there");
    Ok(Measured { kind, clients, latencies, reads, took, cpu: after.1 - before.1 })
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?
}

/// How many there are of a kind, if there is a metric for it.
fn count(controller: &Controller, kind: Kind) -> Result<Option<f64>> {
    match kind {
        Kind::Network => controller.metric("weft_networks").map(Some),
        Kind::Port => controller.metric("weft_ports").map(Some),
        Kind::Subnet => Ok(None),
    }
}

/// One client: its connection, and what it creates in.
struct Client {
    http: Http,
    kind: Kind,
    network: String,
}

impl Client {
    fn open(controller: &Controller, kind: Kind) -> Result<Client> {
        let mut http = controller.http()?;
        let network = match kind {
            Kind::Network => String::new(),
            Kind::Subnet | Kind::Port => create_network(&mut http, "for-one-client")?,
        };
        if kind == Kind::Port {
            // The largest subnet there is: the search for a free address must not show.
            let subnet =
                format!(r#"{{"subnet":{{"network_id":"{network}","ip_version":4,"cidr":"10.0.0.0/8"}}}}"#);
            http.post("/v2.0/subnets", &subnet)?;
        }
        Ok(Client { http, kind, network })
    }

    /// Creates one after the other until the time is up; how long each took.
    fn create_until(mut self, end: Instant, made: &AtomicU64) -> Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let (path, body) = self.next(latencies.len());
            let begin = Instant::now();
            self.http.post(path, &body)?;
            latencies.push(begin.elapsed());
        }
        made.fetch_add(latencies.len() as u64, Ordering::Relaxed);
        Ok(latencies)
    }

    fn next(&self, number: usize) -> (&'static str, String) {
        let network = &self.network;
        match self.kind {
            Kind::Network => (
                "/v2.0/networks",
                format!(r#"{{"network":{{"name":"bench-{number}","project_id":"bench"}}}}"#),
            ),
            Kind::Subnet => {
                let (high, middle, low) = (number >> 16 & 255, number >> 8 & 255, number & 255);
                let cidr = format!("{}.{middle}.{low}.0/24", 10 + high);
                let body =
                    format!(r#"{{"subnet":{{"network_id":"{network}","ip_version":4,"cidr":"{cidr}"}}}}"#);
                ("/v2.0/subnets", body)
            }
            Kind::Port => {
                ("/v2.0/ports", format!(r#"{{"port":{{"network_id":"{network}","name":"bench-{number}"}}}}"#))
            }
        }
    }
}

/// A network of the bench tenant.
fn create_network(http: &mut Http, name: &str) -> Result<String> {
    let body = format!(r#"{{"network":{{"name":"{name}","project_id":"bench"}}}}"#);
    http.post("/v2.0/networks", &body)?.id()
}

/// Reads until the writers have stopped; how long each reading took.
fn read(controller: &Controller, stop: &AtomicBool) -> Result<Vec<Duration>> {
    let mut http = controller.http()?;
    let ports = http.get("/v2.0/ports?limit=1")?.json()?;
    let port = ports["ports"][0]["id"].as_str().context("there is no port to read")?.to_owned();
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for path in [format!("/v2.0/ports/{port}"), "/v2.0/networks?limit=20".to_owned()] {
            let begin = Instant::now();
            http.get(&path)?;
            latencies.push(begin.elapsed());
        }
    }
    Ok(latencies)
}

/// What making one small write durable takes on this disk.
fn fdatasync(folder: &Path) -> Result<Spread> {
    let mut file = File::create(folder.join("floor"))?;
    let mut samples = Vec::new();
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&[7; 512])?;
        file.sync_data()?;
        samples.push(begin.elapsed());
    }
    Spread::of(samples).context("there are samples")
}
