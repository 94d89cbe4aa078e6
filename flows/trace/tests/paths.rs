//! What the main paths cost the data plane: table lookups and recirculations (passes through the connection tracker that
//! come back), per host, counted by the interpreter. PERFORMANCE.md has the same table; this test holds them together.

#[path = "../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;
#[path = "../../compiler/tests/written.rs"]
mod written;

use weft_model::{Snapshot, Tracking};
use weft_trace::{Branch, Deed, Hop, Probe, Question, Step, Target, World, ask};

/// Two networks with a router between them, each with a port on either host; the same again with groups.
const STATE: &str = "
    host h1 index=1 ip=192.0.2.1
    host h2 index=2 ip=192.0.2.2
    network red vni=5001
    network blue vni=5002
    subnet red network=red cidr=10.0.0.0/24 gateway=10.0.0.1
    subnet blue network=blue cidr=10.0.1.0/24 gateway=10.0.1.1
    router hub key=1
    port gw-red network=red key=1 mac=02:00:00:00:01:01 ip=10.0.0.1 router=hub
    port gw-blue network=blue key=2 mac=02:00:00:00:01:02 ip=10.0.1.1 router=hub
    port a network=red key=11 mac=02:00:00:00:00:0b ip=10.0.0.11
    port b network=red key=12 mac=02:00:00:00:00:0c ip=10.0.0.12
    port c network=red key=13 mac=02:00:00:00:00:0d ip=10.0.0.13
    port y network=blue key=14 mac=02:00:00:00:00:0e ip=10.0.1.14
    port z network=blue key=15 mac=02:00:00:00:00:0f ip=10.0.1.15
    bind a h1 of=11
    bind b h1 of=12
    bind c h2 of=13
    bind y h1 of=14
    bind z h2 of=15
";

/// A network whose router leads outside by its gateway on host 2. Of its ports one is there, one on host 3, which has a way
/// outside of its own, and two on host 1, which has none; two have floating IPs, and one is forwarded a port. The machine
/// outside is a port of the external network on a host of its own.
const OUTSIDE: &str = "
    physnet blue key=1
    host h1 index=1 ip=192.0.2.1
    host h2 index=2 ip=192.0.2.2 maps=blue:br-ex
    host h3 index=3 ip=192.0.2.3 maps=blue:br-ex
    host h4 index=4 ip=192.0.2.4 maps=blue:br-ex
    network public vni=9 physnet=1 vlan=100 external
    subnet public network=public cidr=203.0.113.0/24 gateway=203.0.113.1
    network red vni=10
    subnet red network=red cidr=10.0.0.0/24 gateway=10.0.0.1
    router hub key=1 gateway=public via=out transit=900 zone=1 hosts=2
    port gw-red network=red key=1 mac=02:00:00:00:01:01 ip=10.0.0.1 router=hub
    port out network=public key=2 mac=02:00:00:00:99:02 ip=203.0.113.2 gateway=hub
    port a network=red key=11 mac=02:00:00:00:00:0b ip=10.0.0.11
    port b network=red key=12 mac=02:00:00:00:00:0c ip=10.0.0.12
    port c network=red key=13 mac=02:00:00:00:00:0d ip=10.0.0.13
    port d network=red key=14 mac=02:00:00:00:00:0e ip=10.0.0.14
    bind a h1 of=1
    bind b h2 of=2
    bind c h3 of=3
    bind d h1 of=4
    port fc network=public key=21 mac=02:00:00:00:99:15 ip=203.0.113.21 floating=fc
    port fd network=public key=22 mac=02:00:00:00:99:16 ip=203.0.113.22 floating=fd
    port fw network=public key=23 mac=02:00:00:00:99:17 ip=203.0.113.23 floating=fw
    floating fc network=public port=fc ip=203.0.113.21 to=c:10.0.0.13:hub
    floating fd network=public port=fd ip=203.0.113.22 to=d:10.0.0.14:hub
    floating fw network=public port=fw ip=203.0.113.23
    forward w of=fw protocol=tcp ports=80>8080 to=a:10.0.0.11:hub
    port m network=public key=16 mac=02:00:00:00:99:0a ip=203.0.113.77
    bind m h4 of=1
";
/// The index of the machine's host.
const MACHINE: u16 = 4;

/// A state; with groups that let everything through where `tracking` says how. The network's own ports and the machine
/// outside wear none.
fn state(text: &str, tracking: Option<Tracking>) -> Snapshot {
    let Some(tracking) = tracking else { return state::parse(text).expect("well formed") };
    let stateless = if tracking == Tracking::Stateless { "stateless" } else { "" };
    let others = ["router=", "gateway=", "floating=", "network=public"];
    let wears =
        |line: &str| line.trim_start().starts_with("port ") && !others.iter().any(|word| line.contains(word));
    let worn =
        text.lines().map(|line| if wears(line) { format!("{line} policy=1\n") } else { format!("{line}\n") });
    let group = format!("group all {stateless}\nrule 2 group=all\nrule 3 group=all out\npolicy 1 groups=all");
    state::parse(&format!("{}{group}", worn.collect::<String>())).expect("well formed")
}

/// Lookups and recirculations on every host of a way, in its order; what the machine outside takes is not ours.
fn cost(hop: &Hop, costs: &mut Vec<(usize, usize)>) {
    if hop.host.get() != MACHINE {
        let mut cost = (0, 0);
        count(&hop.steps, &mut cost);
        costs.push(cost);
    }
    hop.onward.iter().for_each(|onward| self::cost(onward, costs));
}

fn count(steps: &[Step], cost: &mut (usize, usize)) {
    cost.0 += steps.len();
    for deed in steps.iter().flat_map(|step| &step.deeds) {
        if let Deed::Branch(branch, steps) = deed {
            cost.1 += usize::from(matches!(branch, Branch::Tracked { .. }));
            count(steps, cost);
        }
    }
}

/// The cost of the first packet of a TCP connection to somebody's port 80, which one port gets.
fn costs(snapshot: Snapshot, from: &str, to: &str) -> Vec<(usize, usize)> {
    let mut world = World::new(snapshot);
    let (sender, target) = (state::port_id(from), Target::Address(to.parse().expect("an address")));
    let probe = Probe::Ports(6, 1024, 80);
    let question = Question { from: sender, to: target, source: None, probe, ttl: 64, size: 74 };
    let answer = ask(&mut world, &question).expect("no fault");
    let trace = answer.trace.unwrap_or_else(|| panic!("{from} to {to}: {:?}", answer.unsent));
    assert_eq!(trace.delivered().count(), 1, "{from} to {to}: {:?}", trace.outcomes);
    let mut costs = Vec::new();
    cost(&trace.hop, &mut costs);
    costs
}

/// A line of the table: two hosts at most.
fn line(way: &str, groups: &str, costs: &[(usize, usize)]) -> String {
    assert!((1..=2).contains(&costs.len()), "{way}: {costs:?}");
    let cell = |(lookups, passes): &(usize, usize)| format!("{lookups} + {passes}");
    let second = costs.get(1).map_or_else(|| "-".to_owned(), cell);
    format!("| {way} | {groups} | {} | {second} |", cell(&costs[0]))
}

#[test]
fn the_main_paths_cost_what_is_written() {
    let mut lines = Vec::new();
    for (way, to) in [
        ("same host", "10.0.0.12"),
        ("other host", "10.0.0.13"),
        ("routed, same host", "10.0.1.14"),
        ("routed, other host", "10.0.1.15"),
    ] {
        for (groups, tracking) in [
            ("no groups", None),
            ("stateless groups", Some(Tracking::Stateless)),
            ("stateful groups", Some(Tracking::Stateful)),
        ] {
            let costs = costs(state(STATE, tracking), "a", to);
            // A port without stateful groups never meets the connection tracker.
            let tracked: usize = costs.iter().map(|cost| cost.1).sum();
            assert_eq!(tracked, if tracking == Some(Tracking::Stateful) { 2 } else { 0 }, "{way}, {groups}");
            lines.push(line(way, groups, &costs));
        }
    }
    written::check("paths", &lines).expect("PERFORMANCE.md is up to date");
}

#[test]
fn the_ways_out_and_in_cost_what_is_written() {
    let mut lines = Vec::new();
    for (way, from, to) in [
        ("out, gateway on the own host", "b", "203.0.113.77"),
        ("out, gateway on another host", "a", "203.0.113.77"),
        ("out by a floating IP, on the own host", "c", "203.0.113.77"),
        ("out by a floating IP, at the gateway", "d", "203.0.113.77"),
        ("in to a floating IP, on the own host", "m", "203.0.113.21"),
        ("in to a floating IP, at the gateway", "m", "203.0.113.22"),
        ("in to a forwarded port", "m", "203.0.113.23"),
    ] {
        let mut translated = 0;
        for (groups, tracking) in [("no groups", None), ("stateful groups", Some(Tracking::Stateful))] {
            let costs = costs(state(OUTSIDE, tracking), from, to);
            let passes: usize = costs.iter().map(|cost| cost.1).sum();
            match tracking {
                None => translated = passes,
                // What groups remember is a pass more, on top of those that translate.
                Some(_) => assert_eq!(passes, translated + 1, "{way}"),
            }
            lines.push(line(way, groups, &costs));
        }
        assert!(translated > 0, "{way}: nothing was translated");
    }
    written::check("ways out and in", &lines).expect("PERFORMANCE.md is up to date");
}
