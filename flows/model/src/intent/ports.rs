//! Planning ports: their owner, MAC, key and what describes them. Their addresses are in `addresses`.

use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NewPort, PortPatch, Rejected};
use crate::{
    DhcpOption, FLOATING_IP, Key, MacAddr, Network, NetworkId, Port, PortId, PortKey, PortSecurity,
    ROUTER_GATEWAY, ROUTER_INTERFACE, Record, TenantId,
};

/// The first half of generated MACs: locally administered, unicast, and easy to tell in a capture.
const MAC_PREFIX: [u8; 3] = [0x02, 0x57, 0x46];
/// How many MACs the second half gives.
const MAC_COUNT: u32 = 1 << 24;

impl Draft<'_> {
    pub(super) fn create_port(&mut self, new: &NewPort) -> Result<Key, Rejected> {
        refuse_interface(&new.device_owner)?;
        let network = self.seen_network(new.network)?;
        self.check_may_extend(&network, "creating a port on an external network")?;
        self.check_guest(new)?;
        self.make_port(new)
    }

    /// A port for whomever it is, in the actor's name.
    pub(super) fn make_port(&mut self, new: &NewPort) -> Result<Key, Rejected> {
        self.check_id_is_free(new.id)?;
        let network = self.usable_network(new.network)?;
        let owner = self.owner_of_new(new.tenant.as_ref(), Some(&network.tenant))?;
        let owner = owner.unwrap_or_else(|| network.tenant.clone());
        self.place_port(new, &network, owner)
    }

    /// A port of that owner; whoever asks for it may.
    pub(super) fn place_port(
        &mut self,
        new: &NewPort,
        network: &Network,
        tenant: TenantId,
    ) -> Result<Key, Rejected> {
        self.check_id_is_free(new.id)?;
        let mac = match new.mac {
            Some(mac) => mac,
            None => self.generated_mac(new.network, new.mac_seed)?,
        };
        let mut port = Port {
            id: new.id,
            tenant,
            network: new.network,
            key: self.next_port_key()?,
            stamp: self.stamp(&new.labels),
            mac,
            fixed_ips: Vec::new(),
            admin_up: new.admin_up,
            security: new.security.unwrap_or_else(|| default_security(network)),
            policy: None,
            allowed_pairs: Vec::new(),
            dhcp_options: new.dhcp_options.clone(),
            device_id: new.device_id.clone(),
            device_owner: new.device_owner.clone(),
            requested_host: new.requested_host.clone(),
            dns_name: new.dns_name.clone(),
            qos_policy: new.qos_policy,
        };
        self.check_qos_worn(None, port.qos_policy)?;
        let mut faults = checked(&port);
        port.allowed_pairs = Self::checked_pairs(&mut faults, &port, &new.allowed_pairs)?;
        self.check_asked(&mut faults, &port, new.fixed_ips.as_deref().unwrap_or_default())?;
        faults.settle()?;
        self.check_mac_is_free(&port)?;
        port.fixed_ips = match &new.fixed_ips {
            Some(asked) => self.addresses_asked(&port, asked)?,
            None => self.addresses_by_default(&port)?,
        };
        let groups = self.groups_of_new(new, &port)?;
        port.policy = self.policy_for(groups)?;
        Ok(self.put(Record::Port(Arc::new(port))))
    }

    pub(super) fn update_port(&mut self, id: PortId, patch: &PortPatch) -> Result<Key, Rejected> {
        let before = self.port(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        self.check_guest_change(&before, patch)?;
        let mut after = Port::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.mac, patch.mac);
        set(&mut after.admin_up, patch.admin_up);
        set(&mut after.security, patch.security);
        set(&mut after.device_id, patch.device_id.clone());
        set(&mut after.device_owner, patch.device_owner.clone());
        set(&mut after.requested_host, patch.requested_host.clone());
        set(&mut after.dns_name, patch.dns_name.clone());
        set(&mut after.qos_policy, patch.qos_policy);
        self.check_qos_worn(before.qos_policy, after.qos_policy)?;
        for (family, name, chosen) in &patch.dhcp_options {
            after.dhcp_options.retain(|option| (option.family(), option.name()) != (*family, name.as_str()));
            after.dhcp_options.extend(chosen.clone());
        }
        let is_virtual = before.is_virtual();
        if !is_virtual {
            refuse_interface(&after.device_owner)?;
        }
        let mut faults = checked(&after);
        let pairs = patch.allowed_pairs.as_deref().unwrap_or(&before.allowed_pairs);
        after.allowed_pairs = Self::checked_pairs(&mut faults, &after, pairs)?;
        self.check_asked(&mut faults, &after, patch.fixed_ips.as_deref().unwrap_or_default())?;
        faults.settle()?;
        if after.mac != before.mac {
            self.check_mac_may_change(id)?;
            self.check_mac_is_free(&after)?;
            after.fixed_ips = self.addresses_readdressed(&before, &after)?;
        }
        if let Some(asked) = &patch.fixed_ips {
            after.fixed_ips = self.addresses_asked(&after, asked)?;
        }
        let groups = self.groups_after(&before, &after, patch)?;
        after.policy = self.policy_for(groups)?;
        if after == *before {
            return Ok(Key::Port(id));
        }
        let use_of = |port: &Port| {
            let of = (port.router(), port.gateway_of(), port.floating_ip());
            (port.fixed_ips.clone(), of, port.security, port.policy, port.allowed_pairs.clone())
        };
        if is_virtual && use_of(&after) != use_of(&before) {
            return Err(not_its_own(&before));
        }
        self.restamp(&mut after.stamp);
        self.strand(&before, Some(&after));
        let key = self.put(Record::Port(Arc::new(after)));
        self.release(before.policy);
        Ok(key)
    }

    pub(super) fn delete_port(&mut self, id: PortId, number: Option<u64>) -> Result<Key, Rejected> {
        let port = self.removable_port(id)?;
        expect_number(&port.stamp, number)?;
        if port.is_virtual() {
            return Err(not_its_own(&port));
        }
        self.check_in_no_trunk(id)?;
        self.strand(&port, None);
        let key = self.delete(Key::Port(id));
        self.release(port.policy);
        Ok(key)
    }

    fn check_id_is_free(&self, id: PortId) -> Result<(), Rejected> {
        match self.state.port(&id) {
            Some(_) => Err(Rejected::AlreadyExists { what: "port", id: id.to_string() }),
            None => Ok(()),
        }
    }

    fn next_port_key(&mut self) -> Result<PortKey, Rejected> {
        let is_used = |n| PortKey::new(n).is_none_or(|key| self.state.port_by_key(key).is_some());
        let found = Self::next_free(self.state.counters().next_port_key, PortKey::MAX.get(), is_used);
        let (number, next) = found.ok_or(Rejected::PortKeysExhausted)?;
        self.count(|counters| counters.next_port_key = next);
        PortKey::new(number).ok_or(Rejected::PortKeysExhausted)
    }

    /// The first free MAC of the network from the seed on. With random seeds the first try nearly always succeeds.
    fn generated_mac(&self, network: NetworkId, seed: u32) -> Result<MacAddr, Rejected> {
        let mac = |step: u32| {
            let [_, x, y, z] = (seed.wrapping_add(step) % MAC_COUNT).to_be_bytes();
            let [a, b, c] = MAC_PREFIX;
            MacAddr([a, b, c, x, y, z])
        };
        let found = (0..MAC_COUNT).map(mac).find(|mac| self.state.port_by_mac(network, *mac).is_none());
        found.ok_or(Rejected::MacAddressesExhausted { network })
    }

    fn check_mac_is_free(&self, port: &Port) -> Result<(), Rejected> {
        match self.state.port_by_mac(port.network, port.mac) {
            Some(other) if other.id != port.id => {
                Err(Rejected::MacAddressInUse { network: port.network, mac: port.mac })
            }
            _ => Ok(()),
        }
    }

    /// A running workload does not notice that its MAC is another now, it would just fall silent.
    fn check_mac_may_change(&self, port: PortId) -> Result<(), Rejected> {
        match self.state.binding(port) {
            Some(binding) if !self.is_admin() => {
                Err(Rejected::PortBound { port, host: binding.host.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Why a port that is no workload's cannot be changed or deleted by itself.
fn not_its_own(port: &Port) -> Rejected {
    match (port.gateway_of(), port.floating_ip()) {
        (Some(_), _) => Rejected::PortOfGateway(port.id),
        (_, Some(_)) => Rejected::PortOfFloatingIp(port.id),
        _ => Rejected::PortOfRouter(port.id),
    }
}

/// Only routers make their interfaces.
fn refuse_interface(device_owner: &str) -> Result<(), Rejected> {
    let mut faults = Faults::default();
    match device_owner {
        ROUTER_INTERFACE => {
            faults.add("device_owner", "is a router's to give: add the port to it by add_router_interface");
        }
        ROUTER_GATEWAY => {
            faults.add("device_owner", "is a router's to give: set its external_gateway_info");
        }
        FLOATING_IP => faults.add("device_owner", "is for floating IPs, which make their ports"),
        _ => {}
    }
    faults.settle()
}

fn default_security(network: &Network) -> PortSecurity {
    if network.port_security_default { PortSecurity::Enforced } else { PortSecurity::Off }
}

/// An answer has room for so many options of one family,
const OPTIONS: usize = 32;
/// and for so many bytes of them.
const OPTION_BYTES: usize = 512;

fn check_options(faults: &mut Faults, port: &Port) {
    let path = "extra_dhcp_opts";
    faults.check_count(path, port.dhcp_options.len(), OPTIONS);
    let mut names: Vec<_> = port.dhcp_options.iter().map(|option| (option.family(), option.name())).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        faults.add(path, "names an option twice");
    }
    let bytes = port.dhcp_options.iter().filter_map(DhcpOption::encoded).map(|(_, value)| value.len() + 4);
    if bytes.sum::<usize>() > OPTION_BYTES {
        faults.add(path, format_args!("must have values of at most {OPTION_BYTES} bytes together"));
    }
}

fn checked(port: &Port) -> Faults {
    let mut faults = Faults::default();
    faults.check_stamp(&port.stamp);
    faults.check_text("device_id", &port.device_id);
    faults.check_text("device_owner", &port.device_owner);
    faults.check_text("binding:host_id", port.requested_host.as_deref().unwrap_or_default());
    faults.check_domain("dns_name", &port.dns_name);
    check_options(&mut faults, port);
    if !port.mac.is_unicast() {
        faults.add("mac_address", "must be a unicast address");
    }
    faults
}
