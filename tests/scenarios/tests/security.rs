//! Proves that security groups let through what they say and nothing else, on real Open vSwitch with real traffic: within
//! and across hosts, in both families, with and without connections; and that a rule that goes takes its connections along.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{AddressPair, Network, PortCreate, PortUpdate, SecurityGroupRuleCreate};
use weft_compiler::Reason;
use weft_rig::{Process, Workload, wait_until};
use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy, drops, drops_text, wait_caches};

/// A tenant's network and what is plugged into it.
struct Estate<'a> {
    site: &'a Site,
    tenancy: Tenancy<'a>,
    network: Network,
}

impl<'a> Estate<'a> {
    fn build(site: &'a Site, name: &str) -> Estate<'a> {
        let tenancy = Tenancy::create(site, name).unwrap();
        let network = tenancy.network(&NetworkSpec::new("net", &["10.0.0.0/24", "fd00::/64"])).unwrap();
        Estate { site, tenancy, network }
    }

    /// A workload on a host; without groups it wears the default group.
    fn workload(&self, name: &str, host: usize, groups: Option<&[&str]>) -> Workload {
        let groups = groups.map(|groups| groups.iter().map(|group| (*group).to_owned()).collect());
        self.workload_from(
            host,
            PortCreate { security_groups: groups, ..Tenancy::new_port(&self.network, name) },
        )
    }

    fn workload_from(&self, host: usize, new: PortCreate) -> Workload {
        let name = new.name.clone().unwrap();
        let port = self.tenancy.port_from(new).unwrap();
        self.site.attach(&self.site.hosts[host], &name, &port).unwrap()
    }

    fn group(&self, name: &str) -> String {
        self.tenancy.group(name).unwrap().id
    }

    /// Adds a rule for what comes in; its id.
    fn allow(&self, group: &str, change: impl FnOnce(&mut SecurityGroupRuleCreate)) -> String {
        let mut rule = SecurityGroupRuleCreate {
            security_group_id: group.to_owned(),
            direction: "ingress".to_owned(),
            ..SecurityGroupRuleCreate::default()
        };
        change(&mut rule);
        self.tenancy.allow(&rule).unwrap().id
    }

    fn revoke(&self, rule: &str) {
        let gone = self.site.wait(self.tenancy.client.security_rules().delete(rule)).unwrap();
        self.site.wait_applied(gone.revision).unwrap();
        wait_caches(&self.site.hosts).unwrap();
    }

    fn wear(&self, workload: &Workload, groups: &[&str]) {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let change = PortUpdate { security_groups: Some(groups), ..PortUpdate::default() };
        let port = &workload.spec().port_id;
        self.site.apply(self.tenancy.client.ports().update(port, &change)).unwrap();
        wait_caches(&self.site.hosts).unwrap();
    }
}

fn tcp(first: u16, last: u16) -> impl FnOnce(&mut SecurityGroupRuleCreate) {
    move |rule| {
        rule.protocol = Some("tcp".to_owned());
        (rule.port_range_min, rule.port_range_max) = (Some(first), Some(last));
    }
}

fn reaches(site: &Site, from: &Workload, to: &Workload) {
    for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
        let reached = from.wait_reaches(address, LIMIT);
        reached
            .unwrap_or_else(|e| panic!("{} to {address}: {e:#}; {}", from.name(), drops_text(&site.hosts)));
    }
}

fn does_not_reach(site: &Site, from: &Workload, to: &Workload) {
    wait_caches(&site.hosts).unwrap();
    for address in [to.ipv4().unwrap(), to.ipv6().unwrap()] {
        assert!(from.ping(address, 2).unwrap().none(), "{} reached {address}", from.name());
    }
}

/// Something that answers to TCP on a port, in either family.
fn serve(on: &Workload, port: u16) -> Process {
    let listen = format!("TCP6-LISTEN:{port},fork,reuseaddr,ipv6only=0");
    let process = on.spawn(&["socat", &listen, "EXEC:echo served"]).unwrap();
    wait_until("the server to listen", LIMIT, || {
        Ok(on.exec(&["ss", "-Hltn", &format!("sport = :{port}")])?.contains("LISTEN"))
    })
    .unwrap();
    process
}

/// Whether a TCP connection is served.
fn connects(from: &Workload, to: IpAddr, port: u16) -> bool {
    let to = if to.is_ipv6() { format!("TCP6:[{to}]:{port}") } else { format!("TCP4:{to}:{port}") };
    let said = from.output(&["socat", "-T", "2", "-", &format!("{to},connect-timeout=2")]).unwrap();
    said.succeeded() && said.stdout.contains("served")
}

/// Members of the default group reach each other, near and far; who is of another group does not reach them, and gets
/// the answers to what it asked nevertheless.
#[test]
fn the_default_group_is_for_its_members() {
    let site = Site::start("defaults", 2).unwrap();
    let red = Estate::build(&site, "red");
    let a = red.workload("a", 0, None);
    let near = red.workload("near", 0, None);
    let far = red.workload("far", 1, None);
    let other = red.group("other");
    let stranger = red.workload("stranger", 1, Some(&[&other]));
    site.rig.seed_tunnel_neighbours().unwrap();
    for (from, to) in [(&a, &near), (&a, &far), (&far, &a)] {
        reaches(&site, from, to);
    }
    for to in [&a, &far] {
        does_not_reach(&site, &stranger, to);
    }
    does_not_reach(&site, &a, &stranger);
    let before = drops(&site.hosts[0]).unwrap()[&Reason::IngressDenied];
    assert!(stranger.ping(a.ipv4().unwrap(), 3).unwrap().none());
    let counted = || Ok(drops(&site.hosts[0])?[&Reason::IngressDenied] >= before + 3);
    wait_until("the drops to be counted", LIMIT, counted).unwrap();
    // What the stranger allows is asked of it by name, and the answers come back by themselves.
    red.allow(&other, |rule| rule.protocol = Some("icmp".to_owned()));
    a.wait_reaches(stranger.ipv4().unwrap(), LIMIT).unwrap();
    assert!(a.ping(stranger.ipv6().unwrap(), 2).unwrap().none(), "the rule is for IPv4 only");
    does_not_reach(&site, &stranger, &a);
    // A port that joins the group is let in, one that leaves it is not.
    let groups = site.wait(red.tenancy.client.security_groups().list(&[("name", "default")])).unwrap().value;
    red.wear(&stranger, &[&other, &groups[0].id]);
    reaches(&site, &stranger, &a);
    red.wear(&stranger, &[&other]);
    does_not_reach(&site, &stranger, &a);
}

/// Rules by ports, prefix, group and address group, over TCP.
#[test]
fn rules_let_through_what_they_say() {
    let site = Site::start("rules", 2).unwrap();
    let red = Estate::build(&site, "red");
    let (web, clients) = (red.group("web"), red.group("clients"));
    let server = red.workload("server", 0, Some(&[&web]));
    let client = red.workload("client", 1, Some(&[&clients]));
    let local = red.workload("local", 0, Some(&[&clients]));
    site.rig.seed_tunnel_neighbours().unwrap();
    let _served = [8001, 8002, 8100].map(|port| serve(&server, port));
    let (v4, v6) = (server.ipv4().unwrap(), server.ipv6().unwrap());
    assert!(!connects(&client, v4, 8001), "nothing is allowed yet");
    let range = red.allow(&web, tcp(8001, 8099));
    for from in [&client, &local] {
        assert!(connects(from, v4, 8001) && connects(from, v4, 8002), "{}", drops_text(&site.hosts));
        assert!(!connects(from, v4, 8100), "the range ends before");
        assert!(!connects(from, v6, 8001), "the rule is for IPv4");
    }
    red.revoke(&range);
    assert!(!connects(&client, v4, 8001), "the rule is gone");
    // By group, for IPv6.
    red.allow(&web, |rule| {
        tcp(8001, 8001)(rule);
        rule.ethertype = Some("IPv6".to_owned());
        rule.remote_group_id = Some(clients.clone());
    });
    assert!(connects(&client, v6, 8001) && connects(&local, v6, 8001), "{}", drops_text(&site.hosts));
    // Several sets of groups contain the group now, so that the rule is a conjunction.
    let both = red.workload("both", 1, Some(&[&clients, &web]));
    assert!(connects(&both, v6, 8001) && connects(&client, v6, 8001), "{}", drops_text(&site.hosts));
    assert!(!connects(&both, v6, 8002));
    // By prefix.
    let prefix = red.allow(&web, |rule| {
        tcp(8002, 8002)(rule);
        rule.remote_ip_prefix = Some(format!("{}/32", client.ipv4().unwrap()));
    });
    assert!(connects(&client, v4, 8002) && !connects(&local, v4, 8002));
    red.revoke(&prefix);
}

/// A transfer that goes on stops when the rule that allowed it goes, and another connection does not.
#[test]
fn a_revoked_rule_ends_its_connections() {
    let site = Site::start("revoked", 2).unwrap();
    let red = Estate::build(&site, "red");
    let web = red.group("web");
    let server = red.workload("server", 0, Some(&[&web]));
    let client = red.workload("client", 1, Some(&[&web]));
    site.rig.seed_tunnel_neighbours().unwrap();
    let rules = [9001, 9002].map(|port| red.allow(&web, tcp(port, port)));
    // The server sends: what stops is what it sends, replies of a connection that was allowed to the client.
    let to = server.ipv4().unwrap();
    let streams = [9001, 9002].map(|port: u16| {
        let listen = format!("TCP4-LISTEN:{port},reuseaddr");
        let source =
            server.spawn(&["socat", "-u", "SYSTEM:while echo more; do sleep 0.02; done", &listen]).unwrap();
        wait_until("the server to listen", LIMIT, || {
            Ok(server.exec(&["ss", "-Hltn", &format!("sport = :{port}")])?.contains("LISTEN"))
        })
        .unwrap();
        let sink = client.spawn(&["socat", "-u", &format!("TCP4:{to}:{port}"), "STDOUT"]).unwrap();
        (source, sink)
    });
    let received = |n: usize| streams[n].1.log().map(|log| log.lines().count());
    for n in [0, 1] {
        wait_until("the stream to flow", LIMIT, || Ok(received(n)? > 20)).unwrap();
    }
    red.revoke(&rules[0]);
    let stopped = received(0).unwrap();
    let other = received(1).unwrap();
    wait_until("the other stream to go on", LIMIT, || Ok(received(1)? > other + 100)).unwrap();
    let more = received(0).unwrap() - stopped;
    assert!(more <= 5, "{more} lines came after the rule was gone");
}

/// Two tenants with the same addresses and ports at the same time, on the same hosts: their connections are not each
/// other's.
#[test]
fn connections_of_tenants_never_mix() {
    let site = Site::start("zones", 2).unwrap();
    let estates = ["red", "blue"].map(|name| Estate::build(&site, name));
    let pairs: Vec<(Workload, Workload)> = estates
        .iter()
        .zip(["r", "b"])
        .map(|(estate, name)| {
            let server = estate.workload(&format!("{name}s"), 0, None);
            (server, estate.workload(&format!("{name}c"), 1, None))
        })
        .collect();
    site.rig.seed_tunnel_neighbours().unwrap();
    assert_eq!(pairs[0].0.ipv4(), pairs[1].0.ipv4(), "the tenants' addresses are the same");
    let _servers: Vec<Process> = pairs.iter().map(|(server, _)| serve(server, 8001)).collect();
    let to = pairs[0].0.ipv4().unwrap();
    for (_, client) in &pairs {
        client.wait_reaches(to, LIMIT).unwrap();
        let same = format!("TCP4:{to}:8001,sourceport=40000,reuseaddr,connect-timeout=3");
        let said = client.output(&["socat", "-T", "2", "-", &same]).unwrap();
        assert!(said.stdout.contains("served"), "{}; {}", said.stderr, drops_text(&site.hosts));
    }
    // One of them stops letting anything in; the other one's known connection is no help.
    estates[1].wear(&pairs[1].0, &[]);
    assert!(!connects(&pairs[1].1, to, 8001));
    assert!(connects(&pairs[0].1, to, 8001));
}

/// Without port security nothing is filtered; a stateless group judges every packet by itself; an allowed address is
/// the port's own too.
#[test]
fn less_than_a_firewall() {
    let site = Site::start("less", 2).unwrap();
    let red = Estate::build(&site, "red");
    let open = red.tenancy.open_group().unwrap().id;
    let bare = red.group("bare");
    let plain = PortCreate { port_security_enabled: Some(false), ..Tenancy::new_port(&red.network, "plain") };
    let plain = red.workload_from(0, plain);
    let stateless = red.workload("stateless", 1, Some(&[&open]));
    let closed = red.workload("closed", 0, Some(&[&bare]));
    site.rig.seed_tunnel_neighbours().unwrap();
    for (from, to) in [(&plain, &stateless), (&stateless, &plain), (&closed, &plain), (&closed, &stateless)] {
        reaches(&site, from, to);
    }
    does_not_reach(&site, &plain, &closed);
    // Nobody on the hosts of these two tracked what passed between them.
    let zones = site.hosts[1].appctl(&["dpctl/dump-conntrack"]).unwrap();
    assert_eq!(zones.trim(), "", "a stateless port met the connection tracker");
    // An address that moves.
    let pairs = vec![AddressPair { ip_address: "10.0.0.200".into(), mac_address: None }];
    let new = PortCreate {
        allowed_address_pairs: Some(pairs),
        security_groups: Some(vec![open]),
        ..Tenancy::new_port(&red.network, "virtual")
    };
    let holder = red.workload_from(0, new);
    holder.exec(&["ip", "addr", "add", "10.0.0.200/24", "dev", "eth0"]).unwrap();
    stateless.wait_reaches("10.0.0.200".parse::<IpAddr>().unwrap(), LIMIT).unwrap();
}
