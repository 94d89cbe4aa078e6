//! Planning port forwardings: which ports of a floating IP lead where.

use std::sync::Arc;

use super::draft::{Draft, set};
use super::limits::Faults;
use super::{AskedTarget, Labels, NewPortForwarding, PortForwardingPatch, Rejected};
use crate::{FloatingIp, FloatingIpId, Key, PortForwarding, PortForwardingId, Record};

/// Most port forwardings of one floating IP.
const FORWARDINGS: usize = 256;

impl Draft<'_> {
    pub(super) fn create_port_forwarding(&mut self, new: &NewPortForwarding) -> Result<Key, Rejected> {
        if self.state.port_forwarding(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "port forwarding", id: new.id.to_string() });
        }
        let floating_ip = self.floating_ip(new.floating_ip)?;
        if floating_ip.target.is_some() {
            return Err(Rejected::FloatingIpInUse(floating_ip.id));
        }
        if self.state.port_forwardings_of(floating_ip.id).count() >= FORWARDINGS {
            let reason = format!("Floating IP {} has {FORWARDINGS} port forwardings already", floating_ip.id);
            return Err(Rejected::BadPortForwarding(reason));
        }
        let target = self.find_target(&floating_ip.tenant, floating_ip.network, new.target)?;
        let labels = Labels { description: new.description.clone(), ..Labels::default() };
        let forwarding = PortForwarding {
            id: new.id,
            floating_ip: floating_ip.id,
            stamp: self.stamp(&labels),
            protocol: new.protocol,
            external: new.external,
            port: target.port,
            address: target.address,
            internal: new.internal,
            router: target.router,
        };
        self.check_forwarding(&floating_ip, &forwarding)?;
        let key = self.put(Record::PortForwarding(Arc::new(forwarding)));
        self.restamp_floating_ip(&floating_ip);
        Ok(key)
    }

    pub(super) fn update_port_forwarding(
        &mut self,
        (of, id): (FloatingIpId, PortForwardingId),
        patch: &PortForwardingPatch,
    ) -> Result<Key, Rejected> {
        let (floating_ip, before) = self.port_forwarding(of, id)?;
        let mut after = PortForwarding::clone(&before);
        set(&mut after.stamp.description, patch.description.clone());
        set(&mut after.protocol, patch.protocol);
        set(&mut after.external, patch.external);
        set(&mut after.internal, patch.internal);
        if patch.port.is_some() || patch.address.is_some() {
            let stays = patch.port.is_none_or(|port| port == before.port);
            let address = patch.address.or(stays.then_some(before.address));
            let asked = AskedTarget { port: patch.port.unwrap_or(before.port), address };
            let target = self.find_target(&floating_ip.tenant, floating_ip.network, asked)?;
            (after.port, after.address, after.router) = (target.port, target.address, target.router);
        }
        if after == *before {
            return Ok(Key::PortForwarding(id));
        }
        self.check_forwarding(&floating_ip, &after)?;
        self.restamp(&mut after.stamp);
        let key = self.put(Record::PortForwarding(Arc::new(after)));
        self.restamp_floating_ip(&floating_ip);
        Ok(key)
    }

    pub(super) fn delete_port_forwarding(
        &mut self,
        of: FloatingIpId,
        id: PortForwardingId,
    ) -> Result<Key, Rejected> {
        let (floating_ip, forwarding) = self.port_forwarding(of, id)?;
        let key = self.delete(Key::PortForwarding(forwarding.id));
        self.restamp_floating_ip(&floating_ip);
        Ok(key)
    }

    fn port_forwarding(
        &self,
        of: FloatingIpId,
        id: PortForwardingId,
    ) -> Result<(Arc<FloatingIp>, Arc<PortForwarding>), Rejected> {
        let floating_ip = self.floating_ip(of)?;
        let found = self.state.port_forwarding(&id).filter(|forwarding| forwarding.floating_ip == of);
        Ok((floating_ip, found.cloned().ok_or(Rejected::PortForwardingNotFound(id))?))
    }

    /// What a floating IP forwards is a part of it.
    fn restamp_floating_ip(&mut self, floating_ip: &FloatingIp) {
        let mut after = floating_ip.clone();
        self.restamp(&mut after.stamp);
        self.put(Record::FloatingIp(Arc::new(after)));
    }

    fn check_forwarding(&self, of: &FloatingIp, forwarding: &PortForwarding) -> Result<(), Rejected> {
        let mut faults = Faults::default();
        faults.check_text("description", &forwarding.stamp.description);
        let (external, internal) = (forwarding.external.count(), forwarding.internal.count());
        if external != internal {
            let reason =
                format_args!("must have as many ports as external_port_range: {external}, not {internal}");
            faults.add("internal_port_range", reason);
        }
        faults.settle()?;
        for other in self.state.port_forwardings_of(of.id).filter(|other| other.id != forwarding.id) {
            if other.router != forwarding.router {
                let reason = format!("Floating IP {} leads through router {} already", of.id, other.router);
                return Err(Rejected::BadPortForwarding(reason));
            }
            if other.protocol == forwarding.protocol && other.external.meets(forwarding.external) {
                return Err(Rejected::ForwardedPortInUse {
                    floating_ip: of.id,
                    protocol: forwarding.protocol,
                    external: forwarding.external,
                    forwarding: other.id,
                });
            }
        }
        Ok(())
    }
}
