//! One bridge being brought in line with the database: numbers, states and errors of its interfaces.

use std::collections::BTreeSet;

use super::Effect;
use super::columns::{
    ADMIN_STATE, BACKOFF, BRIDGE_NAME, CONTROLLER, DATAPATH_ID, DATAPATH_VERSION, ERROR, IFINDEX, INTERFACES,
    KIND, LINK_RESETS, LINK_STATE, MAC_IN_USE, MTU, NAME, OFPORT, OPTIONS, PORTS, REQUEST, SETTINGS, TARGET,
};
use super::commit::Change;
use super::daemon::Writer;
use super::draft::{Draft, Place};
use super::interface::{Device, Fault, tunnel_identity, verify};
use super::row::Row;
use super::schema::Table;
use super::value::Datum;
use super::words::mac_text;

/// The number of a bridge's own interface (OFPP_LOCAL).
pub(super) const LOCAL: i64 = 65_534;
/// Numbers from here are never given out unasked.
const RESERVED: u16 = 32_768;
/// The longest wait between attempts to connect when `Controller.max_backoff` is not set, in milliseconds.
const MAX_BACKOFF: u32 = 8_000;

/// A bridge that ovs-vswitchd has made.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    pub(super) name: Box<str>,
    /// The last number given out unasked; the search for the next begins behind it.
    last: u16,
    /// What was last told of its controller.
    told: Option<Told>,
}

/// Whom a bridge dials, and as whom.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    target: Option<Box<str>>,
    datapath_id: u64,
    max_backoff: u32,
}

/// An interface of the bridge that is being looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plugged {
    pub(super) row: u32,
    pub(super) ofport: Option<i64>,
    request: Option<i64>,
}

/// One bridge being brought in line with the database.
pub(super) struct Pass<'d, 'a, 'c> {
    draft: &'d mut Draft<'a>,
    changes: &'c [Change],
    writer: Writer,
    pub(super) bridge: Bridge,
    pub(super) macs: u32,
    used: BTreeSet<i64>,
    pub(super) effects: Vec<Effect>,
}

impl<'d, 'a, 'c> Pass<'d, 'a, 'c> {
    pub(super) fn new(
        draft: &'d mut Draft<'a>,
        changes: &'c [Change],
        writer: Writer,
        bridge: Bridge,
    ) -> Pass<'d, 'a, 'c> {
        Pass { draft, changes, writer, bridge, macs: 0, used: BTreeSet::new(), effects: Vec::new() }
    }

    pub(super) fn run(&mut self, place: Place, is_new: bool) {
        self.bridge.name = text_of(self.draft, place, BRIDGE_NAME).into();
        self.tell_removed(place);
        let mut plugged = plugged_in(self.draft, place);
        if is_new {
            // Numbers in the rows are from an earlier life of the bridge: they are wishes.
            self.bridge.told = None;
        } else {
            self.used =
                plugged.iter().filter_map(|plugged| plugged.ofport.filter(|number| *number > 0)).collect();
            self.keep(&mut plugged);
            self.renumber(&mut plugged);
        }
        let at = self.effects.len();
        self.attach(&plugged, is_new);
        let controller = self.controller(place);
        self.effects.splice(at..at, controller);
    }

    /// Ports that have been taken out of the bridge.
    fn tell_removed(&mut self, place: Place) {
        let Some(change) = find_change(self.changes, place) else { return };
        let (Some(old), Some(new)) = (&change.old, &change.new) else { return };
        let kept: BTreeSet<u128> = new.cell(PORTS).iter().flat_map(|datum| datum.ids()).collect();
        let ids = self.draft.ids();
        for port in old.cell(PORTS).iter().flat_map(|datum| datum.ids()).filter(|id| !kept.contains(id)) {
            let port = find_change(self.changes, (Table::Port, ids.row(port).unwrap_or_default()));
            let Some(port) = port.and_then(|change| change.old.as_ref()) else { continue };
            for interface in port.cell(INTERFACES).iter().flat_map(|datum| datum.ids()) {
                let place = (Table::Interface, ids.row(interface).unwrap_or_default());
                let row = find_change(self.changes, place).and_then(|change| change.old.as_ref());
                let Some(row) = row else { continue };
                self.tell_port_removed(row);
            }
        }
    }

    fn tell_port_removed(&mut self, row: &Row) {
        if let Some(ofport) = number_of(row.cell(OFPORT).and_then(Datum::as_integer)) {
            let name = row.cell(NAME).and_then(Datum::as_text).unwrap_or_default().to_owned();
            self.effects.push(Effect::PortRemoved { bridge: self.bridge.name.as_ref().into(), ofport, name });
        }
    }

    /// Interfaces that had a number and were changed: another type is another device, bad options take the number away.
    fn keep(&mut self, plugged: &mut [Plugged]) {
        for plugged in plugged {
            let Some(number) = plugged.ofport.filter(|number| *number > 0 && *number != LOCAL) else {
                continue;
            };
            let Some(change) = find_change(self.changes, (Table::Interface, plugged.row)) else { continue };
            let (Some(old), Some(new)) = (&change.old, &change.new) else { continue };
            if old.cell(KIND) == new.cell(KIND) && old.cell(OPTIONS) == new.cell(OPTIONS) {
                continue;
            }
            if let Err(fault) = verify(new, Device::Present) {
                self.tell_port_removed(old);
                self.used.remove(&number);
                plugged.ofport = None;
                self.fail(plugged.row, fault);
            } else if old.cell(KIND) != new.cell(KIND) {
                self.tell_port_removed(old);
                self.set_up(plugged.row, number);
            }
        }
    }

    /// Interfaces that ask for another number than they have get it as soon as it is free.
    fn renumber(&mut self, plugged: &mut [Plugged]) {
        let is_moving = |plugged: &&mut Plugged| {
            let has = plugged.ofport.is_some_and(|number| number > 0 && number != LOCAL);
            has && plugged.request.is_some() && plugged.request != plugged.ofport
        };
        let mut moving: Vec<&mut Plugged> = plugged.iter_mut().filter(is_moving).collect();
        let mut is_progress = true;
        while is_progress {
            is_progress = false;
            moving.retain_mut(|plugged| {
                let (Some(from), Some(to)) = (plugged.ofport, plugged.request) else { return false };
                if self.used.contains(&to) {
                    return true;
                }
                self.used.remove(&from);
                self.used.insert(to);
                if let Some(row) = self.draft.row((Table::Interface, plugged.row)).map(|row| row.into_owned())
                {
                    self.tell_port_removed(&row);
                }
                self.set_up(plugged.row, to);
                plugged.ofport = Some(to);
                is_progress = true;
                false
            });
        }
    }

    /// Gives numbers to interfaces that have none: first to the bridge's own, then to those that ask for one.
    fn attach(&mut self, plugged: &[Plugged], is_new: bool) {
        let is_waiting = |plugged: &&Plugged| is_new || plugged.ofport.is_none_or(|number| number <= 0);
        let mut waiting: Vec<Plugged> = plugged.iter().filter(is_waiting).copied().collect();
        if waiting.is_empty() {
            return;
        }
        waiting.sort_by_cached_key(|plugged| {
            let name = text_of(self.draft, (Table::Interface, plugged.row), NAME);
            (name != *self.bridge.name, plugged.request.is_none())
        });
        let attached = plugged.iter().filter(|plugged| !is_waiting(plugged));
        // Only looked at when a tunnel is among those that wait.
        let mut tunnels: Option<BTreeSet<String>> = None;
        for plugged in waiting {
            let place = (Table::Interface, plugged.row);
            let Some(row) = self.draft.row(place).map(|row| row.into_owned()) else { continue };
            let is_local = row.cell(NAME).and_then(Datum::as_text) == Some(&self.bridge.name);
            if is_local {
                self.used.insert(LOCAL);
                self.set_up(plugged.row, LOCAL);
                continue;
            }
            let had = plugged.ofport.filter(|number| *number > 0);
            let is_plugged = self.writer == Writer::Local
                && find_change(self.changes, place).is_some_and(|change| change.old.is_none());
            let device = if had.is_some() || is_plugged { Device::Present } else { Device::Missing };
            if let Err(fault) = verify(&row, device) {
                self.fail(plugged.row, fault);
                continue;
            }
            if let Some(tunnel) = tunnel_identity(&row) {
                let others = attached.clone().filter_map(|other| self.tunnel(other.row));
                if !tunnels.get_or_insert_with(|| others.collect()).insert(tunnel) {
                    self.fail(plugged.row, Fault::Exists);
                    continue;
                }
            }
            let number = self.number(plugged.request.or(had));
            self.set_up(plugged.row, number);
        }
    }

    fn tunnel(&self, row: u32) -> Option<String> {
        tunnel_identity(&*self.draft.row((Table::Interface, row))?)
    }

    /// The number wished for, if it is free; otherwise the next free one behind the last that was given out.
    fn number(&mut self, wish: Option<i64>) -> i64 {
        if let Some(wish) = wish.filter(|wish| !self.used.contains(wish)) {
            self.used.insert(wish);
            return wish;
        }
        let mut number = self.bridge.last;
        loop {
            number = if number + 1 >= RESERVED { 1 } else { number + 1 };
            // All being taken cannot happen with rows that fit into memory, but must not be an endless loop.
            if self.used.insert(number.into()) || number == self.bridge.last {
                self.bridge.last = number;
                return number.into();
            }
        }
    }

    /// The interface works and has this number.
    fn set_up(&mut self, row: u32, number: i64) {
        let mac = self.made_up_mac(row);
        let Some(cells) = self.draft.edit((Table::Interface, row)) else { return };
        let kind = cells.cell(KIND).and_then(Datum::as_text).unwrap_or_default();
        let is_quiet = number == LOCAL || matches!(kind, "internal" | "tap");
        let is_device = is_quiet || matches!(kind, "" | "system");
        let state = Datum::text(if is_quiet { "down" } else { "up" });
        let mut set = |column, datum| cells.set(Table::Interface, column, datum);
        set(OFPORT, Datum::integer(number));
        set(ERROR, Datum::nothing());
        set(MAC_IN_USE, Datum::text(&mac_text(mac)));
        set(ADMIN_STATE, state.clone());
        set(LINK_STATE, state);
        set(LINK_RESETS, Datum::integer(0));
        set(IFINDEX, Datum::integer(if is_device { i64::from(row) + 2 } else { 0 }));
        set(MTU, if is_device { Datum::integer(1500) } else { Datum::nothing() });
        let name = text_of(self.draft, (Table::Interface, row), NAME);
        if let Some(ofport) = number_of(Some(number)) {
            self.effects.push(Effect::PortAdded { bridge: self.bridge.name.as_ref().into(), ofport, name });
        }
    }

    /// The interface does not work, and says why.
    fn fail(&mut self, row: u32, fault: Fault) {
        let place = (Table::Interface, row);
        let name = text_of(self.draft, place, NAME);
        for column in [MAC_IN_USE, ADMIN_STATE, LINK_STATE, IFINDEX, MTU] {
            self.draft.set(place, column, Datum::nothing());
        }
        self.draft.set(place, OFPORT, Datum::integer(-1));
        self.draft.set(place, ERROR, Datum::text(&fault.text(&name)));
    }

    /// A locally administered address that no other interface of the fleet has had.
    fn made_up_mac(&mut self, row: u32) -> [u8; 6] {
        self.macs = self.macs.wrapping_add(1);
        let id = self.draft.ids().id(row).rotate_right(16) as u32;
        let [a, b, ..] = id.to_be_bytes();
        let [_, c, d, e] = self.macs.to_be_bytes();
        [0x02, a, b, c, d, e]
    }

    /// The bridge's identity and whom it dials; what to tell if that is news.
    fn controller(&mut self, place: Place) -> Option<Effect> {
        let asked = self.draft.cell(place, SETTINGS);
        let asked =
            asked.as_ref().and_then(|settings| settings.get("datapath-id")).and_then(read_datapath_id);
        let datapath_id = asked.unwrap_or_else(|| self.local_mac(place));
        self.draft.set(place, DATAPATH_ID, Datum::text(&format!("{datapath_id:016x}")));
        self.draft.set(place, DATAPATH_VERSION, Datum::text("<built-in>"));
        let ids = self.draft.ids();
        let controller = self.draft.cell(place, CONTROLLER).and_then(|datum| datum.ids().next());
        let controller = controller.and_then(|id| ids.row(id)).map(|row| (Table::Controller, row));
        let target = controller.map(|place| text_of(self.draft, place, TARGET).into());
        let backoff = controller.and_then(|place| self.draft.cell(place, BACKOFF)?.as_integer());
        let max_backoff = backoff.and_then(|backoff| u32::try_from(backoff).ok()).unwrap_or(MAX_BACKOFF);
        let told = Told { target, datapath_id, max_backoff };
        if self.bridge.told.as_ref() == Some(&told) {
            return None;
        }
        self.bridge.told = Some(told);
        self.bridge.effect()
    }

    fn local_mac(&self, place: Place) -> u64 {
        let ports = plugged_in(self.draft, place);
        let local = ports.iter().find(|plugged| plugged.ofport == Some(LOCAL));
        let mac = local.and_then(|local| self.draft.cell((Table::Interface, local.row), MAC_IN_USE));
        let digits = mac.as_ref().and_then(Datum::as_text).unwrap_or_default().replace(':', "");
        u64::from_str_radix(&digits, 16).unwrap_or_else(|_| u64::from(place.1) | 0x0200_0000_0000)
    }
}

impl Bridge {
    /// What to tell of its controller.
    pub(super) fn effect(&self) -> Option<Effect> {
        let Told { target, datapath_id, max_backoff } = self.told.as_ref()?;
        Some(Effect::BridgeController {
            bridge: self.name.as_ref().into(),
            target: target.as_deref().map(str::to_owned),
            datapath_id: *datapath_id,
            max_backoff: *max_backoff,
        })
    }
}

/// The interfaces of a bridge: the first one of every port (bonds are not simulated).
pub(super) fn plugged_in(draft: &Draft<'_>, bridge: Place) -> Vec<Plugged> {
    let ids = draft.ids();
    let ports = draft.cell(bridge, PORTS);
    let mut plugged = Vec::with_capacity(ports.as_ref().map_or(0, Datum::len));
    for port in ports.iter().flat_map(|datum| datum.ids()).filter_map(|id| ids.row(id)) {
        let interfaces = draft.cell((Table::Port, port), INTERFACES);
        let first = interfaces.and_then(|datum| datum.ids().next()).and_then(|id| ids.row(id));
        let Some(row) = first else { continue };
        let number =
            |column| draft.cell((Table::Interface, row), column).and_then(|datum| datum.as_integer());
        plugged.push(Plugged { row, ofport: number(OFPORT), request: number(REQUEST) });
    }
    plugged.sort_unstable_by_key(|plugged| plugged.row);
    plugged
}

/// The text in a column, or nothing at all.
pub(super) fn text_of(draft: &Draft<'_>, place: Place, column: u8) -> String {
    draft.cell(place, column).as_ref().and_then(Datum::as_text).unwrap_or_default().to_owned()
}

/// A number that an interface has.
pub(super) fn number_of(ofport: Option<i64>) -> Option<u32> {
    ofport.filter(|number| *number > 0).and_then(|number| u32::try_from(number).ok())
}

fn find_change(changes: &[Change], place: Place) -> Option<&Change> {
    let at = changes.binary_search_by_key(&place, |change| (change.table, change.number)).ok()?;
    Some(&changes[at])
}

/// Up to sixteen hexadecimal digits behind `0x`, or exactly sixteen; zero is none.
fn read_datapath_id(text: &str) -> Option<u64> {
    let digits = match text.strip_prefix("0x") {
        Some(digits) if (1..=16).contains(&digits.len()) => digits,
        None if text.len() == 16 => text,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok().filter(|id| *id != 0)
}
