//! The operator's layer 2: a switch per physical network with a trunk to each host, and machines of which Weft knows nothing.

use std::net::IpAddr;

use anyhow::Result;
use weft_rig::{Capture, Host, HostSpec, Netns, wait_until};

use crate::site::{LIMIT, Site};

/// The physical networks, with the bridge that hosts reach each by.
pub const PHYSNETS: [(&str, &str); 2] = [("blue", "br-ex"), ("red", "br-data")];

/// Switches and trunks.
pub struct Fabric<'a> {
    /// Whose hosts are on it.
    pub site: &'a Site,
    /// Where the switches are, one bridge for each physical network, called like it.
    pub switch: Host,
}

impl<'a> Fabric<'a> {
    /// Cables, and bridges on the hosts; nothing of it is Weft's.
    pub fn build(site: &'a Site) -> Result<Fabric<'a>> {
        let switch = site.rig.add_host(HostSpec::new("fabric"))?;
        for (physnet, bridge) in PHYSNETS {
            add_bridge(&switch, physnet)?;
            for host in &site.hosts {
                let (near, far) = (format!("up-{physnet}"), format!("{physnet}-{}", host.name()));
                cable(host.netns(), &near, switch.netns(), &far)?;
                add_bridge(host, bridge)?;
                host.vsctl(&["add-port", bridge, &near])?;
                switch.vsctl(&["add-port", physnet, &far])?;
            }
        }
        Ok(Fabric { site, switch })
    }

    /// Tells a host's owner's mind: which bridge leads to which physical network. Waits until the controller knows.
    pub fn map(&self, host: &Host) -> Result<()> {
        let mappings: Vec<String> =
            PHYSNETS.iter().map(|(physnet, bridge)| format!("{physnet}:{bridge}")).collect();
        let mappings = format!("external_ids:weft-bridge-mappings={}", mappings.join(","));
        host.vsctl(&["set", "Open_vSwitch", ".", &mappings])?;
        wait_until("the controller to know the mappings", LIMIT, || {
            let known = self.site.host_status(host)?.bridge_mappings;
            Ok(PHYSNETS
                .iter()
                .all(|(physnet, bridge)| known.get(*physnet).is_some_and(|known| known == bridge)))
        })
    }

    /// A machine on a physical network that knows nothing of Weft, with these addresses and prefix lengths (`10.0.0.9/24`):
    /// on an access port of this VLAN, or on an untagged one.
    pub fn machine(&self, name: &str, physnet: &str, vlan: Option<u16>, addresses: &[&str]) -> Result<Netns> {
        let netns = self.site.rig.add_netns(name)?;
        let port = format!("m-{name}");
        cable(&netns, "eth0", self.switch.netns(), &port)?;
        netns.exec(&["ethtool", "-K", "eth0", "tx", "off", "tso", "off"])?;
        for address in addresses {
            let nodad = if address.contains(':') { " nodad" } else { "" };
            netns.ip(&format!("addr add {address} dev eth0{nodad}\n"))?;
        }
        let tag = vlan.map(|vlan| format!("tag={vlan}"));
        let access: Vec<&str> = ["add-port", physnet, &port].into_iter().chain(tag.as_deref()).collect();
        self.switch.vsctl(&access)?;
        Ok(netns)
    }

    /// Sees what passes between the switch and a host.
    pub fn tap(&self, physnet: &str, host: &Host) -> Result<Capture> {
        Capture::start(self.switch.netns(), &format!("{physnet}-{}", host.name()), "")
    }
}

/// A bridge that does what switches do.
pub fn add_bridge(host: &Host, name: &str) -> Result<()> {
    let kind = ["--", "set", "Bridge", name, "datapath_type=netdev", "fail_mode=standalone"];
    host.vsctl(&[&["add-br", name], &kind[..]].concat())?;
    Ok(())
}

/// A cable between two namespaces, with both ends up.
pub fn cable(here: &Netns, near: &str, there: &Netns, far: &str) -> Result<()> {
    here.ip(&format!(
        "link add name {near} type veth peer name {far} netns {}\nlink set {near} up\n",
        there.name()
    ))?;
    there.ip(&format!("link set {far} up\n"))
}

/// Gives a machine its default gateways.
pub fn route_by(machine: &Netns, gateways: &[IpAddr]) -> Result<()> {
    gateways.iter().try_for_each(|gateway| machine.ip(&format!("route add default via {gateway} dev eth0\n")))
}

/// Whether a ping gets through, of the few that are sent.
pub fn reaches(from: &Netns, to: &str, count: u32) -> Result<bool> {
    Ok(from.output(&["ping", "-n", "-c", &count.to_string(), "-i", "0.05", "-W", "1", to])?.succeeded())
}
