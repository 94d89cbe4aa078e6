//! The pipeline's own flows, with the packets of the compiler's tests and with random ones in random models.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use weft_compiler::{
    Compiled, Delta, compile, diff, owners, read_back, subscriptions, tunnel_ids, tunnel_ofport,
    uplink_ofport, uplinks,
};
use weft_model::{HostIndex, Snapshot};
use weft_trace::World;

use crate::channel::Channel;
use crate::daemons::Daemons;
use crate::model::Model;
use crate::random::Random;
use crate::verdict::{Bridge, Sent, ours, theirs};
use crate::{packets, state};

/// How many random models are compared, and how many packets in each.
const MODELS: u64 = 12;
const PACKETS: u64 = 40;

/// Everything that a host's switch must have.
pub fn wanted(snapshot: &Snapshot, host: HostIndex) -> Vec<Compiled> {
    let scopes = subscriptions(host, snapshot);
    let owners: BTreeSet<_> = scopes.into_iter().flat_map(|scope| owners(scope, snapshot)).collect();
    owners.into_iter().map(|owner| compile(owner, snapshot)).collect()
}

/// The numbers of the interfaces that a host has: those of its ports, its tunnels, and some that nobody owns.
pub fn interfaces(snapshot: &Snapshot, host: HostIndex) -> BTreeSet<u16> {
    let id = &snapshot.host_by_index(host).expect("a host").id;
    let ports = snapshot.claims_of_host(id).map(|claim| claim.ofport.get());
    let tunnels = tunnel_ids(host, snapshot).into_iter().filter_map(|id| tunnel_ofport(id.encap, id.peer));
    let uplinks = uplinks(host, snapshot).into_iter().filter(|(_, bridge)| bridge.is_some());
    let uplinks = uplinks.map(|(physnet, _)| uplink_ofport(physnet));
    ports.chain(tunnels).chain(uplinks).chain(1..=7).collect()
}

/// The state of the compiler's own tests, and its packets.
fn of_the_compiler() -> Result<(Snapshot, Vec<&'static str>)> {
    let source = include_str!("../../../compiler/tests/openvswitch/main.rs");
    let text = source.split_once("const STATE: &str = \"").and_then(|(_, rest)| rest.split_once("\";"));
    let snapshot = state::parse(text.context("the state has another name now")?.0)?;
    let lines = include_str!("../../../compiler/tests/openvswitch/packets.txt").lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok((snapshot, lines.filter_map(|line| line.split(" | ").nth(1)).collect()))
}

#[test]
fn the_pipeline_does_what_the_interpreter_says() -> Result<()> {
    let daemons = Daemons::start()?;
    let (snapshot, lines) = of_the_compiler()?;
    let host = HostIndex::new(1).expect("in range");
    let mut channel = Channel::open(&daemons.bridge("br1", interfaces(&snapshot, host))?)?;
    let deltas: Vec<Delta> =
        wanted(&snapshot, host).iter().map(|compiled| diff(&Compiled::default(), compiled)).collect();
    channel.apply(&deltas)?;
    let switch = World::new(snapshot).switch(host)?;
    let bridge = Bridge::new(&daemons, "br1")?;
    let mut faults = Vec::new();
    assert!(lines.len() > 50);
    for text in lines {
        let sent = Sent { text, states: vec![] };
        let (ours, theirs) = (ours(&switch, &bridge, &sent).context(text)?, theirs(&bridge, &sent)?);
        if !ours.allows(&theirs) {
            faults.push(format!("{text}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn so_it_does_in_random_models() -> Result<()> {
    let daemons = Daemons::start()?;
    let mut faults = Vec::new();
    for seed in 0..MODELS {
        let mut random = Random::new(seed);
        let model = Model::random(&mut random);
        let snapshot = model.snapshot();
        let Some(host) = snapshot.hosts().map(|host| host.index).next() else { continue };
        let name = format!("br{seed}");
        let socket = daemons.bridge(&name, interfaces(&snapshot, host))?;
        let mut channel = Channel::open(&socket)?;
        let (flows, groups) = channel.read_back()?;
        channel.apply(&[read_back(&wanted(&snapshot, host), flows, groups)])?;
        let switch = World::new(snapshot.clone()).switch(host)?;
        let bridge = Bridge::new(&daemons, &name)?;
        for _ in 0..PACKETS {
            let text = packet(&model, &snapshot, host, &mut random);
            let said = ["trk,new", "trk,new", "trk,est", "trk,est,rpl", "trk,inv", "trk,rel"];
            let states = vec![*random.pick(&said), *random.pick(&said)];
            let sent = Sent { text: &text, states };
            let (ours, theirs) =
                (ours(&switch, &bridge, &sent).context(text.clone())?, theirs(&bridge, &sent)?);
            if !ours.allows(&theirs) {
                faults.push(format!("{text}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        }
        daemons.run("ovs-vsctl", &["del-br", &name])?;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// Any packet, from a local interface or out of a tunnel.
fn packet(model: &Model, snapshot: &Snapshot, host: HostIndex, random: &mut Random) -> String {
    let from = random.pick(&model.ports);
    let legs: Vec<_> = model.routers.iter().flat_map(|router| router.legs.clone()).collect();
    let to = random.pick(&model.ports);
    let fields = match random.below(5) {
        3 if !legs.is_empty() => packets::through(from, random.pick(&legs), (to.subnet, to.number), random),
        4 if !legs.is_empty() => packets::ping(model, from, random.pick(&legs), random),
        0 => packets::broadcast(from, random),
        1 => packets::to(from, to, random).unwrap_or_default(),
        _ => packets::anything(model, from, random),
    };
    let tunnels: Vec<_> =
        tunnel_ids(host, snapshot).into_iter().filter_map(|id| tunnel_ofport(id.encap, id.peer)).collect();
    let (port, tunnel) = if random.once_in(3) && !tunnels.is_empty() {
        (u32::from(*random.pick(&tunnels)), u64::from(model.networks[from.network].vni))
    } else {
        (from.key, 0)
    };
    fields.arriving(weft_openflow::PortNo(port), tunnel).to_string()
}
