//! Interfaces, addresses and routes of the namespace that a netlink connection belongs to.
//!
//! By route netlink and not by running `ip`: no program has to be there, an error is a number and not a sentence, and
//! attaching a container is a few system calls.

use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;

use futures::TryStreamExt;
use rtnetlink::packet_route::address::AddressHeaderFlags;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Error, Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::error::AgentError;
use crate::wiring::{Prefix, Route, Wiring};

const EEXIST: i32 = 17;
const ENODEV: i32 = 19;

/// An interface as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index in its namespace.
    pub index: u32,
    /// Its Ethernet address.
    pub mac: Vec<u8>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Whether its administrator wants it up.
    pub is_up: bool,
}

/// A veth pair to be made: one end here, the other in a namespace.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The name of the end here.
    pub outside: String,
    /// The name of the other end.
    pub inside: String,
    /// The Ethernet address of the other end.
    pub mac: [u8; 6],
    /// The MTU of both, in bytes.
    pub mtu: u32,
    /// The namespace of the other end, as a file that this process has open.
    pub namespace: RawFd,
}

/// The interface of that name, if there is one.
pub async fn find(handle: &Handle, name: &str) -> Result<Option<Link>, AgentError> {
    let mut found = handle.link().get().match_name(name).execute();
    match found.try_next().await {
        Ok(message) => Ok(message.map(|message| read(&message))),
        Err(Error::NetlinkError(error)) if error.raw_code() == -ENODEV => Ok(None),
        Err(error) => Err(kernel(format!("looking for interface {name}"))(error)),
    }
}

fn read(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        mac: Vec::new(),
        mtu: 0,
        is_up: message.header.flags.contains(LinkFlags::Up),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Address(mac) => link.mac.clone_from(mac),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    link
}

/// Makes a veth pair in one step: there is never an end with a wrong name, address or place.
pub async fn make_pair(handle: &Handle, pair: &Pair) -> Result<(), AgentError> {
    let inside = LinkMessageBuilder::<LinkUnspec>::new()
        .name(pair.inside.clone())
        .address(pair.mac.to_vec())
        .mtu(pair.mtu)
        .setns_by_fd(pair.namespace)
        .build();
    let outside = LinkMessageBuilder::<LinkVeth>::new(&pair.outside, &pair.inside)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(inside)))
        .mtu(pair.mtu)
        .up()
        .build();
    let doing = format!("making the veth pair {} and {}", pair.outside, pair.inside);
    handle.link().add(outside).execute().await.map_err(kernel(doing))
}

/// Removes the interface of that name; none is no error.
pub async fn remove(handle: &Handle, name: &str) -> Result<(), AgentError> {
    let Some(link) = find(handle, name).await? else { return Ok(()) };
    match handle.link().del(link.index).execute().await {
        // It went while we looked, as when its namespace ends.
        Err(Error::NetlinkError(error)) if error.raw_code() == -ENODEV => Ok(()),
        result => result.map_err(kernel(format!("removing interface {name}"))),
    }
}

/// Sets an interface up.
pub async fn set_up(handle: &Handle, name: &str) -> Result<(), AgentError> {
    let up = LinkUnspec::new_with_name(name).up().build();
    change(handle, up, format!("setting interface {name} up")).await
}

/// Gives the interface of that name what the port has: Ethernet address, MTU, addresses, routes; sets it up, and the
/// loopback interface too. What is so already stays. Returns the routes that it could not have because the namespace
/// has others with the same destination.
pub async fn configure(handle: &Handle, name: &str, wiring: &Wiring) -> Result<Vec<Route>, AgentError> {
    let place = "in the workload's namespace".to_owned();
    let link = find(handle, name).await?.ok_or(AgentError::NoInterface { name: name.to_owned(), place })?;
    set_up(handle, "lo").await?;
    let mut builder = LinkUnspec::new_with_index(link.index).mtu(wiring.mtu).up();
    if link.mac != wiring.mac {
        builder = builder.address(wiring.mac.to_vec());
    }
    change(handle, builder.build(), format!("giving {name} its address and MTU and setting it up")).await?;
    if wiring.addresses.iter().any(|address| address.ip.is_ipv6()) {
        allow_ipv6(name);
    }
    for address in &wiring.addresses {
        add_address(handle, link.index, address).await?;
    }
    let mut refused = Vec::new();
    for route in &wiring.routes {
        if !add_route(handle, link.index, route).await? {
            refused.push(*route);
        }
    }
    Ok(refused)
}

/// Container engines often forbid IPv6 inside until someone gives an address. `/proc/sys/net` shows the namespace of the
/// thread that opens it.
fn allow_ipv6(name: &str) {
    // Where it cannot be written, adding the address tells better what is wrong.
    let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "0");
}

async fn add_address(handle: &Handle, index: u32, address: &Prefix) -> Result<(), AgentError> {
    let mut request = handle.address().add(index, address.ip, address.length).replace();
    if address.ip.is_ipv6() {
        // The controller gave the address to this port only and lets nobody else use it: waiting for the proof of it
        // (RFC 4862 section 5.4) would only delay the workload.
        request.message_mut().header.flags |= AddressHeaderFlags::Nodad;
    }
    request.execute().await.map_err(kernel(format!("adding address {address}")))
}

/// Adds a route; false if there is another one with the same destination through something else.
async fn add_route(handle: &Handle, index: u32, route: &Route) -> Result<bool, AgentError> {
    let doing = format!("adding the route to {} through {}", route.to, route.via);
    let message = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(route.to.ip, route.to.length)
        .and_then(|builder| builder.gateway(route.via))
        .map_err(|error| AgentError::Wish(format!("{doing}: {error}")))?
        .output_interface(index);
    // A gateway may be outside of its subnet: it is a neighbour all the same.
    match handle.route().add(message.onlink().build()).execute().await {
        Ok(()) => Ok(true),
        Err(Error::NetlinkError(error)) if error.raw_code() == -EEXIST => {
            is_there(handle, index, route).await.map_err(kernel(doing))
        }
        Err(error) => Err(kernel(doing)(error)),
    }
}

/// Whether the route that is in the way is the very same one.
async fn is_there(handle: &Handle, index: u32, route: &Route) -> Result<bool, Error> {
    use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute};
    let query = match route.to.ip {
        IpAddr::V4(_) => RouteMessageBuilder::<std::net::Ipv4Addr>::new().build(),
        IpAddr::V6(_) => RouteMessageBuilder::<std::net::Ipv6Addr>::new().build(),
    };
    let via = match route.via {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    };
    let mut routes = handle.route().get(query).execute();
    while let Some(found) = routes.try_next().await? {
        let has = |attribute: &RouteAttribute| found.attributes.contains(attribute);
        if found.header.destination_prefix_length == route.to.length
            && has(&RouteAttribute::Oif(index))
            && has(&RouteAttribute::Gateway(via.clone()))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn change(handle: &Handle, message: LinkMessage, doing: String) -> Result<(), AgentError> {
    handle.link().change(message).execute().await.map_err(kernel(doing))
}

fn kernel(doing: String) -> impl FnOnce(Error) -> AgentError {
    move |error| {
        let source = match error {
            Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        AgentError::Kernel { doing, source }
    }
}
