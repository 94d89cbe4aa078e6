//! The floor: bridges of two flows on the same switches, beside Weft's and unknown to it.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::Result;
use weft_rig::{Host, Netns};
use weft_scenarios::Site;

use super::measure::Cell;
use super::{Path, Place};

/// A VNI that Weft does not come to here.
const VNI: &str = "16000000";

/// Two workloads on one host, and two on different hosts.
pub fn cells(site: &Site, mtu: u16) -> Result<Vec<Cell>> {
    let [h1, h2] = [&site.hosts[0], &site.hosts[1]];
    let near = [plug(site, h1, "br-near", (1, mtu))?, plug(site, h1, "br-near", (2, mtu))?];
    two_flows(h1, "br-near")?;
    let far = [plug(site, h1, "br-far", (3, mtu))?, plug(site, h2, "br-far", (4, mtu))?];
    for (host, peer) in [(h1, h2), (h2, h1)] {
        let ends = [
            format!("options:remote_ip={}", peer.underlay_ip()),
            format!("options:local_ip={}", host.underlay_ip()),
            format!("options:key={VNI}"),
        ];
        let [remote, local, key] = &ends;
        let tunnel = ["--", "set", "Interface", "vx-bare", "type=vxlan", remote, local, key];
        host.vsctl(&[&["add-port", "br-far", "vx-bare"], &tunnel[..]].concat())?;
        two_flows(host, "br-far")?;
    }
    let cell =
        |place, [from, to]: [Netns; 2], n| Cell::open(Path::Bare, place, from, (to, IpAddr::V4(address(n))));
    Ok(vec![cell(Place::SameHost, near, 2)?, cell(Place::OtherHost, far, 4)?])
}

/// A workload on a bridge, which is made when it is not there.
fn plug(site: &Site, host: &Host, bridge: &str, (n, mtu): (u8, u16)) -> Result<Netns> {
    if !host.output(&["ovs-vsctl", "br-exists", bridge])?.succeeded() {
        host.add_bridge(bridge)?;
    }
    let netns = site.rig.add_netns(&format!("bare{n}"))?;
    let (inside, outside) = (netns.name(), format!("b-{n}"));
    host.netns().ip(&format!(
        "link add name eth0 address 02:00:00:00:bb:{n:02x} mtu {mtu} netns {inside} type veth peer name {outside} mtu {mtu}\n\
         link set dev {outside} up\n"
    ))?;
    // As the rig does for its own: the userspace datapath fills in no checksum.
    netns.exec(&["ethtool", "-K", "eth0", "tx", "off", "tso", "off"])?;
    netns.ip(&format!("link set eth0 up\naddr add {}/24 dev eth0\n", address(n)))?;
    host.vsctl(&["add-port", bridge, &outside])?;
    Ok(netns)
}

/// What comes in by one of the bridge's two ports leaves by the other.
fn two_flows(host: &Host, bridge: &str) -> Result<()> {
    let ports = host.vsctl(&["list-ports", bridge])?;
    let ports: Vec<&str> = ports.lines().collect();
    let [one, other] = ports[..] else { anyhow::bail!("{bridge} has the ports {ports:?}, not two") };
    let number =
        |name| Ok::<_, anyhow::Error>(host.vsctl(&["get", "Interface", name, "ofport"])?.trim().to_owned());
    let (one, other) = (number(one)?, number(other)?);
    for (from, to) in [(&one, &other), (&other, &one)] {
        host.ofctl(&["add-flow", bridge, &format!("in_port={from},actions=output:{to}")])?;
    }
    Ok(())
}

fn address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 88, 0, n)
}
