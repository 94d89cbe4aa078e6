//! Planning trunks: their subports, and where those are while their parents are bound.
//!
//! A subport has claims of its own, made here from its parent's: whatever asks where a port is finds it like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::limits::Faults;
use super::{NewTrunk, Rejected, Subport, TrunkFault, TrunkPatch};
use crate::{Behind, Binding, HostId, Key, Mtu, Port, PortId, Record, Trunk, TrunkId, VlanId};

impl Draft<'_> {
    pub(super) fn create_trunk(&mut self, new: &NewTrunk) -> Result<Key, Rejected> {
        if self.state.trunk(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "trunk", id: new.id.to_string() });
        }
        let parent = self.port(new.port)?;
        if self.state.trunk_of_subport(parent.id).is_some() {
            return Err(TrunkFault::PortInUse(parent.id).into());
        }
        if self.state.trunk_of_parent(parent.id).is_some() || parent.is_virtual() {
            return Err(TrunkFault::ParentInUse(parent.id).into());
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), Some(&parent.tenant))?;
        let mut trunk = Trunk {
            id: new.id,
            tenant: owner.unwrap_or_else(|| parent.tenant.clone()),
            stamp: self.stamp(&new.labels),
            port: parent.id,
            admin_up: new.admin_up,
            subports: BTreeMap::new(),
        };
        let mut faults = Faults::default();
        faults.check_stamp(&trunk.stamp);
        faults.settle()?;
        self.add_to(&mut trunk, &new.subports)?;
        Ok(self.put_trunk(trunk))
    }

    pub(super) fn update_trunk(&mut self, id: TrunkId, patch: &TrunkPatch) -> Result<Key, Rejected> {
        let before = self.trunk(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = Trunk::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.admin_up, patch.admin_up);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        faults.settle()?;
        if after == *before {
            return Ok(Key::Trunk(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::Trunk(Arc::new(after))))
    }

    pub(super) fn delete_trunk(&mut self, id: TrunkId, number: Option<u64>) -> Result<Key, Rejected> {
        let trunk = self.trunk(id)?;
        expect_number(&trunk.stamp, number)?;
        check_enabled(&trunk)?;
        let key = self.delete(Key::Trunk(id));
        self.seat_subports_of(trunk.port);
        Ok(key)
    }

    pub(super) fn add_subports(
        &mut self,
        id: TrunkId,
        asked: &[Subport],
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        let before = self.trunk(id)?;
        expect_number(&before.stamp, number)?;
        check_enabled(&before)?;
        let mut after = Trunk::clone(&before);
        self.add_to(&mut after, asked)?;
        self.changed_subports(&before, after)
    }

    pub(super) fn remove_subports(
        &mut self,
        id: TrunkId,
        ports: &[PortId],
        number: Option<u64>,
    ) -> Result<Key, Rejected> {
        let before = self.trunk(id)?;
        expect_number(&before.stamp, number)?;
        check_enabled(&before)?;
        let mut after = Trunk::clone(&before);
        for port in ports {
            let vlan = after.tag_of(*port).ok_or(TrunkFault::NoSubport { trunk: id, port: *port })?;
            after.subports.remove(&vlan);
        }
        self.changed_subports(&before, after)
    }

    /// Refuses to let go of a port that a trunk is made of.
    pub(super) fn check_in_no_trunk(&self, port: PortId) -> Result<(), Rejected> {
        if let Some(trunk) = self.state.trunk_of_parent(port) {
            return Err(TrunkFault::IsParent { port, trunk: trunk.id }.into());
        }
        match self.state.trunk_of_subport(port) {
            Some(trunk) => Err(TrunkFault::IsSubport { port, trunk: trunk.id }.into()),
            None => Ok(()),
        }
    }

    fn changed_subports(&mut self, before: &Trunk, mut after: Trunk) -> Result<Key, Rejected> {
        if after == *before {
            return Ok(Key::Trunk(before.id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put_trunk(after))
    }

    fn put_trunk(&mut self, trunk: Trunk) -> Key {
        let parent = trunk.port;
        let key = self.put(Record::Trunk(Arc::new(trunk)));
        self.seat_subports_of(parent);
        key
    }

    fn add_to(&self, trunk: &mut Trunk, asked: &[Subport]) -> Result<(), Rejected> {
        let most = self.mtu_of(&*self.port(trunk.port)?);
        for Subport { port, vlan } in asked {
            let port = self.port(*port)?;
            self.check_can_be_subport(trunk, &port)?;
            let mtu = self.mtu_of(&port);
            if mtu > most {
                return Err(TrunkFault::Mtu { port: port.id, mtu, trunk: trunk.id, most }.into());
            }
            if trunk.subports.insert(*vlan, port.id).is_some() {
                return Err(TrunkFault::TagInUse { vlan: *vlan, trunk: trunk.id }.into());
            }
        }
        Ok(())
    }

    fn check_can_be_subport(&self, trunk: &Trunk, port: &Port) -> Result<(), Rejected> {
        if port.id == trunk.port || self.state.trunk_of_parent(port.id).is_some() {
            return Err(TrunkFault::ParentInUse(port.id).into());
        }
        if self.state.trunk_of_subport(port.id).is_some() || trunk.tag_of(port.id).is_some() {
            return Err(TrunkFault::PortInUse(port.id).into());
        }
        if !port.device_id.is_empty() || port.is_virtual() {
            return Err(Rejected::PortInUse { port: port.id, device: port.device_id.clone() });
        }
        // Two interfaces would be one port.
        match self.state.claims_of_port(port.id).next() {
            Some(claim) => Err(Rejected::PortBound { port: port.id, host: claim.host.clone() }),
            None => Ok(()),
        }
    }

    fn mtu_of(&self, port: &Port) -> Mtu {
        self.state.network(&port.network).map_or(Mtu(0), |network| network.mtu)
    }

    /// A trunk that the actor sees.
    fn trunk(&self, id: TrunkId) -> Result<Arc<Trunk>, Rejected> {
        let found = self.state.trunk(&id).filter(|trunk| self.sees(&trunk.tenant));
        found.cloned().ok_or_else(|| TrunkFault::NotFound(id).into())
    }
}

fn check_enabled(trunk: &Trunk) -> Result<(), Rejected> {
    if trunk.admin_up { Ok(()) } else { Err(TrunkFault::Disabled(trunk.id).into()) }
}

/// Where subports are.
impl Draft<'_> {
    /// Puts the subports of a parent to where it is, on every host that claims it.
    fn seat_subports_of(&mut self, parent: PortId) {
        let hosts: Vec<HostId> = self.state.claims_of_port(parent).map(|claim| claim.host.clone()).collect();
        hosts.iter().for_each(|host| self.seat_subports(host));
    }

    /// Makes the claims of subports on a host what follows from those of their parents.
    pub(super) fn seat_subports(&mut self, host: &HostId) {
        let claims: Vec<Arc<Binding>> = self.state.claims_of_host(host).cloned().collect();
        let interfaces = || claims.iter().filter(|claim| claim.behind.is_none());
        let mut wanted: BTreeMap<PortId, (VlanId, &Binding)> = BTreeMap::new();
        for parent in interfaces() {
            if let Some(trunk) = self.state.trunk_of_parent(parent.port) {
                wanted.extend(trunk.subports.iter().map(|(vlan, port)| (*port, (*vlan, parent.as_ref()))));
            }
        }
        let mut zones: BTreeSet<u16> = interfaces().map(|claim| claim.ofport.get()).collect();
        // What is seated keeps its zone, and so its connections, unless an interface has got that number.
        let mut kept: BTreeMap<PortId, u16> = BTreeMap::new();
        for (claim, behind) in claims.iter().filter_map(|claim| Some((claim, claim.behind?))) {
            if !wanted.contains_key(&claim.port) {
                self.delete(Key::Binding(claim.port, host.clone()));
            } else if zones.insert(behind.zone) {
                kept.insert(claim.port, behind.zone);
            }
        }
        let mut free = (Behind::FIRST_ZONE..=Behind::LAST_ZONE).rev().filter(|zone| !zones.contains(zone));
        for (port, (vlan, parent)) in wanted {
            // Past the last zone there is no place for more: they are bound nowhere.
            let Some(zone) = kept.get(&port).copied().or_else(|| free.next()) else { continue };
            let seated = Binding { port, behind: Some(Behind { vlan, zone }), ..parent.clone() };
            if self.state.claim(port, host).map(AsRef::as_ref) != Some(&seated) {
                self.put(Record::Binding(Arc::new(seated)));
            }
        }
    }
}
