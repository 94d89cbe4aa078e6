//! What ovs-vswitchd does when the database changes: bridges come to be, interfaces get their numbers.
//!
//! Everything it writes on one occasion is one transaction, as measured on the real one.

use std::collections::BTreeMap;

use super::Effect;
use super::columns::{
    BACKOFF, CONTROLLER, CUR_CFG, DATAPATH_TYPE, INTERFACES, KIND, MAC, NAME, NEXT_CFG, OPTIONS, PORTS,
    REQUEST, SETTINGS, TARGET,
};
use super::commit::Change;
use super::draft::Draft;
use super::pass::{Bridge, Pass, number_of, plugged_in, text_of};
use super::schema::Table;
use super::value::Datum;

/// Who made a change: what a local tool plugs is a device that exists, what a controller names is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    Remote,
    Local,
}

/// What ovs-vswitchd knows besides the database.
#[derive(Debug, Default)]
pub(super) struct Daemon {
    /// The bridges that it has made, by row.
    bridges: BTreeMap<u32, Bridge>,
    /// How many MAC addresses have been made up.
    macs: u32,
}

impl Daemon {
    /// Reacts to changes that have been made. `datapath_type` is the one that this host can make bridges of.
    pub(super) fn react(
        &mut self,
        draft: &mut Draft<'_>,
        changes: &[Change],
        writer: Writer,
        datapath_type: &str,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        acknowledge(draft, changes);
        for change in changes.iter().filter(|change| change.table == Table::Bridge && change.new.is_none()) {
            if let Some(bridge) = self.bridges.remove(&change.number) {
                effects.push(Effect::BridgeRemoved { bridge: bridge.name.into() });
            }
        }
        if !changes.iter().any(matters) {
            return effects;
        }
        for number in draft.numbers(Table::Bridge) {
            let place = (Table::Bridge, number);
            let kind = draft.cell(place, DATAPATH_TYPE);
            let kind = kind.as_ref().and_then(Datum::as_text).unwrap_or("system");
            if kind != datapath_type {
                if let Some(bridge) = self.bridges.remove(&number) {
                    effects.push(Effect::BridgeRemoved { bridge: bridge.name.into() });
                }
                continue;
            }
            let is_new = !self.bridges.contains_key(&number);
            let bridge = self.bridges.remove(&number).unwrap_or_default();
            let mut pass = Pass::new(draft, changes, writer, bridge);
            pass.macs = self.macs;
            pass.run(place, is_new);
            self.macs = pass.macs;
            effects.append(&mut pass.effects);
            self.bridges.insert(number, pass.bridge);
        }
        effects
    }

    /// What the rest of the host is told when everything begins anew.
    pub(super) fn effects_of_restart(&self, draft: &Draft<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (number, bridge) in &self.bridges {
            effects.extend(bridge.effect());
            for plugged in plugged_in(draft, (Table::Bridge, *number)) {
                if let Some(ofport) = number_of(plugged.ofport) {
                    let name = text_of(draft, (Table::Interface, plugged.row), NAME);
                    effects.push(Effect::PortAdded { bridge: bridge.name.as_ref().into(), ofport, name });
                }
            }
        }
        effects
    }

    /// Bytes on the heap.
    pub(super) fn resident_bytes(&self) -> usize {
        self.bridges.values().map(|bridge| size_of::<Bridge>() + bridge.name.len() + 64).sum()
    }
}

/// Says that the configuration of this number is in force.
fn acknowledge(draft: &mut Draft<'_>, changes: &[Change]) {
    for change in changes.iter().filter(|change| change.table == Table::OpenVSwitch) {
        let place = (change.table, change.number);
        if let Some(row) = &change.new
            && row.cell(NEXT_CFG) != row.cell(CUR_CFG)
        {
            let next = row.cell(NEXT_CFG).and_then(Datum::as_integer).unwrap_or(0);
            draft.set(place, CUR_CFG, Datum::integer(next));
        }
    }
}

/// Whether a change is about more than names and notes.
fn matters(change: &Change) -> bool {
    let columns: &[u8] = match change.table {
        Table::Bridge => &[DATAPATH_TYPE, SETTINGS, PORTS, CONTROLLER],
        Table::Controller => &[TARGET, BACKOFF],
        Table::Interface => &[KIND, OPTIONS, REQUEST, MAC],
        Table::Port => &[INTERFACES],
        Table::OpenVSwitch | Table::Manager => return false,
    };
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => columns.iter().any(|column| old.cell(*column) != new.cell(*column)),
        _ => true,
    }
}
