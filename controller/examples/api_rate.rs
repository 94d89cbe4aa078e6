//! How many creates a running controller acknowledges per second, and how fast: `api_rate ADDRESS SECONDS [TOKEN]`.
//!
//! Clients (1, 8 and 32 of them) each keep one connection and ask for the next thing when the last was answered. They make
//! networks, then a subnet in each of these networks, then ports in one network of many; the last column is p99 of
//! showing a port meanwhile, over one further connection. Everything is made in a tenant of its own, and stays.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

const CLIENTS: [usize; 3] = [1, 8, 32];

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let address = words.next().context("the first argument is where the API listens")?;
    let span = Duration::from_secs(words.next().context("the second is how long, in seconds")?.parse()?);
    let server = Server { address, token: words.next().unwrap_or_default() };
    let tenant = Uuid::new_v4().simple().to_string();
    let body = json!({"tenant": {"id": tenant, "name": "api_rate"}});
    server.client()?.create("/v1/tenants", "tenant", &body)?;
    println!("| what | clients | creates/s | p50 ms | p99 ms | max ms | show p99 ms |");
    println!("|---|---|---|---|---|---|---|");
    for clients in CLIENTS {
        let bench = Bench { server: &server, clients, span };
        let network = json!({"network": {"name": "rate", "project_id": tenant}});
        let networks = bench.run(("/v2.0/networks", "network"), None, |_| Some(network.clone()))?;
        let subnet = |n: usize| {
            let id = networks.get(n)?;
            Some(json!({"subnet": {"network_id": id, "cidr": "10.0.0.0/24", "ip_version": 4}}))
        };
        bench.run(("/v2.0/subnets", "subnet"), None, subnet)?;
        let mut client = server.client()?;
        let wide = client.create("/v2.0/networks", "network", &network)?;
        let all = json!({"subnet": {"network_id": wide, "cidr": "10.0.0.0/8", "ip_version": 4}});
        client.create("/v2.0/subnets", "subnet", &all)?;
        let body = json!({"port": {"network_id": wide, "name": "rate"}});
        let shown = client.create("/v2.0/ports", "port", &body)?;
        bench.run(("/v2.0/ports", "port"), Some(&shown), |_| Some(body.clone()))?;
    }
    Ok(())
}

/// The controller under test.
struct Server {
    address: String,
    token: String,
}

/// One kept connection.
struct Client<'a> {
    server: &'a Server,
    stream: BufReader<TcpStream>,
}

impl Server {
    fn client(&self) -> Result<Client<'_>> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        Ok(Client { server: self, stream: BufReader::new(stream) })
    }
}

impl Client<'_> {
    /// Creates one object and returns its id.
    fn create(&mut self, path: &str, member: &str, body: &Value) -> Result<String> {
        let (status, answer) = self.ask(&format!("POST {path}"), &body.to_string())?;
        if status != 201 {
            bail!("POST {path} was answered with {status}: {answer}");
        }
        let answer: Value = serde_json::from_str(&answer)?;
        Ok(answer[member]["id"].as_str().context("an answer without an id")?.to_owned())
    }

    fn ask(&mut self, line: &str, body: &str) -> Result<(u16, String)> {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: weft\r\nx-auth-token: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.server.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the controller closed the connection");
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3).context("a status line without a status")?.parse()?;
            } else if let Some(number) = line.strip_prefix("content-length: ") {
                length = number.parse()?;
            } else if line.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, String::from_utf8(answer)?))
    }
}

struct Bench<'a> {
    server: &'a Server,
    clients: usize,
    span: Duration,
}

impl Bench<'_> {
    /// Creates as long as there is time and `body` has a next one; the ids of what was made.
    fn run(
        &self,
        (path, member): (&str, &str),
        shown: Option<&str>,
        body: impl Fn(usize) -> Option<Value> + Sync,
    ) -> Result<Vec<String>> {
        let (next, made) = (AtomicUsize::new(0), Mutex::new((Vec::new(), Vec::new())));
        let over = AtomicBool::new(false);
        let begun = Instant::now();
        let work = || -> Result<()> {
            let mut client = self.server.client()?;
            let (mut ids, mut times) = (Vec::new(), Vec::new());
            while begun.elapsed() < self.span
                && let Some(body) = body(next.fetch_add(1, Ordering::Relaxed))
            {
                let asked = Instant::now();
                ids.push(client.create(path, member, &body)?);
                times.push(asked.elapsed());
            }
            let mut made = made.lock().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            made.0.extend(ids);
            made.1.extend(times);
            Ok(())
        };
        let (outcomes, shows, elapsed) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.show(shown, &over));
            let clients: Vec<_> = (0..self.clients).map(|_| scope.spawn(work)).collect();
            let outcomes: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
            let elapsed = begun.elapsed();
            over.store(true, Ordering::Relaxed);
            (outcomes, reader.join(), elapsed)
        });
        for outcome in outcomes {
            outcome.map_err(|_| anyhow::anyhow!("a client panicked"))??;
        }
        let shows = shows.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        let (ids, times) = made.into_inner().map_err(|_| anyhow::anyhow!("a client panicked"))?;
        let (p50, p99, max) = (rank(&times, 50), rank(&times, 99), rank(&times, 100));
        let rate = ids.len() as f64 / elapsed.as_secs_f64();
        let (clients, shows) = (self.clients, rank(&shows, 99));
        println!("| {member} | {clients} | {rate:.0} | {p50:.2} | {p99:.2} | {max:.2} | {shows:.2} |");
        Ok(ids)
    }

    /// Shows one port every few milliseconds until it is over.
    fn show(&self, port: Option<&str>, over: &AtomicBool) -> Result<Vec<Duration>> {
        let (mut client, mut times) = (self.server.client()?, Vec::new());
        let Some(port) = port else { return Ok(times) };
        while !over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let (status, _) = client.ask(&format!("GET /v2.0/ports/{port}"), "")?;
            anyhow::ensure!(status == 200, "GET was answered with {status}");
            times.push(asked.elapsed());
            // An open loop: a reader that asks all the time would measure itself.
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(times)
    }
}

/// A percentile in milliseconds.
fn rank(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let position = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(position).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
