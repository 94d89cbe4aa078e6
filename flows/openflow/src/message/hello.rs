//! Hello: which versions each side speaks (OpenFlow 1.5 sections 6.3.1 and 7.5.1).

use super::codec::{Part, Property, next_property, put_property, share_rest};
use super::header::VERSION;
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// The element that lists versions (`OFPHET_VERSIONBITMAP`).
const VERSION_BITMAP: u16 = 1;

/// The first message on a connection. It is understood whatever version its header carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version in the header: the highest that the sender speaks.
    pub version: u8,
    /// What else the sender says, in order.
    pub elements: Vec<HelloElement>,
}

/// One element of a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloElement {
    /// The versions the sender speaks: bit `n` of word `i` stands for version `32 * i + n`.
    Versions(Vec<u32>),
    /// An element of another type.
    Raw(Property),
}

impl Hello {
    /// The hello of a controller that speaks OpenFlow 1.5 and nothing else.
    pub fn ours() -> Hello {
        Hello { version: VERSION, elements: vec![HelloElement::Versions(vec![1 << VERSION])] }
    }

    /// True when the sender speaks `version`. Without a bitmap a sender is taken to speak every version
    /// up to the one in its header, as section 6.3.1 asks.
    pub fn speaks(&self, version: u8) -> bool {
        let bitmap = self.elements.iter().find_map(|element| match element {
            HelloElement::Versions(words) => Some(words),
            HelloElement::Raw(_) => None,
        });
        match bitmap {
            Some(words) => {
                words.get(usize::from(version / 32)).is_some_and(|word| word >> (version % 32) & 1 == 1)
            }
            None => version <= self.version,
        }
    }

    pub(super) fn decode(version: u8, r: &mut Reader<'_>, src: &Bytes) -> Result<Hello, DecodeError> {
        let mut elements = Vec::new();
        // Old implementations may put anything after the header; what is too short for an element is not one.
        while r.remaining() >= 4 {
            elements.push(HelloElement::decode(r, src)?);
        }
        Ok(Hello { version, elements })
    }
}

impl Part for HelloElement {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        if kind != VERSION_BITMAP || body.remaining() % 4 != 0 {
            return Ok(HelloElement::Raw(Property { kind, data: share_rest(&mut body, src) }));
        }
        let mut words = Vec::with_capacity(body.remaining() / 4);
        while !body.is_empty() {
            words.push(body.u32()?);
        }
        Ok(HelloElement::Versions(words))
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            HelloElement::Versions(words) => {
                put_property(w, VERSION_BITMAP, |w| words.iter().for_each(|&word| w.u32(word)));
            }
            HelloElement::Raw(raw) => raw.encode(w),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_with_and_without_a_bitmap() {
        assert!(Hello::ours().speaks(6));
        assert!(!Hello::ours().speaks(5));
        let old = Hello { version: 4, elements: vec![] };
        assert!(old.speaks(1) && old.speaks(4) && !old.speaks(6));
        let far = Hello { version: 6, elements: vec![HelloElement::Versions(vec![0, 1])] };
        assert!(far.speaks(32) && !far.speaks(6));
    }
}
