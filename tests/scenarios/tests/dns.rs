//! Proves that every network has a resolver: names of its ports and of its tenant's networks beyond a router, in both
//! directions, over UDP and TCP, by dig; never another tenant's; other names by other servers as far as the operator lets
//! it; floods bounded; and that nothing but names is gone with the controller.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::IpAddr;

use weft_api::{
    InterfaceAsked, Network, NetworkCreate, Port, PortCreate, RouterCreate, Subnet, SubnetCreate,
};
use weft_rig::{Process, Workload, http_get, wait_until};
use weft_scenarios::{LIMIT, Site, SiteSpec, Tenancy, asked};

/// Where the resolver is for IPv4, and how long dig may wait for it.
const V4: [&str; 3] = ["@169.254.169.253", "+time=3", "+tries=2"];
/// A server that says of every name that its address is 192.0.2.99, and of `late.` nothing; over UDP and TCP.
const SERVER: &str = r#"
import socket, sys, threading
where = (sys.argv[1], 53)
def answer(q):
    end = 12
    while q[end]:
        end += q[end] + 1
    if q[12:17] == b"\x04late":
        return None
    head = q[:2] + bytes([0x81, 0x80]) + bytes([0, 1, 0, 1, 0, 0, 0, 0])
    record = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99])
    print(q[12:end], flush=True)
    return head + q[12:end + 5] + record
def streams():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(where)
    s.listen()
    while True:
        c, _ = s.accept()
        length = int.from_bytes(c.recv(2), "big")
        a = answer(c.recv(length))
        c.sendall(len(a).to_bytes(2, "big") + a)
        c.close()
threading.Thread(target=streams, daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(where)
print("ready", flush=True)
while True:
    q, peer = u.recvfrom(4096)
    a = answer(q)
    if a:
        u.sendto(a, peer)
"#;

/// A tenant with two networks and a router between them: `red.example` (both families) and one without a domain.
struct Estate<'a> {
    site: &'a Site,
    tenancy: Tenancy<'a>,
    near: Network,
    far: Network,
}

impl<'a> Estate<'a> {
    fn build(site: &'a Site, name: &str, servers: &[&str]) -> Estate<'a> {
        let tenancy = Tenancy::create(site, name).unwrap();
        let network = |name: &str, domain: &str| {
            let (name, dns_domain) = (Some(name.to_owned()), Some(domain.to_owned()));
            let new = NetworkCreate { name, dns_domain, ..NetworkCreate::default() };
            site.wait(tenancy.client.networks().create(&new)).unwrap().value
        };
        let (near, far) = (network("near", "red.example."), network("far", ""));
        let subnet = |network: &Network, cidr: &str, servers: &[&str]| -> Subnet {
            let dns_nameservers = Some(servers.iter().map(|server| (*server).to_owned()).collect());
            let (network_id, cidr) = (network.id.clone(), cidr.to_owned());
            let new = SubnetCreate { network_id, cidr, dns_nameservers, ..SubnetCreate::default() };
            site.wait(tenancy.client.subnets().create(&new)).unwrap().value
        };
        let subnets = [subnet(&near, "10.0.0.0/24", servers), subnet(&far, "10.0.3.0/24", &[])];
        subnet(&near, "fd00::/64", &[]);
        let router = site.wait(tenancy.client.routers().create(&RouterCreate::default())).unwrap().value;
        for subnet in subnets {
            let asked = InterfaceAsked { subnet_id: Some(subnet.id), port_id: None };
            site.apply(tenancy.client.routers().add_interface(&router.id, &asked)).unwrap();
        }
        Estate { site, tenancy, near, far }
    }

    fn port(&self, network: &Network, name: &str, addresses: &[&str]) -> Port {
        let new = Tenancy::new_port(network, name);
        let dns_name = Some(name.to_owned()).filter(|name| name != "nameless");
        let fixed_ips = Some(asked(addresses));
        self.tenancy.port_from(PortCreate { dns_name, fixed_ips, ..new }).unwrap()
    }

    /// A workload that knows a gateway, or else that the resolver is on its link.
    fn attach(&self, host: usize, port: &Port, gateway: Option<&str>) -> Workload {
        let name = format!("{}-{}", &self.tenancy.id[..2], port.name);
        let mut spec = self.site.workload_spec(&name, port).unwrap();
        if let Some(gateway) = gateway {
            spec = spec.gateway(gateway.parse::<IpAddr>().unwrap());
        }
        let workload = self.site.rig.add_workload(&self.site.hosts[host], spec).unwrap();
        if gateway.is_none() {
            workload.exec(&["ip", "route", "add", "169.254.169.252/30", "dev", "eth0"]).unwrap();
        }
        self.site.wait_active(&port.id).unwrap();
        let revision = self.site.wait(self.site.admin.ports().show(&port.id)).unwrap().revision;
        self.site.wait_applied(revision).unwrap();
        workload
    }
}

/// What dig says: the status, and one line for each record of the answer.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: String,
    flags: String,
    answer: Vec<String>,
}

fn dig(workload: &Workload, server: &[&str], question: &[&str]) -> Option<Said> {
    let command = [&["dig", "+noall", "+comments", "+answer"], server, question].concat();
    let done = workload.output(&command).unwrap();
    let text = done.stdout;
    let after = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        Some(rest.split([',', ';', '\n']).next()?.trim().to_owned())
    };
    let records = text.lines().filter(|line| !line.starts_with(';') && !line.trim().is_empty());
    let fields = |line: &str| line.split_whitespace().skip(3).collect::<Vec<_>>().join(" ");
    Some(Said { status: after("status: ")?, flags: after("flags: ")?, answer: records.map(fields).collect() })
}

/// Asks the resolver for IPv4 and compares what it says.
#[track_caller]
fn check(workload: &Workload, question: &str, status: &str, answer: &[&str]) -> Said {
    let words: Vec<&str> = question.split_whitespace().collect();
    let said = dig(workload, &V4, &words).unwrap_or_else(|| panic!("{question}: no answer"));
    assert_eq!(
        (said.status.as_str(), said.answer.iter().map(String::as_str).collect::<Vec<_>>()),
        (status, answer.to_vec()),
        "{question}"
    );
    said
}

/// One value of a metric.
fn questions(site: &Site, outcome: &str) -> u64 {
    let page = http_get(site.controller.api_addr(), "/metrics").unwrap().body;
    let name = format!("weft_dns_questions_total{{outcome=\"{outcome}\"}}");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// Another DNS server, on a host's management address, where the controller reaches it.
fn start_server(site: &Site) -> (Process, String) {
    let shown = site.hosts[0].exec(&["ip", "-4", "-o", "addr", "show"]).unwrap();
    let address = shown
        .split_whitespace()
        .find_map(|word| word.strip_suffix("/16").filter(|ip| ip.starts_with("10.99.")));
    let address = address.unwrap_or_else(|| panic!("no management address: {shown}")).to_owned();
    let mut server = site.hosts[0].netns().spawn(&["python3", "-c", SERVER, &address]).unwrap();
    server.wait_for("the other server", LIMIT, |server| Ok(server.log()?.contains("ready"))).unwrap();
    (server, address)
}

/// One site for all of it: every part asks a little.
#[test]
fn networks_have_resolvers() {
    let options = ["--dns-forward-to", "10.99.0.0/16"];
    let mut site = Site::build("dns", SiteSpec::hosts(2).options(&options)).unwrap();
    let (workloads, neighbour);
    {
        let (server, address) = start_server(&site);
        let red = Estate::build(&site, "red", &[&address]);
        let blue = Estate::build(&site, "blue", &["10.99.0.1"]);
        let a = red.port(&red.near, "a", &["10.0.0.10", "fd00::10"]);
        let b = red.port(&red.near, "b", &["10.0.0.11", "fd00::11"]);
        red.port(&red.near, "nameless", &["10.0.0.12"]);
        let d = red.port(&red.far, "d", &["10.0.3.13"]);
        let secret = blue.port(&blue.near, "secret", &["10.0.0.10", "fd00::10"]);
        let a = red.attach(0, &a, None);
        let b = red.attach(1, &b, Some("10.0.0.1"));
        let d = red.attach(0, &d, Some("10.0.3.1"));
        let secret = blue.attach(0, &secret, None);
        names_are_answered(&a, &d);
        every_way_of_asking_is_answered(&a, &b);
        tenants_see_their_own_names_only(&a, &secret);
        other_names_are_asked_elsewhere(&site, [&a, &d, &secret], &server);
        nothing_else_is_there(&a);
        a_flood_is_limited(&site, &d, &a);
        neighbour = b.ipv4().unwrap();
        workloads = [a, b, d, secret];
    }
    site.controller.kill9().unwrap();
    let a = &workloads[0];
    assert_eq!(dig(a, &["@169.254.169.253", "+time=1", "+tries=1"], &["a.red.example"]), None);
    assert!(a.ping(neighbour, 3).unwrap().all());
    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    check(a, "b.red.example", "NOERROR", &["A 10.0.0.11"]);
}

fn names_are_answered(a: &Workload, d: &Workload) {
    let said = check(a, "b.red.example", "NOERROR", &["A 10.0.0.11"]);
    assert!(said.flags.contains("aa") && said.flags.contains("ra"), "{said:?}");
    check(a, "B.RED.example AAAA", "NOERROR", &["AAAA fd00::11"]);
    check(a, "host-10-0-0-12.red.example", "NOERROR", &["A 10.0.0.12"]);
    check(a, "-x 10.0.0.12", "NOERROR", &["PTR host-10-0-0-12.red.example."]);
    check(a, "-x 10.0.0.11", "NOERROR", &["PTR b.red.example."]);
    check(a, "-x fd00::11", "NOERROR", &["PTR b.red.example."]);
    check(a, "nobody.red.example", "NXDOMAIN", &[]);
    check(a, "-x 10.0.0.99", "NXDOMAIN", &[]);
    check(a, "b.red.example MX", "NOERROR", &[]);
    // Beyond the router, there and back; the asker's router is in nobody's way.
    check(a, "d.weft.internal", "NOERROR", &["A 10.0.3.13"]);
    check(d, "a.red.example", "NOERROR", &["A 10.0.0.10"]);
    check(d, "-x 10.0.0.10", "NOERROR", &["PTR a.red.example."]);
    check(d, "d", "NOERROR", &["A 10.0.3.13"]);
}

fn every_way_of_asking_is_answered(a: &Workload, b: &Workload) {
    for workload in [a, b] {
        check(workload, "+tcp b.red.example", "NOERROR", &["A 10.0.0.11"]);
        check(workload, "+noedns a.red.example", "NOERROR", &["A 10.0.0.10"]);
        check(workload, "+bufsize=4096 +dnssec a.red.example", "NOERROR", &["A 10.0.0.10"]);
        workload.wait_addresses(LIMIT).unwrap();
        let v6 = ["@fe80::a9fe:a9fd%eth0", "+time=3", "+tries=2"];
        for question in [&["b.red.example", "AAAA"][..], &["+tcp", "b.red.example", "AAAA"]] {
            let said = dig(workload, &v6, question).expect("an answer over IPv6");
            assert_eq!((said.status.as_str(), said.answer), ("NOERROR", vec!["AAAA fd00::11".to_owned()]));
        }
    }
}

fn tenants_see_their_own_names_only(red: &Workload, blue: &Workload) {
    check(red, "secret.red.example", "NXDOMAIN", &[]);
    check(blue, "secret.red.example", "NOERROR", &["A 10.0.0.10"]);
    check(blue, "b.red.example", "NXDOMAIN", &[]);
    check(blue, "-x 10.0.0.10", "NOERROR", &["PTR secret.red.example."]);
    check(blue, "-x 10.0.0.11", "NXDOMAIN", &[]);
}

fn other_names_are_asked_elsewhere(site: &Site, [a, d, blue]: [&Workload; 3], server: &Process) {
    check(a, "www.example.org", "NOERROR", &["A 192.0.2.99"]);
    check(a, "+tcp www.example.org", "NOERROR", &["A 192.0.2.99"]);
    assert!(questions(site, "Forwarded") >= 2);
    // What is ours never leaves, whether it is there or not.
    let log = server.log().unwrap();
    assert!(log.contains("example") && !log.contains("red") && !log.contains("nobody"), "{log}");
    // A subnet that names nobody, and an operator who names nobody.
    check(d, "www.example.org", "REFUSED", &[]);
    // A tenant's server that is the controller's own machine.
    check(blue, "www.example.org", "SERVFAIL", &[]);
    check(a, "late.example.org", "SERVFAIL", &[]);
}

/// Who looks for a metadata service, or for anything else at these addresses, is told at once that it is not there.
fn nothing_else_is_there(a: &Workload) {
    const CONNECT: &str = r#"
import errno, socket, sys
for family, where in [(socket.AF_INET, ("169.254.169.254", 80)), (socket.AF_INET, ("169.254.169.253", 80)),
                      (socket.AF_INET6, ("fe80::a9fe:a9fe", 80, 0, socket.if_nametoindex("eth0")))]:
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(10)
    said = s.connect_ex(where)
    if said != errno.ECONNREFUSED:
        sys.exit(f"{where}: {said}")
"#;
    a.exec(&["python3", "-c", CONNECT]).unwrap();
}

/// Thousands of questions a second of one workload are cut down to its meter's rate, and another one is answered.
fn a_flood_is_limited(site: &Site, bad: &Workload, good: &Workload) {
    const FLOOD: &str = r#"
import socket, time
q = bytes([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 3, 114, 101, 100, 7]) + b"example" + bytes([0, 0, 1, 0, 1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(100):
        s.sendto(q, ("169.254.169.253", 53))
    print(100, flush=True)
    time.sleep(0.02)
"#;
    let (known, begin) = (questions(site, "Known"), std::time::Instant::now());
    let flood = bad.spawn(&["python3", "-c", FLOOD]).unwrap();
    let sent = || flood.log().unwrap().lines().count() * 100;
    wait_until("the flood to be one", LIMIT, || Ok(sent() > 3000)).unwrap();
    for _ in 0..5 {
        check(good, "b.red.example", "NOERROR", &["A 10.0.0.11"]);
    }
    let took = begin.elapsed().as_secs();
    let (asked, answered) = (sent() as u64, questions(site, "Known") - known);
    println!("in {took} s {asked} questions were sent, and {answered} answered");
    assert!(answered <= 50 * (took + 1) + 100 + 5, "{answered} answers in {took} s");
    assert!(asked > 3 * answered);
}
