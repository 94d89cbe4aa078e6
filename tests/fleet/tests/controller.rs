//! Proves that the real controller brings simulated hosts up, and that what it does to them is what a fleet can check:
//! equal tables, repaired drift, silence when nothing changed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weft_fleet::*;
use weft_rig::{Cmd, Process};

const WITHIN: Duration = Duration::from_secs(30);
const HOSTS: u32 = 12;

/// A controller process on loopback.
struct Controller {
    data: PathBuf,
    api: SocketAddr,
    ovsdb: SocketAddr,
    openflow: SocketAddr,
    process: Process,
}

impl Controller {
    fn start(data: &Path) -> Controller {
        let taken = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [api, ovsdb, openflow] = taken.map(|listener| listener.local_addr().unwrap());
        let data = data.to_owned();
        let process = run(&data, [api, ovsdb, openflow]);
        let mut controller = Controller { data, api, ovsdb, openflow, process };
        controller.ready();
        controller
    }

    fn restart(&mut self) {
        self.process.kill9().unwrap();
        self.process = run(&self.data, [self.api, self.ovsdb, self.openflow]);
        self.ready();
    }

    fn ready(&mut self) {
        let api = self.api;
        self.process.wait_for("the controller", WITHIN, |_| Ok(TcpStream::connect(api).is_ok())).unwrap();
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.api).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.0\r\nHost: weft\r\nConnection: close\r\n");
        let kind = "Content-Type: application/json\r\n";
        write!(stream, "{head}{kind}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// What a failed test has to show.
    fn tell(&self) {
        eprintln!("{:#}", self.hosts()[0]);
        eprintln!("{:#}", self.ask("GET", "/v2.0/ports?limit=1", &Value::Null));
        eprintln!("{}", self.process.log().unwrap_or_default());
    }

    fn hosts(&self) -> Vec<Value> {
        self.ask("GET", "/v1/hosts", &Value::Null)["hosts"].as_array().unwrap().clone()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
    }
}

fn run(data: &Path, [api, ovsdb, openflow]: [SocketAddr; 3]) -> Process {
    let test = std::env::current_exe().unwrap();
    let mut folders = test.ancestors().skip(1).take(3).map(|folder| folder.join("weft-controller"));
    let program = folders.find(|path| path.is_file()).expect("`cargo build --workspace --bins` comes first");
    let text = |value: SocketAddr| value.to_string();
    let args = [
        ("--data-dir", data.display().to_string()),
        ("--api-listen", text(api)),
        ("--ovsdb-listen", text(ovsdb)),
        ("--openflow-listen", text(openflow)),
        ("--audit-interval", "1".into()),
    ];
    let args = args.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let cmd = Cmd::new(program).args(args.chain(["--no-auth".to_owned()]));
    Process::start_logged(&cmd, &data.join("controller.log")).unwrap()
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + WITHIN;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A network with a port on every host.
fn populate(controller: &Controller, fleet: &Fleet) {
    let tenant = controller.ask("POST", "/v1/tenants", &json!({"tenant": {"name": "t"}}));
    let tenant = &tenant["tenant"]["id"];
    let network = json!({"network": {"name": "n", "project_id": tenant}});
    let network = controller.ask("POST", "/v2.0/networks", &network);
    let id = network["network"]["id"].as_str().unwrap().to_owned();
    let subnet =
        json!({"subnet": {"network_id": id, "project_id": tenant, "ip_version": 4, "cidr": "10.0.0.0/24"}});
    controller.ask("POST", "/v2.0/subnets", &subnet);
    for host in 0..HOSTS {
        let port =
            controller.ask("POST", "/v2.0/ports", &json!({"port": {"network_id": id, "project_id": tenant}}));
        fleet.plug(host, "tap0", port["port"]["id"].as_str().unwrap());
    }
    wait_for("every port in force", || {
        let ports = controller.ask("GET", "/v2.0/ports", &Value::Null);
        let ports = ports["ports"].as_array().unwrap();
        ports.len() == HOSTS as usize && ports.iter().all(|port| port["status"] == "ACTIVE")
    });
}

fn settle(controller: &Controller, fleet: &Fleet) -> Vec<(u32, Digest)> {
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
    let data = tempfile::Builder::new().prefix("weft-fleet-").tempdir().unwrap();
    let mut controller = Controller::start(data.path());
    let spec = FleetSpec {
        hosts: HOSTS,
        ovsdb: Some(controller.ovsdb),
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
