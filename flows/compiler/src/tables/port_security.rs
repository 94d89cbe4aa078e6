//! Table port_security: a port sends from its own Ethernet address only, unless it has no port security.

use weft_model::PortSecurity;
use weft_openflow::oxm;

use crate::fields::Fields;
use crate::pipeline::{ADDRESS_SECURITY, ARP_ND, PORT_SECURITY};
use crate::registers::SOURCE;
use crate::sheet::{Sheet, Then};
use crate::tables::Local;

/// The one Ethernet source that passes; all others are the table's miss.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let source = Fields::new().with(SOURCE.is(local.port.key.get()));
    match local.port.security {
        PortSecurity::Off => sheet.flow(&PORT_SECURITY, 200, source, Then::new().goto(&ARP_ND)),
        PortSecurity::Enforced => {
            let own = source.with(oxm::eth_src(local.port.mac.0));
            sheet.flow(&PORT_SECURITY, 100, own, Then::new().goto(&ADDRESS_SECURITY));
        }
    }
}
