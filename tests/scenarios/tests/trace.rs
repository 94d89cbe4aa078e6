//! Proves that a trace tells the truth: for every pair of workloads, what it says is what a ping on the same hosts finds, and
//! table by table what `ofproto/trace` finds on the host where the packet starts; and that it tells tenants nothing of others.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{InterfaceAsked, Port, PortUpdate, RouterCreate, Trace, TraceAsked};
use weft_client::Client;
use weft_compiler::pipeline::TABLES;
use weft_rig::{Cmd, Host, Workload};
use weft_scenarios::{NetworkSpec, Site, Tenancy, drops_text, program};

/// A workload with its port and the place of its host.
struct Place {
    port: Port,
    workload: Workload,
    host: usize,
}

impl Place {
    fn addresses(&self) -> Vec<IpAddr> {
        self.port.fixed_ips.iter().map(|ip| ip.ip_address.parse().unwrap()).collect()
    }
}

fn attach(site: &Site, port: Port, host: usize) -> Place {
    let name = port.name.clone();
    let mut spec = site.workload_spec(&name, &port).unwrap();
    for ip in &port.fixed_ips {
        let subnet = site.wait(site.admin.subnets().show(&ip.subnet_id)).unwrap().value;
        spec = spec.gateway(subnet.gateway_ip.unwrap().parse::<IpAddr>().unwrap());
    }
    let workload = site.rig.add_workload(&site.hosts[host], spec).unwrap();
    site.wait_active(&port.id).unwrap();
    Place { port, workload, host }
}

fn asked(from: &Port, to: IpAddr) -> TraceAsked {
    TraceAsked { from_port: from.id.clone(), to: to.to_string(), ..TraceAsked::default() }
}

fn trace(site: &Site, client: &Client, question: &TraceAsked) -> Trace {
    site.wait(client.trace(question)).unwrap()
}

/// True if there and back all is well.
fn works(trace: &Trace) -> bool {
    trace.verdict == "answered"
        || trace.verdict == "delivered" && trace.back.as_ref().is_some_and(|back| back.verdict == "delivered")
}

/// Traces and pings every pair: the two must agree.
fn traces_are_true(site: &Site, client: &Client, places: &[Place]) -> usize {
    let mut worked = 0;
    for from in places {
        for to in places.iter().filter(|to| to.port.id != from.port.id) {
            for address in to.addresses() {
                let traced = trace(site, client, &asked(&from.port, address));
                // A family that the workload has no route for fails at once.
                let pinged = from.workload.ping(address, 1).is_ok_and(|result| result.all());
                let what =
                    || format!("{} to {address}: {traced:#?}; {}", from.port.name, drops_text(&site.hosts));
                assert_eq!(works(&traced), pinged, "{}", what());
                worked += usize::from(pinged);
            }
        }
    }
    worked
}

/// The tables that the packet of a trace meets on a real host.
fn tables_on(host: &Host, workload: &Workload, packet: &str) -> Vec<u8> {
    let ofport = host.vsctl(&["get", "Interface", &workload.host_interface(), "ofport"]).unwrap();
    let flow = format!("in_port={},{packet}", ofport.trim());
    let text = host.appctl(&["ofproto/trace", "br-int", &flow]).unwrap();
    let number = |line: &str| line.trim_start().split_once(". ")?.0.parse().ok();
    // A packet that leaves by a tunnel goes on in the bridge of the underlay.
    let own = text.split("bridge(\"").filter_map(|part| part.strip_prefix("br-int\")"));
    own.flat_map(str::lines).filter_map(number).collect()
}

/// The tables that a trace names for the host where the packet starts.
fn tables_of(trace: &Trace) -> Vec<u8> {
    let number = |name: &str| TABLES.iter().find(|table| table.name == name).unwrap().number;
    trace.steps.iter().filter(|step| step.hop == 0).map(|step| number(&step.table)).collect()
}

#[test]
fn a_trace_is_what_happens() {
    let site = Site::start("trace", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let office = red.network(&NetworkSpec::new("office", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let lab = red.network(&NetworkSpec::new("lab", &["10.0.1.0/24", "fd00:1::/64"]).encap("geneve")).unwrap();
    let attics = red.network(&NetworkSpec::new("attic", &["10.0.9.0/24"])).unwrap();
    let router = RouterCreate { name: Some("hub".into()), ..RouterCreate::default() };
    let router = site.wait(red.client.routers().create(&router)).unwrap().value;
    for network in [&office, &lab] {
        let subnets = site.wait(red.client.subnets().list(&[("network_id", &network.id)])).unwrap().value;
        for subnet in subnets {
            let leg = InterfaceAsked { subnet_id: Some(subnet.id), ..InterfaceAsked::default() };
            site.wait(red.client.routers().add_interface(&router.id, &leg)).unwrap();
        }
    }
    let places = [(&office, "a", 0), (&office, "b", 1), (&lab, "c", 1), (&lab, "d", 0), (&attics, "e", 1)];
    let places = places.map(|(network, name, host)| attach(&site, red.port(network, name).unwrap(), host));
    site.wait_applied(site.wait(site.admin.ports().list(&[])).unwrap().revision).unwrap();
    site.rig.seed_tunnel_neighbours().unwrap();
    // Four that all reach each other in both families; nobody reaches the attic.
    assert_eq!(traces_are_true(&site, &red.client, &places), 4 * 3 * 2);
    same_tables_as_open_vswitch(&site, &places);
    the_router_answers(&site, &red.client, &places[0]);
    a_port_that_is_down(&site, &red, &places);
    nothing_of_others(&site, &red, &places[0]);
    on_the_command_line(&site, &places);
}

fn same_tables_as_open_vswitch(site: &Site, places: &[Place]) {
    for from in places {
        for to in places.iter().filter(|to| to.port.id != from.port.id) {
            for address in to.addresses() {
                let traced = trace(site, &site.admin, &asked(&from.port, address));
                let Some(packet) = traced.packet.as_ref().filter(|_| traced.verdict != "unsent") else {
                    continue;
                };
                let seen = tables_on(&site.hosts[from.host], &from.workload, packet);
                assert_eq!(tables_of(&traced), seen, "{packet}: {traced:#?}");
            }
        }
    }
}

fn the_router_answers(site: &Site, client: &Client, from: &Place) {
    for ip in &from.port.fixed_ips {
        let subnet = site.wait(client.subnets().show(&ip.subnet_id)).unwrap().value;
        let gateway: IpAddr = subnet.gateway_ip.unwrap().parse().unwrap();
        let traced = trace(site, client, &asked(&from.port, gateway));
        assert_eq!(traced.verdict, "answered", "{traced:#?}");
        let objects: Vec<_> = traced.outcomes.iter().filter_map(|end| end.object.clone()).collect();
        assert!(objects.iter().all(|object| object.kind == "router" && object.name == "hub"), "{objects:?}");
        assert!(from.workload.ping(gateway, 1).unwrap().all());
    }
}

fn a_port_that_is_down(site: &Site, red: &Tenancy<'_>, places: &[Place]) {
    let (from, to) = (&places[0], &places[2]);
    let address = to.addresses()[0];
    let down = |up| PortUpdate { admin_state_up: Some(up), ..PortUpdate::default() };
    site.apply(red.client.ports().update(&to.port.id, &down(false))).unwrap();
    let traced = trace(site, &red.client, &asked(&from.port, address));
    assert_eq!(traced.verdict, "dropped", "{traced:#?}");
    let end = traced.outcomes.first().unwrap();
    assert_eq!(end.reason.as_deref(), Some("port_down"));
    assert_eq!(end.object.as_ref().map(|object| object.name.as_str()), Some("c"), "{traced:#?}");
    assert!(from.workload.ping(address, 1).unwrap().none());
    site.apply(red.client.ports().update(&to.port.id, &down(true))).unwrap();
}

/// A tenant sees no hosts, no flows, and cannot ask about another's port.
fn nothing_of_others(site: &Site, red: &Tenancy<'_>, from: &Place) {
    let blue = Tenancy::create(site, "blue").unwrap();
    let question = asked(&from.port, "10.0.0.1".parse().unwrap());
    let refused = site.wait(blue.client.trace(&question)).unwrap_err();
    assert!(format!("{refused:#}").contains("could not be found"), "{refused:#}");
    let seen = trace(site, &red.client, &question);
    assert!(seen.steps.iter().all(|step| step.host.is_none() && step.flow.is_none()), "{seen:#?}");
    let seen = trace(site, &site.admin, &question);
    assert!(seen.steps.iter().all(|step| step.host.is_some() && step.flow.is_some()), "{seen:#?}");
}

fn on_the_command_line(site: &Site, places: &[Place]) {
    let run = |line: &str| {
        let cmd = Cmd::new(program("weft").unwrap()).args(line.split_whitespace());
        let cmd = cmd.env("WEFT_ENDPOINT", site.admin.endpoint()).env("WEFT_TOKEN", &site.token);
        let done = cmd.output().unwrap();
        assert!(done.succeeded(), "{line}: {done:?}");
        done.stdout
    };
    let text = run("trace --from a --to c --proto tcp --dport 443");
    for part in ["on h1", "on h2", "classify", "router hub", "to port c", "DELIVERED: Delivered to port c."] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let attic = places[4].addresses()[0];
    assert_eq!(run(&format!("trace --from a --to {attic} -o id")).trim(), "dropped");
}
