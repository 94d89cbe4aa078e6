//! Attaching: a workload's interface is wired to a tenant's port, and everything is undone when that fails half-way.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};
use weft_api::{Network, Port, Subnet};

use crate::agent::Agent;
use crate::error::AgentError;
use crate::host_db::HostDb;
use crate::journal::{Journal, Undo, remove_link};
use crate::links::{self, Pair};
use crate::marks::{Attachment, IFACE_ID, Inside, Origin};
use crate::namespace::{Namespace, Place};
use crate::offload;
use crate::port_wish::{self, PortWish};
use crate::stop::Stop;
use crate::wiring::{Prefix, Route, Wiring};

/// The longest name of an interface.
const IFNAME_LIMIT: usize = 15;
/// The pauses between two looks at a port's status: short at first, as it is a matter of milliseconds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// What is wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A veth pair that the agent makes.
    Pair {
        /// The name of the host's end; made up from the port's id when not given.
        host_ifname: Option<String>,
    },
    /// A tap or veth of the host that is there.
    Taken {
        /// Its name.
        host_ifname: String,
    },
}

/// What to attach to what.
#[derive(Debug, Clone)]
pub struct AttachSpec {
    /// The port.
    pub port: PortWish,
    /// The interface.
    pub device: Device,
    /// The workload's end: its namespace and the interface's name there. A pair must have one.
    pub inside: Option<(Place, String)>,
    /// How long each wait may last: for the bridge, the interface, the port.
    pub patience: Duration,
}

/// What was attached.
#[derive(Debug, Clone, Serialize)]
pub struct Attached {
    /// The id of the port.
    pub port: String,
    /// The id of its network.
    pub network: String,
    /// Whether the agent made the port.
    pub made_port: bool,
    /// Its Ethernet address.
    pub mac: String,
    /// Its addresses with the lengths of their prefixes.
    pub addresses: Vec<Prefix>,
    /// The MTU of its network, in bytes.
    pub mtu: u32,
    /// The namespace, as it was named; null for a tap.
    pub netns: Option<String>,
    /// The name of the interface there.
    pub ifname: Option<String>,
    /// The name of the host's end.
    pub host_ifname: String,
    /// Its OpenFlow port number.
    pub ofport: i64,
    /// The port's status: `ACTIVE`, unless it is disabled.
    pub status: String,
    /// Routes that the workload does not have because its namespace has others with the same destination.
    pub routes_left_out: Vec<String>,
}

/// Attaches, or finds that it is attached already.
///
/// # Errors
/// See [`AgentError`]. Whatever was done before the error is undone.
pub async fn attach(agent: &Agent, spec: &AttachSpec, stop: &mut Stop) -> Result<Attached, AgentError> {
    let mut journal = Journal::default();
    let result = Attaching::begin(agent, spec, stop, &mut journal).await;
    if result.is_err() {
        journal.undo(agent).await;
    }
    result
}

/// An attachment on its way.
struct Attaching<'a> {
    agent: &'a Agent,
    spec: &'a AttachSpec,
    stop: &'a mut Stop,
    journal: &'a mut Journal,
    db: HostDb,
    namespace: Option<Namespace>,
    /// Offloads that a userspace datapath cannot make up for are turned off.
    offload: Offload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offload {
    Off,
    AsItIs,
}

impl<'a> Attaching<'a> {
    async fn begin(
        agent: &'a Agent,
        spec: &'a AttachSpec,
        stop: &'a mut Stop,
        journal: &'a mut Journal,
    ) -> Result<Attached, AgentError> {
        check_names(spec)?;
        let namespace = spec.inside.as_ref().map(|(place, _)| Namespace::open(place)).transpose()?;
        let mut db = stop.during(HostDb::open(&agent.db, spec.patience)).await?;
        let bridge = stop.during(db.bridge(spec.patience)).await?;
        let offload = if bridge.datapath_type == "netdev" { Offload::Off } else { Offload::AsItIs };
        let place = place_of(spec, namespace.as_ref());
        stop.during(db.lock(&place, spec.patience)).await?;
        Attaching { agent, spec, stop, journal, db, namespace, offload }.wire(&place).await
    }

    async fn wire(mut self, place: &str) -> Result<Attached, AgentError> {
        self.forget_what_is_gone().await?;
        let present = self.at_this_place();
        let (port, port_origin) = match &present {
            Some(attachment) => {
                let port = port_wish::confirm(self.agent, &self.spec.port, &attachment.port).await?;
                let occupied =
                    || AgentError::Occupied { place: attachment.place(), port: attachment.port.clone() };
                (port.ok_or_else(occupied)?, attachment.port_origin)
            }
            None => self.port().await?,
        };
        self.stop.check()?;
        let (network, subnets) = self.surroundings(&port).await?;
        let wiring = Wiring::of(&port, &network, &subnets)?;
        let attachment = match present {
            Some(attachment) => attachment,
            None => self.plan(&port, port_origin)?,
        };
        let is_plugged = self.db.interface(&attachment.host_ifname).is_some();
        if !is_plugged {
            self.make_device(&attachment, &wiring).await?;
        }
        let left_out = self.configure(&attachment, &wiring).await?;
        self.stop.check()?;
        if !is_plugged {
            let (host_ifname, port) = (attachment.host_ifname.clone(), attachment.port.clone());
            self.journal.note(Undo::Plugged { host_ifname, port });
            self.db.plug(&attachment).await?;
        }
        let ofport = self.stop.during(self.db.ofport(&attachment.host_ifname, self.spec.patience)).await?;
        self.db.unlock(place).await?;
        let status = self.wait_active(&port, &network).await?;
        Ok(report(&attachment, &port, &wiring, Outcome { ofport, status, left_out }))
    }

    /// An interface that vanished, as with its namespace or at a reboot, leaves its row behind. Rows that would be in
    /// our way go; the ports that were made for them stay for their places, or for `detach --gone`.
    async fn forget_what_is_gone(&mut self) -> Result<(), AgentError> {
        let wanted = match &self.spec.port {
            PortWish::Existing(text) => Some(self.agent.rest.ports().find(text).await?.value.id),
            PortWish::New { .. } => None,
        };
        for attachment in self.db.attachments() {
            let is_in_our_way = self.is_here(&attachment) || wanted.as_ref() == Some(&attachment.port);
            if is_in_our_way && is_gone(&attachment).await? {
                self.db.unplug(&attachment.host_ifname, &attachment.port).await?;
                let name = attachment.host_ifname;
                let without = |mirror: &weft_ovsdb::Mirror| {
                    let row = mirror.find::<weft_ovsdb::vswitch::Interface>(|row| row.name == name);
                    row.is_none().then_some(())
                };
                self.stop.during(self.db.until(self.spec.patience, without)).await?;
            }
        }
        Ok(())
    }

    /// What is attached at this place.
    fn at_this_place(&self) -> Option<Attachment> {
        self.db.attachments().into_iter().find(|attachment| self.is_here(attachment))
    }

    fn is_here(&self, attachment: &Attachment) -> bool {
        let same_inside = match (&self.namespace, &self.spec.inside, &attachment.inside) {
            (Some(namespace), Some((_, ifname)), Some(inside)) => {
                *namespace.id() == inside.id && *ifname == inside.ifname
            }
            _ => false,
        };
        let same_device = matches!(&self.spec.device,
            Device::Taken { host_ifname } if *host_ifname == attachment.host_ifname);
        same_inside || same_device
    }

    /// The port to attach: the one that was named, or one that is made.
    async fn port(&mut self) -> Result<(Port, Origin), AgentError> {
        match &self.spec.port {
            PortWish::Existing(text) => Ok((self.agent.rest.ports().find(text).await?.value, Origin::Taken)),
            PortWish::New { .. } => {
                let (_, root) = self.db.root()?;
                let host = root.external_ids.get("system-id").cloned().unwrap_or_default();
                let place = place_of(self.spec, self.namespace.as_ref());
                let device_id = format!("weft-agent/{host}/{place}");
                let used: Vec<String> = self.db.attachments().into_iter().map(|a| a.port).collect();
                self.journal.note(Undo::MadePort { device_id: device_id.clone() });
                let port = port_wish::make(self.agent, &self.spec.port, &device_id, &used).await?;
                Ok((port, Origin::Made))
            }
        }
    }

    async fn surroundings(&self, port: &Port) -> Result<(Network, Vec<Subnet>), AgentError> {
        let network = self.agent.rest.networks().show(&port.network_id).await?.value;
        let subnets = self.agent.rest.subnets().list(&[("network_id", &port.network_id)]).await?.value;
        Ok((network, subnets))
    }

    fn plan(&self, port: &Port, port_origin: Origin) -> Result<Attachment, AgentError> {
        let elsewhere = self.db.attachments().into_iter().find(|other| other.port == port.id);
        if let Some(other) = elsewhere {
            return Err(AgentError::Elsewhere { port: port.id.clone(), place: other.place() });
        }
        let (host_ifname, device) = match &self.spec.device {
            Device::Pair { host_ifname } => {
                (host_ifname.clone().unwrap_or_else(|| host_ifname_for(&port.id)), Origin::Made)
            }
            Device::Taken { host_ifname } => (host_ifname.clone(), Origin::Taken),
        };
        if let Some(row) = self.db.interface(&host_ifname) {
            return Err(match row.external_ids.get(IFACE_ID) {
                Some(bound) => AgentError::Occupied { place: host_ifname, port: bound.clone() },
                None => AgentError::InTheWay { name: host_ifname, place: "in a bridge".to_owned() },
            });
        }
        let inside = self.namespace.as_ref().zip(self.spec.inside.as_ref());
        let inside = inside.map(|(namespace, (_, ifname))| Inside {
            path: namespace.path().display().to_string(),
            id: namespace.id().clone(),
            ifname: ifname.clone(),
        });
        let mac = port.mac_address.clone();
        Ok(Attachment { port: port.id.clone(), mac, host_ifname, inside, device, port_origin })
    }

    /// Makes the veth pair, or finds what was named and sets it up.
    async fn make_device(&mut self, attachment: &Attachment, wiring: &Wiring) -> Result<(), AgentError> {
        let host_ifname = attachment.host_ifname.clone();
        let here = Namespace::here()?;
        if attachment.device == Origin::Taken {
            let up = async move |handle: &rtnetlink::Handle| match links::find(handle, &host_ifname).await? {
                Some(_) => links::set_up(handle, &host_ifname).await,
                None => Err(AgentError::NoInterface { name: host_ifname, place: "on this host".to_owned() }),
            };
            return here.within(up).await;
        }
        let (Some(namespace), Some(inside)) = (&self.namespace, &attachment.inside) else {
            return Err(AgentError::Wish("a veth pair needs a namespace for its other end".to_owned()));
        };
        if host_ifname == host_ifname_for(&attachment.port) {
            // A name that only we give, and no row has it: left behind by an agent that was killed.
            remove_link(&host_ifname).await?;
        }
        let (name, place) = (inside.ifname.clone(), inside.path.clone());
        let free = async move |handle: &rtnetlink::Handle| match links::find(handle, &name).await? {
            Some(_) => Err(AgentError::InTheWay { name, place: format!("in {place}") }),
            None => Ok(()),
        };
        namespace.within(free).await?;
        let pair = Pair {
            outside: host_ifname,
            inside: inside.ifname.clone(),
            mac: wiring.mac,
            mtu: wiring.mtu,
            namespace: namespace.raw(),
        };
        here.within(async move |handle| links::make_pair(handle, &pair).await).await?;
        self.journal.note(Undo::MadeLink(attachment.host_ifname.clone()));
        Ok(())
    }

    /// Gives the workload's end what its port has.
    async fn configure(&self, attachment: &Attachment, wiring: &Wiring) -> Result<Vec<Route>, AgentError> {
        let (Some(namespace), Some(inside)) = (&self.namespace, &attachment.inside) else {
            return Ok(Vec::new());
        };
        let (ifname, wiring, wanted) = (inside.ifname.clone(), wiring.clone(), self.offload);
        let work = async move |handle: &rtnetlink::Handle| {
            if wanted == Offload::Off {
                offload::disable(&ifname)?;
            }
            links::configure(handle, &ifname, &wiring).await
        };
        namespace.within(work).await
    }

    /// Waits until the controller says that the port is active; a disabled one never gets there.
    async fn wait_active(&mut self, port: &Port, network: &Network) -> Result<String, AgentError> {
        let patience = self.spec.patience;
        let end = Instant::now() + patience;
        let mut pause = SHORTEST_PAUSE;
        loop {
            let now = self.agent.rest.ports().show(&port.id).await?.value;
            if now.status == "ACTIVE" || !now.admin_state_up || !network.admin_state_up {
                return Ok(now.status);
            }
            if Instant::now() >= end {
                return Err(AgentError::NotActive { port: port.id.clone(), status: now.status, patience });
            }
            let wait = async {
                sleep(pause).await;
                Ok(())
            };
            self.stop.during(wait).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether the interface of an attachment is no longer there.
pub(crate) async fn is_gone(attachment: &Attachment) -> Result<bool, AgentError> {
    let name = attachment.host_ifname.clone();
    let find = async move |handle: &rtnetlink::Handle| links::find(handle, &name).await;
    Ok(Namespace::here()?.within(find).await?.is_none())
}

/// The place in words that two agents would both find: which namespace, not by which path.
fn place_of(spec: &AttachSpec, namespace: Option<&Namespace>) -> String {
    match (namespace, &spec.inside, &spec.device) {
        (Some(namespace), Some((_, ifname)), _) => format!("{}/{ifname}", namespace.id().0),
        (_, _, Device::Taken { host_ifname } | Device::Pair { host_ifname: Some(host_ifname) }) => {
            host_ifname.clone()
        }
        _ => String::new(),
    }
}

fn check_names(spec: &AttachSpec) -> Result<(), AgentError> {
    let host_ifname = match &spec.device {
        Device::Pair { host_ifname } => host_ifname.as_ref(),
        Device::Taken { host_ifname } => Some(host_ifname),
    };
    for name in spec.inside.iter().map(|(_, ifname)| ifname).chain(host_ifname) {
        let is_plain = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
        if name.is_empty() || name.len() > IFNAME_LIMIT || !name.chars().all(is_plain) {
            let text =
                format!("{name:?} cannot be the name of an interface: 1 to {IFNAME_LIMIT} plain characters");
            return Err(AgentError::Wish(text));
        }
    }
    Ok(())
}

/// The name of the host's end: short, stable, and different for ports that differ.
fn host_ifname_for(port: &str) -> String {
    let digits: String = port.chars().filter(char::is_ascii_alphanumeric).take(IFNAME_LIMIT - 3).collect();
    format!("wp-{digits}")
}

/// What came of it.
struct Outcome {
    ofport: i64,
    status: String,
    left_out: Vec<Route>,
}

fn report(attachment: &Attachment, port: &Port, wiring: &Wiring, outcome: Outcome) -> Attached {
    Attached {
        port: port.id.clone(),
        network: port.network_id.clone(),
        made_port: attachment.port_origin == Origin::Made,
        mac: port.mac_address.clone(),
        addresses: wiring.addresses.clone(),
        mtu: wiring.mtu,
        netns: attachment.inside.as_ref().map(|inside| inside.path.clone()),
        ifname: attachment.inside.as_ref().map(|inside| inside.ifname.clone()),
        host_ifname: attachment.host_ifname.clone(),
        ofport: outcome.ofport,
        status: outcome.status,
        routes_left_out: outcome.left_out.iter().map(|r| format!("{} via {}", r.to, r.via)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_host_ends_fit_and_differ() {
        let one = host_ifname_for("8f0e3c62-4d0f-4a52-9c3f-2f8e4d6f1a11");
        assert_eq!(one, "wp-8f0e3c624d0f");
        assert_eq!(one.len(), IFNAME_LIMIT);
        assert_ne!(one, host_ifname_for("8f0e3c62-4d1f-4a52-9c3f-2f8e4d6f1a11"));
    }

    #[test]
    fn names_that_no_interface_can_have_are_refused() {
        let spec = |name: &str| AttachSpec {
            port: PortWish::Existing("p".into()),
            device: Device::Taken { host_ifname: name.to_owned() },
            inside: None,
            patience: Duration::ZERO,
        };
        assert!(check_names(&spec("tap0")).is_ok());
        for wrong in ["", "a b", "a/b", "sixteen-letters-", "ä", "x\n"] {
            assert!(matches!(check_names(&spec(wrong)), Err(AgentError::Wish(_))), "{wrong:?}");
        }
    }
}
