//! Planning the addresses of ports: those asked for, and the lowest free ones for the rest.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::draft::Draft;
use super::limits::Faults;
use super::{AskedIp, Rejected};
use crate::address::usable;
use crate::snapshot::UsedAddresses;
use crate::{AddressRange, FixedIp, MacAddr, Port, Subnet, SubnetId};

/// Most addresses of one port.
const FIXED_IPS: usize = 32;

impl Draft<'_> {
    /// Notes what is wrong with a list of asked addresses as such, whoever has the addresses.
    pub(super) fn check_asked(
        &self,
        faults: &mut Faults,
        port: &Port,
        asked: &[AskedIp],
    ) -> Result<(), Rejected> {
        faults.check_count("fixed_ips", asked.len(), FIXED_IPS);
        let mut seen = BTreeSet::new();
        for (position, entry) in asked.iter().take(FIXED_IPS).enumerate() {
            match (entry.subnet, entry.address) {
                (None, None) => {
                    faults
                        .add(format_args!("fixed_ips.{position}"), "must name a subnet_id or an ip_address");
                }
                (_, Some(address)) if !seen.insert(address) => {
                    faults.add(format_args!("fixed_ips.{position}.ip_address"), "repeats an earlier address");
                }
                _ => {}
            }
            match entry.subnet.map(|id| (id, self.state.subnet(&id))) {
                Some((_, Some(subnet))) if subnet.network == port.network => {}
                Some((_, Some(subnet))) if self.sees(&subnet.tenant) => {
                    let path = format_args!("fixed_ips.{position}.subnet_id");
                    faults.add(path, format_args!("must be a subnet of network {}", port.network));
                }
                Some((id, _)) => return Err(Rejected::SubnetNotFound(id)),
                None => {}
            }
        }
        Ok(())
    }

    /// One address per family that the network has subnets of, from the oldest subnet with room.
    pub(super) fn addresses_by_default(&self, port: &Port) -> Result<Vec<FixedIp>, Rejected> {
        let mut subnets: Vec<&Arc<Subnet>> = self.state.subnets_of(port.network).collect();
        subnets.sort_by_key(|subnet| (subnet.stamp.created, subnet.id));
        let (v4, v6): (Vec<_>, Vec<_>) = subnets.into_iter().partition(|subnet| subnet.cidr.addr().is_ipv4());
        let mut found = Vec::new();
        for family in [v4, v6].into_iter().filter(|family| !family.is_empty()) {
            let first = family.into_iter().find_map(|subnet| found_in(self.state.used(), subnet, port.mac));
            found.push(first.ok_or(Rejected::IpAddressGenerationFailure { network: port.network })?);
        }
        Ok(found)
    }

    /// What a checked list of asked addresses comes to, in its order. The port's present addresses count as its own;
    /// addresses named in the list are never given to another entry of it.
    pub(super) fn addresses_asked(&self, port: &Port, asked: &[AskedIp]) -> Result<Vec<FixedIp>, Rejected> {
        let mut used = self.state.used().clone();
        let mut found = Vec::with_capacity(asked.len());
        for entry in asked {
            let named = entry.address.map(|address| self.named_address(port, entry.subnet, address));
            let named = named.transpose()?;
            if let Some(ip) = named {
                used.insert(ip.subnet, ip.address);
            }
            found.push(named);
        }
        let mut own: Vec<FixedIp> = port.fixed_ips.clone();
        own.retain(|ip| !found.contains(&Some(*ip)));
        let mut result = Vec::with_capacity(asked.len());
        for (entry, named) in asked.iter().zip(found) {
            result.push(match named {
                Some(ip) => ip,
                None => self.free_address(port, entry.subnet, (&mut used, &mut own))?,
            });
        }
        Ok(result)
    }

    /// The addresses of a port whose MAC has changed: those that its workload makes from it change too.
    pub(super) fn addresses_readdressed(
        &self,
        before: &Port,
        after: &Port,
    ) -> Result<Vec<FixedIp>, Rejected> {
        let one = |ip: &FixedIp| {
            let subnet = self.state.subnet(&ip.subnet);
            let made = |mac| subnet.and_then(|subnet| self_made(subnet, mac));
            match made(after.mac).filter(|_| made(before.mac) == Some(ip.address)) {
                Some(address) => self.named_address(after, Some(ip.subnet), address),
                None => Ok(*ip),
            }
        };
        after.fixed_ips.iter().map(one).collect()
    }

    /// The address as asked for, if the port may have it.
    fn named_address(
        &self,
        port: &Port,
        subnet: Option<SubnetId>,
        address: IpAddr,
    ) -> Result<FixedIp, Rejected> {
        let by_address = || self.state.subnets_of(port.network).find(|subnet| subnet.cidr.contains(&address));
        let subnet = match subnet {
            Some(id) => self.state.subnet(&id).ok_or(Rejected::SubnetNotFound(id))?,
            None => by_address().ok_or(Rejected::InvalidIpForNetwork { network: port.network, address })?,
        };
        if !usable(subnet.cidr).contains(address) {
            return Err(Rejected::InvalidIpForSubnet { subnet: subnet.id, address });
        }
        match self.state.port_by_address(subnet.id, address) {
            Some(other) if other.id != port.id => {
                Err(Rejected::IpAddressInUse { subnet: subnet.id, address })
            }
            _ => Ok(FixedIp { subnet: subnet.id, address }),
        }
    }

    /// An address of a subnet: one that the port has, so that asking again changes nothing, else the lowest free one.
    fn free_address(
        &self,
        port: &Port,
        subnet: Option<SubnetId>,
        (used, own): (&mut UsedAddresses, &mut Vec<FixedIp>),
    ) -> Result<FixedIp, Rejected> {
        let exhausted = Rejected::IpAddressGenerationFailure { network: port.network };
        if let Some(position) = own.iter().position(|ip| Some(ip.subnet) == subnet) {
            return Ok(own.remove(position));
        }
        let subnet = subnet.and_then(|id| self.state.subnet(&id)).ok_or(exhausted.clone())?;
        let ip = found_in(used, subnet, port.mac).ok_or(exhausted)?;
        used.insert(ip.subnet, ip.address);
        Ok(ip)
    }
}

/// The address that a workload makes itself in a subnet (RFC 4862 section 5.5.3), if that is how it gets one.
fn self_made(subnet: &Subnet, mac: MacAddr) -> Option<IpAddr> {
    match subnet.cidr.network() {
        IpAddr::V6(prefix) if subnet.is_self_addressed() => Some(mac.within(prefix).into()),
        _ => None,
    }
}

/// A free address of a subnet: the one that the workload will make itself, or the lowest of the pools.
fn found_in(used: &UsedAddresses, subnet: &Arc<Subnet>, mac: MacAddr) -> Option<FixedIp> {
    if let Some(address) = self_made(subnet, mac) {
        let only = AddressRange { start: address, end: address };
        return used.lowest_free(subnet.id, only).map(|address| FixedIp { subnet: subnet.id, address });
    }
    let address = subnet.pools.iter().find_map(|pool| used.lowest_free(subnet.id, *pool))?;
    Some(FixedIp { subnet: subnet.id, address })
}
