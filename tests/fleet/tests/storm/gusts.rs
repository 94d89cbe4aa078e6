//! Single things that happen: what tenants write, what operators and container plumbing do, what breaks.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use weft_controller::populate::{interface, number, port_id, tenant_id};
use weft_fleet::openflow::flow_mod::{adding_drop, deleting_everything};
use weft_fleet::ovsdb::LocalChange;
use weft_fleet::{Fault, Hosts, Side};
use weft_model::{NetworkId, PortId};
use weft_scenarios::simulated::{Http, plugging};

use crate::random::Random;
use crate::world::{Meant, World};

/// How many ports the large request makes.
const BULK: usize = 1_000;
/// How many of them are plugged in.
const BULK_PLUGGED: usize = 150;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gust {
    /// A port is set down, or up again.
    Toggle,
    /// A port is created and plugged in.
    Create,
    /// A port is deleted; its interface stays or goes.
    Delete,
    /// A workload moves to another host.
    Move,
    /// A workload is unplugged.
    Unplug,
    /// A network is set down and up again.
    Flap,
    /// All ports of a network are deleted, then the network.
    DeleteNetwork,
    /// A network is created with a subnet and ports on many hosts.
    CreateNetwork,
    /// A thousand ports in one request.
    Bulk,
    /// A host is switched off.
    Die,
    /// A host falls silent without a word.
    FallSilent,
    /// The connections of a host break.
    Break,
    /// A switch restarts with empty tables.
    RestartSwitch,
    /// The ovsdb-server of a host restarts.
    RestartDatabase,
    /// Somebody adds a flow by hand.
    AddFlow,
    /// Somebody deletes all flows by hand.
    DeleteFlows,
    /// Somebody deletes a tunnel by hand.
    CutTunnel,
}

impl Gust {
    /// What only disturbs hosts: no tenant asked for anything.
    pub const TROUBLE: [Gust; 8] = [
        Gust::Die,
        Gust::FallSilent,
        Gust::Break,
        Gust::RestartSwitch,
        Gust::RestartDatabase,
        Gust::AddFlow,
        Gust::DeleteFlows,
        Gust::CutTunnel,
    ];

    /// What tenants and plumbing ask for, with how often in a storm.
    pub const WISHES: [(Gust, usize); 9] = [
        (Gust::Toggle, 30),
        (Gust::Create, 20),
        (Gust::Delete, 15),
        (Gust::Move, 20),
        (Gust::Unplug, 5),
        (Gust::Flap, 2),
        (Gust::DeleteNetwork, 2),
        (Gust::CreateNetwork, 1),
        (Gust::Bulk, 1),
    ];
}

/// Makes things happen.
pub struct Weather<'a> {
    /// To whom.
    pub world: &'a mut World,
    /// The API.
    pub http: Http,
    /// Which ones.
    pub random: Random,
    /// Hosts that are switched off or silent.
    pub gone: Vec<u32>,
    /// Hosts that are left to others.
    pub spared: Vec<u32>,
}

impl<'a> Weather<'a> {
    /// With a seed.
    pub fn new(world: &'a mut World, seed: u64) -> Result<Weather<'a>> {
        let http = world.http()?;
        Ok(Weather { world, http, random: Random(seed), gone: Vec::new(), spared: Vec::new() })
    }

    /// Makes one thing happen.
    pub fn blow(&mut self, gust: Gust) -> Result<()> {
        let outcome = match gust {
            Gust::Toggle => self.toggle(),
            Gust::Create => self.create(),
            Gust::Delete => self.delete(),
            Gust::Move => self.move_one(),
            Gust::Unplug => self.unplug(),
            Gust::Flap => self.flap(),
            Gust::DeleteNetwork => self.delete_network(),
            Gust::CreateNetwork => self.create_network(0).map(drop),
            Gust::Bulk => self.bulk(),
            trouble => {
                let host = self.host();
                self.trouble(trouble, host)
            }
        };
        outcome.with_context(|| format!("{gust:?}"))
    }

    /// Makes one thing happen to a host.
    pub fn trouble(&mut self, gust: Gust, host: u32) -> Result<()> {
        let fleet = &self.world.fleet;
        let fault = |fault| fleet.fault(Hosts::One(host), fault);
        match gust {
            Gust::Die | Gust::FallSilent if self.gone.contains(&host) => {}
            Gust::Die => {
                fault(Fault::Leave);
                self.gone.push(host);
            }
            Gust::FallSilent => {
                fault(Fault::HalfOpen);
                self.gone.push(host);
            }
            Gust::Break => [Side::Database, Side::OpenFlow].map(Fault::Close).into_iter().for_each(fault),
            Gust::RestartSwitch => fault(Fault::RestartSwitch),
            Gust::RestartDatabase => fault(Fault::Close(Side::Database)),
            Gust::AddFlow => fault(Fault::Meddle(adding_drop(0, 0xffff, 7))),
            Gust::DeleteFlows => fault(Fault::Meddle(deleting_everything())),
            Gust::CutTunnel => self.cut_tunnel(host)?,
            wish => anyhow::bail!("{wish:?} does not happen to a host"),
        }
        Ok(())
    }

    /// The hosts that were switched off or silent are there again.
    pub fn return_all(&mut self) {
        for host in std::mem::take(&mut self.gone) {
            for fault in [Fault::ReadAgain(Side::Database), Fault::ReadAgain(Side::OpenFlow), Fault::Return] {
                self.world.fleet.fault(Hosts::One(host), fault);
            }
        }
    }

    fn host(&mut self) -> u32 {
        loop {
            let host = self.random.below(self.world.hosts() as usize) as u32;
            if !self.spared.contains(&host) {
                return host;
            }
        }
    }

    fn port(&mut self) -> PortId {
        let at = self.random.below(self.world.meant.len());
        *self.world.meant.keys().nth(at).expect("below the count")
    }

    /// One of the networks with a few ports.
    fn network(&mut self) -> NetworkId {
        let wide = self.world.wide();
        loop {
            let port = self.port();
            let network = self.world.meant[&port].network;
            if Some(network) != wide {
                return network;
            }
        }
    }

    fn toggle(&mut self) -> Result<()> {
        let port = self.port();
        let is_up = !self.world.meant[&port].is_up;
        self.set_port(port, is_up)
    }

    /// Sets a port up or down.
    pub fn set_port(&mut self, port: PortId, is_up: bool) -> Result<()> {
        let body = json!({ "port": { "admin_state_up": is_up } });
        self.http.put(&format!("/v2.0/ports/{port}"), &body.to_string())?;
        self.world.meant.get_mut(&port).context("a port that exists")?.is_up = is_up;
        Ok(())
    }

    /// Sets a network up or down.
    pub fn set_network(&mut self, network: NetworkId, is_up: bool) -> Result<u64> {
        let body = json!({ "network": { "admin_state_up": is_up } });
        Ok(self.http.put(&format!("/v2.0/networks/{network}"), &body.to_string())?.revision)
    }

    fn create(&mut self) -> Result<()> {
        let network = self.network();
        let body = json!({ "port": { "network_id": network.to_string() } });
        let made = self.http.post("/v2.0/ports", &body.to_string())?.json()?;
        let port = self.made(network, &made["port"])?;
        let host = self.host();
        self.plug(port, host);
        Ok(())
    }

    fn made(&mut self, network: NetworkId, port: &Value) -> Result<PortId> {
        let id = port["id"].as_str().context("a port has an id")?.parse()?;
        self.world.meant.insert(id, Meant { network, is_up: true, host: None });
        Ok(id)
    }

    fn plug(&mut self, port: PortId, host: u32) {
        self.plug_all(&[(port, host)]);
    }

    fn plug_all(&mut self, places: &[(PortId, u32)]) {
        let plug = |(port, host): &(PortId, u32)| (*host, plugging(name(*port), *port));
        self.world.fleet.local(places.iter().map(plug).collect());
        for (port, host) in places {
            self.world.meant.get_mut(port).expect("a port that exists").host = Some(*host);
        }
    }

    fn take_out(&mut self, port: PortId, host: u32) {
        self.world.fleet.unplug(host, &name(port));
    }

    fn delete(&mut self) -> Result<()> {
        let port = self.port();
        let is_unplugged = self.random.below(2) == 0;
        self.delete_port(port, is_unplugged)
    }

    fn delete_port(&mut self, port: PortId, is_unplugged: bool) -> Result<()> {
        let meant = self.world.meant.remove(&port).context("a port that exists")?;
        self.http.delete(&format!("/v2.0/ports/{port}"))?;
        if let Some(host) = meant.host.filter(|_| is_unplugged) {
            self.take_out(port, host);
        }
        Ok(())
    }

    fn move_one(&mut self) -> Result<()> {
        let (port, to) = (self.port(), self.host());
        let from = self.world.meant[&port].host;
        if from != Some(to) {
            self.plug(port, to);
            from.into_iter().for_each(|from| self.take_out(port, from));
        }
        Ok(())
    }

    fn unplug(&mut self) -> Result<()> {
        let port = self.port();
        if let Some(host) = self.world.meant[&port].host {
            self.take_out(port, host);
            self.world.meant.get_mut(&port).expect("a port that exists").host = None;
        }
        Ok(())
    }

    fn flap(&mut self) -> Result<()> {
        let network = self.network();
        self.set_network(network, false)?;
        self.set_network(network, true)?;
        Ok(())
    }

    fn delete_network(&mut self) -> Result<()> {
        let network = self.network();
        let ports = self.world.meant.iter().filter(|(_, meant)| meant.network == network);
        let ports: Vec<PortId> = ports.map(|(port, _)| *port).collect();
        for port in ports {
            self.delete_port(port, false)?;
        }
        self.http.delete(&format!("/v2.0/networks/{network}"))?;
        Ok(())
    }

    /// A network of a tenant with ports on many hosts.
    pub fn create_network(&mut self, tenant: u32) -> Result<NetworkId> {
        let body = json!({ "network": { "name": "new", "project_id": tenant_id(tenant).to_string() } });
        let network: NetworkId = self.http.post("/v2.0/networks", &body.to_string())?.id()?.parse()?;
        let body = json!({ "subnet": {
            "network_id": network.to_string(), "ip_version": 4, "cidr": "192.168.0.0/16" } });
        self.http.post("/v2.0/subnets", &body.to_string())?;
        self.make_ports(network, 40, 40)?;
        Ok(network)
    }

    fn bulk(&mut self) -> Result<()> {
        let network = self.network();
        self.make_ports(network, BULK, BULK_PLUGGED)
    }

    fn make_ports(&mut self, network: NetworkId, count: usize, plugged: usize) -> Result<()> {
        let port = json!({ "network_id": network.to_string() });
        let before = self.http.get("/healthz")?.revision;
        let body = json!({ "ports": vec![port; count] });
        let made = self.http.post("/v2.0/ports", &body.to_string())?;
        ensure!(made.revision > before, "a write has a revision of its own");
        let body = made.json()?;
        let ports = body["ports"].as_array().context("many ports")?;
        ensure!(ports.len() == count, "{} of {count} ports", ports.len());
        let ports: Vec<PortId> = ports.iter().map(|port| self.made(network, port)).collect::<Result<_>>()?;
        let places: Vec<(PortId, u32)> =
            ports.iter().take(plugged).map(|port| (*port, self.host())).collect();
        self.plug_all(&places);
        Ok(())
    }

    /// Deletes one of a host's tunnels, as an operator would by mistake.
    fn cut_tunnel(&mut self, host: u32) -> Result<()> {
        if let Some(tunnel) = self.world.tunnels(&mut self.http, host)?.first() {
            let change = LocalChange::Unplug { name: tunnel.clone() };
            self.world.fleet.local(vec![(host, change)]);
        }
        Ok(())
    }
}

/// How a bad switch is bad.
pub const BAD: fn() -> [Fault; 3] = || {
    [
        Fault::Refuse(weft_fleet::Refuse::Everything),
        Fault::ReadOneBytePer(Side::OpenFlow, Duration::from_secs(1)),
        Fault::StopReading(Side::OpenFlow, None),
    ]
};

/// The name of the interface of a port.
fn name(port: PortId) -> String {
    let made = number(port.0);
    if port_id(made) == port { interface(made) } else { format!("t{}", &port.0.simple().to_string()[..12]) }
}
