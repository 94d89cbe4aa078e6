//! How many flow changes a second one core parses and stores, when every switch is told the same and when not.

use weft_fleet::openflow::depot::Depot;
use weft_fleet::openflow::switch::Switch;
use weft_fleet::openflow::wire::first_length;
use weft_openflow::message::{BundleCommand, BundleWriter, FlowMod};
use weft_openflow::{Action, BundleId, Cookie, Instruction, Match, PortNo, TableId, Writer, Xid, oxm};

/// Bundles of 1,000 flows each.
fn bundles(first: u32, count: u32) -> Vec<u8> {
    let mut w = Writer::new();
    for (at, number) in (first..first + count).enumerate() {
        let place = BundleWriter::atomic(BundleId(number / 1000));
        if at % 1000 == 0 {
            place.control(BundleCommand::OpenRequest, Xid(1), &mut w);
        }
        let matching = Match::new().with(oxm::reg(0, number)).with(oxm::eth_dst([2, 0, 0, 0, 0, 1]));
        let actions = vec![Action::SetField(oxm::tun_id(7)), Action::output(PortNo(1))];
        let instructions = vec![Instruction::ApplyActions(actions)];
        let flow = FlowMod::add(TableId((number % 8) as u8), 100, matching, instructions);
        place.flow_mod(&flow.with_cookie(Cookie(number.into())), Xid(1), &mut w);
        if at % 1000 == 999 {
            place.control(BundleCommand::CommitRequest, Xid(1), &mut w);
        }
    }
    w.into_bytes().to_vec()
}

fn play(switch: &mut Switch, depot: &mut Depot, bytes: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Ok(Some(length)) = first_length(&bytes[at..]) {
        switch.handle(depot, &bytes[at..at + length], out);
        at += length;
    }
    out.clear();
}

fn measure(name: &str, switches: u32, flows: u32, bytes_of: impl Fn(u32) -> Vec<u8>) {
    let mut depot = Depot::new();
    let mut all: Vec<Switch> = (0..switches).map(|n| Switch::new("br0", n.into())).collect();
    let mut out = Vec::new();
    let shared = bytes_of(0);
    let (mut spent, before) = (0.0, weft_fleet::limits::resident_bytes());
    for (number, switch) in (0u32..).zip(&mut all) {
        let own = if number == 0 { shared.clone() } else { bytes_of(number) };
        let start = weft_fleet::limits::thread_time();
        play(switch, &mut depot, &own, &mut out);
        spent += (weft_fleet::limits::thread_time() - start).as_secs_f64();
    }
    let total = f64::from(switches) * f64::from(flows);
    let grown = weft_fleet::limits::resident_bytes().saturating_sub(before);
    println!(
        "{name}: {:.1} M flow changes/s, {:.0} ns each; {:.1} bytes of memory per flow and switch",
        total / spent / 1e6,
        spent / total * 1e9,
        grown as f64 / total
    );
}

fn main() {
    measure("the same 8,000 flows to 500 switches", 500, 8000, |_| bundles(0, 8000));
    measure("1,000 flows of its own to each of 500 switches", 500, 1000, |n| bundles(n * 1000, 1000));
}
