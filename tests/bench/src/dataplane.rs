//! What the data plane carries on real Open vSwitch: throughput, round trips and processor time, each beside a bare bridge
//! of two flows in the same run.

mod bare;
mod measure;
mod tenant;

use anyhow::{Context, Result};
use weft_rig::Tuning;
use weft_scenarios::{Site, SiteSpec};

use crate::numbers::{Spread, median};
use crate::report::{Report, Row};
use crate::size::Size;
use measure::Cell;

/// What is between two workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// A bridge with one flow for each direction.
    Bare,
    /// One network of Weft's, port security off.
    Flat,
    /// Two networks and a router, port security off.
    Routed,
    /// One network, port security and a stateful security group.
    Stateful,
    /// Two networks and a router, port security and a stateful security group.
    RoutedStateful,
}

impl Path {
    fn name(self) -> &'static str {
        match self {
            Path::Bare => "bare bridge, two flows",
            Path::Flat => "L2",
            Path::Routed => "routed",
            Path::Stateful => "L2, stateful group",
            Path::RoutedStateful => "routed, stateful group",
        }
    }
}

/// Where the two workloads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Both on the first host.
    SameHost,
    /// The receiver on the second, behind a VXLAN tunnel.
    OtherHost,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::SameHost => "same host",
            Place::OtherHost => "other host",
        }
    }
}

/// Runs the benchmark. Needs root, Open vSwitch and iperf3.
pub fn run(size: Size) -> Result<Report> {
    // The sockets that read workloads' interfaces take their size when an interface is plugged in.
    let _buffers = Tuning::receive_buffers()?;
    let site = Site::build("dp", SiteSpec::hosts(2).options(&["--audit-interval", "3600", "--log", "warn"]))?;
    let mut cells = tenant::cells(&site)?;
    let mtu = tenant::mtu(&site)?;
    cells.extend(bare::cells(&site, mtu)?);
    site.rig.seed_tunnel_neighbours()?;
    let (rounds, seconds, pings) = size.dataplane();
    measure::rounds(&site, &mut cells, (rounds, seconds, pings))?;
    let mut report = Report::new("dataplane", "two workloads on real Open vSwitch (userspace datapath)");
    notes(&mut report, (rounds, seconds, pings));
    for place in [Place::SameHost, Place::OtherHost] {
        let cell = |path| cells.iter().find(|cell| cell.path == path && cell.place == place);
        let bare = cell(Path::Bare).context("the bare bridge was measured")?;
        for path in [Path::Bare, Path::Flat, Path::Routed, Path::Stateful, Path::RoutedStateful] {
            report.push(row(cell(path).context("every path was measured")?, bare));
        }
    }
    Ok(report)
}

fn notes(report: &mut Report, (rounds, seconds, pings): (usize, u64, usize)) {
    report.note(format!(
        "{rounds} rounds; in each, every path carries one TCP stream (iperf3, {seconds} s) and then {pings} pings, one after the other, so that what else the machine does meets all alike."
    ));
    report.note("`of bare` is the middle one of the rounds' ratios to the bare bridge of the same place: a bridge of its own on the same switches, with one flow for each direction, and the same kind of tunnel.");
    report.note("CPU is what both `ovs-vswitchd` used while the streams ran, over the packets that the receiver got and sent (data and acknowledgements). Throughput here is that of a userspace datapath with packet sockets, on two cores that the workloads share: read the ratios.");
    report.note("Round trips by ping every 2 ms, the first ones of every turn left out: they may wait for the datapath's cache.");
}

fn row(cell: &Cell, bare: &Cell) -> Row {
    let ratios = cell.gbits.iter().zip(&bare.gbits).map(|(own, bare)| own / bare).collect();
    let extreme = |pick: fn(f64, f64) -> f64| cell.gbits.iter().copied().reduce(pick).unwrap_or(f64::NAN);
    let (own, floor) = (Spread::of(cell.trips.clone()), Spread::of(bare.trips.clone()));
    let trips = own.zip(floor).map_or(f64::NAN, |(own, floor)| own.p50_ms / floor.p50_ms);
    Row::default()
        .text("place", cell.place.name())
        .text("path", cell.path.name())
        .number("Gbit/s", median(cell.gbits.clone()).unwrap_or(f64::NAN), 2)
        .number("lowest", extreme(f64::min), 2)
        .number("highest", extreme(f64::max), 2)
        .number("of bare", median(ratios).unwrap_or(f64::NAN), 2)
        .spread("round trip p50 / p99 ms", own)
        .number("p50 of bare", trips, 2)
        .number("vswitchd CPU us per packet", cell.us_per_packet(), 2)
        .number("CPU of bare", cell.us_per_packet() / bare.us_per_packet(), 2)
}
