//! Texts in few bytes: frequent words, MAC and IPv4 addresses and ids take a byte and what is particular to them.

use std::net::Ipv4Addr;
use std::sync::OnceLock;

use hashbrown::HashMap;

use super::row::{pack_number, take, unpack_number};
use super::value::{id_text, push_id, read_id, write_text};

/// Words that many rows hold; a word's position is its code.
const WORDS: &[&str] = &[
    "",
    "up",
    "down",
    "vxlan",
    "geneve",
    "gre",
    "internal",
    "system",
    "tap",
    "patch",
    "key",
    "flow",
    "remote_ip",
    "local_ip",
    "dst_port",
    "weft-owner",
    "weft",
    "weft-peer",
    "iface-id",
    "attached-mac",
    "iface-status",
    "active",
    "vm-id",
    "br-int",
    "secure",
    "standalone",
    "OpenFlow10",
    "OpenFlow11",
    "OpenFlow12",
    "OpenFlow13",
    "OpenFlow14",
    "OpenFlow15",
    "datapath-id",
    "disable-in-band",
    "true",
    "false",
    "netdev",
    "out-of-band",
    "in-band",
    "system-id",
    "hostname",
    "weft-encap-ip",
    "weft-datapath-type",
    "3.1.0",
    "8.3.1",
    "<built-in>",
    "erspan",
    "ip6erspan",
    "ip6gre",
    "lisp",
    "stt",
    "bareudp",
    "gtpu",
    "afxdp",
    "afxdp-nonpmd",
    "csum",
    "tos",
    "df_default",
    "egress_pkt_mark",
    "4789",
    "6081",
    "name",
    "type",
    "status",
    "dummy",
    "driver_name",
    "tun",
    "veth",
    "hwaddr",
];

/// Codes below are words.
const WORDS_END: usize = 0x80;
/// Codes from here are texts of `code - SHORT` bytes.
const SHORT: u8 = 0x80;
/// The longest of them.
const SHORT_MAX: usize = 0x6f;
const LONG: u8 = 0xf0;
const ID: u8 = 0xf1;
const MAC: u8 = 0xf2;
const IPV4: u8 = 0xf3;

/// Appends a text.
pub(super) fn pack(text: &str, out: &mut Vec<u8>) {
    if let Some(code) = codes().get(text) {
        out.push(*code);
    } else if let Some(id) = read_id(text).filter(|id| id_text(*id) == text) {
        out.push(ID);
        out.extend_from_slice(&id.to_be_bytes());
    } else if let Some(mac) = read_mac(text).filter(|mac| mac_text(*mac) == text) {
        out.push(MAC);
        out.extend_from_slice(&mac);
    } else if let Some(ip) = text.parse::<Ipv4Addr>().ok().filter(|ip| ip.to_string() == text) {
        out.push(IPV4);
        out.extend_from_slice(&ip.octets());
    } else {
        match u8::try_from(text.len()) {
            Ok(length) if usize::from(length) <= SHORT_MAX => out.push(SHORT + length),
            _ => {
                out.push(LONG);
                pack_number(text.len() as u64, out);
            }
        }
        out.extend_from_slice(text.as_bytes());
    }
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(bytes: &mut &[u8]) -> Box<str> {
    let code = take(bytes, 1).first().copied().unwrap_or(0);
    match code {
        ID => id_text(take(bytes, 16).iter().fold(0, |id, byte| id << 8 | u128::from(*byte))).into(),
        MAC => mac_text(take(bytes, 6).try_into().unwrap_or_default()).into(),
        IPV4 => Ipv4Addr::from(<[u8; 4]>::try_from(take(bytes, 4)).unwrap_or_default()).to_string().into(),
        LONG => {
            let length = usize::try_from(unpack_number(bytes)).unwrap_or(usize::MAX);
            String::from_utf8_lossy(take(bytes, length)).into()
        }
        code if usize::from(code) < WORDS_END => {
            WORDS.get(usize::from(code)).copied().unwrap_or_default().into()
        }
        short => String::from_utf8_lossy(take(bytes, usize::from(short - SHORT))).into(),
    }
}

/// Passes over what [`pack`] wrote.
pub(super) fn skip(bytes: &mut &[u8]) {
    let length = match take(bytes, 1).first().copied().unwrap_or(0) {
        ID => 16,
        MAC => 6,
        IPV4 => 4,
        LONG => usize::try_from(unpack_number(bytes)).unwrap_or(usize::MAX),
        word if usize::from(word) < WORDS_END => 0,
        short => usize::from(short - SHORT),
    };
    take(bytes, length);
}

/// Reads what [`pack`] wrote and appends it as JSON.
pub(super) fn write(bytes: &mut &[u8], out: &mut Vec<u8>) {
    let code = bytes.first().copied().unwrap_or(0);
    if code == ID {
        take(bytes, 1);
        out.push(b'"');
        push_id(out, take(bytes, 16).iter().fold(0, |id, byte| id << 8 | u128::from(*byte)));
        out.push(b'"');
    } else if usize::from(code) < WORDS_END {
        take(bytes, 1);
        write_text(out, WORDS.get(usize::from(code)).copied().unwrap_or_default());
    } else if (SHORT..LONG).contains(&code) {
        take(bytes, 1);
        write_text(out, &String::from_utf8_lossy(take(bytes, usize::from(code - SHORT))));
    } else {
        write_text(out, &unpack(bytes));
    }
}

/// The seventeen characters of a MAC address.
pub(super) fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn read_mac(text: &str) -> Option<[u8; 6]> {
    if text.len() != 17 {
        return None;
    }
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    Some(mac)
}

fn codes() -> &'static HashMap<&'static str, u8> {
    static CODES: OnceLock<HashMap<&'static str, u8>> = OnceLock::new();
    CODES.get_or_init(|| (0..).zip(WORDS).map(|(code, word)| (*word, code)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_as_it_was() {
        assert!(WORDS.len() <= WORDS_END);
        let long = "x".repeat(300);
        let texts = [
            "",
            "vxlan",
            "wv-1",
            "10.0.0.1",
            "010.0.0.1",
            "1.2.3",
            "02:00:00:00:00:01",
            "02:00:00:00:0A:01",
            "77656674-0000-4000-8000-000000000001",
            "77656674-0000-4000-8000-00000000000A",
            "h\u{e4}",
            "\u{0}",
            &long,
            "+2:00:00:00:00:01",
        ];
        for text in texts {
            let mut out = Vec::new();
            pack(text, &mut out);
            let mut bytes = out.as_slice();
            assert_eq!((unpack(&mut bytes).as_ref(), bytes.len()), (text, 0));
            let mut bytes = out.as_slice();
            skip(&mut bytes);
            assert_eq!(bytes.len(), 0);
            let (mut bytes, mut json) = (out.as_slice(), Vec::new());
            write(&mut bytes, &mut json);
            assert_eq!((bytes.len(), json), (0, serde_json::to_vec(text).unwrap()));
        }
    }
}
