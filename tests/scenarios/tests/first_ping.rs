//! Proves the shortest whole path: a tenant's two ports on two hosts, plugged in, answer each other's pings over VXLAN.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use weft_scenarios::{LIMIT, NetworkSpec, Site, Tenancy};

#[test]
fn two_workloads_on_two_hosts_reach_each_other() {
    let site = Site::start("ping", 2).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let ports = ["a", "b"].map(|name| red.port(&network, name).unwrap());
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    a.wait_reaches(b.ipv4().unwrap(), LIMIT).unwrap();
    a.wait_reaches(b.ipv6().unwrap(), LIMIT).unwrap();
    assert!(a.ping(b.ipv4().unwrap(), 5).unwrap().all());
    assert!(b.ping(a.ipv6().unwrap(), 5).unwrap().all());
    for host in &site.hosts {
        println!("{}", host.vsctl(&["show"]).unwrap());
    }
}
