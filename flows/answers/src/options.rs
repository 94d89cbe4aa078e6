//! Options of DHCP and DHCPv6 as bytes: written by whoever knows the model, carried in userdata, appended to answers.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Most bytes of options in one userdata; an answer with them stays below the smallest MTU with room to spare.
pub const MAX_OPTIONS: usize = 900;

/// DHCP options by code (RFC 2132 and as noted) that Weft writes itself.
pub mod code4 {
    /// Subnet mask.
    pub const MASK: u8 = 1;
    /// Default routers.
    pub const ROUTER: u8 = 3;
    /// Resolvers.
    pub const DNS: u8 = 6;
    /// The client's host name.
    pub const HOST_NAME: u8 = 12;
    /// The client's domain.
    pub const DOMAIN: u8 = 15;
    /// MTU of the interface.
    pub const MTU: u8 = 26;
    /// How long the address may be used, in seconds.
    pub const LEASE: u8 = 51;
    /// Domains to search (RFC 3397).
    pub const SEARCH: u8 = 119;
    /// Classless routes (RFC 3442); who reads them ignores the default router.
    pub const ROUTES: u8 = 121;
}

/// DHCPv6 options by code that Weft writes itself.
pub mod code6 {
    /// Resolvers (RFC 3646).
    pub const DNS: u16 = 23;
    /// Search list (RFC 3646).
    pub const DOMAINS: u16 = 24;
}

/// A list of DHCP options. Longer values than one option takes are split (RFC 3396).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options4(Vec<u8>);

impl Options4 {
    /// No options yet.
    pub fn new() -> Options4 {
        Options4::default()
    }

    /// Adds an option, or nothing if there is no room for it or its code says something about the message itself.
    pub fn put(&mut self, code: u8, value: &[u8]) {
        let parts = value.len().div_ceil(usize::from(u8::MAX)).max(1);
        if !Options4::is_free(code) || self.0.len() + value.len() + 2 * parts > MAX_OPTIONS {
            return;
        }
        if value.is_empty() {
            self.0.extend([code, 0]);
        }
        for part in value.chunks(usize::from(u8::MAX)) {
            self.0.push(code);
            self.0.push(u8::try_from(part.len()).expect("a chunk is no longer"));
            self.0.extend_from_slice(part);
        }
    }

    /// Adds an option in the place of all that have its code.
    pub fn replace(&mut self, code: u8, value: &[u8]) {
        let others = self.each().filter(|(other, _)| *other != code);
        let others = others.flat_map(|(code, value)| {
            [&[code, u8::try_from(value.len()).expect("read with one byte")], value].concat()
        });
        self.0 = others.collect();
        self.put(code, value);
    }

    /// Adds a list of addresses, unless it is empty.
    pub fn put_addresses(&mut self, code: u8, addresses: impl IntoIterator<Item = Ipv4Addr>) {
        let bytes: Vec<u8> = addresses.into_iter().flat_map(|address| address.octets()).collect();
        if !bytes.is_empty() {
            self.put(code, &bytes);
        }
    }

    /// Adds classless routes (RFC 3442): prefix length, the bytes of the prefix that count, and the next hop.
    pub fn put_routes(&mut self, routes: impl IntoIterator<Item = (Ipv4Addr, u8, Ipv4Addr)>) {
        let mut bytes = Vec::new();
        for (prefix, length, hop) in routes {
            bytes.push(length);
            bytes.extend_from_slice(&prefix.octets()[..usize::from(length.min(32)).div_ceil(8)]);
            bytes.extend_from_slice(&hop.octets());
        }
        if !bytes.is_empty() {
            self.put(code4::ROUTES, &bytes);
        }
    }

    /// True for a code that may be chosen: padding, the end, and what says something about the message, its address or
    /// its server are not for choosing.
    pub fn is_free(code: u8) -> bool {
        !matches!(code, 0 | 50 | 52..=55 | 57 | 61 | 82 | 255)
    }

    /// The bytes, without the end option.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Every option as it stands.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u8, &[u8])> {
        list4(&self.0).map_while(Result::ok)
    }

    /// Options from bytes, if they are what [`Options4::put`] would have written.
    pub(crate) fn read(bytes: &[u8]) -> Option<Options4> {
        let are_right = bytes.len() <= MAX_OPTIONS
            && list4(bytes).all(|option| option.is_ok_and(|(code, _)| Options4::is_free(code)));
        are_right.then(|| Options4(bytes.to_vec()))
    }
}

/// The options of a list without padding or end.
pub(crate) fn list4(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), ()>> {
    std::iter::from_fn(move || {
        let [code, rest @ ..] = bytes else { return None };
        let cut = rest.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
        let Some((value, rest)) = cut else {
            bytes = &[];
            return Some(Err(()));
        };
        bytes = rest;
        Some(Ok((*code, value)))
    })
}

/// A list of DHCPv6 options.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options6(Vec<u8>);

impl Options6 {
    /// No options yet.
    pub fn new() -> Options6 {
        Options6::default()
    }

    /// Adds an option, or nothing if there is no room for it or its code says something about the message itself.
    pub fn put(&mut self, code: u16, value: &[u8]) {
        if !Options6::is_free(code) || self.0.len() + value.len() + 4 > MAX_OPTIONS {
            return;
        }
        put6(&mut self.0, code, value);
    }

    /// Adds an option in the place of all that have its code.
    pub fn replace(&mut self, code: u16, value: &[u8]) {
        let mut others = Vec::new();
        for (other, value) in list6(&self.0).map_while(Result::ok).filter(|(other, _)| *other != code) {
            put6(&mut others, other, value);
        }
        self.0 = others;
        self.put(code, value);
    }

    /// Adds a list of addresses, unless it is empty.
    pub fn put_addresses(&mut self, code: u16, addresses: impl IntoIterator<Item = Ipv6Addr>) {
        let bytes: Vec<u8> = addresses.into_iter().flat_map(|address| address.octets()).collect();
        if !bytes.is_empty() {
            self.put(code, &bytes);
        }
    }

    /// True for a code that may be chosen: what says something about the message, its identities or its server is not.
    pub fn is_free(code: u16) -> bool {
        code > 20 && !matches!(code, 25 | 26 | 32 | 82 | 83)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Options from bytes, if they are what [`Options6::put`] would have written.
    pub(crate) fn read(bytes: &[u8]) -> Option<Options6> {
        let are_right = bytes.len() <= MAX_OPTIONS
            && list6(bytes).all(|option| option.is_ok_and(|(code, _)| Options6::is_free(code)));
        are_right.then(|| Options6(bytes.to_vec()))
    }
}

/// Appends a DHCPv6 option (RFC 8415 section 21.1).
pub(crate) fn put6(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend(code.to_be_bytes());
    out.extend(u16::try_from(value.len()).expect("an option of ours is far below 64 KiB").to_be_bytes());
    out.extend_from_slice(value);
}

/// The options of a DHCPv6 message, or within an option.
pub(crate) fn list6(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), ()>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let cut = bytes.split_first_chunk::<4>().and_then(|([a, b, c, d], rest)| {
            let (code, length) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            Some((code, rest.split_at_checked(usize::from(length))?))
        });
        let Some((code, (value, rest))) = cut else {
            bytes = &[];
            return Some(Err(()));
        };
        bytes = rest;
        Some(Ok((code, value)))
    })
}

/// A domain name in the form of RFC 1035 section 3.1, uncompressed; what stands in search lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainName(Vec<u8>);

impl DomainName {
    /// The name from its text, with or without a dot at the end; `None` if it is empty or none.
    pub fn parse(text: &str) -> Option<DomainName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut bytes = Vec::with_capacity(text.len() + 2);
        for label in text.split('.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            bytes.push(length);
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.push(0);
        (bytes.len() <= 255).then_some(DomainName(bytes))
    }

    /// The encoded name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name from its bytes, all of which it must take.
    pub(crate) fn read(bytes: &[u8]) -> Option<DomainName> {
        let mut rest = bytes;
        loop {
            let (length, more) = rest.split_first()?;
            match length {
                0 => break more.is_empty() && (2..=255).contains(&bytes.len()),
                1..=63 => rest = more.get(usize::from(*length)..)?,
                _ => return None,
            }
        }
        .then(|| DomainName(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_split_and_full_lists_stay_as_they_are() {
        let mut options = Options4::new();
        options.put(43, &[7; 300]);
        let parts: Vec<_> = options.each().map(|(code, value)| (code, value.len())).collect();
        assert_eq!(parts, [(43, 255), (43, 45)]);
        options.put(44, &[]);
        options.put(53, &[5]);
        let before = options.clone();
        options.put(45, &[0; MAX_OPTIONS]);
        assert_eq!(options, before);
        assert_eq!(Options4::read(options.as_bytes()), Some(options));
        assert_eq!(Options4::read(&[43, 2, 0]), None);
        assert_eq!(Options4::read(&[53, 1, 5]), None);
    }

    #[test]
    fn what_is_chosen_takes_the_place_of_what_was_there() {
        let mut options = Options4::new();
        options.put(code4::MTU, &[5, 0xaa]);
        options.put(code4::DNS, &[10, 0, 0, 1]);
        options.replace(code4::MTU, &[5, 0x78]);
        assert_eq!(options.as_bytes(), [6, 4, 10, 0, 0, 1, 26, 2, 5, 0x78]);
        let mut options = Options6::new();
        options.put(code6::DNS, &[1; 16]);
        options.replace(code6::DNS, &[2; 16]);
        assert_eq!(options.as_bytes(), [&[0, 23, 0, 16][..], &[2; 16]].concat());
    }

    #[test]
    fn routes_carry_only_the_bytes_that_count() {
        let mut options = Options4::new();
        let hop = Ipv4Addr::new(10, 0, 0, 1);
        options.put_routes([
            (Ipv4Addr::UNSPECIFIED, 0, hop),
            (Ipv4Addr::new(10, 17, 0, 0), 16, hop),
            (Ipv4Addr::new(10, 27, 129, 128), 25, hop),
        ]);
        let wanted: &[u8] =
            &[121, 5 + 7 + 9, 0, 10, 0, 0, 1, 16, 10, 17, 10, 0, 0, 1, 25, 10, 27, 129, 128, 10, 0, 0, 1];
        assert_eq!(options.as_bytes(), wanted);
    }

    #[test]
    fn names_have_labels_of_1_to_63_bytes() {
        let name = DomainName::parse("a.example.").expect("a name");
        assert_eq!(name.as_bytes(), b"\x01a\x07example\0");
        assert_eq!(DomainName::read(name.as_bytes()), Some(name));
        let long = "x".repeat(64);
        for wrong in ["", ".", "a..b", long.as_str(), &"abc.".repeat(64)] {
            assert_eq!(DomainName::parse(wrong), None, "{wrong}");
        }
        for wrong in [&b""[..], b"\0", b"\x01a", b"\x01a\0\0", b"\x40a\0"] {
            assert_eq!(DomainName::read(wrong), None, "{wrong:?}");
        }
    }
}
