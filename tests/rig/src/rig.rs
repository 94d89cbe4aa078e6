//! A rig: the underlay, the management network, the controller's namespace, and everything that is added to them.
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use nix::ifaddrs::getifaddrs;

use crate::host::{Datapath, Host, HostSpec};
use crate::netns::{Netns, ip_batch};
use crate::plan::{self, CONTROLLER, UNDERLAY_MTU, Underlay};
use crate::workload::{Workload, WorkloadSpec};
use crate::{sweep, tools};

/// Rigs made by this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);
/// When set, a rig that is dropped by a panic first copies its logs into this folder.
const LOGS_VARIABLE: &str = "WEFT_RIG_LOGS";

/// Sysctls of a namespace that must stay silent: the kernel of a host would otherwise answer tenants' ARP requests
/// for any of its own addresses, and send router solicitations into the bridges.
const SILENCE: [(&str, &str); 3] = [
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/default/arp_ignore", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
];

/// Hosts, workloads and the networks between them. Dropping it removes all of it, also during a panic.
#[derive(Debug)]
pub struct Rig {
    // Dropped first: it ends every process of the rig and removes the namespaces.
    run_dir: RunDir,
    id: String,
    family: Underlay,
    underlay: Netns,
    control: Netns,
    api: Ipv4Addr,
    members: Mutex<Members>,
}

/// What has been added so far.
#[derive(Debug, Default)]
struct Members {
    names: BTreeSet<String>,
    hosts: Vec<Host>,
    reserved: u16,
}

impl Rig {
    /// A rig with an IPv4 underlay and nothing in it. The hint becomes part of every name, for the human who looks.
    pub fn new(hint: &str) -> Result<Self> {
        Self::with_underlay(hint, Underlay::V4)
    }

    /// A rig with the given underlay and nothing in it. Needs root and the tools; an error names what is missing.
    pub fn with_underlay(hint: &str, family: Underlay) -> Result<Self> {
        tools::check()?;
        sweep::remove_stale(&std::env::temp_dir())?;
        let id = fresh_id(hint);
        let run_dir = RunDir::claim(&id)?;
        let underlay = Netns::named(&format!("{id}-ul"));
        let control = Netns::named(&format!("{id}-ctl"));
        let api = build_networks(&id, &underlay, &control)?;
        Ok(Rig { run_dir, id, family, underlay, control, api, members: Mutex::default() })
    }

    /// The id in every name of this rig, for example `wt-demo-1a2b.0`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder with everything the rig writes; it goes with the rig.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir.0
    }

    /// The namespace of the controller. Its ports 6640, 6653 and 9696 are free in every rig.
    pub fn control(&self) -> &Netns {
        &self.control
    }

    /// The namespace of the underlay. Its bridge `br0` sees every frame between hosts; its port `hN` leads to host N.
    pub fn underlay(&self) -> &Netns {
        &self.underlay
    }

    /// The address at which hosts reach the controller.
    pub fn controller_ip(&self) -> IpAddr {
        CONTROLLER.into()
    }

    /// What [`Host::join`] takes for a controller that listens for OVSDB on port 6640.
    pub fn manager_target(&self) -> String {
        format!("tcp:{CONTROLLER}:6640")
    }

    /// Where a client in the root namespace (the test itself) reaches a port of the controller's namespace.
    pub fn api_addr(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.api.into(), port)
    }

    /// The hosts so far, in the order of their numbers.
    pub fn hosts(&self) -> Vec<Host> {
        let mut hosts = self.members().hosts.clone();
        hosts.sort_by_key(Host::number);
        hosts
    }

    /// Adds a host and waits until its Open vSwitch runs. It has `br-phy` and no other bridge.
    pub fn add_host(&self, spec: HostSpec) -> Result<Host> {
        let number = self.reserve(&spec.name)?;
        let place = match spec.datapath {
            Datapath::Netdev => self.add_wired_netns(&spec.name, number)?,
            Datapath::Dummy => self.control.clone(),
        };
        let name = spec.name.clone();
        let host = Host::start(spec, number, self.family, self.run_dir(), place, self.underlay.clone());
        let host = host.with_context(|| format!("starting host {name}"))?;
        self.members().hosts.push(host.clone());
        Ok(host)
    }

    /// Adds several hosts, some at the same time, and returns them in the order of the specs.
    pub fn add_hosts(&self, specs: Vec<HostSpec>) -> Result<Vec<Host>> {
        let at_once = thread::available_parallelism().map_or(2, usize::from);
        let mut hosts = Vec::with_capacity(specs.len());
        let mut specs = specs.into_iter().peekable();
        while specs.peek().is_some() {
            let batch: Vec<HostSpec> = specs.by_ref().take(at_once).collect();
            let added: Vec<Result<Host>> = thread::scope(|scope| {
                let threads: Vec<_> =
                    batch.into_iter().map(|spec| scope.spawn(|| self.add_host(spec))).collect();
                threads.into_iter().map(|t| t.join().expect("adding a host does not panic")).collect()
            });
            for host in added {
                hosts.push(host?);
            }
        }
        Ok(hosts)
    }

    /// Adds a namespace and plugs it into a host's `br-int`, for which it waits.
    pub fn add_workload(&self, host: &Host, spec: WorkloadSpec) -> Result<Workload> {
        ensure!(
            host.datapath() == Datapath::Netdev,
            "host {} forwards nothing: it takes no workloads",
            host.name()
        );
        let netns = self.add_netns(&spec.name)?;
        let name = spec.name.clone();
        Workload::start(spec, netns, host).with_context(|| format!("starting workload {name}"))
    }

    /// Adds a namespace with nothing in it but loopback: a workload that something else is to wire.
    pub fn add_netns(&self, name: &str) -> Result<Netns> {
        self.take_name(name)?;
        let netns = self.make_netns(name)?;
        netns.ip("link set lo up\n")?;
        Ok(netns)
    }

    /// Tells every host the MAC of every other VTEP, so that no first packet is lost while Open vSwitch asks for it.
    /// The entries age out after 15 minutes, and a restarted `ovs-vswitchd` has none.
    pub fn seed_tunnel_neighbours(&self) -> Result<()> {
        let hosts: Vec<Host> =
            self.hosts().into_iter().filter(|h| h.datapath() == Datapath::Netdev).collect();
        for host in &hosts {
            for peer in hosts.iter().filter(|p| p.number() != host.number()) {
                let (ip, mac) = (peer.underlay_ip().to_string(), plan::vtep_mac(peer.number()));
                host.appctl(&["tnl/neigh/set", "br-phy", &ip, &mac])?;
            }
        }
        Ok(())
    }

    fn members(&self) -> std::sync::MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_name(&self, name: &str) -> Result<()> {
        plan::check_name(name)?;
        ensure!(self.members().names.insert(name.to_owned()), "the rig has a {name} already");
        Ok(())
    }

    /// Takes a host's name and gives it the next number, from 1.
    fn reserve(&self, name: &str) -> Result<u16> {
        self.take_name(name)?;
        let mut members = self.members();
        ensure!(members.reserved < plan::HOSTS_MAX, "a rig has at most {} hosts", plan::HOSTS_MAX);
        members.reserved += 1;
        Ok(members.reserved)
    }

    fn make_netns(&self, name: &str) -> Result<Netns> {
        let netns = Netns::named(&format!("{}-{name}", self.id));
        let _lock = sweep::machine_lock()?;
        ip_batch(None, &format!("netns add {}\n", netns.name()))?;
        Ok(netns)
    }

    /// A host's namespace: `eth0` in the underlay, `mgmt0` in the management network.
    fn add_wired_netns(&self, name: &str, number: u16) -> Result<Netns> {
        let netns = self.make_netns(name)?;
        netns.sysctls(&SILENCE)?;
        let (host, underlay, control) = (netns.name(), self.underlay.name(), self.control.name());
        let peer = format!("h{number}");
        ip_batch(
            None,
            &format!(
                "link add name eth0 mtu {UNDERLAY_MTU} netns {host} type veth peer name {peer} mtu {UNDERLAY_MTU} netns {underlay}\n\
                 link add name mgmt0 netns {host} type veth peer name {peer} netns {control}\n"
            ),
        )?;
        self.underlay.ip(&format!("link set dev {peer} master br0 up\n"))?;
        self.control.ip(&format!("link set dev {peer} master br0 up\n"))?;
        netns.ip(&format!(
            "link set lo up\nlink set eth0 up\nlink set mgmt0 up\naddr add {}/16 dev mgmt0\n",
            plan::management(number)
        ))?;
        Ok(netns)
    }
}

/// A run directory that removes its rig when it is dropped.
#[derive(Debug)]
struct RunDir(PathBuf);

impl RunDir {
    fn claim(id: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(id);
        // "/ovs-vswitchd.1234567.ctl" and a host's name still go behind it; a socket's path has 107 bytes.
        ensure!(path.as_os_str().len() < 60, "{} is too long for the unix sockets in it", path.display());
        sweep::claim(&path)?;
        Ok(RunDir(path))
    }

    /// Copies all `*.log` files to `folder/<rig>-<host>-<file>`.
    fn save_logs(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let rig = self.0.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut folders = vec![(rig, self.0.clone())];
        while let Some((prefix, from)) = folders.pop() {
            for entry in fs::read_dir(from)?.flatten() {
                let name = format!("{prefix}-{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    folders.push((name, entry.path()));
                } else if name.ends_with(".log") {
                    fs::copy(entry.path(), folder.join(name))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(folder) = std::env::var_os(LOGS_VARIABLE)
            && let Err(error) = self.save_logs(Path::new(&folder))
        {
            eprintln!("rig: the logs could not be saved: {error:#}");
        }
        if let Err(error) = sweep::remove(&self.0) {
            eprintln!("rig: {} was not removed: {error:#}", self.0.display());
        }
    }
}

/// `wt-<hint>-<pid in base 36>.<count>`: unique on this machine, and short.
fn fresh_id(hint: &str) -> String {
    let hint: String = hint.chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}{}-{}.{count}", sweep::PREFIX, hint.to_ascii_lowercase(), base36(std::process::id()))
}

fn base36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).expect("a remainder of 36 is a digit of base 36"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// Makes the two namespaces with their bridges, and the veth to the root namespace; returns the controller's end of it.
fn build_networks(id: &str, underlay: &Netns, control: &Netns) -> Result<Ipv4Addr> {
    let _lock = sweep::machine_lock()?;
    ip_batch(None, &format!("netns add {}\nnetns add {}\n", underlay.name(), control.name()))?;
    underlay.sysctls(&SILENCE)?;
    control.sysctls(&SILENCE)?;
    underlay.ip(&format!(
        "link set lo up\nlink add br0 mtu {UNDERLAY_MTU} type bridge mcast_snooping 0\nlink set br0 up\n"
    ))?;
    let [here, there] = free_pair()?;
    let outside = sweep::outside_interface(id);
    ensure!(outside.len() <= 15, "{outside} is too long for an interface");
    ip_batch(
        None,
        &format!(
            "link add name {outside} type veth peer name root0 netns {}\naddr add {here}/30 dev {outside}\n\
             link set dev {outside} up\n",
            control.name()
        ),
    )?;
    control.ip(&format!(
        "link set lo up\nlink add br0 type bridge mcast_snooping 0\naddr add {CONTROLLER}/16 dev br0\nlink set br0 up\n\
         addr add {there}/30 dev root0\nlink set root0 up\n"
    ))?;
    Ok(there)
}

/// The two usable addresses of a /30 in 10.254.0.0/16 that no interface of the root namespace touches.
fn free_pair() -> Result<[Ipv4Addr; 2]> {
    let taken: BTreeSet<u32> =
        getifaddrs()?.filter_map(|i| Some(i.address?.as_sockaddr_in()?.ip().to_bits() / 4)).collect();
    let base = Ipv4Addr::new(10, 254, 0, 0).to_bits();
    // Beginning at a place of its own, a process seldom meets another's choice.
    let begin = std::process::id() % (1 << 14);
    for step in 0..1 << 14 {
        let block = base + (begin + step) % (1 << 14) * 4;
        if !taken.contains(&(block / 4)) {
            return Ok([Ipv4Addr::from_bits(block + 1), Ipv4Addr::from_bits(block + 2)]);
        }
    }
    bail!("10.254.0.0/16 has no free /30 left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_plain_and_never_the_same() {
        let (a, b) = (fresh_id("My long rig name!"), fresh_id(""));
        assert!(a.starts_with("wt-mylongrign-") && b.starts_with("wt--"), "{a} {b}");
        assert_ne!(a.rsplit('-').next(), b.rsplit('-').next());
    }

    #[test]
    fn base_36_has_no_leading_zero() {
        assert_eq!(
            (base36(0), base36(35), base36(36), base36(4_194_304)),
            ("0".into(), "z".into(), "10".into(), "2hwcg".into())
        );
    }
}
