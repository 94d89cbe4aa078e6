//! What must hold for any bytes at all: the bodies of the fuzz targets.
//!
//! The targets in `fuzz/` call these functions, and so do ordinary tests, with random input.

use etherparse::SlicedPacket;

use crate::userdata::Service;
use crate::{Question, answer, reply, unsolicited};

/// Userdata: whatever can be read is written as the same bytes again.
///
/// # Panics
/// When that does not hold.
pub fn userdata(data: &[u8]) {
    if let Some(service) = Service::decode(data) {
        assert_eq!(service.encode(), data);
        if let Some(frame) = unsolicited(data) {
            assert!(SlicedPacket::from_ethernet(&frame).is_ok());
        }
    }
}

/// Packets: whatever comes to whatever service, what is answered is a whole packet of bounded length.
///
/// # Panics
/// When that does not hold.
pub fn packet(userdata: &[u8], packet: &[u8]) {
    if let Ok(frame) = answer(userdata, packet) {
        assert!(frame.len() <= 4096, "{} bytes", frame.len());
        assert!(SlicedPacket::from_ethernet(&frame).is_ok());
    }
    let next_hop = [0x0a00_0001, 2, 3, u32::try_from(packet.len()).unwrap_or(0)];
    if let Ok(reply) = reply(userdata, &Question { packet, next_hop }) {
        assert!(reply.frame.len() <= 4096, "{} bytes", reply.frame.len());
        assert!(SlicedPacket::from_ethernet(&reply.frame).is_ok());
    }
}
