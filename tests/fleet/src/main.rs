//! The fleet simulator for interactive use: starts hosts, says how they are doing, and ends with numbers as JSON.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use weft_fleet::ovsdb::LocalChange;
use weft_fleet::{Condition, Fleet, FleetSpec, Hosts, Reconnect, Status};

/// Simulated Open vSwitch hosts that join a Weft controller.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many hosts
    #[arg(long, default_value_t = 10)]
    hosts: u32,
    /// How many threads serve them
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The controller's address
    #[arg(long, default_value = "127.0.0.1")]
    controller: IpAddr,
    /// The controller's OVSDB port
    #[arg(long, default_value_t = 6640)]
    ovsdb_port: u16,
    /// Workload interfaces to plug into each host once its bridge is there; their iface-id is HOST-NUMBER
    #[arg(long, default_value_t = 0)]
    ports_per_host: u32,
    /// What system-ids start with
    #[arg(long, default_value = "fleet-")]
    name: String,
    /// How many hosts dial per second at the start
    #[arg(long)]
    dials_per_second: Option<u32>,
    /// Dial again at once after a connection is lost, instead of with Open vSwitch's back-off
    #[arg(long)]
    reconnect_at_once: bool,
    /// End after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let spec = FleetSpec {
        hosts: arguments.hosts,
        threads: arguments.threads,
        ovsdb: Some(SocketAddr::new(arguments.controller, arguments.ovsdb_port)),
        name: arguments.name.clone(),
        reconnect: if arguments.reconnect_at_once { Reconnect::AtOnce } else { Reconnect::BackOff },
        dials_per_second: arguments.dials_per_second,
        ..FleetSpec::default()
    };
    let began = Instant::now();
    let fleet = Fleet::start(spec).context("starting the fleet")?;
    let mut connected = fleet.expect(Hosts::All, Condition::Connected);
    let mut plugged = arguments.ports_per_host == 0;
    let end = arguments.seconds.map(|seconds| began + Duration::from_secs(seconds));
    while end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(Duration::from_secs(2));
        if !plugged && connected.left() == 0 {
            plug(&fleet, &arguments);
            plugged = true;
        }
        println!("{}", line(began, &fleet.status()));
    }
    println!("{}", json_of(began, &fleet));
    Ok(())
}

fn plug(fleet: &Fleet, arguments: &Arguments) {
    for port in 0..arguments.ports_per_host {
        let change = |host: u32| {
            let iface_id = format!("{}-{port}", fleet.spec().system_id(host));
            (host, LocalChange::PlugInterface { name: format!("tap{port}"), iface_id })
        };
        fleet.local((0..arguments.hosts).map(change).collect());
    }
}

fn line(began: Instant, status: &Status) -> String {
    format!(
        "{:7.1}s  hosts {}  managers {}  controllers {}  flows {}  groups {}  flow mods {}  errors {}  \
         unsupported {}  lag p99 {:?}",
        began.elapsed().as_secs_f64(),
        status.hosts,
        status.managers,
        status.controllers,
        status.flows,
        status.groups,
        status.counters.flow_mods,
        status.counters.errors,
        status.counters.unsupported,
        status.lag.quantile(0.99),
    )
}

fn json_of(began: Instant, fleet: &Fleet) -> serde_json::Value {
    let status = fleet.status();
    json!({
        "seconds": began.elapsed().as_secs_f64(),
        "hosts": status.hosts,
        "managers": status.managers,
        "controllers": status.controllers,
        "flows": status.flows,
        "groups": status.groups,
        "distinct_flows": status.depot.0,
        "messages": status.counters.messages.iter().sum::<u32>(),
        "bytes": status.counters.bytes,
        "flow_mods": status.counters.flow_mods,
        "group_mods": status.counters.group_mods,
        "bundles": status.counters.committed,
        "errors": status.counters.errors,
        "unsupported": status.counters.unsupported,
        "lag_p99_us": status.lag.quantile(0.99).as_micros(),
        "busy_share": status.busy.0.as_secs_f64() / status.busy.1.as_secs_f64().max(1e-9),
        "on_core_seconds": status.on_core.as_secs_f64(),
        "resident_bytes": fleet.resident_bytes(),
        "host_bytes": status.resident,
    })
}
