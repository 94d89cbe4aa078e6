//! Who may talk to whom, written from what Weft promises and not from how it does it.

use std::collections::BTreeSet;

use weft_model::PortId;

use crate::model::{Host, Model, Port};

/// Whether packets travel between two hosts at all: they are one, or have VTEPs of a common family.
fn connected(a: &Host, b: &Host) -> bool {
    a.index == b.index || a.v4 && b.v4 || a.v6 && b.v6
}

fn is_up(model: &Model, port: &Port) -> bool {
    port.up && model.networks[port.network].up
}

/// Whether one port's packets come to another when they are addressed to it.
fn may(model: &Model, from: &Port, to: &Port) -> bool {
    let same_network = from.network == to.network && from.key != to.key;
    let ways = model.place(from).zip(model.place(to)).is_some_and(|(a, b)| connected(a, b));
    same_network && ways && is_up(model, from) && is_up(model, to)
}

/// Who gets a frame from one port to the MAC of another, which may be one of another network: then whoever has that MAC
/// in the sender's own.
pub fn reach(model: &Model, from: &Port, to: &Port) -> BTreeSet<PortId> {
    let named = model.ports.iter().filter(|port| port.number == to.number);
    named.filter(|port| may(model, from, port)).map(Port::id).collect()
}

/// Who gets a broadcast.
pub fn broadcast(model: &Model, from: &Port) -> BTreeSet<PortId> {
    model.ports.iter().filter(|port| may(model, from, port)).map(Port::id).collect()
}

/// Whether anything at all from one port can come to another.
pub fn ever_reach(model: &Model, from: &Port, to: PortId) -> bool {
    model.port(to).is_some_and(|to| may(model, from, to))
}
