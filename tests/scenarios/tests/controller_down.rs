//! Proves that the control plane may die and traffic may not: a controller killed under traffic loses no packet, and
//! started again it sends nothing to switches that have what they should have, with either store.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use weft_api::PortUpdate;
use weft_rig::OpenFlowLog;
use weft_scenarios::{LIMIT, NetworkSpec, Site, SiteSpec, Tenancy, Traffic};

/// Every message that could change a table.
const CHANGES: [&str; 5] =
    ["OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "OFPT_METER_MOD", "OFPT_BUNDLE_CONTROL", "OFPT_BUNDLE_ADD_MESSAGE"];

/// Zero lost packets, zero flow messages, and everything acknowledged is there: on redb.
#[test]
fn a_killed_controller_costs_nothing_with_redb() {
    killed_and_started_again("redb");
}

/// The same on sled.
#[test]
fn a_killed_controller_costs_nothing_with_sled() {
    killed_and_started_again("sled");
}

fn killed_and_started_again(store: &str) {
    let mut site =
        Site::build(&format!("down{store}"), SiteSpec::hosts(2).options(&["--store", store])).unwrap();
    site.redial_soon().unwrap();
    let red = Tenancy::create(&site, "red").unwrap();
    let network = red.network(&NetworkSpec::new("blue", &["10.0.0.0/24", "fd00::/64"])).unwrap();
    let ports = ["a", "b", "c"].map(|name| red.port(&network, name).unwrap());
    let a = site.attach(&site.hosts[0], "a", &ports[0]).unwrap();
    let b = site.attach(&site.hosts[1], "b", &ports[1]).unwrap();
    let c = site.attach(&site.hosts[1], "c", &ports[2]).unwrap();
    let client = red.client;
    site.rig.seed_tunnel_neighbours().unwrap();
    for target in [b.ipv4(), b.ipv6(), c.ipv4()] {
        a.wait_reaches(target.unwrap(), LIMIT).unwrap();
    }
    assert!(site.hosts.iter().all(|host| site.host_status(host).unwrap().flow_messages_sent > 0));
    let traffic = [b.ipv4(), b.ipv6()].map(|to| Traffic::start(&a, to.unwrap()).unwrap());

    // Ports that are bound nowhere concern no switch: acknowledged, and then killed at once.
    let new = |n: usize| Tenancy::new_port(&network, &format!("late{n}"));
    let late: Vec<_> = (0..20).map(new).collect();
    let late = site.wait(client.ports().create_many(&late)).unwrap().value;
    let heard: Vec<OpenFlowLog> = site.hosts.iter().map(|host| host.watch_openflow().unwrap()).collect();
    site.controller.kill9().unwrap();
    traffic.iter().for_each(|stream| stream.wait_more(100).unwrap());
    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    traffic.iter().for_each(|stream| stream.wait_more(50).unwrap());
    for (host, heard) in site.hosts.iter().zip(&heard) {
        let status = site.host_status(host).unwrap();
        assert_eq!((status.flow_messages_sent, status.drift_repaired), (0, 0), "{status:?}");
        assert!(status.flows > 0 && status.confirmed_revision > 0, "{status:?}");
        assert_eq!(heard.count(&CHANGES).unwrap(), 0, "{:?}", heard.messages().unwrap());
        assert!(heard.count(&["OFPST_FLOW_DESC", "OFPST_FLOW", "OFPT_FEATURES_REQUEST"]).unwrap() > 0);
    }
    let there: BTreeSet<String> =
        site.wait(client.ports().list(&[])).unwrap().value.into_iter().map(|p| p.id).collect();
    assert!(late.iter().chain(&ports).all(|port| there.contains(&port.id)));
    assert_eq!(there.len(), late.len() + ports.len());

    // A change that concerns switches, acknowledged and then killed at once: whether they heard of it or not, in the end
    // it is in force.
    let down = PortUpdate { admin_state_up: Some(false), ..PortUpdate::default() };
    let acknowledged = site.wait(client.ports().update(&ports[2].id, &down)).unwrap().revision;
    site.controller.kill9().unwrap();
    site.controller.start_again(LIMIT).unwrap();
    site.wait_connected().unwrap();
    site.wait_applied(acknowledged).unwrap();
    assert!(a.ping(c.ipv4().unwrap(), 3).unwrap().none());
    assert_eq!(site.wait(client.ports().show(&ports[2].id)).unwrap().value.status, "DOWN");

    traffic.iter().for_each(|stream| stream.wait_more(50).unwrap());
    for stream in &traffic {
        assert_eq!(stream.lost().unwrap(), Vec::<u32>::new(), "of {}", stream.answers().unwrap());
    }
}
