//! QoS policies, and who wears them.

use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::{Network, NetworkId, Port, PortId, QosPolicy, QosPolicyId, TenantId};

/// Policies by id and tenant, and the ports and networks that name them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Qos {
    policies: Map<QosPolicyId, Arc<QosPolicy>>,
    by_tenant: Map<(TenantId, QosPolicyId), ()>,
    ports: Map<(QosPolicyId, PortId), ()>,
    networks: Map<(QosPolicyId, NetworkId), ()>,
}

impl Qos {
    /// What follows from these records.
    pub(super) fn of<'a>(
        policies: impl Iterator<Item = &'a Arc<QosPolicy>>,
        ports: impl Iterator<Item = &'a Arc<Port>>,
        networks: impl Iterator<Item = &'a Arc<Network>>,
    ) -> Qos {
        let mut qos = Qos::default();
        policies.for_each(|policy| qos.put(policy));
        ports.for_each(|port| qos.put_port(port));
        networks.for_each(|network| qos.put_network(network));
        qos
    }

    pub(super) fn put(&mut self, policy: &Arc<QosPolicy>) {
        self.by_tenant.insert((policy.tenant.clone(), policy.id), ());
        self.policies.insert(policy.id, policy.clone());
    }

    pub(super) fn remove(&mut self, policy: &QosPolicy) {
        self.by_tenant.remove(&(policy.tenant.clone(), policy.id));
        self.policies.remove(&policy.id);
    }

    pub(super) fn put_port(&mut self, port: &Port) {
        if let Some(policy) = port.qos_policy {
            self.ports.insert((policy, port.id), ());
        }
    }

    pub(super) fn remove_port(&mut self, port: &Port) {
        if let Some(policy) = port.qos_policy {
            self.ports.remove(&(policy, port.id));
        }
    }

    pub(super) fn put_network(&mut self, network: &Network) {
        if let Some(policy) = network.qos_policy {
            self.networks.insert((policy, network.id), ());
        }
    }

    pub(super) fn remove_network(&mut self, network: &Network) {
        if let Some(policy) = network.qos_policy {
            self.networks.remove(&(policy, network.id));
        }
    }
}

/// QoS policies and their wearers.
impl Snapshot {
    /// A QoS policy by id.
    pub fn qos_policy(&self, id: &QosPolicyId) -> Option<&Arc<QosPolicy>> {
        self.qos.policies.get(id)
    }

    /// All QoS policies, by id.
    pub fn qos_policies(&self) -> impl Iterator<Item = &Arc<QosPolicy>> {
        self.qos.policies.values()
    }

    /// The QoS policies of a tenant, by id.
    pub fn qos_policies_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<QosPolicy>> {
        let keys = self.qos.by_tenant.starting_at(&(tenant.clone(), QosPolicyId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.qos_policy(id))
    }

    /// The QoS policy that counts for a port: its own, or else its network's. What is no workload's has only its own.
    pub fn qos_of(&self, port: &Port, network: &Network) -> Option<&Arc<QosPolicy>> {
        let inherited = network.qos_policy.filter(|_| !port.is_virtual());
        self.qos_policy(&port.qos_policy.or(inherited)?)
    }

    /// The ports that name a QoS policy themselves, by id.
    pub fn ports_with_qos(&self, policy: QosPolicyId) -> impl Iterator<Item = PortId> {
        let keys = self.qos.ports.starting_at(&(policy, PortId(Uuid::nil()))).map(|(key, ())| *key);
        keys.take_while(move |(of, _)| *of == policy).map(|(_, port)| port)
    }

    /// The networks that name a QoS policy, by id.
    pub fn networks_with_qos(&self, policy: QosPolicyId) -> impl Iterator<Item = NetworkId> {
        let keys = self.qos.networks.starting_at(&(policy, NetworkId(Uuid::nil()))).map(|(key, ())| *key);
        keys.take_while(move |(of, _)| *of == policy).map(|(_, network)| network)
    }
}
