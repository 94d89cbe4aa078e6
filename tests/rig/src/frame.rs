//! Sending raw Ethernet frames from an interface: what a spoofing workload would do.
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

use crate::netns::Netns;

/// Sends one frame, destination MAC first, out of an interface of a namespace.
pub(crate) fn send(netns: &Netns, interface: &str, frame: &[u8]) -> Result<()> {
    netns.inside(|| {
        let to = link_address(interface)?;
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None)?;
        let sent = sendto(socket.as_raw_fd(), frame, &to, MsgFlags::empty());
        let sent = sent.with_context(|| format!("sending a frame out of {interface}"))?;
        ensure!(sent == frame.len(), "{sent} of {} bytes were sent", frame.len());
        Ok(())
    })
}

/// The address that names an interface to a packet socket.
fn link_address(interface: &str) -> Result<LinkAddr> {
    let mut all = getifaddrs()?.filter(|i| i.interface_name == interface);
    let found = all.find_map(|i| i.address?.as_link_addr().copied());
    found.with_context(|| format!("no interface {interface}"))
}
