//! What one change to N switches costs: a bare socket writer against the ways in which sessions could be given it.
//!
//! Every way sends the same bytes to the same N loopback sockets; a round is over when the readers have all of it.
//! `cargo run --release -p weft-controller --example fanout [N] [rounds] [bytes]`
//!
//! - `raw`: non-blocking `write` in a loop, the floor.
//! - `line`: what the controller does, [`weft_controller::southbound::line`] from the engine's thread.
//! - `pen`: the same lines, written by a thread of its own that the engine's thread hands them to.
//! - `task`: a bounded channel to a task for each connection that writes what it gets.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made ends")]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use weft_controller::engine::ToSwitch;
use weft_controller::southbound::line::{Line, Link};

/// What the readers have.
#[derive(Default)]
struct Received(AtomicUsize);

impl Received {
    fn wait(&self, wanted: usize) {
        while self.0.load(Ordering::Acquire) < wanted {
            std::thread::yield_now();
        }
    }
}

/// One measured round.
struct Round {
    written: Duration,
    received: Duration,
    cpu: Duration,
    whole_cpu: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|word| word.parse::<usize>().unwrap());
    let (n, rounds) = (arguments.next().unwrap_or(1000), arguments.next().unwrap_or(200));
    let bytes = Bytes::from(vec![7; arguments.next().unwrap_or(300)]);
    println!("{n} sockets, {rounds} rounds, {} bytes each; per send in us, medians", bytes.len());
    println!("{:<6} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "written", "received", "cpu", "all cpu", "msgs/s");
    for way in ["raw", "line", "pen", "task", "raw", "line", "pen", "task"] {
        let readers = Readers::start();
        let results: Vec<Round> = match way {
            "raw" => raw(&readers, n, rounds, &bytes),
            "line" => lines(&readers, n, rounds, &bytes),
            "pen" => pen(&readers, n, rounds, &bytes),
            _ => tasks(&readers, n, rounds, &bytes),
        };
        report(way, n, results);
    }
}

fn report(way: &str, n: usize, rounds: Vec<Round>) {
    let median = |pick: fn(&Round) -> Duration| {
        let mut all: Vec<Duration> = rounds.iter().map(pick).collect();
        all.sort_unstable();
        all[all.len() / 2].as_secs_f64() * 1e6 / n as f64
    };
    let (written, received) = (median(|r| r.written), median(|r| r.received));
    let (cpu, whole) = (median(|r| r.cpu), median(|r| r.whole_cpu));
    println!("{way:<6} {written:>9.2} {received:>9.2} {cpu:>9.2} {whole:>9.2} {:>9.0}", 1e6 / received);
}

/// Readers of all sockets in a runtime of one thread, apart from everything that is measured.
struct Readers {
    runtime: Runtime,
    listener: Arc<TcpListener>,
    received: Arc<Received>,
}

impl Readers {
    fn start() -> Readers {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = Arc::new(runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap());
        Readers { runtime, listener, received: Arc::default() }
    }

    fn address(&self) -> std::net::SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Accepts one connection and reads it for ever.
    fn accept(&self) {
        let (listener, received) = (self.listener.clone(), self.received.clone());
        let mut socket = self.runtime.block_on(async move { listener.accept().await.unwrap().0 });
        self.runtime.spawn(async move {
            let mut buffer = vec![0; 16 << 10];
            while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                received.0.fetch_add(length, Ordering::Release);
            }
        });
    }

    fn measure(&self, rounds: usize, wanted: usize, mut send: impl FnMut()) -> Vec<Round> {
        let mut all = Vec::new();
        for round in 0..rounds {
            let (start, cpu, whole) = (Instant::now(), own_cpu(), whole_cpu());
            send();
            let (written, cpu) = (start.elapsed(), own_cpu() - cpu);
            self.received.wait((round + 1) * wanted);
            let received = start.elapsed();
            all.push(Round { written, received, cpu, whole_cpu: whole_cpu() - whole });
        }
        all
    }
}

/// CPU time of this thread.
fn own_cpu() -> Duration {
    schedstat("/proc/thread-self/schedstat")
}

/// CPU time of all threads of this process, the one that waits for the round's end (it spins) left out.
fn whole_cpu() -> Duration {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let others = threads.filter(|thread| Some(thread.file_name().as_os_str()) != own.file_name());
    others.map(|thread| schedstat(thread.path().join("schedstat").to_str().unwrap())).sum()
}

fn schedstat(path: &str) -> Duration {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default())
}

fn raw(readers: &Readers, n: usize, rounds: usize, bytes: &Bytes) -> Vec<Round> {
    let connect = |_| {
        let socket = std::net::TcpStream::connect(readers.address()).unwrap();
        readers.accept();
        socket.set_nodelay(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let mut sockets: Vec<_> = (0..n).map(connect).collect();
    readers.measure(rounds, n * bytes.len(), || {
        for socket in &mut sockets {
            assert_eq!(socket.write(bytes).unwrap(), bytes.len());
        }
    })
}

/// The controller's runtime.
fn sessions() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Lines, each with a session's task that waits to be needed.
fn links(readers: &Readers, runtime: &Runtime, n: usize) -> Vec<(Arc<Line>, Link)> {
    let connect = |_| {
        let socket = runtime.block_on(TcpStream::connect(readers.address())).unwrap();
        readers.accept();
        socket.set_nodelay(true).unwrap();
        let (reader, writer) = socket.into_split();
        let line = Line::new(writer);
        let session = line.clone();
        runtime.spawn(async move {
            loop {
                tokio::select! {
                    ready = reader.readable() => ready.unwrap(),
                    ready = session.writable(), if session.is_waiting() => {
                        ready.unwrap();
                        session.flush().unwrap();
                    }
                    () = session.woken() => if session.is_closed() { return },
                }
            }
        });
        (line.clone(), line.link())
    };
    (0..n).map(connect).collect()
}

fn order(link: &Link, bytes: &Bytes) {
    link.order(ToSwitch::Send(vec![bytes.clone()])).unwrap();
}

/// What an answer to the commit does; the filling's last bytes stand where the commit's xid is.
fn answer(lines: &[(Arc<Line>, Link)]) {
    for (line, _) in lines {
        assert!(line.settle(weft_openflow::Xid(0x0707_0707), Instant::now()));
    }
}

fn lines(readers: &Readers, n: usize, rounds: usize, bytes: &Bytes) -> Vec<Round> {
    let runtime = sessions();
    let lines = links(readers, &runtime, n);
    let mut all = Vec::new();
    for round in 0..rounds {
        let base = round * n * bytes.len();
        assert_eq!(readers.received.0.load(Ordering::Acquire), base);
        all.extend(measure_from(readers, base, n * bytes.len(), || {
            lines.iter().for_each(|(_, link)| order(link, bytes));
        }));
        answer(&lines);
    }
    all
}

fn measure_from(readers: &Readers, base: usize, wanted: usize, mut send: impl FnMut()) -> Vec<Round> {
    let (start, cpu, whole) = (Instant::now(), own_cpu(), whole_cpu());
    send();
    let (written, cpu) = (start.elapsed(), own_cpu() - cpu);
    readers.received.wait(base + wanted);
    vec![Round { written, received: start.elapsed(), cpu, whole_cpu: whole_cpu() - whole }]
}

fn pen(readers: &Readers, n: usize, rounds: usize, bytes: &Bytes) -> Vec<Round> {
    let runtime = sessions();
    let lines = Arc::new(links(readers, &runtime, n));
    let (orders, inbox) = std::sync::mpsc::sync_channel::<(usize, usize, Bytes)>(1024);
    let its = lines.clone();
    let writer = std::thread::spawn(move || {
        for (from, to, bytes) in inbox {
            its[from..to].iter().for_each(|(_, link)| order(link, &bytes));
        }
    });
    let mut all = Vec::new();
    for round in 0..rounds {
        all.extend(measure_from(readers, round * n * bytes.len(), n * bytes.len(), || {
            for from in (0..n).step_by(64) {
                orders.send((from, n.min(from + 64), bytes.clone())).unwrap();
            }
        }));
        answer(&lines);
    }
    drop(orders);
    writer.join().unwrap();
    all
}

fn tasks(readers: &Readers, n: usize, rounds: usize, bytes: &Bytes) -> Vec<Round> {
    let runtime = sessions();
    let connect = |_| {
        let mut socket = runtime.block_on(TcpStream::connect(readers.address())).unwrap();
        readers.accept();
        socket.set_nodelay(true).unwrap();
        let (orders, mut inbox) = mpsc::channel::<Vec<Bytes>>(128);
        runtime.spawn(async move {
            while let Some(parcels) = inbox.recv().await {
                for parcel in parcels {
                    socket.write_all(&parcel).await.unwrap();
                }
            }
        });
        orders
    };
    let sessions: Vec<_> = (0..n).map(connect).collect();
    readers.measure(rounds, n * bytes.len(), || {
        sessions.iter().for_each(|orders| orders.try_send(vec![bytes.clone()]).unwrap());
    })
}
