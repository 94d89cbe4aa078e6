//! Who may talk to whom, written from what Weft promises and not from how it does it.

use std::collections::BTreeSet;

use weft_model::PortId;
use weft_trace::Packet;

use crate::model::{Host, Model, Network, Port};
use crate::routing::{Leg, Router, realm};
use crate::security;

/// Whether a network's packets travel between two hosts at all: they are one, or have VTEPs of a common family, or bridges
/// to the network's physical network.
pub fn connected(network: &Network, a: &Host, b: &Host) -> bool {
    let ways = match network.segment {
        Some((physnet, _)) => a.mapped[physnet] && b.mapped[physnet],
        None => a.v4 && b.v4 || a.v6 && b.v6,
    };
    a.index == b.index || ways
}

/// Whether what one port sends into a network comes to the host of another.
fn comes(model: &Model, network: usize, from: &Port, to: &Port) -> bool {
    let places = model.place(from).zip(model.place(to));
    places.is_some_and(|(a, b)| connected(&model.networks[network], a, b))
}

pub fn is_up(model: &Model, port: &Port) -> bool {
    port.up && model.networks[port.network].up
}

/// Whether one port's packets come to another when they are addressed to it.
fn may(model: &Model, from: &Port, to: &Port) -> bool {
    let same_network = from.network == to.network && from.key != to.key;
    same_network && comes(model, to.network, from, to) && is_up(model, from) && is_up(model, to)
}

/// Who gets a packet from one port to the MAC and address of another, which may be one of another network: then whoever has
/// that MAC in the sender's own.
pub fn reach(model: &Model, from: &Port, to: &Port, packet: &Packet) -> BTreeSet<PortId> {
    let named = model.ports.iter().filter(|port| port.number == to.number);
    let allowed = |port: &&Port| may(model, from, port) && security::allows(model, from, port, packet);
    named.filter(allowed).map(Port::id).collect()
}

/// Who gets a broadcast. Nobody has its address.
pub fn broadcast(model: &Model, from: &Port, packet: &Packet) -> BTreeSet<PortId> {
    let leaves = security::out(model, from, None, packet);
    let gets = |port: &&Port| may(model, from, port) && security::into(model, from, port, packet);
    model.ports.iter().filter(|_| leaves).filter(gets).map(Port::id).collect()
}

/// Who gets a packet that a port sends into a router, to an address in a subnet: the host's number in it.
pub fn routed(
    model: &Model,
    from: &Port,
    (router, leg): (usize, usize),
    (subnet, number): (u8, u8),
) -> BTreeSet<PortId> {
    let entered = &model.routers[router].legs[leg];
    let begins = is_up(model, from) && entered.network == from.network && entered.up;
    let arrives = begins.then(|| leads(model, router, subnet)).flatten().map(|(network, _)| network);
    let gets = |port: &&Port| {
        let ways = comes(model, port.network, from, port);
        let there = Some(port.network) == arrives && port.number == number;
        there && ways && is_up(model, port) && port.key != from.key
    };
    model.ports.iter().filter(gets).map(Port::id).collect()
}

/// Whether the last router on the way to a subnet has an interface in the sender's network, so that the receiver's host can
/// tell who the sender is.
pub fn is_next_door(model: &Model, from: &Port, router: usize, subnet: u8) -> bool {
    let last = leads(model, router, subnet).map(|(_, last)| &model.routers[last]);
    last.is_some_and(|router| router.legs.iter().any(|leg| leg.network == from.network))
}

/// The network in which a router finds a subnet, itself or through others, and the router that does.
fn leads(model: &Model, router: usize, subnet: u8) -> Option<(usize, usize)> {
    let Router { up, legs, routes, .. } = &model.routers[router];
    if !up {
        return None;
    }
    let out = |leg: &Leg| leg.up && model.networks[leg.network].up;
    if let Some(own) = legs.iter().find(|leg| model.networks[leg.network].subnet == subnet) {
        return out(own).then_some((own.network, router));
    }
    let (_, next, through) = routes.iter().find(|(destination, ..)| *destination == subnet)?;
    let entered = &model.routers[*next].legs[*through];
    let exit = legs.iter().find(|leg| leg.network == entered.network)?;
    // What goes on has to come in by an interface that is up.
    (out(exit) && entered.up).then(|| leads(model, *next, subnet)).flatten()
}

/// Whether a router answers a ping to one of its addresses.
pub fn answered(model: &Model, from: &Port, (router, leg): (usize, usize)) -> bool {
    let router = &model.routers[router];
    let leg = &router.legs[leg];
    model.place(from).is_some() && is_up(model, from) && router.up && leg.up && leg.network == from.network
}

/// Whether anything at all from one port can come to another: they are in one network, or in networks that routers join.
pub fn ever_reach(model: &Model, from: &Port, to: PortId) -> bool {
    let Some(to) = model.port(to) else { return false };
    let joined = realm(from.network, &model.routers).contains(&to.network) && from.key != to.key;
    joined && comes(model, to.network, from, to) && is_up(model, from) && is_up(model, to)
}
