//! What must hold for any bytes at all: the bodies of the fuzz targets.
//!
//! The targets in `fuzz/` call these functions, and so do ordinary tests, with random input.

use etherparse::SlicedPacket;

use crate::userdata::Service;
use crate::{Question, answer, dns, reply, unsolicited};

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

/// DNS over whatever carries it: questions are answered whole and within their room, as is what another server is said
/// to have answered; and a step of a connection is one frame.
///
/// # Panics
/// When that does not hold.
pub fn dns(packet: &[u8], answer: &[u8]) {
    let (call, messages) = match dns::hear(packet) {
        Ok(dns::Heard::Asked(call, messages)) => (call, messages),
        Ok(dns::Heard::Connection(frame)) => return assert!(SlicedPacket::from_ethernet(&frame).is_ok()),
        Err(_) => return,
    };
    assert!(messages.len() <= dns::MOST_QUESTIONS);
    let answers = messages.iter().filter_map(|message| reply_to(message, answer)).collect::<Vec<_>>();
    for frame in call.frames(&answers) {
        assert!(frame.len() <= 1500, "{} bytes", frame.len());
        assert!(SlicedPacket::from_ethernet(&frame).is_ok());
    }
}

fn reply_to(message: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
    let question = match dns::Question::read(message) {
        dns::Reading::Question(question) => question,
        dns::Reading::Refused(refusal) => return Some(refusal).filter(|refusal| refusal.len() >= 12),
        dns::Reading::Nothing => return None,
    };
    let room = question.room();
    if let Some(relayed) = dns::relayed(&question, 7, answer, room) {
        assert!(relayed.len() <= room);
    }
    // What we hand on is a question again, and the same one.
    let again = dns::Question::read(&question.onward(7)).question().expect("a question of ours");
    assert_eq!((again.name(), again.number()), (question.name(), question.number()));
    let domain = "weft.internal".to_owned();
    let addresses = vec![[10, 0, 0, 1].into(), [0; 16].into()];
    let found = match question.address() {
        Some(_) => dns::Found::Name(domain),
        None if question.name().len().is_multiple_of(2) => dns::Found::Addresses { domain, addresses },
        None => dns::Found::Nothing { domain: Some(domain) },
    };
    let reply = question.answer(&found, room);
    assert!((12..=room).contains(&reply.len()), "{} bytes", reply.len());
    Some(reply)
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
    let reply = Service::decode(userdata).map(|service| reply(&service, &Question { packet, next_hop }));
    if let Some(Ok(reply)) = reply {
        assert!(reply.frame.len() <= 4096, "{} bytes", reply.frame.len());
        assert!(SlicedPacket::from_ethernet(&reply.frame).is_ok());
    }
}
