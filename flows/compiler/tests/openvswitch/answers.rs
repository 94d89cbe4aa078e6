//! Questions of port a about port c (on another host), and the answers that they must get, byte by byte.

const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const C: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// Who has 10.0.0.3? Tell 10.0.0.1.
pub fn arp_request() -> Vec<u8> {
    arp([0xff; 6], A, 1, (A, [10, 0, 0, 1]), ([0; 6], [10, 0, 0, 3]))
}

/// 10.0.0.3 is at c's address.
pub fn arp_reply() -> Vec<u8> {
    arp(A, C, 2, (C, [10, 0, 0, 3]), (A, [10, 0, 0, 1]))
}

/// An ARP message of a sender to a target, each with its MAC and address.
pub fn arp(
    to: [u8; 6],
    from: [u8; 6],
    op: u8,
    sender: ([u8; 6], [u8; 4]),
    target: ([u8; 6], [u8; 4]),
) -> Vec<u8> {
    let head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, op];
    [&to[..], &from, &head, &sender.0, &sender.1, &target.0, &target.1].concat()
}

/// Who has fd00::3? Tell fd00::1.
pub fn solicitation() -> Vec<u8> {
    let to = ipv6(0xff02, &[1, 0xff, 0, 3]);
    nd([0x33, 0x33, 0xff, 0, 0, 3], A, (ipv6(0xfd00, &[1]), to), [135, 0, 0, 0], (1, A))
}

/// fd00::3 is at c's address: solicited, override.
pub fn advertisement() -> Vec<u8> {
    nd(A, C, (ipv6(0xfd00, &[3]), ipv6(0xfd00, &[1])), [136, 0x60, 0, 0], (2, C))
}

fn ipv6(high: u16, low: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&high.to_be_bytes());
    bytes[16 - low.len()..].copy_from_slice(low);
    bytes
}

/// Neighbour discovery about fd00::3: `kind` is the ICMPv6 type and the first three bytes behind the checksum.
fn nd(
    to: [u8; 6],
    from: [u8; 6],
    (source, destination): ([u8; 16], [u8; 16]),
    kind: [u8; 4],
    (option, mac): (u8, [u8; 6]),
) -> Vec<u8> {
    let mut body = vec![kind[0], 0, 0, 0, kind[1], kind[2], kind[3], 0];
    body.extend(ipv6(0xfd00, &[3]));
    body.extend([option, 1]);
    body.extend(mac);
    let length = u8::try_from(body.len()).expect("short");
    let pseudo = [&source[..], &destination, &[0, 0, 0, length, 0, 0, 0, 58], &body].concat();
    let sum: u32 = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded");
    body[2..4].copy_from_slice(&checksum.to_be_bytes());
    let head = [0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255];
    [&to[..], &from, &head, &source, &destination, &body].concat()
}
