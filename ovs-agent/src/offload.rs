//! Turns off what a veth would leave to hardware that is not there.
//!
//! A workload's kernel leaves TCP checksums and segmentation to its interface. The userspace datapath of Open vSwitch does
//! neither for a veth: pings pass, TCP does not. `ethtool -K eth0 tx off tso off` is the cure; the same is done here by
//! generic netlink (linux/ethtool_netlink.h), because the ioctl behind the command needs unsafe code and the command need
//! not be installed. Kernels before 5.6 know only the ioctl: there the command is run.

use std::io;
use std::process::Command;

use rtnetlink::sys::protocols::NETLINK_GENERIC;
use rtnetlink::sys::{Socket, SocketAddr};

use crate::error::AgentError;

/// `ethtool -K tx off tso off`, in the kernel's names.
const FEATURES: [&str; 8] = [
    "tx-checksum-ipv4",
    "tx-checksum-ip-generic",
    "tx-checksum-ipv6",
    "tx-checksum-sctp",
    "tx-tcp-segmentation",
    "tx-tcp-ecn-segmentation",
    "tx-tcp-mangleid-segmentation",
    "tx-tcp6-segmentation",
];

/// The same in kernels of which older ones do not know the names: they refuse a request that has one.
const NEWER_FEATURES: [&str; 1] = ["tx-tcp-accecn-segmentation"];

const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLMSG_ERROR: u16 = 2;
const HEADERS: usize = 20;
/// The controller of generic netlink, its question for a family by name, and the attributes of question and answer.
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
/// The request to set features and its attributes.
const ETHTOOL_MSG_FEATURES_SET: u8 = 12;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_FEATURES_WANTED: u16 = 3;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BITS_BIT: u16 = 1;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const NLA_F_NESTED: u16 = 0x8000;

/// Turns transmit checksum and segmentation offload off on an interface of the namespace that the calling thread is in.
///
/// # Errors
/// [`AgentError::Kernel`].
pub fn disable(name: &str) -> Result<(), AgentError> {
    let failed = || AgentError::kernel(format!("turning transmit offloads of {name} off"));
    let socket = Socket::new(NETLINK_GENERIC).map_err(failed())?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(failed())?;
    match family(&socket) {
        Ok(family) => {
            set(&socket, family, name, &FEATURES).map_err(failed())?;
            for feature in NEWER_FEATURES {
                match set(&socket, family, name, &[feature]) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                    result => result.map_err(failed())?,
                }
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => run_ethtool(name).map_err(failed()),
        Err(error) => Err(failed()(error)),
    }
}

/// The number of the family "ethtool", which each kernel chooses for itself.
fn family(socket: &Socket) -> io::Result<u16> {
    let name = attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
    let answer = ask(socket, &message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &name))?;
    let id = find(&answer, CTRL_ATTR_FAMILY_ID).and_then(|bytes| bytes.get(..2)?.try_into().ok());
    id.map(u16::from_ne_bytes).ok_or_else(|| io::Error::other("the kernel's answer has no family id"))
}

fn set(socket: &Socket, family: u16, name: &str, features: &[&str]) -> io::Result<()> {
    let header = attribute(ETHTOOL_A_HEADER_DEV_NAME, format!("{name}\0").as_bytes());
    // A bit that is named without a value is to be cleared; bits that are not named stay.
    let bit = |feature: &str| {
        let name = attribute(ETHTOOL_A_BITSET_BIT_NAME, format!("{feature}\0").as_bytes());
        attribute(ETHTOOL_A_BITSET_BITS_BIT | NLA_F_NESTED, &name)
    };
    let bits = attribute(
        ETHTOOL_A_BITSET_BITS | NLA_F_NESTED,
        &features.iter().map(|feature| bit(feature)).collect::<Vec<_>>().concat(),
    );
    let mut body = attribute(ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED, &header);
    body.extend(attribute(ETHTOOL_A_FEATURES_WANTED | NLA_F_NESTED, &bits));
    ask(socket, &message(family, ETHTOOL_MSG_FEATURES_SET, &body)).map(drop)
}

fn run_ethtool(name: &str) -> io::Result<()> {
    // The child starts in the namespace of the thread that starts it.
    let output = Command::new("ethtool").args(["-K", name, "tx", "off", "tso", "off"]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// A generic netlink request: header of netlink, header of generic netlink, attributes.
fn message(kind: u16, command: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADERS + body.len()).expect("requests are a few hundred bytes");
    let mut bytes = Vec::with_capacity(HEADERS + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST_ACK.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([command, 1, 0, 0]);
    bytes.extend(body);
    bytes
}

/// An attribute, padded to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("attributes are a few hundred bytes");
    let mut bytes = Vec::with_capacity(8 + value.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The value of the first attribute of that kind.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while attributes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([attributes[0], attributes[1]]));
        let kind = u16::from_ne_bytes([attributes[2], attributes[3]]);
        let value = attributes.get(4..length)?;
        if kind & !NLA_F_NESTED == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Sends a request and reads until its acknowledgement; returns the attributes of what was answered before it.
fn ask(socket: &Socket, request: &[u8]) -> io::Result<Vec<u8>> {
    socket.send(request, 0)?;
    let mut answer = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while let Some((kind, payload, next)) = split(rest) {
            match kind {
                NLMSG_ERROR => {
                    let code = payload.get(..4).and_then(|bytes| bytes.try_into().ok());
                    return match code.map(i32::from_ne_bytes) {
                        Some(0) => Ok(answer),
                        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                        None => Err(io::Error::other("the kernel's answer is too short")),
                    };
                }
                // Behind the header of generic netlink.
                _ => answer.extend_from_slice(payload.get(4..).unwrap_or_default()),
            }
            rest = next;
        }
    }
}

/// The first message of a datagram: its kind, its payload, and the messages behind it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let kind = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
    let payload = bytes.get(16..length)?;
    Some((kind, payload, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_found_again() {
        let mut body = attribute(7, b"abc\0");
        body.extend(attribute(CTRL_ATTR_FAMILY_ID | NLA_F_NESTED, &[1, 2, 3]));
        assert_eq!(body.len(), 16);
        assert_eq!(find(&body, CTRL_ATTR_FAMILY_ID), Some(&[1, 2, 3][..]));
        assert_eq!(find(&body, 9), None);
        for cut in 0..body.len() {
            // Whatever the kernel sends, reading it ends.
            let _ = find(&body[..cut], 9);
        }
    }

    #[test]
    fn this_kernel_knows_the_family_and_no_interface_of_that_name() {
        let error = disable("wt-there-is-no").expect_err("no such interface");
        let AgentError::Kernel { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.raw_os_error(), Some(19), "{source}");
    }
}
