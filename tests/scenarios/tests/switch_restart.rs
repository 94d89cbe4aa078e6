//! Proves that a host comes back without help: its switch killed and restarted, its database server restarted, its way to
//! the controller cut for a while. Each time it ends with what it should have, and is sent only what it lacks.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::time::Instant;

use weft_api::Network;
use weft_rig::{Host, Link, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, Traffic};

/// What puts flows and groups into a switch, counted one by one.
const CHANGES: [&str; 3] = ["OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "OFPT_BUNDLE_ADD_MESSAGE"];

/// Two hosts with a workload each.
struct Pair {
    a: Workload,
    b: Workload,
    network: Network,
}

fn pair(site: &Site, red: &Tenancy<'_>) -> Pair {
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let ports = ["a", "b"].map(|name| red.port(&network, name).unwrap());
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    a.wait_reaches(b.ipv6().unwrap(), LIMIT).unwrap();
    Pair { a, b, network }
}

fn tables(host: &Host) -> BTreeSet<String> {
    let mut lines: BTreeSet<String> = host.flows("br-int").unwrap().into_iter().collect();
    lines.extend(host.ofctl(&["dump-groups", "br-int"]).unwrap().lines().skip(1).map(str::to_owned));
    lines
}

/// `ovs-vswitchd` killed and started again has its flows, groups, tunnels and traffic back without anybody's help.
#[test]
fn a_killed_switch_is_filled_again() {
    let site = Site::start("vswitchd", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let Pair { a, b, .. } = pair(&site, &red);
    let host = &site.hosts[1];
    let before = tables(host);
    let tunnels = site.host_status(host).unwrap().tunnels;
    let sent = site.host_status(host).unwrap().flow_messages_sent;
    assert!(before.len() > 20 && tunnels.len() == 1, "{before:?} {tunnels:?}");

    host.kill9_vswitchd().unwrap();
    assert!(a.ping(b.ipv4().unwrap(), 3).unwrap().none(), "nothing forwards without a switch");
    let start = Instant::now();
    host.start_vswitchd().unwrap();
    let running = start.elapsed();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    println!("ovs-vswitchd runs after {running:?}, traffic is back after {:?}", start.elapsed());
    a.wait_reaches(b.ipv6().unwrap(), LIMIT).unwrap();
    wait_until("the flows and groups of before", LIMIT, || Ok(tables(host) == before)).unwrap();
    wait_until("the host's state of before", LIMIT, || {
        let status = site.host_status(host)?;
        Ok(status.status == "UP" && status.tunnels == tunnels && status.flow_messages_sent > sent)
    })
    .unwrap();
    assert_eq!(site.host_status(host).unwrap().drift_repaired, 0, "a restart is no drift");
}

/// A restarted `ovsdb-server` costs no flow message; traffic goes on, and changes reach the host afterwards.
///
/// Between its end and its return the userspace datapath stands still: the loop of `ovs-vswitchd` that polls it does
/// nothing without the database's lock. That is Open vSwitch's own doing and passes with it, so nothing is said here about
/// packets in between.
#[test]
fn a_restarted_database_server_costs_no_flow_message() {
    let site = Site::start("ovsdb", 2).unwrap();
    site.redial_soon().unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let Pair { a, b, network } = pair(&site, &red);
    let host = &site.hosts[1];
    let before = tables(host);
    let heard = host.watch_openflow().unwrap();
    host.stop_ovsdb().unwrap();
    wait_until("the session to end", LIMIT, || Ok(!site.host_status(host)?.ovsdb_connected)).unwrap();
    let start = Instant::now();
    host.start_ovsdb().unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    println!("traffic is back after {:?}", start.elapsed());
    let traffic = Traffic::start(&a, b.ipv4().unwrap()).unwrap();
    site.wait_connected().unwrap();
    traffic.wait_more(20).unwrap();
    assert_eq!(heard.count(&CHANGES).unwrap(), 0, "{:?}", heard.messages().unwrap());
    assert_eq!(tables(host), before);
    // Before a port is plugged in: Open vSwitch drops what misses its cache while it takes a new port.
    assert_eq!(traffic.lost().unwrap(), Vec::<u32>::new());

    let port = red.port(&network, "c").unwrap();
    let c = site.attach(host, "c", &port).unwrap();
    a.wait_reaches(c.ipv4().unwrap(), LIMIT).unwrap();
    assert!(heard.count(&CHANGES).unwrap() > 0);
}

/// A host that cannot be reached goes on forwarding; when it is back it is sent what changed meanwhile and nothing else.
#[test]
fn a_host_that_was_cut_off_gets_the_difference() {
    let site = Site::start("cut", 2).unwrap();
    site.redial_soon().unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let Pair { a, b, network } = pair(&site, &red);
    let (h1, h2) = (&site.hosts[0], &site.hosts[1]);
    // What one more port elsewhere costs a host that is there.
    let reference = red.port(&network, "c").unwrap();
    let heard = h1.watch_openflow().unwrap();
    let c = site.attach(h2, "c", &reference).unwrap();
    let cost = heard.count(&["OFPT_FLOW_MOD", "OFPT_BUNDLE_ADD_MESSAGE"]).unwrap();
    assert!(cost > 0, "{:?}", heard.messages().unwrap());

    h1.set_management_link(Link::Down).unwrap();
    let late = red.port(&network, "d").unwrap();
    let spec = site.workload_spec("d", &late).unwrap();
    let d = site.rig.add_workload(h2, spec).unwrap();
    // What plugging in a port costs h2 is another matter: losses count from when it is done with that.
    site.wait_active(&late.id).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    let traffic = Traffic::start(&a, b.ipv4().unwrap()).unwrap();
    // The controller and the host's own Open vSwitch both see that the other is gone: a new session comes for certain.
    let connected = || h1.vsctl(&["--bare", "--columns=is_connected", "list", "Controller"]);
    wait_until("the bridge to give up", LIMIT, || Ok(connected()?.trim() == "false")).unwrap();
    wait_until("the controller to give up", LIMIT, || {
        let status = site.host_status(h1)?;
        Ok(!status.openflow_connected && !status.ovsdb_connected)
    })
    .unwrap();
    b.wait_reaches(d.ipv4().unwrap(), LIMIT).unwrap();
    assert!(a.ping(d.ipv4().unwrap(), 2).unwrap().none(), "h1 cannot have heard of it yet");
    assert!(a.ping(c.ipv4().unwrap(), 2).unwrap().all());

    let heard = h1.watch_openflow().unwrap();
    h1.set_management_link(Link::Up).unwrap();
    a.wait_reaches(d.ipv4().unwrap(), LIMIT).unwrap();
    site.wait_connected().unwrap();
    assert_eq!(
        heard.count(&["OFPT_FLOW_MOD", "OFPT_BUNDLE_ADD_MESSAGE"]).unwrap(),
        cost,
        "{:?}",
        heard.messages()
    );
    assert_eq!(traffic.lost().unwrap(), Vec::<u32>::new());
    assert_eq!(site.host_status(h1).unwrap().drift_repaired, 0);
}
