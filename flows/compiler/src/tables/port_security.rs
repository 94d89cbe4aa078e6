//! Table port_security: a port sends from its own Ethernet addresses only, unless it has no port security.

use std::collections::BTreeSet;

use weft_model::{MacAddr, PortSecurity};
use weft_openflow::oxm;

use crate::fields::Fields;
use crate::pipeline::{ADDRESS_SECURITY, ARP_ND, PORT_SECURITY};
use crate::registers::SOURCE;
use crate::sheet::{Sheet, Then};
use crate::tables::Local;

/// The Ethernet sources that pass; all others are the table's miss.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let source = Fields::new().with(SOURCE.is(local.port.key.get()));
    match local.port.security {
        PortSecurity::Off => sheet.flow(&PORT_SECURITY, 200, source, Then::new().goto(&ARP_ND)),
        PortSecurity::Enforced => {
            let own = source.with(oxm::eth_src(local.port.mac.0));
            sheet.flow(&PORT_SECURITY, 100, own, Then::new().goto(&ADDRESS_SECURITY));
            let others: BTreeSet<MacAddr> =
                local.port.allowed_pairs.iter().filter_map(|pair| pair.mac).collect();
            for mac in others.into_iter().filter(|mac| *mac != local.port.mac) {
                let allowed = source.with(oxm::eth_src(mac.0));
                sheet.flow(&PORT_SECURITY, 100, allowed, Then::new().goto(&ADDRESS_SECURITY));
            }
        }
    }
}
