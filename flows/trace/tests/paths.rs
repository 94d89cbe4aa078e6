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

/// The state; with groups that let everything through where `tracking` says how.
fn state(tracking: Option<Tracking>) -> Snapshot {
    let Some(tracking) = tracking else { return state::parse(STATE).expect("well formed") };
    let stateless = if tracking == Tracking::Stateless { "stateless" } else { "" };
    let wears = |line: &str| line.trim_start().starts_with("port ") && !line.contains("router=");
    let worn = STATE
        .lines()
        .map(|line| if wears(line) { format!("{line} policy=1\n") } else { format!("{line}\n") });
    let group = format!("group all {stateless}\nrule 2 group=all\nrule 3 group=all out\npolicy 1 groups=all");
    state::parse(&format!("{}{group}", worn.collect::<String>())).expect("well formed")
}

/// Lookups and recirculations on every host of a way.
fn cost(hop: &Hop, costs: &mut Vec<(usize, usize)>) {
    let mut cost = (0, 0);
    count(&hop.steps, &mut cost);
    costs.push(cost);
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
            let mut world = World::new(state(tracking));
            let (from, to) = (state::port_id("a"), Target::Address(to.parse().expect("an address")));
            let question =
                Question { from, to, source: None, probe: Probe::Ports(6, 1024, 80), ttl: 64, size: 74 };
            let trace = ask(&mut world, &question).expect("no fault").trace.expect("it is sent");
            assert_eq!(trace.delivered().count(), 1, "{way}, {groups}: {:?}", trace.outcomes);
            let mut costs = Vec::new();
            cost(&trace.hop, &mut costs);
            // A port without stateful groups never meets the connection tracker.
            let tracked: usize = costs.iter().map(|cost| cost.1).sum();
            assert_eq!(tracked, if tracking == Some(Tracking::Stateful) { 2 } else { 0 }, "{way}, {groups}");
            let cell = |(lookups, passes): &(usize, usize)| format!("{lookups} + {passes}");
            let receiver = costs.get(1).map_or_else(|| "-".to_owned(), cell);
            lines.push(format!("| {way} | {groups} | {} | {receiver} |", cell(&costs[0])));
        }
    }
    written::check("paths", &lines).expect("PERFORMANCE.md is up to date");
}
