//! Who has which address inside a rig, and the checks on names.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Result, bail};

/// The longest name of a host or a workload: interface names have 15 bytes, and a prefix is put before it.
const NAME_LEN_MAX: usize = 13;
/// The largest number of hosts in one rig.
pub(crate) const HOSTS_MAX: u16 = 4000;
/// MTU of the underlay: 1500 for the workloads, and room for an outer header over IPv4 or IPv6.
pub(crate) const UNDERLAY_MTU: u16 = 1600;
/// MTU of a workload unless it asks for another.
pub(crate) const WORKLOAD_MTU: u16 = 1500;

/// The address families that the underlay carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Underlay {
    /// VTEPs have IPv4 addresses.
    V4,
    /// VTEPs have both; the IPv6 address is the one a host announces.
    V6,
}

/// The controller's address in the management network.
pub(crate) const CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

/// The management address of the host with this number.
pub(crate) fn management(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 99, 16 + high, low)
}

/// The IPv4 VTEP address of the host with this number.
pub(crate) fn vtep4(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(172, 31, high, low)
}

/// The IPv6 VTEP address of the host with this number.
pub(crate) fn vtep6(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd31, 0, 0, 0, 0, 0, 0, number)
}

/// The address that a host announces as its end of tunnels.
pub(crate) fn vtep(underlay: Underlay, number: u16) -> IpAddr {
    match underlay {
        Underlay::V4 => vtep4(number).into(),
        Underlay::V6 => vtep6(number).into(),
    }
}

/// The MAC address of `br-phy` on the host with this number.
pub(crate) fn vtep_mac(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    format!("02:aa:00:00:{high:02x}:{low:02x}")
}

/// Refuses a name that would not fit into an interface name or that the rig uses itself.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty() && name.len() <= NAME_LEN_MAX;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits || !plain || name.starts_with('-') || name == "ctl" || name == "ul" {
        bail!(
            "{name:?} is no name for a host or workload: 1 to {NAME_LEN_MAX} of a-z, 0-9 and -, not ctl or ul"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_number() {
        assert_eq!(vtep4(1).to_string(), "172.31.0.1");
        assert_eq!(vtep4(258).to_string(), "172.31.1.2");
        assert_eq!(management(HOSTS_MAX).to_string(), "10.99.31.160");
        assert_eq!(vtep(Underlay::V6, 17).to_string(), "fd31::11");
        assert_eq!(vtep_mac(258), "02:aa:00:00:01:02");
    }

    #[test]
    fn names_must_fit_interfaces_and_not_be_the_rigs_own() {
        for good in ["h1", "red-1", "exactly13byte"] {
            check_name(good).expect(good);
        }
        for bad in ["", "ctl", "ul", "-x", "a b", "x/y", "fourteen-bytes"] {
            assert!(check_name(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
