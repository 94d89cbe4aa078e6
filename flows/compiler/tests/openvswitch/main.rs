//! The compiled flows on a real Open vSwitch: it takes them, shows them again as they were sent, and does with packets
//! what the pipeline says.

mod answers;
mod channel;
mod daemons;
mod neighbours;
mod packets;
#[path = "../state/mod.rs"]
mod state;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use weft_compiler::{
    ByScope, Compiled, Delta, Scope, Tallies, Tally, compile, diff, owners, read_back, subscriptions,
    tunnel_ofport, uplink_ofport,
};
use weft_model::{Encap, HostIndex, PhysnetKey, Snapshot};

use channel::Channel;
use daemons::Daemons;

const STATE: &str = "
    host h1 index=1 ip=192.0.2.1
    host h2 index=2 ip=192.0.2.2
    host h3 index=300 ip=192.0.2.3
    network red vni=5001
    network blue vni=16777215 encap=geneve
    network dark vni=7 down
    subnet red4 network=red cidr=10.0.0.0/24 gateway=10.0.0.254 dns=10.0.0.53 routes=10.9.0.0/16-10.0.0.9
    subnet red6 network=red cidr=fd00::/64 gateway=fd00::2 dns=fd00::53 ra=dhcpv6-stateful address=dhcpv6-stateful
    port a network=red key=1 mac=02:00:00:00:00:01 ip=10.0.0.1,fd00::1
    port b network=red key=2 mac=02:00:00:00:00:02 ip=10.0.0.2,fd00::2
    port c network=red key=3 mac=02:00:00:00:00:03 ip=10.0.0.3,fd00::3
    port d network=red key=4 mac=02:00:00:00:00:04 ip=10.0.0.4 down
    port z network=red key=5 mac=02:00:00:00:00:05 ip=10.0.0.5 unsecured
    port far network=red key=6 mac=02:00:00:00:00:06 ip=10.0.0.6
    port x network=blue key=11 mac=02:00:00:00:00:01 ip=10.0.0.1,fd00::1
    port y network=blue key=13 mac=02:00:00:00:00:03 ip=10.0.0.3,fd00::3
    port n network=dark key=21 mac=02:00:00:00:00:07 ip=10.0.0.7
    network clear vni=30 transparent
    port p network=clear key=41 mac=02:00:00:00:00:01 unsecured
    port s network=clear key=42 mac=02:00:00:00:00:02
    port u network=clear key=43 mac=02:00:00:00:00:03 unsecured
    bind p h1 of=12
    bind s h1 of=13
    bind u h2 of=4
    physnet inside key=1
    physnet outside key=2
    network flat vni=20 physnet=1
    network tagged vni=21 physnet=1 vlan=100
    network other vni=22 physnet=2 vlan=100
    network cut vni=23 physnet=2 vlan=200 down
    port k network=flat key=31 mac=02:00:00:00:00:01 ip=10.0.0.1
    port l network=tagged key=32 mac=02:00:00:00:00:01 ip=10.0.0.1
    port m network=other key=33 mac=02:00:00:00:00:01 ip=10.0.0.1
    port o network=tagged key=34 mac=02:00:00:00:00:02 ip=10.0.0.2
    port q network=cut key=35 mac=02:00:00:00:00:08
    bind k h1 of=8
    bind l h1 of=9
    bind m h1 of=10
    bind o h2 of=3
    bind q h1 of=11
    bind a h1 of=1
    bind b h1 of=2
    bind x h1 of=3
    bind z h1 of=4
    bind d h1 of=5
    bind n h1 of=7
    bind c h2 of=1
    bind y h2 of=2
    bind far h3 of=1
";

/// Host 1 of the state above, with interfaces for its ports, one that nobody owns (6) and its tunnels.
struct Host1 {
    daemons: Daemons,
    channel: Channel,
    snapshot: Snapshot,
}

impl Host1 {
    fn start() -> Result<Host1> {
        let snapshot = state::parse(STATE)?;
        let daemons = Daemons::start()?;
        let peers = [(Encap::Vxlan, 2), (Encap::Vxlan, 300), (Encap::Geneve, 2)];
        let tunnels =
            peers.map(|(encap, peer)| tunnel_ofport(encap, HostIndex::new(peer).expect("in range")));
        let uplinks = [1, 2].map(|key| uplink_ofport(PhysnetKey::new(key).expect("in range")));
        let ofports = (1..=13).chain(tunnels.into_iter().flatten()).chain(uplinks);
        let channel = bridge(&daemons, &snapshot, 1, ofports)?;
        Ok(Host1 { daemons, channel, snapshot })
    }
}

/// The bridge `br1` with these interfaces, and with everything that a host's switch must have.
fn bridge(
    daemons: &Daemons,
    snapshot: &Snapshot,
    host: u32,
    ofports: impl IntoIterator<Item = u16>,
) -> Result<Channel> {
    let mut channel = Channel::open(&daemons.bridge("br1", ofports)?)?;
    channel.meters()?;
    let deltas: Vec<Delta> =
        wanted(snapshot, host).iter().map(|compiled| diff(&Compiled::default(), compiled)).collect();
    channel.apply(&deltas)?;
    Ok(channel)
}

/// Everything that a host's switch must have.
fn wanted(snapshot: &Snapshot, host: u32) -> Vec<Compiled> {
    let scopes = subscriptions(HostIndex::new(host).expect("in range"), snapshot);
    let owners: BTreeSet<_> = scopes.into_iter().flat_map(|scope| owners(scope, snapshot)).collect();
    owners.into_iter().map(|owner| compile(owner, snapshot)).collect()
}

#[test]
fn what_is_sent_is_what_is_read_back() -> Result<()> {
    let mut host = Host1::start()?;
    let wanted = wanted(&host.snapshot, 1);
    let (flows, groups) = host.channel.read_back()?;
    assert_eq!(flows.len(), wanted.iter().map(|compiled| compiled.flows.len()).sum::<usize>());
    assert_eq!(read_back(&wanted, flows, groups), Delta::default());

    // All kinds of drift, each by a hand other than ours.
    let ofctl = |args: &[&str]| host.daemons.run("ovs-ofctl", &[&["-O", "OpenFlow15"], args].concat());
    ofctl(&["del-flows", "br1", "table=60"])?;
    ofctl(&["add-flow", "br1", "table=0,priority=7,ip,actions=drop"])?;
    ofctl(&["mod-flows", "br1", "table=80,actions=drop"])?;
    ofctl(&["add-flow", "br1", "table=90,idle_timeout=60,priority=100,reg6=1,actions=drop"])?;
    ofctl(&["add-group", "br1", "group_id=77,type=all,bucket=output:1"])?;
    ofctl(&["remove-buckets", "br1", "group_id=0x40001389,command_bucket_id=1"])?;
    let (flows, groups) = host.channel.read_back()?;
    let repair = read_back(&wanted, flows, groups);
    assert_eq!(repair.delete.len(), 1, "the foreign flow");
    assert_eq!(repair.groups.len(), 2, "the foreign group, and the one that lost a bucket");
    host.channel.apply(&[repair])?;
    let (flows, groups) = host.channel.read_back()?;
    assert_eq!(read_back(&wanted, flows, groups), Delta::default());

    // Another state, from whatever is there; and back to nothing.
    let moved = state::parse(&STATE.replace("bind b h1 of=2", "bind b h2 of=3"))?;
    let (flows, groups) = host.channel.read_back()?;
    let wanted = self::wanted(&moved, 1);
    host.channel.apply(&[read_back(&wanted, flows, groups)])?;
    let (flows, groups) = host.channel.read_back()?;
    assert_eq!(read_back(&wanted, flows, groups), Delta::default());
    host.channel.apply(&wanted.iter().map(|had| diff(had, &Compiled::default())).collect::<Vec<_>>())?;
    let (flows, groups) = host.channel.read_back()?;
    assert!(flows.is_empty() && groups.is_empty());
    Ok(())
}

/// What a host's switch must show when it is asked for digests only.
fn wanted_tallies(snapshot: &Snapshot, host: HostIndex) -> ByScope {
    let tally = |scope: Scope| {
        let mut sum = Tally::default();
        owners(scope, snapshot).into_iter().for_each(|owner| sum.merge(compile(owner, snapshot).tally()));
        (scope, sum)
    };
    let scopes: BTreeMap<Scope, Tally> = subscriptions(host, snapshot).into_iter().map(tally).collect();
    ByScope { scopes, foreign: Tally::default() }
}

#[test]
fn digests_of_what_is_shown_are_those_of_what_is_wanted() -> Result<()> {
    let mut host = Host1::start()?;
    let index = HostIndex::new(1).expect("in range");
    let wanted = wanted_tallies(&host.snapshot, index);
    assert_eq!(host.channel.tallies()?.by_scope(index, &host.snapshot), wanted);
    assert_eq!(host.channel.tallies()?.decoded(), 0, "Open vSwitch shows flows in a form that is known");
    // Every kind of drift shows in the scope that it is in, and only there.
    let red = Scope::Network(host.snapshot.networks().find(|n| n.vni.get() == 5001).expect("red").vni);
    let local = Scope::Host(index);
    for (command, concerned) in [
        (["del-flows", "br1", "table=62,reg0=5001"], Some(red)),
        (["mod-flows", "br1", "table=80,actions=drop"], Some(local)),
        (["remove-buckets", "br1", "group_id=0x1389,command_bucket_id=2"], Some(red)),
        (["add-flow", "br1", "table=0,priority=7,ip,actions=drop"], None),
        (["add-group", "br1", "group_id=77000000,type=select,bucket=output:1"], None),
    ] {
        host.daemons.run("ovs-ofctl", &[&["-O", "OpenFlow15"], &command[..]].concat())?;
        let seen = host.channel.tallies()?.by_scope(index, &host.snapshot);
        let differ: Vec<Scope> = wanted
            .scopes
            .iter()
            .filter(|(scope, tally)| seen.scopes.get(scope) != Some(tally))
            .map(|(s, _)| *s)
            .collect();
        assert_eq!(differ, Vec::from_iter(concerned), "{command:?}");
        assert_eq!(seen.foreign.is_empty(), concerned.is_some(), "{command:?}");
        let (flows, groups) = host.channel.read_back()?;
        host.channel.apply(&[read_back(&self::wanted(&host.snapshot, 1), flows, groups)])?;
        assert_eq!(host.channel.tallies()?.by_scope(index, &host.snapshot), wanted);
    }
    // A state in which ports and networks are gone: what they left is foreign.
    let gone = state::parse("host h1 index=1 ip=192.0.2.1")?;
    let seen: Tallies = host.channel.tallies()?;
    let foreign = seen.by_scope(index, &gone).foreign;
    assert!(foreign.flows > 0 && foreign.groups > 0);
    Ok(())
}

#[test]
fn packets_go_where_the_pipeline_says() -> Result<()> {
    let host = Host1::start()?;
    let cases = packets::cases()?;
    assert!(cases.len() > 50);
    let mut faults = Vec::new();
    for case in cases {
        let outcome = packets::outcome(&host.daemons, "br1", case.packet)?;
        if outcome != case.expected {
            faults.push(format!("{}: {outcome:?}\n  {}", case.name, case.packet));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

#[test]
fn answers_are_right_to_the_byte() -> Result<()> {
    let host = Host1::start()?;
    let reply = host.daemons.answer("br1p1", &answers::arp_request())?;
    assert_eq!(reply[..42], answers::arp_reply()[..]);
    let advertisement = host.daemons.answer("br1p1", &answers::solicitation())?;
    assert_eq!(advertisement, answers::advertisement());
    Ok(())
}
