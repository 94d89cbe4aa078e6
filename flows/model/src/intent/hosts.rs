//! Taking in what hosts report: the host itself and the ports that its interfaces claim.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::draft::Draft;
use super::{HostReport, Rejected, ReportedInterface};
use crate::{Behind, Binding, Host, HostId, HostIndex, Key, PortId, Record};

/// Most claims of one host: the ofports that Open vSwitch can give (OFPP_MAX is 0xff00).
const CLAIMS: usize = 65_279;
/// Most characters kept of a text that a host reports: nobody could correct a report that is refused.
const TEXT: usize = 255;

impl Draft<'_> {
    pub(super) fn report_host(&mut self, report: &HostReport) -> Result<Key, Rejected> {
        self.admin_only("reporting a host")?;
        let before = self.state.host(&report.id).cloned();
        let index = match &before {
            Some(host) => host.index,
            None => self.next_host_index()?,
        };
        let after = Host {
            id: report.id.clone(),
            index,
            hostname: clip(&report.hostname),
            encap_ips: report.encap_ips,
            ovs_version: clip(&report.ovs_version),
            datapath_type: clip(&report.datapath_type),
            bridge_mappings: report.bridge_mappings.clone(),
            joined: before.as_ref().map_or(self.context.now, |host| host.joined),
        };
        if before.as_deref() != Some(&after) {
            let after = Arc::new(after);
            self.put(Record::Host(after.clone()));
            self.rehost_gateways(before.as_deref(), Some(&after));
        }
        self.take_claims(&report.id, claims(&report.interfaces));
        Ok(Key::Host(report.id.clone()))
    }

    pub(super) fn replug(
        &mut self,
        host: &HostId,
        plugged: &[ReportedInterface],
        unplugged: &[PortId],
    ) -> Result<Key, Rejected> {
        self.admin_only("reporting a host")?;
        if self.state.host(host).is_none() {
            return Err(Rejected::HostNotFound(host.clone()));
        }
        for port in unplugged {
            if self.state.claim(*port, host).is_some_and(|claim| claim.behind.is_none()) {
                self.delete(Key::Binding(*port, host.clone()));
            }
        }
        for (port, interface) in claims(plugged) {
            self.take_claim(host, port, interface);
        }
        let ports = plugged.iter().map(|interface| interface.port).chain(unplugged.iter().copied());
        let is_near = |interface: &ReportedInterface| interface.ofport.get() >= Behind::FIRST_ZONE;
        if ports.into_iter().any(|port| self.state.trunk_of_parent(port).is_some())
            || plugged.iter().any(is_near)
        {
            self.seat_subports(host);
        }
        Ok(Key::Host(host.clone()))
    }

    pub(super) fn delete_host(&mut self, id: &HostId) -> Result<Key, Rejected> {
        self.admin_only("forgetting a host")?;
        let before = self.state.host(id).cloned().ok_or_else(|| Rejected::HostNotFound(id.clone()))?;
        self.take_claims(id, BTreeMap::new());
        let key = self.delete(Key::Host(id.clone()));
        self.rehost_gateways(Some(&before), None);
        Ok(key)
    }

    /// Makes the claims of a host exactly these. A claim that goes on keeps its age, whatever the interface is called
    /// now: a restarted switch must not win over the host that the workload moved to.
    fn take_claims(&mut self, host: &HostId, wanted: BTreeMap<PortId, &ReportedInterface>) {
        let gone: Vec<PortId> = self
            .state
            .claims_of_host(host)
            .filter(|claim| claim.behind.is_none())
            .map(|claim| claim.port)
            .filter(|port| !wanted.contains_key(port))
            .collect();
        for port in gone {
            self.delete(Key::Binding(port, host.clone()));
        }
        for (port, interface) in wanted {
            self.take_claim(host, port, interface);
        }
        if self.state.has_trunks() {
            self.seat_subports(host);
        }
    }

    fn take_claim(&mut self, host: &HostId, port: PortId, interface: &ReportedInterface) {
        // A subport is where its parent is, whatever an interface says.
        if self.state.trunk_of_subport(port).is_some() {
            return;
        }
        let before = self.state.claim(port, host).cloned();
        let after = Binding {
            port,
            host: host.clone(),
            interface: clip(&interface.name),
            ofport: interface.ofport,
            since: before.as_ref().map_or(self.revision(), |claim| claim.since),
            behind: None,
        };
        if before.as_deref() != Some(&after) {
            self.put(Record::Binding(Arc::new(after)));
        }
    }

    fn next_host_index(&mut self) -> Result<HostIndex, Rejected> {
        let is_used = |n| HostIndex::new(n).is_none_or(|index| self.state.host_by_index(index).is_some());
        let found =
            Self::next_free(self.state.counters().next_host_index, HostIndex::MAX.get().into(), is_used);
        let (number, next) = found.ok_or(Rejected::HostsExhausted)?;
        self.count(|counters| counters.next_host_index = next);
        HostIndex::new(number).ok_or(Rejected::HostsExhausted)
    }
}

/// The interface that counts for each port: the one with the smallest ofport, so that the order of a report says nothing.
fn claims(interfaces: &[ReportedInterface]) -> BTreeMap<PortId, &ReportedInterface> {
    let mut ordered: Vec<&ReportedInterface> = interfaces.iter().collect();
    ordered.sort_by(|a, b| (a.ofport, &a.name, a.port).cmp(&(b.ofport, &b.name, b.port)));
    let mut claims = BTreeMap::new();
    for interface in ordered {
        if claims.len() == CLAIMS {
            break;
        }
        claims.entry(interface.port).or_insert(interface);
    }
    claims
}

fn clip(text: &str) -> String {
    text.chars().take(TEXT).collect()
}
