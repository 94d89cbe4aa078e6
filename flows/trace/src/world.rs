//! All hosts of a snapshot: a packet is followed from the port that sends it, through tunnels, to where it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use weft_compiler::pipeline::DROP;
use weft_compiler::registers::REASON;
use weft_compiler::uplinks::uplink_at;
use weft_compiler::{
    Link, Owner, Reason, Scope, TunnelId, TunnelSettings, compile_scope, known_neighbour, subscriptions,
    tunnel, tunnel_ofport, uplinks,
};
use weft_model::{Encap, HostIndex, MacAddr, NetworkId, OfPort, PhysnetKey, Port, PortId, Snapshot};
use weft_openflow::{PortNo, oxm};

use crate::execute::{Choice, run};
use crate::fault::Fault;
use crate::packet::Packet;
use crate::steps::{Deed, End, Sent, Step, Told};
use crate::switch::{Entry, Group, Switch};
use crate::tracker::Tracker;

/// How many hosts one packet and its copies are followed to.
const MOST_HOSTS: usize = 64;
/// How many flows are compiled at most, over all hosts.
const MOST_FLOWS: usize = 500_000;
/// How often a packet may go from host to host.
const MOST_HOPS: u32 = 8;

/// The hosts of a snapshot, with the connections that they know. Hosts are compiled when the first packet comes to them.
#[derive(Debug, Clone)]
pub struct World {
    snapshot: Snapshot,
    scopes: BTreeMap<Scope, Arc<Held>>,
    switches: BTreeMap<HostIndex, Arc<Switch>>,
    /// Hosts that are down, as those that watch the tunnels to them see it.
    down: BTreeSet<HostIndex>,
    trackers: BTreeMap<HostIndex, Tracker>,
    /// What is done with select groups.
    pub choice: Choice,
    /// Machines on physical networks that every switch has heard of lately.
    neighbours: BTreeMap<(NetworkId, IpAddr), MacAddr>,
    flows: usize,
}

/// What stands in a scope.
#[derive(Debug, Default)]
struct Held {
    entries: Vec<Arc<Entry>>,
    groups: Vec<Arc<Group>>,
}

/// Where a packet went.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Its way on the host where it began.
    pub hop: Hop,
    /// What became of it and of its copies, in the order of the way.
    pub outcomes: Vec<Outcome>,
}

/// The way of a packet on one host.
#[derive(Debug, Clone)]
pub struct Hop {
    /// The host.
    pub host: HostIndex,
    /// The interface or tunnel that it came in by.
    pub in_port: PortNo,
    /// The lookups there.
    pub steps: Vec<Step>,
    /// The ways on other hosts of what left by tunnels, in the order in which it left.
    pub onward: Vec<Hop>,
}

/// What became of a packet, or of one copy of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// On which host.
    pub host: HostIndex,
    /// What.
    pub fate: Fate,
    /// The flow that decided it, when one did.
    pub by: Option<Arc<Entry>>,
    /// The last flow on the way there that exists for something of a tenant's: of a packet that nothing allows, what was
    /// asked.
    pub about: Option<Arc<Entry>>,
}

/// What became of a packet.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It was handed to a port's interface.
    Delivered(PortId, Box<Packet>),
    /// An answer made from it was sent back to the port that it came from.
    Answered(PortId, Box<Packet>),
    /// It was handed to an interface whose port is in force elsewhere, or is no port of Weft's.
    Astray(PortNo, Box<Packet>),
    /// It was dropped, for this reason if the pipeline named one.
    Dropped(Option<Reason>),
    /// It, or a copy, was handed to the controller.
    Told(Told),
    /// It left to a physical network, for whoever is there besides our hosts.
    Left(PhysnetKey, Box<Packet>),
    /// It was to leave by where it came in, which does nothing.
    Reflected,
    /// It was to leave by a port that the host does not have (the tunnel to itself among them), which does nothing.
    Nowhere(PortNo),
    /// All ways of a group were down.
    NoWay(u32),
    /// It was not followed any further: too many hosts, or too many hops.
    Unfollowed(HostIndex),
}

impl World {
    /// The hosts of a snapshot; nobody has spoken yet.
    pub fn new(snapshot: Snapshot) -> World {
        World {
            snapshot,
            scopes: BTreeMap::new(),
            switches: BTreeMap::new(),
            down: BTreeSet::new(),
            trackers: BTreeMap::new(),
            choice: Choice::First,
            neighbours: BTreeMap::new(),
            flows: 0,
        }
    }

    /// The state that is traced in.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// From now on a host is down: nobody's tunnel to it is alive, so that fast-failover groups avoid it.
    pub fn fail(&mut self, host: HostIndex) {
        self.down.insert(host);
        self.switches.clear();
    }

    /// True if a port that a group of the host watches is there and alive.
    fn is_live(&self, host: HostIndex, port: PortNo) -> bool {
        if let Some(physnet) = uplink_at(port.0) {
            return self.is_mapped(host, physnet);
        }
        self.beyond(host, port)
            .is_some_and(|(peer, _)| !self.down.contains(&peer) && !self.down.contains(&host))
    }

    /// Forgets all connections.
    pub fn forget(&mut self) {
        self.trackers.clear();
    }

    /// From now on every switch knows this machine on a physical network, as if it had just spoken. Others are asked for
    /// on the wire.
    pub fn meet(&mut self, network: NetworkId, address: IpAddr, mac: MacAddr) {
        self.neighbours.insert((network, address), mac);
        self.switches.clear();
    }

    /// The connections that a host knows, to be seeded or looked at.
    pub fn tracker(&mut self, host: HostIndex) -> &mut Tracker {
        self.trackers.entry(host).or_default()
    }

    /// The flows and groups of a host's switch.
    ///
    /// # Errors
    /// What a switch would refuse, what the interpreter does not know, and when it would be too much.
    pub fn switch(&mut self, host: HostIndex) -> Result<Arc<Switch>, Fault> {
        if let Some(switch) = self.switches.get(&host) {
            return Ok(switch.clone());
        }
        let mut switch = Switch::new();
        for scope in subscriptions(host, &self.snapshot) {
            let held = self.scope(scope)?;
            for entry in &held.entries {
                switch.add(entry.clone())?;
            }
            for group in &held.groups {
                switch.add_group(group.clone());
                let watched = group.buckets.iter().filter_map(|bucket| bucket.watch);
                watched.filter(|port| !self.is_live(host, *port)).for_each(|port| switch.fail(port));
            }
        }
        for ((network, address), mac) in &self.neighbours {
            if let Some(network) = self.snapshot.network(network) {
                let known = known_neighbour(host, network, *address, *mac);
                switch.install(Owner::HostBase(host), &known)?;
            }
        }
        let switch = Arc::new(switch);
        self.switches.insert(host, switch.clone());
        Ok(switch)
    }

    fn scope(&mut self, scope: Scope) -> Result<Arc<Held>, Fault> {
        if let Some(held) = self.scopes.get(&scope) {
            return Ok(held.clone());
        }
        let (mut held, mut fault) = (Held::default(), None);
        let room = MOST_FLOWS.saturating_sub(self.flows);
        compile_scope(scope, &self.snapshot, |owner, compiled| {
            if fault.is_some() {
                return;
            }
            if held.entries.len() + compiled.flows.len() > room {
                fault = Some(Fault::TooLarge(MOST_FLOWS));
                return;
            }
            for flow in &compiled.flows {
                match Entry::of(flow, Some(owner)) {
                    Ok(entry) => held.entries.push(Arc::new(entry)),
                    Err(found) => fault = Some(found),
                }
            }
            for group in &compiled.groups {
                match Group::of(group) {
                    Ok(group) => held.groups.push(Arc::new(group)),
                    Err(found) => fault = Some(found),
                }
            }
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
        self.flows += held.entries.len();
        let held = Arc::new(held);
        self.scopes.insert(scope, held.clone());
        Ok(held)
    }

    /// Follows a packet that a port sends. Its ingress port is set here.
    ///
    /// # Errors
    /// [`Fault::NoBeginning`] when the port is bound nowhere, and whatever the interpreter cannot go on with.
    pub fn send(&mut self, from: &Port, packet: &Packet) -> Result<Trace, Fault> {
        let host = self.snapshot.bound_host(from.id).ok_or(Fault::NoBeginning)?;
        let claim = self.snapshot.claim(from.id, &host.id).ok_or(Fault::NoBeginning)?;
        let (host, ofport) = (host.index, claim.ofport);
        let mut packet = packet.clone();
        if let Some(behind) = claim.behind {
            packet.push_tag();
            let tag = packet.put(&oxm::vlan_vid(behind.vlan.get()));
            debug_assert_eq!(tag, Some(()), "tags are known");
        }
        self.enter(host, PortNo(u32::from(ofport.get())), &packet)
    }

    /// Follows a packet that comes in by any port of a host.
    ///
    /// # Errors
    /// Whatever the interpreter cannot go on with.
    pub fn enter(&mut self, host: HostIndex, in_port: PortNo, packet: &Packet) -> Result<Trace, Fault> {
        let mut walk = Walk { world: self, outcomes: Vec::new(), hosts: 0, about: None };
        let hop = walk.hop(host, in_port, packet.arriving(in_port, 0), 0)?;
        let outcomes = walk.outcomes;
        Ok(Trace { hop, outcomes })
    }

    /// The port that gets a packet behind an interface of a host, and whether it is in force there: a subport what has its
    /// tag, and without it.
    fn behind(&self, host: HostIndex, port: PortNo, packet: &mut Packet) -> Option<(PortId, bool)> {
        let record = self.snapshot.host_by_index(host)?;
        let number = OfPort::new(i64::from(port.0))?;
        let claims = || self.snapshot.claims_of_host(&record.id).filter(move |claim| claim.ofport == number);
        let subport =
            packet.tag().and_then(|tag| claims().find(|c| c.behind.is_some_and(|b| b.vlan.get() == tag)));
        if subport.is_some() {
            packet.pop_tag();
        }
        let claim = subport.or_else(|| claims().find(|claim| claim.behind.is_none()))?;
        let in_force = self.snapshot.bound_host(claim.port).is_some_and(|bound| bound.index == host);
        Some((claim.port, in_force))
    }

    /// True if a host has an uplink to a physical network.
    fn is_mapped(&self, host: HostIndex, physnet: PhysnetKey) -> bool {
        uplinks(host, &self.snapshot).get(&physnet).is_some_and(Option::is_some)
    }

    /// The host that a tunnel port leads to, if both ends have it.
    fn beyond(&self, host: HostIndex, port: PortNo) -> Option<(HostIndex, PortNo)> {
        let id = tunnel_at(port)?;
        let settings = TunnelSettings::default();
        let (there, back) = (id.link(host), Link { host: id.peer, peer: host, encap: id.encap });
        tunnel(there, &self.snapshot, &settings)?;
        tunnel(back, &self.snapshot, &settings)?;
        Some((id.peer, PortNo(u32::from(tunnel_ofport(id.encap, host)?))))
    }
}

/// The tunnel that is pinned at a port number.
fn tunnel_at(port: PortNo) -> Option<TunnelId> {
    Encap::ALL.into_iter().find_map(|encap| {
        let base = u32::from(weft_compiler::tunnels::tunnel_base(encap));
        let peer = HostIndex::new(port.0.checked_sub(base)?)?;
        Some(TunnelId { encap, peer })
    })
}

/// One packet under way.
struct Walk<'w> {
    world: &'w mut World,
    outcomes: Vec<Outcome>,
    hosts: usize,
    about: Option<Arc<Entry>>,
}

impl Walk<'_> {
    fn hop(&mut self, host: HostIndex, in_port: PortNo, mut packet: Packet, hops: u32) -> Result<Hop, Fault> {
        self.hosts += 1;
        let switch = self.world.switch(host)?;
        let choice = self.world.choice;
        let steps = run(&switch, self.world.tracker(host), choice, &mut packet)?;
        let mut hop = Hop { host, in_port, steps: Vec::new(), onward: Vec::new() };
        let before = self.outcomes.len();
        let about = self.about.take();
        self.settle(&steps, None, &mut hop, hops)?;
        if self.outcomes.len() == before {
            // Nothing came of it and no reason was given, which the pipeline promises never to do.
            let last = steps.last().and_then(|step| step.flow.as_ref());
            self.end(host, Fate::Dropped(None), last);
        }
        self.about = about;
        hop.steps = steps;
        Ok(hop)
    }

    /// Reads off what became of the packet on one host, and follows what left it.
    fn settle(
        &mut self,
        steps: &[Step],
        before: Option<&Arc<Entry>>,
        hop: &mut Hop,
        hops: u32,
    ) -> Result<(), Fault> {
        let mut before = before;
        for step in steps {
            if let Some(entry) = step.flow.as_ref().filter(|entry| is_of_a_tenant(entry)) {
                self.about = Some(entry.clone());
            }
            match &step.flow {
                None => self.end(hop.host, Fate::Dropped(None), before),
                Some(entry) if step.table == DROP.number => {
                    self.end(hop.host, Fate::Dropped(reason(entry)), before);
                }
                Some(entry) => {
                    self.deeds(&step.deeds, entry, hop, hops)?;
                    before = Some(entry);
                }
            }
        }
        Ok(())
    }

    fn deeds(&mut self, deeds: &[Deed], by: &Arc<Entry>, hop: &mut Hop, hops: u32) -> Result<(), Fault> {
        for deed in deeds {
            match deed {
                Deed::Branch(_, steps) => self.settle(steps, Some(by), hop, hops)?,
                Deed::Copy(_, deeds) => {
                    let about = self.about.clone();
                    self.deeds(deeds, by, hop, hops)?;
                    self.about = about;
                }
                Deed::Output(sent) => self.leave(sent, by, hop, hops)?,
                Deed::Controller(told) => self.end(hop.host, Fate::Told(told.clone()), Some(by)),
                Deed::End(End::SamePort(_)) => self.end(hop.host, Fate::Reflected, Some(by)),
                Deed::End(End::NoLiveBucket(group)) => self.end(hop.host, Fate::NoWay(*group), Some(by)),
                // The controller was told, which is what counts.
                Deed::End(End::Ttl) => {}
            }
        }
        Ok(())
    }

    fn leave(&mut self, sent: &Sent, by: &Arc<Entry>, hop: &mut Hop, hops: u32) -> Result<(), Fault> {
        let host = hop.host;
        if let Some((peer, arrives_by)) = self.world.beyond(host, sent.port) {
            if hops >= MOST_HOPS || self.hosts >= MOST_HOSTS {
                self.end(host, Fate::Unfollowed(peer), Some(by));
                return Ok(());
            }
            let arriving = sent.packet.arriving(arrives_by, sent.packet.tunnel());
            let onward = self.hop(peer, arrives_by, arriving, hops + 1)?;
            hop.onward.push(onward);
            return Ok(());
        }
        if let Some(physnet) = uplink_at(sent.port.0).filter(|physnet| self.world.is_mapped(host, *physnet)) {
            return self.outside(physnet, sent, by, hop, hops);
        }
        let mut packet = sent.packet.clone();
        let fate = match self.world.behind(host, sent.port, &mut packet) {
            Some((port, true)) if sent.back => Fate::Answered(port, packet),
            Some((port, true)) => Fate::Delivered(port, packet),
            Some((_, false)) => Fate::Astray(sent.port, packet),
            None if sent.port == PortNo::LOCAL => Fate::Astray(sent.port, packet),
            None => Fate::Nowhere(sent.port),
        };
        self.end(host, fate, Some(by));
        Ok(())
    }

    /// Out to a physical network. Which of its switches knows what is not ours to say, so every other host that has a way
    /// there gets a copy; told is only of those that do something with it.
    fn outside(
        &mut self,
        physnet: PhysnetKey,
        sent: &Sent,
        by: &Arc<Entry>,
        hop: &mut Hop,
        hops: u32,
    ) -> Result<(), Fault> {
        let others: Vec<HostIndex> = self.world.snapshot.hosts().map(|host| host.index).collect();
        let before = self.outcomes.len();
        for other in others.into_iter().filter(|other| *other != hop.host) {
            if hops >= MOST_HOPS || self.hosts >= MOST_HOSTS || !self.world.is_mapped(other, physnet) {
                continue;
            }
            let begin = self.outcomes.len();
            let arriving = sent.packet.arriving(sent.port, 0);
            let onward = self.hop(other, sent.port, arriving, hops + 1)?;
            if self.outcomes[begin..].iter().any(is_met) {
                hop.onward.push(onward);
            } else {
                self.outcomes.truncate(begin);
            }
        }
        if self.outcomes.len() == before || sent.packet.eth_dst()[0] & 1 == 1 {
            self.end(hop.host, Fate::Left(physnet, sent.packet.clone()), Some(by));
        }
        Ok(())
    }

    fn end(&mut self, host: HostIndex, fate: Fate, by: Option<&Arc<Entry>>) {
        self.outcomes.push(Outcome { host, fate, by: by.cloned(), about: self.about.clone() });
    }
}

/// True if a host has something to do with what came to it from a physical network: what it drops as nobody's is none of
/// its business.
fn is_met(outcome: &Outcome) -> bool {
    use Reason::{NetworkDown, NotHere, Standby, UnknownNetwork, UnknownPort};
    !matches!(
        outcome.fate,
        Fate::Dropped(None | Some(NotHere | UnknownPort | UnknownNetwork | NetworkDown | Standby))
            | Fate::Reflected
            | Fate::Nowhere(_)
    )
}

/// True for flows that do not stand on every host, whatever is on it.
fn is_of_a_tenant(entry: &Entry) -> bool {
    entry.owner.is_some_and(|owner| !matches!(owner, Owner::HostBase(_)))
}

/// The reason that a flow of the drop table counts.
pub(crate) fn reason(entry: &Entry) -> Option<Reason> {
    let number = entry.matching.get(REASON.field())?.value()?;
    Reason::from_number(u32::try_from(number).ok()?)
}

impl Trace {
    /// The ports that got the packet, with what they got.
    pub fn delivered(&self) -> impl Iterator<Item = (PortId, &Packet)> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.fate {
            Fate::Delivered(port, packet) => Some((*port, packet.as_ref())),
            _ => None,
        })
    }

    /// The first reason for which a copy was dropped.
    pub fn reason(&self) -> Option<Reason> {
        self.outcomes.iter().find_map(|outcome| match outcome.fate {
            Fate::Dropped(reason) => reason,
            _ => None,
        })
    }
}
