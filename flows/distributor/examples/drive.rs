//! What the distributor alone costs: `drive [PORTS] [WIDE]`, in a release build.
//!
//! PORTS ports in networks of 20, 100 a host, and one network with a port on each of the first WIDE hosts; switches
//! swallow bytes and answer commits. Times are CPU times of the one thread that works.

#[allow(dead_code, reason = "the tests need more of it")]
#[path = "../tests/scale/world.rs"]
mod world;

use weft_compiler::{Scope, compile_scope, tally_scope};
use weft_distributor::Tuning;
use weft_model::Snapshot;
use world::{Size, WIDE, World, binding, port};

/// How many changes of a kind are made.
const CHANGES: u32 = 200;

fn main() {
    let argument =
        |n: usize, default: u32| std::env::args().nth(n).and_then(|w| w.parse().ok()).unwrap_or(default);
    let size = Size { ports: argument(1, 100_000), wide: argument(2, 1_000) };
    let begun = cpu_seconds();
    let mut world = World::new(size, Tuning::default());
    let (ports, hosts) = (f64::from(size.fresh()), size.hosts());
    println!(
        "{ports} ports, {hosts} hosts, one network on {} hosts: built in {:.1} s",
        size.wide,
        cpu_seconds() - begun
    );

    flows(&world.snapshot);

    let (memory, begun) = (resident(), cpu_seconds());
    world.connect_all(size);
    let work = world.settle();
    let spent = cpu_seconds() - begun;
    println!(
        "cold start: {spent:.2} s; {} owners, {} messages, {} MB encoded: {:.0} ns per owner, {:.0} ns per message",
        work.owners_compiled,
        work.messages_encoded,
        work.bytes_encoded >> 20,
        spent * 1e9 / work.owners_compiled as f64,
        spent * 1e9 / work.messages_encoded as f64,
    );
    println!(
        "memory: {:.0} bytes more per port, of which {:.0} kept for newcomers",
        resident().saturating_sub(memory) as f64 / ports,
        world.distributor.shelf_bytes() as f64 / ports,
    );

    let wide = (size.wide > 0).then_some((WIDE, "in the wide network"));
    for (network, name) in wide.into_iter().chain((size.ports > 0).then_some((1, "in a network of 20"))) {
        change(&mut world, size, (network, name));
    }
}

/// What one flow costs: compiled to be sent, and only added up.
fn flows(snapshot: &Snapshot) {
    let networks: Vec<Scope> = snapshot.networks().map(|network| Scope::Network(network.vni)).collect();
    let hosts: Vec<Scope> = snapshot.hosts().map(|host| Scope::Host(host.index)).collect();
    for (name, scopes) in [("network-wide", networks), ("host-local", hosts)] {
        let begun = cpu_seconds();
        let mut flows = 0;
        for scope in &scopes {
            compile_scope(*scope, snapshot, |_, compiled| flows += compiled.flows.len());
        }
        let compiled = cpu_seconds();
        for scope in &scopes {
            tally_scope(*scope, snapshot, |_, tally| {
                std::hint::black_box(tally);
            });
        }
        let each = |seconds: f64| seconds * 1e9 / flows as f64;
        println!(
            "{name}: {flows} flows, {:.0} ns each to compile, {:.0} ns to tally",
            each(compiled - begun),
            each(cpu_seconds() - compiled)
        );
    }
}

/// Ports come one by one and each is settled before the next.
fn change(world: &mut World, size: Size, (network, name): (u32, &str)) {
    let first = size.fresh() + network * CHANGES;
    let (mut committing, mut working, mut total) = (0.0, 0.0, (0, 0, 0));
    for n in first..first + CHANGES {
        let begun = cpu_seconds();
        world.commit(vec![port(n, network, true), binding(n, n % 20)]);
        let committed = cpu_seconds();
        let work = world.settle();
        committing += committed - begun;
        working += cpu_seconds() - committed;
        total.0 += work.owners_compiled;
        total.1 += work.messages_encoded;
        total.2 += work.parcels_queued;
    }
    let each = f64::from(CHANGES);
    println!(
        "one port more {name}: {:.0} us to commit and find what it touches, {:.0} us to compile, encode, hand out and settle \
         ({:.1} owners, {:.1} messages, {:.1} parcels: {:.2} us per parcel)",
        committing * 1e6 / each,
        working * 1e6 / each,
        total.0 as f64 / each,
        total.1 as f64 / each,
        total.2 as f64 / each,
        working * 1e6 / total.2 as f64,
    );
}

/// CPU time of this thread.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).map_or(0.0, |ns| ns as f64 / 1e9)
}

/// Bytes of memory in use.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|word| word.parse::<u64>().ok()).map_or(0, |pages| pages * 4096)
}
