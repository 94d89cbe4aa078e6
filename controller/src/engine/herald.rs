//! Says unasked where external addresses are now: to the physical network of a host that has begun to serve them.
//!
//! Who serves a router's gateway is decided by the switches themselves, from what they see of each other; the herald only
//! follows them, so that the operator's switches and neighbours need not wait until they hear of it by themselves.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weft_compiler::failover::{Announced, Occasion, announcements, contests, rivals};
use weft_compiler::{Owner, TunnelId, tunnel_ofport};
use weft_model::{HostIndex, Snapshot};
use weft_openflow::message::multipart::Request;
use weft_openflow::message::{Message, PacketOut};
use weft_openflow::{Action, PortNo, Writer, Xid};

use crate::southbound::questions::PACKETS;

/// The xid of questions about ports.
pub const PULSES: Xid = Xid(8);
/// How many addresses one host announces at once; the rest is found out by those who ask.
const MOST: usize = 1_000;

/// What switches see of each other.
#[derive(Debug, Default)]
pub(super) struct Herald {
    /// The tunnels of each host whose other end is silent.
    dead: BTreeMap<HostIndex, BTreeSet<TunnelId>>,
    /// Those that have been asked on their present connection.
    greeted: BTreeSet<HostIndex>,
}

/// How the other end of a tunnel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It answers, or nobody asks it.
    Alive,
    /// It is silent.
    Dead,
}

impl Herald {
    /// A switch says how the other end of one of its tunnels is: what it shall say, if that makes it a router's gateway
    /// (or makes others know that it is one again).
    pub(super) fn handle_pulse(
        &mut self,
        host: HostIndex,
        (tunnel, pulse): (TunnelId, Pulse),
        snapshot: &Snapshot,
    ) -> Option<Bytes> {
        let dead = self.dead.entry(host).or_default();
        match pulse {
            // Who is told twice is not told that anything changed.
            Pulse::Dead if !dead.insert(tunnel) => return None,
            // One that comes back did not need to be known as dead: its switch has restarted.
            Pulse::Dead => {}
            Pulse::Alive => drop(dead.remove(&tunnel)),
        }
        let occasions = rivals(host, tunnel, snapshot).into_iter().map(Occasion::Gateway);
        packets(host, occasions, dead, snapshot)
    }

    /// A switch has all its flows, for the first time on this connection: what it shall be asked and say. How its rivals
    /// are it tells; where there is none, it is the gateway.
    pub(super) fn greet(&mut self, host: HostIndex, snapshot: &Snapshot) -> Option<Bytes> {
        if !self.greeted.insert(host) {
            return None;
        }
        let (contested, alone) = contests(host, snapshot);
        let mut writer = Writer::new();
        for tunnel in contested.into_iter().take(MOST) {
            let Some(port) = tunnel_ofport(tunnel.encap, tunnel.peer) else { continue };
            let question = Request::PortDesc(PortNo(port.into()));
            Message::MultipartRequest((&question).into()).encode_into(PULSES, &mut writer);
        }
        let said = packets(host, alone.into_iter().map(Occasion::Gateway), &BTreeSet::new(), snapshot);
        writer.bytes(&said.unwrap_or_default());
        (!writer.is_empty()).then(|| writer.into_bytes())
    }

    /// What hosts shall say because owners of theirs are other ones now.
    pub(super) fn handle_owners(
        &self,
        owners: &BTreeSet<Owner>,
        snapshot: &Snapshot,
    ) -> Vec<(HostIndex, Bytes)> {
        let mut by_host: BTreeMap<HostIndex, Vec<Occasion>> = BTreeMap::new();
        for owner in owners {
            let (host, occasion) = match *owner {
                Owner::Gateway(host, key) => (host, Occasion::Gateway(key)),
                Owner::Floating(host, key) => (host, Occasion::Floating(key)),
                _ => continue,
            };
            by_host.entry(host).or_default().push(occasion);
        }
        let none = BTreeSet::new();
        let said = by_host.into_iter().filter_map(|(host, occasions)| {
            let dead = self.dead.get(&host).unwrap_or(&none);
            Some((host, packets(host, occasions.into_iter(), dead, snapshot)?))
        });
        said.collect()
    }

    /// A switch's connection is over: what it saw is not known any more. Its next one tells.
    pub(super) fn forget(&mut self, host: HostIndex) {
        self.dead.remove(&host);
        self.greeted.remove(&host);
    }
}

/// Packets for a switch to send, as one piece.
fn packets(
    host: HostIndex,
    occasions: impl Iterator<Item = Occasion>,
    dead: &BTreeSet<TunnelId>,
    snapshot: &Snapshot,
) -> Option<Bytes> {
    let announced = occasions.flat_map(|occasion| announcements(host, occasion, dead, snapshot));
    let mut writer = Writer::new();
    for Announced { uplink, announcement } in announced.take(MOST) {
        let out = vec![Action::output(PortNo(uplink.into()))];
        let frame = announcement.frame();
        let message = Message::PacketOut(PacketOut::new(PortNo::CONTROLLER, out, frame.into()));
        message.encode_into(PACKETS, &mut writer);
    }
    (!writer.is_empty()).then(|| writer.into_bytes())
}

#[cfg(test)]
mod tests;
