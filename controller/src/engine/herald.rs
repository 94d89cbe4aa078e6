//! Says unasked where external addresses are now: to the physical network of a host that has begun to serve them.
//!
//! Who serves a router's gateway is decided by the switches themselves, from what they see of each other; the herald only
//! follows them, so that the operator's switches and neighbours need not wait until they hear of it by themselves.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use weft_compiler::failover::{Announced, Occasion, announcements, contests, rivals, router_of};
use weft_compiler::{Owner, TunnelId, tunnel_ofport};
use weft_model::{HostIndex, RouterKey, Snapshot};
use weft_openflow::message::multipart::Request;
use weft_openflow::message::{Message, PacketOut};
use weft_openflow::{Action, PortNo, Writer, Xid};

use crate::southbound::questions::PACKETS;

/// The xid of questions about ports.
pub const PULSES: Xid = Xid(8);
/// How many addresses one host announces at once; the rest is found out by those who ask.
const MOST: usize = 1_000;
/// How long a switch that has just come, or has just got a gateway, may take to hear the others: a session of BFD begins
/// with a packet a second (RFC 5880 section 6.8.3). Who has not heard them yet does not speak in their place.
const GRACE: Duration = Duration::from_secs(5);
/// No tunnel is known to be silent.
const NONE: &BTreeSet<TunnelId> = &BTreeSet::new();

/// What switches see of each other.
#[derive(Debug, Default)]
pub(super) struct Herald {
    /// The tunnels of each host whose other end is silent.
    dead: BTreeMap<HostIndex, BTreeSet<TunnelId>>,
    /// Those that have been asked on their present connection.
    greeted: BTreeSet<HostIndex>,
    /// Whose silence need not mean anything yet: to a host, on all tunnels or on those to who may serve one router.
    fresh: BTreeSet<(HostIndex, Option<RouterKey>)>,
    /// Until when, the first one first. There may be some of hosts that are gone.
    until: VecDeque<(Instant, HostIndex, Option<RouterKey>)>,
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
        self.packets(host, occasions, snapshot)
    }

    /// A switch has all its flows, for the first time on this connection: what it shall be asked and say. How its rivals
    /// are it tells; where there is none, it is the gateway.
    pub(super) fn greet(&mut self, host: HostIndex, now: Instant, snapshot: &Snapshot) -> Option<Bytes> {
        if !self.greeted.insert(host) {
            return None;
        }
        let (contested, alone) = contests(host, snapshot);
        if !contested.is_empty() {
            self.spare(host, None, now);
        }
        let mut writer = Writer::new();
        for tunnel in contested.into_iter().take(MOST) {
            let Some(port) = tunnel_ofport(tunnel.encap, tunnel.peer) else { continue };
            let question = Request::PortDesc(PortNo(port.into()));
            Message::MultipartRequest((&question).into()).encode_into(PULSES, &mut writer);
        }
        let said = self.packets(host, alone.into_iter().map(Occasion::Gateway), snapshot);
        writer.bytes(&said.unwrap_or_default());
        (!writer.is_empty()).then(|| writer.into_bytes())
    }

    /// What hosts shall say because owners of theirs are other ones now.
    pub(super) fn handle_owners(
        &mut self,
        owners: &BTreeSet<Owner>,
        now: Instant,
        snapshot: &Snapshot,
    ) -> Vec<(HostIndex, Bytes)> {
        let mut by_host: BTreeMap<HostIndex, Vec<Occasion>> = BTreeMap::new();
        for owner in owners {
            let (host, occasion) = match *owner {
                Owner::Gateway(host, key) => (host, Occasion::Gateway(key)),
                Owner::Floating(host, key) => (host, Occasion::Floating(key)),
                _ => continue,
            };
            if let Occasion::Gateway(key) = occasion {
                self.spare(host, Some(key), now);
            }
            by_host.entry(host).or_default().push(occasion);
        }
        let said = by_host.into_iter().filter_map(|(host, occasions)| {
            Some((host, self.packets(host, occasions.into_iter(), snapshot)?))
        });
        said.collect()
    }

    /// When [`Herald::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.until.front().map(|(until, ..)| *until)
    }

    /// Who is still silent is dead: what hosts shall say that serve in their place.
    pub(super) fn handle_timeout(&mut self, now: Instant, snapshot: &Snapshot) -> Vec<(HostIndex, Bytes)> {
        let mut said = Vec::new();
        while let Some((_, host, router)) = self.until.pop_front_if(|(until, ..)| *until <= now) {
            if !self.fresh.remove(&(host, router)) || self.dead.get(&host).is_none_or(BTreeSet::is_empty) {
                continue;
            }
            let all = || snapshot.gateways_at(host).map(|router| router.key).collect();
            let routers: Vec<RouterKey> = router.map_or_else(all, |router| vec![router]);
            let occasions = routers.into_iter().map(Occasion::Gateway);
            said.extend(self.packets(host, occasions, snapshot).map(|packets| (host, packets)));
        }
        said
    }

    /// A switch's connection is over: what it saw is not known any more. Its next one tells.
    pub(super) fn forget(&mut self, host: HostIndex) {
        self.dead.remove(&host);
        self.greeted.remove(&host);
        self.fresh.retain(|(of, _)| *of != host);
        self.until.retain(|(_, of, _)| *of != host);
    }

    /// For a while silence means nothing. It is not made longer by who changes a gateway again and again.
    fn spare(&mut self, host: HostIndex, router: Option<RouterKey>, now: Instant) {
        if self.fresh.insert((host, router)) {
            self.until.push_back((now + GRACE, host, router));
        }
    }

    /// The tunnels of a host whose silence means that it serves a router's gateway instead.
    fn silent(&self, host: HostIndex, occasion: Occasion, snapshot: &Snapshot) -> &BTreeSet<TunnelId> {
        let is_fresh = |router| self.fresh.contains(&(host, router));
        if !self.greeted.contains(&host) || is_fresh(None) {
            return NONE;
        }
        let is_fresh = router_of(occasion, snapshot).is_some_and(|router| is_fresh(Some(router)));
        self.dead.get(&host).filter(|_| !is_fresh).unwrap_or(NONE)
    }

    /// Packets for a switch to send, as one piece.
    fn packets(
        &self,
        host: HostIndex,
        occasions: impl Iterator<Item = Occasion>,
        snapshot: &Snapshot,
    ) -> Option<Bytes> {
        let said = |occasion| announcements(host, occasion, self.silent(host, occasion, snapshot), snapshot);
        let mut writer = Writer::new();
        for Announced { uplink, announcement } in occasions.flat_map(said).take(MOST) {
            let out = vec![Action::output(PortNo(uplink.into()))];
            let frame = announcement.frame();
            let message = Message::PacketOut(PacketOut::new(PortNo::CONTROLLER, out, frame.into()));
            message.encode_into(PACKETS, &mut writer);
        }
        (!writer.is_empty()).then(|| writer.into_bytes())
    }
}

#[cfg(test)]
mod tests;
