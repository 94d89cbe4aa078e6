//! DHCP options that a port's user chooses: by the names that the API knows, with values in the form that clients read.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest value as text, in bytes.
const VALUE_MAX: usize = 255;

/// Which protocol an option is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DhcpFamily {
    /// DHCP (RFC 2131).
    V4,
    /// DHCPv6 (RFC 8415).
    V6,
}

/// One option, known to make sense.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DhcpOption {
    family: DhcpFamily,
    name: String,
    value: String,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One address or more, with commas between them.
    Addresses,
    Text,
    Byte,
    Short,
    Word,
    /// By its looks: addresses, bytes as `01:23:ab`, or else text.
    Any,
}

/// Names as dnsmasq spells them, which is what the API's users know, with their codes.
const NAMES_V4: &[(&str, u8, Form)] = &[
    ("netmask", 1, Form::Addresses),
    ("router", 3, Form::Addresses),
    ("time-server", 4, Form::Addresses),
    ("dns-server", 6, Form::Addresses),
    ("log-server", 7, Form::Addresses),
    ("lpr-server", 9, Form::Addresses),
    ("hostname", 12, Form::Text),
    ("boot-file-size", 13, Form::Short),
    ("domain-name", 15, Form::Text),
    ("root-path", 17, Form::Text),
    ("default-ttl", 23, Form::Byte),
    ("mtu", 26, Form::Short),
    ("broadcast", 28, Form::Addresses),
    ("static-route", 33, Form::Addresses),
    ("nis-domain", 40, Form::Text),
    ("nis-server", 41, Form::Addresses),
    ("ntp-server", 42, Form::Addresses),
    ("netbios-ns", 44, Form::Addresses),
    ("lease-time", 51, Form::Word),
    ("T1", 58, Form::Word),
    ("T2", 59, Form::Word),
    ("tftp-server", 66, Form::Text),
    ("bootfile-name", 67, Form::Text),
    ("smtp-server", 69, Form::Addresses),
    ("tftp-server-address", 150, Form::Addresses),
    ("server-ip-address", 150, Form::Addresses),
    ("path-prefix", 210, Form::Text),
    ("wpad", 252, Form::Text),
];

const NAMES_V6: &[(&str, u16, Form)] = &[
    ("dns-server", 23, Form::Addresses),
    ("nis-server", 27, Form::Addresses),
    ("sntp-server", 31, Form::Addresses),
    ("bootfile-url", 59, Form::Text),
];

impl DhcpOption {
    /// An option, if its name is known (or a number of 1 to 254, for DHCPv6 from 21 on) and its value is one that it can
    /// have. What says something about the message itself, such as its type, is nobody's to choose.
    ///
    /// # Errors
    /// What is wrong with it, for its user.
    pub fn new(family: DhcpFamily, name: &str, value: &str) -> Result<DhcpOption, &'static str> {
        let option = DhcpOption { family, name: name.to_owned(), value: value.to_owned() };
        if option.kind().is_none() {
            return Err("opt_name is no option that can be chosen");
        }
        match option.encoded() {
            Some(_) if value.len() <= VALUE_MAX && !value.chars().any(char::is_control) => Ok(option),
            _ => Err("opt_value is not one that this option can have"),
        }
    }

    /// Which protocol it is of.
    pub fn family(&self) -> DhcpFamily {
        self.family
    }

    /// Its name as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value as it was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Its code and its value as clients read it; always there for an option that was made by [`DhcpOption::new`].
    pub fn encoded(&self) -> Option<(u16, Vec<u8>)> {
        let (code, form) = self.kind()?;
        let bytes = match form {
            Form::Addresses => self.addresses()?,
            Form::Text if self.value.is_empty() => return None,
            Form::Text => self.value.clone().into_bytes(),
            Form::Byte => self.value.parse::<u8>().ok()?.to_be_bytes().to_vec(),
            Form::Short => self.value.parse::<u16>().ok()?.to_be_bytes().to_vec(),
            Form::Word => self.value.parse::<u32>().ok()?.to_be_bytes().to_vec(),
            Form::Any => {
                let looks = self.addresses().or_else(|| hexadecimal(&self.value));
                looks.unwrap_or_else(|| self.value.clone().into_bytes())
            }
        };
        Some((code, bytes))
    }

    fn kind(&self) -> Option<(u16, Form)> {
        let number = self.name.parse::<u16>().ok();
        match self.family {
            DhcpFamily::V4 => {
                let is_free = |code: u16| !matches!(code, 0 | 50 | 52..=55 | 57 | 61 | 82 | 255..);
                let known = NAMES_V4
                    .iter()
                    .find(|(name, code, _)| *name == self.name || number == Some(u16::from(*code)));
                let known = known.map(|(_, code, form)| (u16::from(*code), *form));
                known.or_else(|| number.filter(|code| is_free(*code)).map(|code| (code, Form::Any)))
            }
            DhcpFamily::V6 => {
                let is_free = |code: u16| code > 20 && !matches!(code, 24..=26 | 32 | 82 | 83);
                let known =
                    NAMES_V6.iter().find(|(name, code, _)| *name == self.name || number == Some(*code));
                let known = known.map(|(_, code, form)| (*code, *form));
                known.or_else(|| number.filter(|code| is_free(*code)).map(|code| (code, Form::Any)))
            }
        }
    }

    fn addresses(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for part in self.value.split(',').map(str::trim) {
            match self.family {
                DhcpFamily::V4 => bytes.extend(part.parse::<Ipv4Addr>().ok()?.octets()),
                DhcpFamily::V6 => bytes.extend(part.parse::<Ipv6Addr>().ok()?.octets()),
            }
        }
        Some(bytes)
    }
}

/// Bytes as two digits each, with colons between them.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
    text.split(':').map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(family: DhcpFamily, name: &str, value: &str, wanted: Result<(u16, &[u8]), &str>) {
        let made = DhcpOption::new(family, name, value).map(|option| option.encoded().expect("checked"));
        let wanted = wanted.map(|(code, bytes)| (code, bytes.to_vec()));
        assert_eq!(made, wanted, "{name}={value}");
    }

    #[test]
    fn names_and_numbers_and_their_values() {
        use DhcpFamily::{V4, V6};
        check(V4, "tftp-server", "boot.example", Ok((66, b"boot.example")));
        check(V4, "server-ip-address", "10.0.0.9", Ok((150, &[10, 0, 0, 9])));
        check(V4, "ntp-server", "10.0.0.1, 10.0.0.2", Ok((42, &[10, 0, 0, 1, 10, 0, 0, 2])));
        check(V4, "26", "1400", Ok((26, &[5, 0x78])));
        check(V4, "lease-time", "600", Ok((51, &[0, 0, 2, 0x58])));
        check(V4, "43", "01:04:0a", Ok((43, &[1, 4, 10])));
        check(V4, "43", "plain", Ok((43, b"plain")));
        check(V4, "160", "10.1.2.3", Ok((160, &[10, 1, 2, 3])));
        check(V6, "bootfile-url", "tftp://[fd00::1]/x", Ok((59, b"tftp://[fd00::1]/x")));
        check(V6, "23", "::1", Ok((23, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])));
        let name = Err("opt_name is no option that can be chosen");
        for unknown in ["", "no-such-thing", "0", "53", "54", "61", "82", "255", "4711"] {
            check(V4, unknown, "1", name);
        }
        for unknown in ["1", "3", "13", "25", "tftp-server"] {
            check(V6, unknown, "1", name);
        }
        let value = Err("opt_value is not one that this option can have");
        for (name, wrong) in [("mtu", "70000"), ("router", "fd00::1"), ("tftp-server", ""), ("router", "")] {
            check(V4, name, wrong, value);
        }
        check(V4, "hostname", &"x".repeat(256), value);
        check(V4, "hostname", "a\nb", value);
    }
}
