//! What must be installed and allowed before a rig can be built.
use std::env;
use std::path::Path;

use anyhow::{Result, bail};
use nix::unistd::Uid;

/// Each program the rig runs, and the Debian package that has it.
const TOOLS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("ovsdb-tool", "openvswitch-common"),
    ("ovsdb-server", "openvswitch-common"),
    ("ovs-vswitchd", "openvswitch-switch"),
    ("ovs-vsctl", "openvswitch-switch"),
    ("ovs-ofctl", "openvswitch-common"),
    ("ethtool", "ethtool"),
    ("tcpdump", "tcpdump"),
    ("ping", "iputils-ping"),
];

/// The OVSDB schema that the package of Open vSwitch installs.
pub(crate) const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// Refuses to go on without root or without one of the tools, naming the packages to install.
pub(crate) fn check() -> Result<()> {
    if !Uid::effective().is_root() {
        bail!("the rig makes network namespaces and runs Open vSwitch: it needs root");
    }
    let mut packages: Vec<&str> =
        TOOLS.iter().filter(|(tool, _)| !on_path(tool)).map(|(_, package)| *package).collect();
    if !Path::new(SCHEMA).exists() {
        packages.push("openvswitch-switch");
    }
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        bail!(
            "the rig needs these Debian packages: {} (tests/tools/install installs them)",
            packages.join(" ")
        );
    }
    Ok(())
}

fn on_path(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}
