//! Proves that the real controller brings simulated hosts up, and that what it does to them is what a fleet can check:
//! equal tables, repaired drift, silence when nothing changed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use weft_fleet::*;
use weft_scenarios::simulated::{Controller, Http, Listen};

const WITHIN: Duration = Duration::from_secs(30);
const HOSTS: u32 = 12;

/// A controller on loopback, and how a test asks it.
struct Asked {
    /// None only while it is being restarted.
    controller: Option<Controller>,
    listen: Listen,
    data: TempDir,
}

impl Asked {
    fn start() -> Asked {
        let data = tempfile::Builder::new().prefix("weft-fleet-").tempdir().unwrap();
        let mut asked = Asked { controller: None, listen: Listen::free().unwrap(), data };
        asked.restart();
        asked
    }

    fn restart(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.kill().unwrap();
        }
        let options = ["--audit-interval", "1"];
        self.controller = Some(Controller::start(self.data.path(), self.listen, &options).unwrap());
    }

    fn http(&self) -> Http {
        self.controller.as_ref().unwrap().http().unwrap()
    }

    fn get(&self, path: &str) -> Value {
        self.http().get(path).unwrap().json().unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.http().post(path, &body.to_string()).unwrap().json().unwrap()
    }

    /// What a failed test has to show.
    fn tell(&self) {
        let Some(controller) = &self.controller else { return };
        eprintln!("{:#}", self.hosts()[0]);
        eprintln!("{:#}", self.get("/v2.0/ports?limit=1"));
        eprintln!("{}", controller.log());
    }

    fn hosts(&self) -> Vec<Value> {
        self.get("/v1/hosts")["hosts"].as_array().unwrap().clone()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A network with a port on every host.
fn populate(controller: &Asked, fleet: &Fleet) {
    let tenant = controller.post("/v1/tenants", &json!({"tenant": {"name": "t"}}));
    let tenant = &tenant["tenant"]["id"];
    let network = json!({"network": {"name": "n", "project_id": tenant}});
    let network = controller.post("/v2.0/networks", &network);
    let id = network["network"]["id"].as_str().unwrap().to_owned();
    let subnet =
        json!({"subnet": {"network_id": id, "project_id": tenant, "ip_version": 4, "cidr": "10.0.0.0/24"}});
    controller.post("/v2.0/subnets", &subnet);
    for host in 0..HOSTS {
        let port = controller.post("/v2.0/ports", &json!({"port": {"network_id": id, "project_id": tenant}}));
        fleet.plug(host, "tap0", port["port"]["id"].as_str().unwrap());
    }
    wait_for("every port in force", || {
        let ports = controller.get("/v2.0/ports");
        let ports = ports["ports"].as_array().unwrap();
        ports.len() == HOSTS as usize && ports.iter().all(|port| port["status"] == "ACTIVE")
    });
}

fn settle(controller: &Asked, fleet: &Fleet) -> Vec<(u32, Digest)> {
    // In force for every port's own host is not yet in force everywhere: wait until nobody owes anything.
    let newest = || controller.hosts().iter().filter_map(|h| h["confirmed_revision"].as_u64()).max();
    wait_for("every host to confirm", || {
        let (hosts, newest) = (controller.hosts(), newest());
        hosts.len() == HOSTS as usize
            && hosts
                .iter()
                .all(|host| host["status"] == "UP" && host["confirmed_revision"].as_u64() == newest)
    });
    fleet.digests(Hosts::All)
}

#[test]
fn the_controller_serves_a_fleet() {
    let mut controller = Asked::start();
    let spec = FleetSpec {
        hosts: HOSTS,
        ovsdb: Some(controller.listen.ovsdb),
        reconnect: Reconnect::AtOnce,
        ..FleetSpec::default()
    };
    let fleet = Fleet::start(spec).unwrap();
    let connected = fleet.expect(Hosts::All, Condition::Connected).wait(WITHIN);
    assert!(connected.is_complete(), "{} hosts did not come", connected.missing);
    let before = settle(&controller, &fleet);
    populate(&controller, &fleet);
    let held = settle(&controller, &fleet);
    for ((host, old), (_, new)) in before.iter().zip(&held) {
        assert!(new.flows() >= old.flows() + u64::from(HOSTS), "host {host}: {old:?} {new:?}");
        assert!(new.groups > 0, "host {host} has nothing to flood with");
    }

    // Somebody deletes all flows of one host: they come back.
    fleet.fault(Hosts::One(3), Fault::Meddle(openflow::flow_mod::deleting_everything()));
    let holds = Condition::Holds(std::sync::Arc::new(held.iter().cloned().collect()));
    assert!(fleet.expect(Hosts::One(3), holds.clone()).wait(WITHIN).is_complete(), "drift is not repaired");

    // Somebody adds a flow: it goes.
    fleet.fault(Hosts::One(4), Fault::Meddle(openflow::flow_mod::adding_drop(0, 0xffff, 7)));
    assert!(fleet.digests(Hosts::One(4))[0].1 != held[4].1);
    assert!(fleet.expect(Hosts::One(4), holds.clone()).wait(WITHIN).is_complete(), "a strange flow stays");

    // The switch restarts: everything comes back.
    fleet.fault(Hosts::One(5), Fault::RestartSwitch);
    assert!(fleet.expect(Hosts::One(5), holds.clone()).wait(WITHIN).is_complete(), "nothing after a restart");

    // The controller restarts: nothing is sent.
    let told = fleet.status().counters;
    controller.restart();
    let read = |status: &Status| status.counters.messages[usize::from(openflow::MULTIPART_REQUEST)];
    wait_for("read-backs", || read(&fleet.status()) >= told.messages[18] + HOSTS * 2);
    settle(&controller, &fleet);
    let now = fleet.status().counters;
    assert_eq!((now.flow_mods, now.group_mods), (told.flow_mods, told.group_mods));
    assert_eq!(fleet.digests(Hosts::All), held);

    // Everybody leaves: what is left is what was there before.
    for host in 0..HOSTS {
        fleet.unplug(host, "tap0");
    }
    let empty = Condition::Holds(std::sync::Arc::new(before.into_iter().collect()));
    let left = fleet.expect(Hosts::All, empty).wait(WITHIN);
    assert!(left.is_complete(), "{} hosts keep something", left.missing);
    let counters = fleet.status().counters;
    assert_eq!((counters.unsupported, counters.errors), (0, 0));
}
