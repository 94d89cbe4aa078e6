//! How a commit becomes the next snapshot: records in and out, and every index with them.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Snapshot;
use crate::change::{Change, Key, Record};
use crate::{Binding, HostId, Port, PortId, Revision};

/// Making the next state.
impl Snapshot {
    /// Everything that is stored, each record once.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        std::iter::once(Record::Counters(self.counters))
            .chain(self.tenants.values().cloned().map(Record::Tenant))
            .chain(self.quotas.values().cloned().map(Record::Quota))
            .chain(self.identity.records())
            .chain(self.tokens.values().cloned().map(Record::Token))
            .chain(self.physnets().cloned().map(Record::PhysicalNetwork))
            .chain(self.networks.values().cloned().map(Record::Network))
            .chain(self.subnets.values().cloned().map(Record::Subnet))
            .chain(self.ports.values().cloned().map(Record::Port))
            .chain(self.routers().cloned().map(Record::Router))
            .chain(self.external.records())
            .chain(self.trunks().cloned().map(Record::Trunk))
            .chain(self.qos_policies().cloned().map(Record::QosPolicy))
            .chain(self.hosts.values().cloned().map(Record::Host))
            .chain(self.bindings.values().cloned().map(Record::Binding))
            .chain(self.security.records())
            .chain(self.pools.scopes().cloned().map(Record::AddressScope))
            .chain(self.pools.pools().cloned().map(Record::SubnetPool))
            .chain(self.rbac_policies().cloned().map(Record::RbacPolicy))
            .chain(self.segment_ranges().cloned().map(Record::SegmentRange))
    }

    /// The state after a commit of `changes` under `revision`. Order within a commit does not matter as long as no key
    /// stands in it twice.
    pub fn apply(&mut self, revision: Revision, changes: &[Change]) {
        self.revision = revision;
        for change in changes {
            if !self.stays(change) {
                self.remove(&change.key());
            }
        }
        for change in changes {
            if let Change::Put(record) = change {
                self.put(record);
            }
        }
    }

    /// True if the change leaves all that is derived from a host as it is: walking its ports would be for nothing.
    fn stays(&self, change: &Change) -> bool {
        let Change::Put(Record::Host(new)) = change else { return false };
        self.host(&new.id).is_some_and(|old| old.index == new.index)
    }

    /// The stored record under a key.
    pub fn record(&self, key: &Key) -> Option<Record> {
        Some(match key {
            Key::Tenant(id) => Record::Tenant(self.tenants.get(id)?.clone()),
            Key::Token(id) => Record::Token(self.tokens.get(id)?.clone()),
            Key::User(_) | Key::Assignment(..) | Key::AppCredential(_) => self.identity.record(key)?,
            Key::PhysicalNetwork(key) => Record::PhysicalNetwork(self.physnet(*key)?.clone()),
            Key::Network(id) => Record::Network(self.networks.get(id)?.clone()),
            Key::Subnet(id) => Record::Subnet(self.subnets.get(id)?.clone()),
            Key::Port(id) => Record::Port(self.ports.get(id)?.clone()),
            Key::Router(id) => Record::Router(self.router(id)?.clone()),
            Key::FloatingIp(id) => Record::FloatingIp(self.floating_ip(id)?.clone()),
            Key::PortForwarding(id) => Record::PortForwarding(self.port_forwarding(id)?.clone()),
            Key::Quota(tenant) => Record::Quota(self.quotas.get(tenant)?.clone()),
            Key::Trunk(id) => Record::Trunk(self.trunk(id)?.clone()),
            Key::QosPolicy(id) => Record::QosPolicy(self.qos_policy(id)?.clone()),
            Key::Host(id) => Record::Host(self.hosts.get(id)?.clone()),
            Key::Binding(port, host) => Record::Binding(self.bindings.get(&(*port, host.clone()))?.clone()),
            Key::Counters => Record::Counters(self.counters),
            Key::AddressScope(id) => Record::AddressScope(self.address_scope(id)?.clone()),
            Key::SubnetPool(id) => Record::SubnetPool(self.subnet_pool(id)?.clone()),
            Key::RbacPolicy(id) => Record::RbacPolicy(self.rbac_policy(id)?.clone()),
            Key::SegmentRange(id) => Record::SegmentRange(self.segment_range(id)?.clone()),
            Key::SecurityGroup(_) | Key::SecurityRule(_) | Key::AddressGroup(_) | Key::Policy(_) => {
                self.security.record(key)?
            }
        })
    }

    fn put(&mut self, record: &Record) {
        self.usage.gained(record);
        match record {
            Record::Tenant(r) => self.tenants.insert(r.id.clone(), r.clone()),
            Record::Token(r) => {
                self.tokens_by_digest.insert(r.digest, r.id);
                self.identity.put_token(r);
                self.tokens.insert(r.id, r.clone());
            }
            Record::User(_) | Record::Assignment(_) | Record::AppCredential(_) => self.identity.put(record),
            Record::PhysicalNetwork(r) => self.physical.put(r),
            Record::Network(r) => {
                self.physical.put_network(r);
                self.external.put_network(r);
                self.qos.put_network(r);
                self.networks_by_vni.insert(r.vni, r.id);
                self.networks_by_tenant.insert((r.tenant.clone(), r.id), ());
                self.networks.insert(r.id, r.clone());
            }
            Record::Subnet(r) => {
                self.pools.put_subnet(r);
                self.subnets_by_network.insert((r.network, r.id), ());
                self.subnets_by_tenant.insert((r.tenant.clone(), r.id), ());
                self.subnets.insert(r.id, r.clone());
            }
            Record::Port(r) => self.put_port(r),
            Record::Router(r) => {
                self.external.put_gateway(r);
                self.routing.put(r);
            }
            Record::Quota(r) => self.quotas.insert(r.tenant.clone(), r.clone()),
            Record::FloatingIp(r) => self.external.put_floating_ip(r),
            Record::PortForwarding(r) => self.external.put_forwarding(r),
            Record::Trunk(r) => self.trunks.put(r),
            Record::QosPolicy(r) => self.qos.put(r),
            Record::Host(r) => {
                let is_new = self.host(&r.id).is_none();
                self.hosts_by_index.insert(r.index, r.id.clone());
                self.hosts.insert(r.id.clone(), r.clone());
                if is_new {
                    for port in self.ports_in_force_on(&r.id) {
                        self.bound_by_network.insert((port.network, r.index, port.id), ());
                        self.bound_by_host.insert((r.index, port.network, port.id), ());
                        self.security.bind(&port, r.index);
                    }
                }
            }
            Record::Binding(r) => self.reelect(r.port, |state| {
                state.claims_by_host.insert((r.host.clone(), r.port), ());
                state.bindings.insert((r.port, r.host.clone()), r.clone());
            }),
            Record::Counters(counters) => self.counters = *counters,
            Record::AddressScope(r) => self.pools.put_scope(r),
            Record::SubnetPool(r) => self.pools.put_pool(r),
            Record::RbacPolicy(r) => self.sharing.put(r),
            Record::SegmentRange(r) => self.physical.put_range(r),
            Record::SecurityGroup(_)
            | Record::SecurityRule(_)
            | Record::AddressGroup(_)
            | Record::Policy(_) => self.security.put(record),
        }
    }

    fn put_port(&mut self, port: &Arc<Port>) {
        self.ports_by_network.insert((port.network, port.id), ());
        self.ports_by_tenant.insert((port.tenant.clone(), port.id), ());
        self.ports_by_key.insert(port.key, port.id);
        self.ports_by_mac.insert((port.network, port.mac), port.id);
        if let Some(key) = super::device_key(port) {
            self.ports_by_device.insert(key, ());
        }
        if let Some(key) = super::names::name_key(port) {
            self.ports_by_name.insert(key, ());
        }
        for ip in &port.fixed_ips {
            self.ports_by_address.insert((ip.subnet, ip.address), port.id);
            self.used.insert(ip.subnet, ip.address);
        }
        if let Some(router) = port.router() {
            self.routing.join(port, router);
        }
        self.security.put_port(port);
        self.qos.put_port(port);
        self.ports.insert(port.id, port.clone());
        if let Some(host) = self.host_in_force(port.id) {
            self.bind(port, &host);
        }
    }

    /// Takes the record away with everything the indexes derived from it.
    fn remove(&mut self, key: &Key) {
        let found = self.record(key);
        if let Some(record) = &found {
            self.usage.lost(record);
        }
        match found {
            None | Some(Record::Counters(_)) => {}
            Some(Record::Tenant(r)) => self.tenants.remove(&r.id),
            Some(Record::Token(r)) => {
                self.tokens_by_digest.remove(&r.digest);
                self.identity.remove_token(&r);
                self.tokens.remove(&r.id);
            }
            Some(record @ (Record::User(_) | Record::Assignment(_) | Record::AppCredential(_))) => {
                self.identity.remove(&record);
            }
            Some(Record::PhysicalNetwork(r)) => self.physical.remove(&r),
            Some(Record::Network(r)) => {
                self.physical.remove_network(&r);
                self.external.remove_network(&r);
                self.qos.remove_network(&r);
                self.networks_by_vni.remove(&r.vni);
                self.networks_by_tenant.remove(&(r.tenant.clone(), r.id));
                self.networks.remove(&r.id);
            }
            Some(Record::AddressScope(r)) => self.pools.remove_scope(&r),
            Some(Record::SubnetPool(r)) => self.pools.remove_pool(&r),
            Some(Record::RbacPolicy(r)) => self.sharing.remove(&r),
            Some(Record::SegmentRange(r)) => self.physical.remove_range(&r),
            Some(Record::Subnet(r)) => {
                self.pools.remove_subnet(&r);
                self.subnets_by_network.remove(&(r.network, r.id));
                self.subnets_by_tenant.remove(&(r.tenant.clone(), r.id));
                self.subnets.remove(&r.id);
            }
            Some(Record::Port(r)) => self.remove_port(&r),
            Some(Record::Router(r)) => {
                self.external.remove_gateway(&r);
                self.routing.remove(&r);
            }
            Some(Record::Quota(r)) => self.quotas.remove(&r.tenant),
            Some(Record::FloatingIp(r)) => self.external.remove_floating_ip(&r),
            Some(Record::PortForwarding(r)) => self.external.remove_forwarding(&r),
            Some(Record::Trunk(r)) => self.trunks.remove(&r),
            Some(Record::QosPolicy(r)) => self.qos.remove(&r),
            Some(Record::Host(r)) => {
                for port in self.ports_in_force_on(&r.id) {
                    self.bound_by_network.remove(&(port.network, r.index, port.id));
                    self.bound_by_host.remove(&(r.index, port.network, port.id));
                    self.security.unbind(&port, r.index);
                }
                self.hosts_by_index.remove(&r.index);
                self.hosts.remove(&r.id);
            }
            Some(Record::Binding(r)) => self.reelect(r.port, |state| {
                state.claims_by_host.remove(&(r.host.clone(), r.port));
                state.bindings.remove(&(r.port, r.host.clone()));
            }),
            Some(
                record @ (Record::SecurityGroup(_)
                | Record::SecurityRule(_)
                | Record::AddressGroup(_)
                | Record::Policy(_)),
            ) => self.security.remove(&record),
        }
    }

    fn remove_port(&mut self, port: &Port) {
        if let Some(host) = self.host_in_force(port.id) {
            self.unbind(port, &host);
        }
        self.ports_by_network.remove(&(port.network, port.id));
        self.ports_by_tenant.remove(&(port.tenant.clone(), port.id));
        self.ports_by_key.remove(&port.key);
        self.ports_by_mac.remove(&(port.network, port.mac));
        if let Some(key) = super::device_key(port) {
            self.ports_by_device.remove(&key);
        }
        if let Some(key) = super::names::name_key(port) {
            self.ports_by_name.remove(&key);
        }
        for ip in &port.fixed_ips {
            self.ports_by_address.remove(&(ip.subnet, ip.address));
            self.used.remove(ip.subnet, ip.address);
        }
        if let Some(router) = port.router() {
            self.routing.part(port, router);
        }
        self.security.remove_port(port);
        self.qos.remove_port(port);
        self.ports.remove(&port.id);
    }

    /// Changes the claims to a port, and with them which one is in force. Claims without a port (deleted, or not there
    /// yet) count for nothing.
    fn reelect(&mut self, port: PortId, change: impl FnOnce(&mut Snapshot)) {
        let before = self.host_in_force(port);
        change(self);
        let after = self.host_in_force(port);
        let Some(record) = self.ports.get(&port).cloned().filter(|_| before != after) else { return };
        if let Some(host) = before {
            self.unbind(&record, &host);
        }
        if let Some(host) = after {
            self.bind(&record, &host);
        }
    }

    fn host_in_force(&self, port: PortId) -> Option<HostId> {
        self.binding(port).map(|claim| claim.host.clone())
    }

    fn bind(&mut self, port: &Port, host: &HostId) {
        let Some(index) = self.host(host).map(|host| host.index) else { return };
        self.bound_by_network.insert((port.network, index, port.id), ());
        self.bound_by_host.insert((index, port.network, port.id), ());
        self.security.bind(port, index);
    }

    fn unbind(&mut self, port: &Port, host: &HostId) {
        let Some(index) = self.host(host).map(|host| host.index) else { return };
        self.bound_by_network.remove(&(port.network, index, port.id));
        self.bound_by_host.remove(&(index, port.network, port.id));
        self.security.unbind(port, index);
    }

    /// The ports whose claim in force is a host's, whether the host is known or not.
    fn ports_in_force_on(&self, host: &HostId) -> Vec<Arc<Port>> {
        let ports = self.claims_of_host(host).map(|claim| claim.port);
        ports
            .filter(|port| self.binding(*port).is_some_and(|claim| claim.host == *host))
            .filter_map(|port| self.ports.get(&port).cloned())
            .collect()
    }
}

/// Which of two claims to a port is in force, as the greater one: the newer, and of equals that of the smaller host id.
pub(super) fn precedence(a: &Binding, b: &Binding) -> Ordering {
    a.since.cmp(&b.since).then_with(|| b.host.cmp(&a.host))
}
