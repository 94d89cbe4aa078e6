//! How much a port may send and get, and the mark of what it sends.
//!
//! A limit is a meter of the port's own in each direction: Open vSwitch polices with it in every datapath, whatever the
//! interface is. Meters stand in no bundle, so the flow that names one carries what it lets pass as a note, and whoever sends
//! the flow sends the meter before it ([`crate::meters::needed`]).

use weft_model::Direction;
use weft_openflow::{OxmField, oxm};

use crate::meters;
use crate::sheet::Then;
use crate::tables::Local;

/// Holds what the port sends (egress) or gets to its limit, if it has one. Has to come first of all actions.
pub(crate) fn limited(local: &Local<'_>, direction: Direction) -> Then {
    let limit = local.qos.and_then(|policy| policy.limit(direction));
    limit.map_or_else(Then::new, |limit| {
        let [meter, note] = meters::limit(local.number, direction, limit);
        Then::new().act(meter).act(note)
    })
}

/// What is set in what the port sends, which must be known to be IP.
pub(crate) fn mark(local: &Local<'_>) -> Option<OxmField> {
    local.qos.and_then(|policy| policy.mark()).map(|dscp| oxm::ip_dscp(dscp.get()))
}
