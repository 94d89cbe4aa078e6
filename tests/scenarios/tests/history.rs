//! Proves on real Open vSwitch that what is installed depends on the state and not on how it came about: after random
//! histories of changes over REST, of interfaces that come and go, and of restarts, every switch has to the byte what the
//! stored state gives when it is compiled from scratch.
//!
//! Audits are off (an hour apart), so that no drift repair hides a change that was forgotten. `WEFT_SEED=<number>` runs
//! one history again.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use weft_api::{NetworkCreate, NetworkUpdate, PortCreate, PortUpdate, SubnetCreate};
use weft_client::{Answer, Client, ClientError};
use weft_model::{PortId, Snapshot};
use weft_rig::wait_until;
use weft_scenarios::{Datapaths, LIMIT, Site, SiteSpec, Tenancy, asked, check_installed, stored};

const STEPS: u32 = 300;
/// After how many steps everything is compared.
const STRETCH: u32 = 50;
const HOSTS: usize = 4;
const NETWORKS_MAX: usize = 6;
const PORTS_MAX: usize = 40;

/// A small generator of reproducible numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) >> 33).unwrap() % sides
    }

    fn coin(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.roll(from.len())].clone()) }
    }
}

/// What the history believes to be there.
struct History {
    site: Site,
    tenants: Vec<(String, Client)>,
    dice: Dice,
    /// Networks, and whose they are.
    networks: Vec<(String, usize)>,
    /// Ports, and in which of the networks.
    ports: Vec<(String, String)>,
    /// Interfaces: host, name, and the port that they claim to be.
    interfaces: Vec<(usize, String, String)>,
    named: u32,
    done: BTreeMap<&'static str, (u32, u32)>,
    highest: u64,
}

/// A random history of 300 steps; the switches are compared every 50 steps and at the end, and once more when the
/// controller has been killed and started again.
#[test]
fn installed_is_compiled_from_scratch_after_any_history() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = std::env::var("WEFT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(u64::from(now.subsec_micros()));
    println!("WEFT_SEED={seed}");
    let mut history = History::start(seed);
    for step in 1..=STEPS {
        history.step();
        if step % STRETCH == 0 {
            history.compare().unwrap_or_else(|error| panic!("WEFT_SEED={seed}, step {step}: {error:#}"));
        }
    }
    println!("steps (taken, refused): {:?}", history.done);
    let sent: Vec<u64> = history.sent();
    history.site.controller.kill9().unwrap();
    history.site.controller.start_again(LIMIT).unwrap();
    history.site.wait_connected().unwrap();
    history.compare().unwrap_or_else(|error| panic!("WEFT_SEED={seed}, at the end: {error:#}"));
    println!("flow messages to each host: {sent:?}");
    assert_eq!(
        history.sent(),
        vec![0; HOSTS],
        "WEFT_SEED={seed}: a restart with nothing changed sends nothing"
    );
    history.the_comparison_sees_a_hand().unwrap();
}

impl History {
    fn start(seed: u64) -> History {
        let spec = SiteSpec { datapaths: Datapaths::Dummy, ..SiteSpec::hosts(HOSTS) };
        let site = Site::build("history", spec.options(&["--audit-interval", "3600"])).unwrap();
        site.redial_soon().unwrap();
        let tenants = ["red", "green"].map(|name| {
            let tenancy = Tenancy::create(&site, name).unwrap();
            (tenancy.id, tenancy.client)
        });
        History {
            site,
            tenants: tenants.into(),
            dice: Dice(seed),
            networks: Vec::new(),
            ports: Vec::new(),
            interfaces: Vec::new(),
            named: 0,
            done: BTreeMap::new(),
            highest: 0,
        }
    }

    fn step(&mut self) {
        match self.dice.roll(100) {
            0..5 => self.create_network(),
            5..25 => self.create_port(),
            25..50 => self.plug(),
            50..60 => self.unplug(),
            60..65 => self.claim_another(),
            65..80 => self.update_port(),
            80..87 => self.delete_port(),
            87..93 => self.update_network(),
            93..95 => self.delete_network(),
            95..97 => self.restart_switch(),
            97..98 => self.restart_database(),
            _ => self.leave_and_join(),
        }
    }

    /// Counts an answer. Refusals are part of history; anything else that goes wrong is a fault.
    fn note<T>(&mut self, what: &'static str, answer: Result<Answer<T>>) -> Option<T> {
        let count = self.done.entry(what).or_default();
        match answer {
            Ok(Answer { value, revision }) => {
                count.0 += 1;
                self.highest = self.highest.max(revision);
                Some(value)
            }
            Err(error) => {
                let refusal = error.downcast_ref::<ClientError>().and_then(ClientError::refusal);
                assert!(refusal.is_some_and(|r| (400..500).contains(&r.status)), "{what}: {error:#}");
                count.1 += 1;
                None
            }
        }
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("n{}", self.named)
    }

    fn create_network(&mut self) {
        if self.networks.len() >= NETWORKS_MAX {
            return;
        }
        let tenant = self.dice.roll(self.tenants.len());
        let encap = self.dice.pick(&["vxlan", "vxlan", "geneve", "gre"]).unwrap();
        let new = NetworkCreate {
            name: Some(self.name()),
            project_id: Some(self.tenants[tenant].0.clone()),
            provider_network_type: Some(encap.to_owned()),
            ..NetworkCreate::default()
        };
        let answer = self.site.wait(self.site.admin.networks().create(&new));
        let Some(network) = self.note("create network", answer) else { return };
        // Every network has the same addresses; some have one family only.
        let cidrs = [&["10.0.0.0/24", "fd00::/64"][..], &["10.0.0.0/24"], &["fd00::/64"]];
        for cidr in self.dice.pick(&cidrs).unwrap() {
            let subnet = SubnetCreate {
                network_id: network.id.clone(),
                cidr: (*cidr).to_owned(),
                ..SubnetCreate::default()
            };
            let answer = self.site.wait(self.tenants[tenant].1.subnets().create(&subnet));
            self.note("create subnet", answer);
        }
        self.networks.push((network.id, tenant));
    }

    fn create_port(&mut self) {
        let Some((network, tenant)) = self.dice.pick(&self.networks) else { return self.create_network() };
        if self.ports.len() >= PORTS_MAX {
            return;
        }
        let new = PortCreate {
            network_id: network.clone(),
            name: Some(self.name()),
            admin_state_up: Some(self.dice.roll(8) > 0),
            port_security_enabled: Some(self.dice.roll(8) > 0),
            ..PortCreate::default()
        };
        let answer = self.site.wait(self.tenants[tenant].1.ports().create(&new));
        let Some(port) = self.note("create port", answer) else { return };
        self.ports.push((port.id, network));
    }

    /// Plugs an interface in: for a port that is free, for one that is claimed elsewhere as well, for one that never was.
    fn plug(&mut self) {
        let claimed: BTreeSet<&String> = self.interfaces.iter().map(|(_, _, port)| port).collect();
        let free: Vec<String> =
            self.ports.iter().map(|(id, _)| id.clone()).filter(|id| !claimed.contains(id)).collect();
        let any: Vec<String> = self.ports.iter().map(|(id, _)| id.clone()).collect();
        let nobody = "11111111-2222-3333-4444-555555555555".to_owned();
        let port = match self.dice.roll(12) {
            0 => Some(nobody),
            1 => self.dice.pick(&any),
            _ => self.dice.pick(&free),
        };
        let Some(port) = port else { return };
        let (host, name) = (self.dice.roll(HOSTS), self.name());
        self.site.hosts[host].add_dummy_port(&name, &port).unwrap();
        self.interfaces.push((host, name, port));
    }

    fn unplug(&mut self) {
        if self.interfaces.is_empty() {
            return;
        }
        let at = self.dice.roll(self.interfaces.len());
        let (host, name, port) = self.interfaces.swap_remove(at);
        self.site.hosts[host].vsctl(&["del-port", "br-int", &name]).unwrap();
        // Half of them have moved: here gone, there at once.
        if self.dice.coin() {
            let (host, name) = (self.dice.roll(HOSTS), self.name());
            self.site.hosts[host].add_dummy_port(&name, &port).unwrap();
            self.interfaces.push((host, name, port));
        }
    }

    /// An interface becomes another port's.
    fn claim_another(&mut self) {
        let Some((port, _)) = self.dice.pick(&self.ports) else { return };
        if self.interfaces.is_empty() {
            return;
        }
        let at = self.dice.roll(self.interfaces.len());
        let (host, name, claim) = &mut self.interfaces[at];
        let setting = format!("external_ids:iface-id={port}");
        self.site.hosts[*host].vsctl(&["set", "Interface", name, &setting]).unwrap();
        *claim = port;
    }

    fn update_port(&mut self) {
        let Some((id, network)) = self.dice.pick(&self.ports) else { return };
        let mut change = PortUpdate::default();
        match self.dice.roll(5) {
            0 => change.admin_state_up = Some(self.dice.coin()),
            1 => change.port_security_enabled = Some(self.dice.coin()),
            2 => change.mac_address = Some(format!("02:00:00:00:00:{:02x}", self.dice.roll(256))),
            3 => {
                let addresses = [
                    format!("10.0.0.{}", 100 + self.dice.roll(50)),
                    format!("fd00::{:x}", 256 + self.dice.roll(50)),
                ];
                let some = &addresses[self.dice.roll(2)..];
                change.fixed_ips = Some(asked(&some.iter().map(String::as_str).collect::<Vec<_>>()));
            }
            _ => change.name = Some(self.name()),
        }
        let client = self.client_of(&network);
        let answer = self.site.wait(client.ports().update(&id, &change));
        self.note("update port", answer);
    }

    fn client_of(&self, network: &str) -> &Client {
        let (_, tenant) = self.networks.iter().find(|(id, _)| id == network).unwrap();
        &self.tenants[*tenant].1
    }

    /// Interfaces that claim to be the port may stay.
    fn delete_port(&mut self) {
        if self.ports.is_empty() {
            return;
        }
        let at = self.dice.roll(self.ports.len());
        let (id, network) = self.ports.swap_remove(at);
        let answer = self.site.wait(self.client_of(&network).ports().delete(&id));
        self.note("delete port", answer).unwrap();
    }

    fn update_network(&mut self) {
        let Some((id, _)) = self.dice.pick(&self.networks) else { return };
        let change =
            NetworkUpdate { admin_state_up: Some(self.dice.roll(3) > 0), ..NetworkUpdate::default() };
        let answer = self.site.wait(self.client_of(&id).networks().update(&id, &change));
        self.note("update network", answer);
    }

    /// With all of its ports, or refused because of them.
    fn delete_network(&mut self) {
        let Some((id, _)) = self.dice.pick(&self.networks) else { return };
        if self.dice.coin() {
            let gone: Vec<String> = self
                .ports
                .iter()
                .filter(|(_, network)| *network == id)
                .map(|(port, _)| port.clone())
                .collect();
            for port in gone {
                let answer = self.site.wait(self.client_of(&id).ports().delete(&port));
                self.note("delete port", answer).unwrap();
            }
            self.ports.retain(|(_, network)| *network != id);
        }
        let answer = self.site.wait(self.client_of(&id).networks().delete(&id));
        if self.note("delete network", answer).is_some() {
            self.networks.retain(|(network, _)| *network != id);
        }
    }

    fn restart_switch(&mut self) {
        let host = self.dice.roll(HOSTS);
        self.site.hosts[host].kill9_vswitchd().unwrap();
        self.site.hosts[host].start_vswitchd().unwrap();
        self.done.entry("restart switch").or_default().0 += 1;
    }

    fn restart_database(&mut self) {
        let host = self.dice.roll(HOSTS);
        self.site.hosts[host].restart_ovsdb().unwrap();
        self.done.entry("restart database").or_default().0 += 1;
    }

    /// The VTEP moves to another address, and every tunnel to it with it.
    fn leave_and_join(&mut self) {
        let host = &self.site.hosts[self.dice.roll(HOSTS)];
        let setting = format!("external_ids:weft-encap-ip=192.0.2.{}", 1 + self.dice.roll(250));
        host.vsctl(&["set", "Open_vSwitch", ".", &setting]).unwrap();
        self.done.entry("move VTEP").or_default().0 += 1;
    }

    fn sent(&self) -> Vec<u64> {
        self.site.hosts.iter().map(|host| self.site.host_status(host).unwrap().flow_messages_sent).collect()
    }

    /// The stored state is what the history believes, and every switch has what it gives.
    fn compare(&mut self) -> Result<()> {
        self.site.wait_connected()?;
        self.site.wait_applied(self.highest)?;
        wait_until("the switches to have what the stored state gives", LIMIT, || {
            let snapshot = self.snapshot()?;
            self.check_claims(&snapshot)?;
            for host in &self.site.hosts {
                check_installed(host, &snapshot)?;
            }
            Ok(true)
        })
    }

    /// Without a controller, what a hand does stays, so a comparison that means anything must object.
    fn the_comparison_sees_a_hand(&mut self) -> Result<()> {
        self.site.controller.kill9()?;
        let (host, snapshot) = (&self.site.hosts[0], self.snapshot()?);
        let objection =
            || check_installed(host, &snapshot).err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(objection().is_empty(), "{}", objection());
        host.ofctl(&["add-flow", "br-int", "table=200,actions=drop"])?;
        ensure!(objection().contains("not wanted"), "{}", objection());
        host.ofctl(&["del-flows", "br-int", "table=200"])?;
        ensure!(objection().is_empty(), "{}", objection());
        host.ofctl(&["add-group", "br-int", "group_id=77,type=all,bucket=drop"])?;
        ensure!(objection().contains("group"), "{}", objection());
        host.ofctl(&["del-flows", "br-int", "table=0"])?;
        ensure!(objection().contains("missing"), "{}", objection());
        Ok(())
    }

    /// What a copy of the store holds; one that was made in the middle of a commit does not open and is made again.
    fn snapshot(&self) -> Result<Snapshot> {
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("store");
        std::fs::create_dir(&copy)?;
        for file in std::fs::read_dir(self.site.rig.run_dir().join("data/store"))? {
            let file = file?;
            std::fs::copy(file.path(), copy.join(file.file_name()))?;
        }
        stored(weft_store::Engine::Redb, &copy)
    }

    /// A port that is claimed by one interface is bound there, and one that is claimed by none is not bound.
    fn check_claims(&self, snapshot: &Snapshot) -> Result<()> {
        ensure!(snapshot.port_count() == self.ports.len(), "{} ports are stored", snapshot.port_count());
        for (id, _) in &self.ports {
            let claims: Vec<_> = self.interfaces.iter().filter(|(_, _, port)| port == id).collect();
            let bound = snapshot.binding(id.parse::<PortId>()?);
            let bound = bound.map(|binding| binding.host.to_string());
            let places: Vec<String> =
                claims.iter().map(|(host, ..)| self.site.hosts[*host].name().to_owned()).collect();
            let right = match &bound {
                Some(host) => places.contains(host),
                None => places.is_empty(),
            };
            ensure!(right, "port {id} is bound to {bound:?} and claimed on {places:?}");
        }
        Ok(())
    }
}
