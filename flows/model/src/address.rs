//! Arithmetic on addresses of either family: neighbours, and what of a prefix a port may have.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::AddressRange;

/// The next address, unless this is the family's last.
pub(crate) fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_add(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(v6) => u128::from(v6).checked_add(1).map(|n| IpAddr::V6(n.into())),
    }
}

/// The previous address, unless this is the family's first.
pub(crate) fn predecessor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_sub(1).map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(v6) => u128::from(v6).checked_sub(1).map(|n| IpAddr::V6(n.into())),
    }
}

/// The addresses of a prefix that ports may have: without the network and broadcast address of IPv4 (but a /31 has
/// neither, RFC 3021), without the subnet-router anycast address of IPv6 (RFC 4291 section 2.6.1; but a /127 has
/// none, RFC 6164).
pub(crate) fn usable(cidr: IpNet) -> AddressRange {
    let (first, last) = (cidr.network(), cidr.broadcast());
    let is_tiny = cidr.max_prefix_len() - cidr.prefix_len() < 2;
    let start = if is_tiny { None } else { successor(first) };
    let end = if is_tiny || first.is_ipv6() { None } else { predecessor(last) };
    AddressRange { start: start.unwrap_or(first), end: end.unwrap_or(last) }
}

/// A range without one address of it: what is left before and after, in order.
pub(crate) fn without(range: AddressRange, address: Option<IpAddr>) -> Vec<AddressRange> {
    let Some(hole) = address.filter(|address| range.contains(*address)) else { return vec![range] };
    let before = predecessor(hole).filter(|end| *end >= range.start).map(|end| AddressRange { end, ..range });
    let after =
        successor(hole).filter(|start| *start <= range.end).map(|start| AddressRange { start, ..range });
    before.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cidr: &str, hole: Option<&str>, expected: &str) {
        let range = usable(cidr.parse().expect("a prefix"));
        let left = without(range, hole.map(|text| text.parse().expect("an address")));
        let text: Vec<_> = left.iter().map(|r| format!("{}-{}", r.start, r.end)).collect();
        assert_eq!(text.join(" "), expected, "{cidr} without {hole:?}");
    }

    #[test]
    fn what_a_port_may_have() {
        check("10.0.0.0/24", None, "10.0.0.1-10.0.0.254");
        check("10.0.0.0/24", Some("10.0.0.1"), "10.0.0.2-10.0.0.254");
        check("10.0.0.0/24", Some("10.0.0.254"), "10.0.0.1-10.0.0.253");
        check("10.0.0.0/24", Some("10.0.0.9"), "10.0.0.1-10.0.0.8 10.0.0.10-10.0.0.254");
        check("10.0.0.0/24", Some("10.0.1.9"), "10.0.0.1-10.0.0.254");
        check("10.0.0.0/30", None, "10.0.0.1-10.0.0.2");
        check("10.0.0.0/31", None, "10.0.0.0-10.0.0.1");
        check("10.0.0.4/32", None, "10.0.0.4-10.0.0.4");
        check("10.0.0.4/32", Some("10.0.0.4"), "");
        check("128.0.0.0/1", None, "128.0.0.1-255.255.255.254");
        check("fd00::/64", None, "fd00::1-fd00::ffff:ffff:ffff:ffff");
        check("fd00::/126", None, "fd00::1-fd00::3");
        check("fd00::/127", None, "fd00::-fd00::1");
        check("fd00::1/128", None, "fd00::1-fd00::1");
        check("8000::/1", None, "8000::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }
}
