//! Ways out and in, followed through the interpreter: who leaves with which address, whether the answer finds back, and
//! what never passes. The state is that of the compiler's golden case.

#[path = "../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;

use std::net::IpAddr;

use weft_answers::{IcmpError, Service, Trouble};
use weft_compiler::Reason;
use weft_model::HostIndex;
use weft_trace::{Answer, Fate, Hop, Packet, Probe, Question, Target, Unsent, World, ask, report};

const STATE: &str = include_str!("../../compiler/tests/cases/gateways/state.txt");
const HTTP: Probe = Probe::Ports(6, 40_000, 80);

fn world() -> World {
    World::new(state::parse(STATE).expect("well formed"))
}

fn question(from: &str, to: &str, probe: Probe) -> Question {
    let to = Target::Address(to.parse().expect("an address"));
    Question { from: state::port_id(from), to, source: None, probe, ttl: 64, size: 98 }
}

fn asked(world: &mut World, from: &str, to: &str, probe: Probe) -> Answer {
    ask(world, &question(from, to, probe)).expect("no fault")
}

/// The packet as its one receiver got it.
#[track_caller]
fn got(answer: &Answer, by: &str) -> Packet {
    let trace = answer.trace.as_ref().expect("it was sent");
    assert!(answer.unsent.is_none(), "{:?}", answer.unsent);
    let delivered: Vec<_> = trace.delivered().collect();
    assert_eq!(delivered.len(), 1, "{:#?}", trace.outcomes);
    assert_eq!(delivered[0].0, state::port_id(by));
    delivered[0].1.clone()
}

fn addresses(packet: &Packet) -> [String; 2] {
    let (source, destination) = packet.addresses().expect("it has some");
    [source, destination].map(|address: IpAddr| address.to_string())
}

fn hosts(hop: &Hop, into: &mut Vec<u16>) {
    into.push(hop.host.get());
    hop.onward.iter().for_each(|hop| hosts(hop, into));
}

/// There as one address, and back as another: what both ends see.
#[track_caller]
fn walk(from: &str, to: &str, by: &str, probe: Probe, seen: [&str; 2]) -> Vec<u16> {
    let mut world = world();
    let answer = asked(&mut world, from, to, probe);
    let there = got(&answer, by);
    assert_eq!(addresses(&there), seen);
    let back = got(answer.back.as_ref().expect("it is answered"), from);
    let sent = addresses(answer.sent.as_ref().expect("it is sent"));
    assert_eq!(addresses(&back), [sent[1].clone(), sent[0].clone()]);
    let mut on = Vec::new();
    hosts(&answer.trace.expect("it was sent").hop, &mut on);
    on
}

#[test]
fn out_with_the_gateways_address_and_back() {
    for probe in [Probe::Ping, HTTP, Probe::Ports(17, 5000, 53)] {
        assert_eq!(walk("c", "203.0.113.77", "m", probe, ["203.0.113.2", "203.0.113.77"]), [2, 4]);
    }
}

#[test]
fn floating_ips_out_and_in() {
    // On the workload's own host, and at the gateway.
    assert_eq!(walk("a", "203.0.113.77", "m", HTTP, ["203.0.113.21", "203.0.113.77"]), [1, 4]);
    assert_eq!(walk("b", "203.0.113.77", "m", HTTP, ["203.0.113.22", "203.0.113.77"]), [3, 2, 4]);
    assert_eq!(walk("m", "203.0.113.21", "a", HTTP, ["203.0.113.77", "10.0.0.11"]), [4, 1]);
    assert_eq!(walk("m", "203.0.113.22", "b", Probe::Ping, ["203.0.113.77", "10.0.0.12"]), [4, 2, 3]);
    // The other tenant's, under the same inner addresses; it is not translated otherwise.
    assert_eq!(walk("m", "203.0.113.25", "x", Probe::Ping, ["203.0.113.77", "10.0.0.11"]), [4, 1, 3]);
    assert_eq!(walk("x", "203.0.113.77", "m", Probe::Ping, ["203.0.113.25", "203.0.113.77"]), [3, 1, 4]);
    let plain = asked(&mut world(), "y", "203.0.113.77", Probe::Ping);
    assert_eq!(addresses(&got(&plain, "m")), ["10.0.0.12", "203.0.113.77"]);
}

#[test]
fn forwarded_ports() {
    for (port, by, inside, seen) in [(80, "c", 8080, "10.0.0.13"), (81, "c", 8081, "10.0.0.13")] {
        let answer = asked(&mut world(), "m", "203.0.113.23", Probe::Ports(6, 40_000, port));
        let packet = got(&answer, by);
        assert_eq!((addresses(&packet)[1].as_str(), packet.ports().1), (seen, inside));
        let back = got(answer.back.as_ref().expect("an answer"), "m");
        assert_eq!((addresses(&back)[0].as_str(), back.ports().0), ("203.0.113.23", port));
    }
    walk("m", "203.0.113.23", "b", Probe::Ports(17, 40_000, 1002), ["203.0.113.77", "10.0.0.12"]);
    walk("m", "203.0.113.26", "y", Probe::Ports(6, 40_000, 22), ["203.0.113.77", "10.0.0.12"]);
    for probe in [Probe::Ping, Probe::Ports(6, 40_000, 82), Probe::Ports(17, 40_000, 80)] {
        let answer = asked(&mut world(), "m", "203.0.113.23", probe);
        assert_eq!(answer.trace.expect("sent").reason(), Some(Reason::Unsolicited), "{probe:?}");
    }
}

#[test]
fn hairpins() {
    // To one's own floating IP: on the own host, and at the gateway.
    walk("a", "203.0.113.21", "a", HTTP, ["203.0.113.21", "10.0.0.11"]);
    walk("b", "203.0.113.22", "b", HTTP, ["203.0.113.22", "10.0.0.12"]);
    // To others: at the gateway, also from who has none. Those on other hosts are asked for on the wire.
    walk("c", "203.0.113.22", "b", HTTP, ["203.0.113.2", "10.0.0.12"]);
    walk("c", "203.0.113.23", "c", HTTP, ["203.0.113.2", "10.0.0.13"]);
    // To the other tenant's, which has the same addresses.
    walk("a", "203.0.113.25", "x", HTTP, ["203.0.113.21", "10.0.0.11"]);
    walk("x", "203.0.113.21", "a", HTTP, ["203.0.113.25", "10.0.0.11"]);
}

#[test]
fn gateways_answer_for_themselves() {
    for (from, to) in [("m", "203.0.113.2"), ("a", "203.0.113.2"), ("m", "203.0.113.4")] {
        let answer = asked(&mut world(), from, to, Probe::Ping);
        let trace = answer.trace.unwrap_or_else(|| panic!("{from} to {to}: {:?}", answer.unsent));
        let back = trace.outcomes.iter().find_map(|outcome| match &outcome.fate {
            Fate::Answered(port, packet) | Fate::Delivered(port, packet) => Some((*port, addresses(packet))),
            _ => None,
        });
        let (port, seen) = back.unwrap_or_else(|| panic!("{from} to {to}: {:#?}", trace.outcomes));
        assert_eq!((port, seen[0].as_str()), (state::port_id(from), to));
    }
    let answer = asked(&mut world(), "m", "203.0.113.2", HTTP);
    assert_eq!(answer.trace.expect("sent").reason(), Some(Reason::Unsolicited));
    // Nothing is behind this one.
    let answer = asked(&mut world(), "m", "203.0.113.24", HTTP);
    assert!(matches!(answer.unsent, Some(Unsent::Unanswered(_))), "{:?}", answer.unsent);
}

/// What the sender is told, by whom, and about which packet.
#[track_caller]
fn told(answer: &Answer, reason: Reason) -> (Trouble, String, [String; 2]) {
    let trace = answer.trace.as_ref().expect("it was sent");
    assert_eq!(trace.reason(), Some(reason), "{:#?}", trace.outcomes);
    let told: Vec<_> = trace
        .outcomes
        .iter()
        .filter_map(|outcome| match &outcome.fate {
            Fate::Told(told) => Some(told),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1);
    let Some(Service::IcmpError(IcmpError { router, trouble })) = Service::decode(&told[0].userdata) else {
        panic!("no error: {:?}", told[0])
    };
    (trouble, router.to_string(), addresses(&told[0].packet))
}

#[test]
fn who_is_outside_is_told_in_the_words_that_it_knows() {
    // At the gateway, and on the workload's own host.
    for to in ["203.0.113.22", "203.0.113.21"] {
        let asking = Question { ttl: 1, ..question("m", to, HTTP) };
        let answer = ask(&mut world(), &asking).expect("no fault");
        let wanted =
            (Trouble::TimeExceeded, "203.0.113.2".to_owned(), ["203.0.113.77", to].map(str::to_owned));
        assert_eq!(told(&answer, Reason::TtlExpired), wanted);
    }
    // The gateway itself is not beyond it.
    let asking = Question { ttl: 1, ..question("m", "203.0.113.2", Probe::Ping) };
    let trace = ask(&mut world(), &asking).expect("no fault").trace.expect("it was sent");
    assert_eq!(trace.reason(), None);

    let text = STATE.replace("vlan=100 external", "vlan=100 external mtu=1500");
    let mut world = World::new(state::parse(&text).expect("well formed"));
    for (to, by) in [("203.0.113.22", "b"), ("203.0.113.21", "a"), ("203.0.113.25", "x")] {
        let mut sized = |size| {
            let asking = Question { size, ..question("m", to, HTTP) };
            ask(&mut world, &asking).expect("no fault")
        };
        got(&sized(1464), by);
        let (trouble, _, quoted) = told(&sized(1465), Reason::TooBig);
        assert_eq!((trouble, quoted[1].as_str()), (Trouble::TooBig(1450), to));
    }
}

#[test]
fn who_is_inside_is_told_before_anything_is_translated() {
    let text = STATE.replace("vlan=100 external", "vlan=100 external mtu=1400");
    let mut world = World::new(state::parse(&text).expect("well formed"));
    // With the gateway's address, with floating IPs here and there, and untranslated.
    for (from, inside) in [("c", "10.0.0.13"), ("a", "10.0.0.11"), ("b", "10.0.0.12"), ("y", "10.0.0.12")] {
        let mut sized = |size| {
            let asking = Question { size, ..question(from, "203.0.113.77", HTTP) };
            ask(&mut world, &asking).expect("no fault")
        };
        got(&sized(1414), "m");
        let wanted =
            (Trouble::TooBig(1400), "10.0.0.1".to_owned(), [inside, "203.0.113.77"].map(str::to_owned));
        assert_eq!(told(&sized(1415), Reason::TooBig), wanted);
    }
}

#[test]
fn who_is_not_translated_reaches_its_routers_floating_ips_by_the_gateways_address() {
    walk("y", "203.0.113.25", "x", HTTP, ["203.0.113.4", "10.0.0.11"]);
    walk("x", "203.0.113.25", "x", HTTP, ["203.0.113.25", "10.0.0.11"]);
}

#[test]
fn a_list_of_hosts_that_cannot_see_each_other_has_one_that_serves() {
    // The second host's VTEP has an address of another family than the first one's.
    let text = STATE.replace("index=1 ip=192.0.2.1 ", "index=1 ip=2001:db8:1::1 ");
    let mut world = World::new(state::parse(&text).expect("well formed"));
    let answer = asked(&mut world, "m", "203.0.113.2", Probe::Ping);
    let trace = answer.trace.expect("it was sent");
    let answers = trace.outcomes.iter().filter(|outcome| matches!(outcome.fate, Fate::Delivered(..)));
    assert_eq!(answers.count(), 1, "{:#?}", trace.outcomes);
}

#[test]
fn nobody_outside_is_inside() {
    let mut asking = question("m", "203.0.113.21", HTTP);
    asking.source = Some("10.0.0.12".parse().expect("an address"));
    // Port security is in the way of a port of ours; a machine outside has none.
    let text = STATE.replace("ip=203.0.113.77\n", "ip=203.0.113.77 unsecured\n");
    let mut world = World::new(state::parse(&text).expect("well formed"));
    let answer = ask(&mut world, &asking).expect("no fault");
    let said = report(&answer, world.snapshot());
    let ending = said.endings.first().expect("an end");
    assert_eq!(ending.reason, Some(Reason::SpoofedInside), "{said:#?}");
    // The drop names the floating IP.
    let objects: Vec<_> = said.lines.iter().filter_map(|line| line.object.clone()).collect();
    assert!(objects.iter().any(|object| object.kind == "floating ip" && object.name == "203.0.113.21"));
}

#[test]
fn a_connection_of_what_changed_hands_is_stale() {
    let mut before = world();
    let answer = asked(&mut before, "m", "203.0.113.22", HTTP);
    assert_eq!(got(&answer, "b").addresses().expect("ip").1.to_string(), "10.0.0.12");
    let host = HostIndex::new(2).expect("an index");
    let known: Vec<_> = before.tracker(host).all().map(|(zone, known)| (zone, known.clone())).collect();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].0, 49_152);
    // The address leads to another workload now.
    let text = STATE.replace("to=b:10.0.0.12:r", "to=c:10.0.0.13:r").replace("bind c h2", "bind c h3");
    let mut after =
        World::new(state::parse(&text.replace("of=1\nport fa", "of=9\nport fa")).expect("well formed"));
    for (zone, connection) in known {
        after.tracker(host).remember(zone, connection);
    }
    let answer = asked(&mut after, "m", "203.0.113.22", HTTP);
    assert_eq!(answer.trace.expect("sent").reason(), Some(Reason::StaleConnection));
    let other = asked(&mut after, "m", "203.0.113.22", Probe::Ports(6, 40_001, 80));
    assert_eq!(addresses(&got(&other, "c"))[1], "10.0.0.13");
}
