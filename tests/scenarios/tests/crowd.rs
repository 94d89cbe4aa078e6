//! Proves that a host which is told of new tunnels while it still takes earlier ones takes each of them once: nothing that
//! the controller asks of its OVSDB is ever refused.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use weft_rig::wait_until;
use weft_scenarios::{Datapaths, LIMIT, NetworkSpec, Site, SiteSpec, Tenancy};

const HOSTS: usize = 8;
const ROUNDS: usize = 3;

#[test]
fn hosts_that_meet_one_after_another_take_every_tunnel_once() {
    let spec = SiteSpec { datapaths: Datapaths::Dummy, ..SiteSpec::hosts(HOSTS) };
    let site = Site::build("crowd", spec).unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("net", &["10.0.0.0/24"])).unwrap();
    let ports: Vec<_> = (0..HOSTS).map(|n| red.port(&network, &format!("p{n}")).unwrap()).collect();
    for _ in 0..ROUNDS {
        for (host, port) in site.hosts.iter().zip(&ports) {
            host.add_dummy_port("tap0", &port.id).unwrap();
        }
        ports.iter().for_each(|port| site.wait_active(&port.id).unwrap());
        let revision = site.wait(site.admin.hosts().list(&[])).unwrap().revision;
        site.wait_applied(revision).unwrap();
        for host in &site.hosts {
            let status = site.host_status(host).unwrap();
            assert_eq!(status.tunnels.len(), HOSTS - 1, "{status:?}");
        }
        for host in &site.hosts {
            host.vsctl(&["del-port", "br-int", "tap0"]).unwrap();
        }
        for port in &ports {
            wait_until("the port to be unbound", LIMIT, || {
                Ok(site.wait(site.admin.ports().show(&port.id))?.value.status != "ACTIVE")
            })
            .unwrap();
        }
    }
    let log = site.controller.log().unwrap();
    let refused = log.lines().filter(|line| line.contains("refused a transaction"));
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<&str>::new());
}
