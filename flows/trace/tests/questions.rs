//! Questions of tenants and their answers: a ping there and back over two hosts, answers by the network itself, drops with
//! their reason, and what is never sent.

#[path = "../../compiler/tests/state/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "the language of the compiler's tests")]
mod state;

use weft_compiler::Reason;
use weft_model::Snapshot;
use weft_trace::{Probe, Question, Report, Target, Unsent, Verdict, World, ask, report};

const STATE: &str = "
    host h1 index=1 ip=192.0.2.1
    host h2 index=2 ip=192.0.2.2
    network red vni=5001
    network blue vni=5002
    port a network=red key=1 mac=02:00:00:00:00:01 ip=10.0.0.1,fd00::1
    port b network=red key=2 mac=02:00:00:00:00:02 ip=10.0.0.2,fd00::2
    port d network=red key=4 mac=02:00:00:00:00:04 ip=10.0.0.4 down
    port e network=red key=5 mac=02:00:00:00:00:05 ip=10.0.0.5
    port x network=blue key=11 mac=02:00:00:00:00:01 ip=10.0.0.9
    bind a h1 of=1
    bind d h1 of=5
    bind x h1 of=3
    bind b h2 of=1
";

fn asked(from: &str, to: &str, change: impl FnOnce(&mut Question)) -> Report {
    asked_in(state::parse(STATE).expect("well formed"), from, to, change)
}

fn asked_in(snapshot: Snapshot, from: &str, to: &str, change: impl FnOnce(&mut Question)) -> Report {
    let mut world = World::new(snapshot);
    let (from, to) = (state::port_id(from), Target::Address(to.parse().expect("an address")));
    let mut question = Question { from, to, source: None, probe: Probe::Ping, ttl: 64, size: 98 };
    change(&mut question);
    let answer = ask(&mut world, &question).expect("no fault");
    report(&answer, world.snapshot())
}

#[test]
fn a_ping_goes_there_and_back() {
    for to in ["10.0.0.2", "fd00::2", "fe80::ff:fe00:2"] {
        let report = asked("a", to, |_| {});
        assert_eq!(report.verdict, Verdict::Delivered, "{to}: {report:#?}");
        assert_eq!(report.next_hop, Some(to.parse().unwrap()));
        let back = report.back.expect("a reply");
        assert_eq!(back.verdict, Verdict::Delivered, "{to}: {back:#?}");
        let tables: Vec<_> = report.lines.iter().map(|line| (line.hop, line.name)).collect();
        assert_eq!(tables.first(), Some(&(0, "classify")));
        assert_eq!(tables.last(), Some(&(1, "deliver")));
        let first = report.lines.first().and_then(|line| line.object.clone()).expect("an object");
        assert_eq!((first.kind, first.id), ("port", state::port_id("a").to_string()));
    }
}

#[test]
fn drops_have_a_reason_and_an_object() {
    let down = asked("a", "10.0.0.4", |question| question.to = Target::Mac([2, 0, 0, 0, 0, 4]));
    assert_eq!(down.verdict, Verdict::Dropped);
    let ending = down.endings.first().expect("an end");
    assert_eq!(ending.reason, Some(Reason::PortDown));
    let object = ending.object.clone().expect("an object");
    assert_eq!((object.kind, object.id), ("port", state::port_id("d").to_string()));
    let spoofed = asked("a", "10.0.0.2", |question| question.source = Some("10.0.0.77".parse().unwrap()));
    assert_eq!(spoofed.unsent, Some(Unsent::Unanswered("10.0.0.2".parse().unwrap())));
    assert_eq!(spoofed.endings.first().and_then(|end| end.reason), Some(Reason::SpoofedArp));
}

/// The state, with port b in a group that lets only the web in.
fn guarded() -> Snapshot {
    let worn = STATE.replace("ip=10.0.0.2,fd00::2", "ip=10.0.0.2,fd00::2 policy=1");
    let group = "group web\nrule 1 group=web service=tcp:80:80\npolicy 1 groups=web";
    state::parse(&format!("{worn}\n{group}")).expect("well formed")
}

#[test]
fn rules_are_named_where_they_allow_and_groups_where_nothing_does() {
    let web = asked_in(guarded(), "a", "10.0.0.2", |question| question.probe = Probe::Ports(6, 1024, 80));
    assert_eq!(web.verdict, Verdict::Delivered, "{web:#?}");
    let named: Vec<_> =
        web.lines.iter().filter_map(|line| line.object.as_ref()).map(|o| o.name.as_str()).collect();
    assert!(named.contains(&"ingress IPv4 tcp 80 of group web"), "{named:?}");
    let back = web.back.expect("the connection is remembered");
    assert_eq!(back.verdict, Verdict::Delivered, "{back:#?}");
    let named: Vec<_> =
        back.lines.iter().filter_map(|line| line.object.as_ref()).map(|o| o.name.as_str()).collect();
    assert!(
        named.contains(&"ingress IPv4 tcp 80 of group web"),
        "the rule that lets the answer pass: {named:?}"
    );
    let mail = asked_in(guarded(), "a", "10.0.0.2", |question| question.probe = Probe::Ports(6, 1024, 25));
    let ending = mail.endings.first().expect("an end");
    assert_eq!((mail.verdict, ending.reason), (Verdict::Dropped, Some(Reason::IngressDenied)), "{mail:#?}");
    let object = ending.object.as_ref().map(|object| (object.kind, object.name.as_str()));
    assert_eq!(object, Some(("security groups", "web")), "{mail:#?}");
}

#[test]
fn what_nobody_answers_is_not_sent() {
    let nobody = asked("a", "10.0.0.9", |_| {});
    assert_eq!(nobody.unsent, Some(Unsent::Unanswered("10.0.0.9".parse().unwrap())), "another tenant's");
    assert_eq!(asked("e", "10.0.0.1", |_| {}).unsent, Some(Unsent::NotBound));
    assert_eq!(asked("d", "fd00::1", |_| {}).unsent, Some(Unsent::NoAddress));
}

#[test]
fn broadcasts_reach_everybody_and_are_not_answered() {
    let report = asked("a", "255.255.255.255", |question| question.probe = Probe::Ports(17, 68, 9));
    assert_eq!((report.verdict, report.back), (Verdict::Delivered, None));
    assert_eq!(report.endings.iter().filter(|end| end.verdict == Verdict::Delivered).count(), 1);
}

/// A router on a stick: a port, and machines outside that the model does not know.
const STICK: &str = "
    physnet blue key=1
    host h1 index=1 ip=192.0.2.1 maps=blue:br-ex
    host h2 index=2 ip=192.0.2.2 maps=blue:br-ex
    network left vni=10 physnet=1 vlan=100
    network right vni=20 physnet=1 vlan=200
    subnet left4 network=left cidr=10.1.0.0/24 gateway=10.1.0.1
    subnet right4 network=right cidr=10.2.0.0/24 gateway=10.2.0.1
    router r key=7
    port left-gw network=left key=1 mac=02:00:00:00:01:01 ip=10.1.0.1 router=r
    port right-gw network=right key=2 mac=02:00:00:00:02:01 ip=10.2.0.1 router=r
    port a network=left key=11 mac=02:00:00:00:01:0b ip=10.1.0.11
    port b network=right key=12 mac=02:00:00:00:02:0c ip=10.2.0.12
    bind a h1 of=1
    bind b h2 of=1
";

#[test]
fn a_machine_outside_is_asked_for_and_then_sent_to() {
    let mut world = World::new(state::parse(STICK).expect("well formed"));
    let ask_from = |world: &mut World, from: &str| {
        let to = Target::Address("10.2.0.200".parse().expect("an address"));
        let from = state::port_id(from);
        let question = Question { from, to, source: None, probe: Probe::Ping, ttl: 64, size: 98 };
        let answer = ask(world, &question).expect("no fault");
        report(&answer, world.snapshot())
    };
    let unknown = ask_from(&mut world, "a");
    assert!(unknown.endings.iter().any(|end| end.text.contains("asked for")), "{unknown:#?}");
    assert!(unknown.endings.iter().any(|end| end.reason == Some(Reason::NoNeighbourYet)), "{unknown:#?}");
    let mac = "02:00:5e:00:00:c8".parse().expect("a MAC");
    world.meet(state::network_id("right"), "10.2.0.200".parse().expect("an address"), mac);
    let known = ask_from(&mut world, "a");
    assert_eq!(known.verdict, Verdict::Left, "{known:#?}");
    let packet = known.endings[0].packet.clone().expect("a packet");
    // This host stands for the router there, so it is the router's own MAC that shows.
    assert!(
        packet.contains("dl_dst=02:00:5e:00:00:c8") && packet.contains("dl_src=02:00:00:00:02:01"),
        "{packet}"
    );
}
