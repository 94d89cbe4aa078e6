//! Trunks, and which ports are in them.

use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot, owned_by};
use crate::{PortId, TenantId, Trunk, TrunkId};

/// Trunks by id, by tenant and by their ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Trunks {
    trunks: Map<TrunkId, Arc<Trunk>>,
    by_tenant: Map<(TenantId, TrunkId), ()>,
    by_parent: Map<PortId, TrunkId>,
    by_subport: Map<PortId, TrunkId>,
}

impl Trunks {
    /// What follows from these records.
    pub(super) fn of<'a>(trunks: impl Iterator<Item = &'a Arc<Trunk>>) -> Trunks {
        let mut all = Trunks::default();
        trunks.for_each(|trunk| all.put(trunk));
        all
    }

    pub(super) fn put(&mut self, trunk: &Arc<Trunk>) {
        self.by_tenant.insert((trunk.tenant.clone(), trunk.id), ());
        self.by_parent.insert(trunk.port, trunk.id);
        for port in trunk.subports.values() {
            self.by_subport.insert(*port, trunk.id);
        }
        self.trunks.insert(trunk.id, trunk.clone());
    }

    pub(super) fn remove(&mut self, trunk: &Trunk) {
        self.by_tenant.remove(&(trunk.tenant.clone(), trunk.id));
        self.by_parent.remove(&trunk.port);
        for port in trunk.subports.values() {
            self.by_subport.remove(port);
        }
        self.trunks.remove(&trunk.id);
    }
}

/// Trunks and their ports.
impl Snapshot {
    /// A trunk by id.
    pub fn trunk(&self, id: &TrunkId) -> Option<&Arc<Trunk>> {
        self.trunks.trunks.get(id)
    }

    /// All trunks, by id.
    pub fn trunks(&self) -> impl Iterator<Item = &Arc<Trunk>> {
        self.trunks.trunks.values()
    }

    /// The trunks of a tenant, by id.
    pub fn trunks_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Trunk>> {
        let keys = self.trunks.by_tenant.starting_at(&(tenant.clone(), TrunkId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.trunk(id))
    }

    /// The trunk whose parent a port is.
    pub fn trunk_of_parent(&self, port: PortId) -> Option<&Arc<Trunk>> {
        self.trunk(self.trunks.by_parent.get(&port)?)
    }

    /// The trunk of which a port is a subport.
    pub fn trunk_of_subport(&self, port: PortId) -> Option<&Arc<Trunk>> {
        self.trunk(self.trunks.by_subport.get(&port)?)
    }

    /// True if there is any.
    pub fn has_trunks(&self) -> bool {
        self.trunks().next().is_some()
    }
}
