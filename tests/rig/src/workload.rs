//! A tenant's workload: a namespace with one veth that is plugged into a host's `br-int`.
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::command::Finished;
use crate::frame;
use crate::host::Host;
use crate::netns::{Netns, ip_batch};
use crate::ping::{Ping, PingResult, ping};
use crate::plan::WORKLOAD_MTU;
use crate::process::Process;
use crate::wait::wait_until;

/// The workload's own name for its interface.
const INSIDE: &str = "eth0";
/// How long a controller may take to make `br-int`.
const BRIDGE: Duration = Duration::from_secs(20);

/// What to build.
#[derive(Debug, Clone)]
pub struct WorkloadSpec {
    /// Up to 13 letters, digits and dashes.
    pub name: String,
    /// The id of the port it stands for: `external_ids:iface-id`.
    pub port_id: String,
    /// Its MAC address.
    pub mac: String,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its default gateways, at most one for each family.
    pub gateways: Vec<IpAddr>,
    /// Its MTU.
    pub mtu: u16,
    /// Whether it proves its IPv6 addresses to be its own before it uses them.
    pub dad: Dad,
}

/// Duplicate address detection of IPv6 (RFC 4862, section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dad {
    /// As a real workload does: an address is unusable for its first second or two.
    On,
    /// Addresses are usable at once.
    Off,
}

impl WorkloadSpec {
    /// A workload without addresses, with MTU 1500 and duplicate address detection.
    pub fn new(name: &str, port_id: &str, mac: &str) -> Self {
        WorkloadSpec {
            name: name.to_owned(),
            port_id: port_id.to_owned(),
            mac: mac.to_owned(),
            addresses: Vec::new(),
            gateways: Vec::new(),
            mtu: WORKLOAD_MTU,
            dad: Dad::On,
        }
    }

    /// Adds an address.
    pub fn address(mut self, address: impl Into<IpAddr>, prefix: u8) -> Self {
        self.addresses.push((address.into(), prefix));
        self
    }

    /// Adds a default gateway.
    pub fn gateway(mut self, gateway: impl Into<IpAddr>) -> Self {
        self.gateways.push(gateway.into());
        self
    }

    /// Sets the MTU.
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.mtu = mtu;
        self
    }

    /// Makes IPv6 addresses usable at once.
    pub fn without_dad(mut self) -> Self {
        self.dad = Dad::Off;
        self
    }
}

/// A workload. Dropping the value leaves it running; the rig removes it.
#[derive(Debug)]
pub struct Workload {
    spec: WorkloadSpec,
    netns: Netns,
    host: Option<Host>,
}

impl Workload {
    pub(crate) fn start(spec: WorkloadSpec, netns: Netns, host: &Host) -> Result<Self> {
        let mut workload = Workload { spec, netns, host: None };
        workload.plug(host)?;
        Ok(workload)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// What it was built from.
    pub fn spec(&self) -> &WorkloadSpec {
        &self.spec
    }

    /// Its namespace; its interface there is `eth0`.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The host it is plugged into.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The host's name for its end of the cable: the name in `ovs-vsctl show`.
    pub fn host_interface(&self) -> String {
        format!("v-{}", self.spec.name)
    }

    /// Its first address of IPv4.
    pub fn ipv4(&self) -> Option<IpAddr> {
        self.spec.addresses.iter().map(|(ip, _)| *ip).find(IpAddr::is_ipv4)
    }

    /// Its first address of IPv6.
    pub fn ipv6(&self) -> Option<IpAddr> {
        self.spec.addresses.iter().map(|(ip, _)| *ip).find(IpAddr::is_ipv6)
    }

    /// Sends `count` echo requests at once; answers are waited for one second.
    pub fn ping(&self, to: impl Into<IpAddr>, count: u32) -> Result<PingResult> {
        ping(&self.netns, to.into(), count)
    }

    /// Pings until one answer comes, for at most `limit`: for what is still being installed.
    pub fn wait_reaches(&self, to: impl Into<IpAddr>, limit: Duration) -> Result<()> {
        let to = to.into();
        wait_until(&format!("{} to reach {to}", self.name()), limit, || Ok(ping(&self.netns, to, 1)?.all()))
    }

    /// Starts pinging in the background.
    pub fn ping_on(&self, to: impl Into<IpAddr>, interval: Duration) -> Result<Ping> {
        Ping::start(&self.netns, to.into(), interval)
    }

    /// Runs a command in the workload; anything but exit code 0 is an error.
    pub fn exec(&self, argv: &[&str]) -> Result<String> {
        self.netns.exec(argv)
    }

    /// Runs a command in the workload and returns whatever it answered.
    pub fn output(&self, argv: &[&str]) -> Result<Finished> {
        self.netns.output(argv)
    }

    /// Starts a command in the workload; it is killed when the returned value is dropped.
    pub fn spawn(&self, argv: &[&str]) -> Result<Process> {
        self.netns.spawn(argv)
    }

    /// Sends one Ethernet frame, destination MAC first, whatever it claims to be.
    pub fn send_frame(&self, frame: &[u8]) -> Result<()> {
        frame::send(&self.netns, INSIDE, frame)
    }

    /// Waits until none of its IPv6 addresses is tentative any more; an address found in use elsewhere is an error.
    pub fn wait_addresses(&self, limit: Duration) -> Result<()> {
        wait_until(&format!("the addresses of {}", self.name()), limit, || {
            let tentative = self.netns.exec(&["ip", "-6", "-o", "addr", "show", "tentative"])?;
            ensure!(!tentative.contains("dadfailed"), "in use elsewhere: {tentative}");
            Ok(tentative.is_empty())
        })
    }

    /// Moves it to another host: unplugged there, plugged here, same MAC and addresses.
    pub fn move_to(&mut self, host: &Host) -> Result<()> {
        self.unplug()?;
        self.plug(host)
    }

    /// Takes it off its host; the namespace stays without an interface.
    pub fn unplug(&mut self) -> Result<()> {
        let host = self.host.take().context("it is not plugged in")?;
        host.vsctl(&["--if-exists", "del-port", "br-int", &self.host_interface()])?;
        self.netns.ip(&format!("link del {INSIDE}\n"))
    }

    /// Plugs it into a host, whose `br-int` it waits for.
    pub fn plug(&mut self, host: &Host) -> Result<()> {
        ensure!(self.host.is_none(), "{} is plugged in already", self.name());
        let (inside, outside) = (self.netns.name(), self.host_interface());
        let WorkloadSpec { mac, mtu, .. } = &self.spec;
        ip_batch(
            None,
            &format!(
                "link add name {INSIDE} address {mac} mtu {mtu} netns {inside} type veth peer name {outside} mtu {mtu} netns {}\n",
                host.netns_name()
            ),
        )?;
        // Nobody would fill in the checksum that the workload leaves to its hardware: ping works, TCP does not.
        self.netns.exec(&["ethtool", "-K", INSIDE, "tx", "off", "tso", "off"])?;
        host.netns().ip(&format!("link set dev {outside} up\n"))?;
        wait_until("br-int", BRIDGE, || Ok(host.output(&["ovs-vsctl", "br-exists", "br-int"])?.succeeded()))?;
        let iface_id = format!("external_ids:iface-id={}", self.spec.port_id);
        let attached = format!("external_ids:attached-mac=\"{mac}\"");
        let interface = ["--", "set", "Interface", &outside, &iface_id, &attached];
        host.vsctl(&[&["add-port", "br-int", &outside], &interface[..]].concat())?;
        self.host = Some(host.clone());
        self.netns.ip(&self.addressing())
    }

    /// The lines for `ip` that give the interface its addresses and routes.
    fn addressing(&self) -> String {
        let mut lines = format!("link set lo up\nlink set {INSIDE} up\n");
        for (ip, prefix) in &self.spec.addresses {
            let nodad = if ip.is_ipv6() && self.spec.dad == Dad::Off { " nodad" } else { "" };
            lines += &format!("addr add {ip}/{prefix} dev {INSIDE}{nodad}\n");
        }
        for gateway in &self.spec.gateways {
            lines += &format!("route add default via {gateway} dev {INSIDE}\n");
        }
        lines
    }
}
