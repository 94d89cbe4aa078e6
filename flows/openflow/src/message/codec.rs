//! How every message body is read and written, and the shapes that bodies share.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::fmt;

/// A structure that starts at the reader's position.
///
/// `src` is the buffer that the reader walks, so that payloads can be shared instead of copied.
pub(super) trait Part: Sized {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError>;
    fn encode(&self, w: &mut Writer);
}

/// The next `n` bytes, shared with the buffer they came in.
pub(super) fn share(r: &mut Reader<'_>, src: &Bytes, n: usize) -> Result<Bytes, DecodeError> {
    Ok(src.slice_ref(r.bytes(n)?))
}

/// Everything that is left, shared with the buffer it came in.
pub(super) fn share_rest(r: &mut Reader<'_>, src: &Bytes) -> Bytes {
    src.slice_ref(r.rest())
}

/// Reads structures until nothing is left.
pub(super) fn decode_all<T: Part>(r: &mut Reader<'_>, src: &Bytes) -> Result<Vec<T>, DecodeError> {
    let mut all = Vec::new();
    while !r.is_empty() {
        all.push(T::decode(r, src)?);
    }
    Ok(all)
}

/// Writes structures one after another.
pub(super) fn encode_all<T: Part>(all: &[T], w: &mut Writer) {
    for one in all {
        one.encode(w);
    }
}

/// The rest of a structure whose 16-bit length, counted from `start`, includes what was already read.
pub(super) fn rest_of<'a>(
    r: &mut Reader<'a>,
    start: &Reader<'_>,
    length: u16,
) -> Result<Reader<'a>, DecodeError> {
    let read = r.at() - start.at();
    match usize::from(length).checked_sub(read) {
        Some(rest) => r.sub(rest),
        None => Err(start.error(DecodeErrorKind::BadLength)),
    }
}

/// Text in a field of fixed size, filled up with zero bytes. Bytes that are not UTF-8 survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaddedText<const N: usize>([u8; N]);

impl<const N: usize> PaddedText<N> {
    /// Text that is cut so that at least one zero byte follows it, as receivers demand.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; N];
        let mut length = text.len().min(N.saturating_sub(1));
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        PaddedText(bytes)
    }

    /// The whole field as it travels.
    pub fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The text before the first zero byte, when it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(N);
        std::str::from_utf8(&self.0[..end]).ok()
    }
}

impl<const N: usize> Default for PaddedText<N> {
    fn default() -> Self {
        PaddedText([0; N])
    }
}

impl<const N: usize> From<[u8; N]> for PaddedText<N> {
    fn from(bytes: [u8; N]) -> Self {
        PaddedText(bytes)
    }
}

impl<const N: usize> fmt::Display for PaddedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(N);
        f.write_str(&String::from_utf8_lossy(&self.0[..end]))
    }
}

impl<const N: usize> fmt::Debug for PaddedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl<const N: usize> Part for PaddedText<N> {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        r.array().map(PaddedText)
    }

    fn encode(&self, w: &mut Writer) {
        w.bytes(&self.0);
    }
}

/// A property (a type, a length and data, padded to 8 bytes) that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Property {
    /// Its type, which means something only within the message that holds it.
    pub kind: u16,
    /// What follows its 4-byte header, without padding.
    pub data: Bytes,
}

impl Part for Property {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(Property { kind, data: share_rest(&mut body, src) })
    }

    fn encode(&self, w: &mut Writer) {
        put_property(w, self.kind, |w| w.bytes(&self.data));
    }
}

/// The type of the next property and a reader over its data; the padding after it is skipped.
pub(super) fn next_property<'a>(r: &mut Reader<'a>) -> Result<(u16, Reader<'a>), DecodeError> {
    let start = r.clone();
    let kind = r.u16()?;
    let length = r.u16()?;
    let body = rest_of(r, &start, length)?;
    let pad = usize::from(length).next_multiple_of(8) - usize::from(length);
    r.skip(pad.min(r.remaining()))?;
    Ok((kind, body))
}

/// Writes a property whose data `fill` writes, with its padding.
pub(super) fn put_property(w: &mut Writer, kind: u16, fill: impl FnOnce(&mut Writer)) {
    let mark = w.len();
    w.u16(kind);
    w.u16(0);
    fill(w);
    w.patch_len(mark + 2, mark);
    w.pad8(mark);
}

/// Makes an enum of a wire number whose unknown values survive.
macro_rules! open_enum {
    ($(#[$doc:meta])* pub enum $name:ident: $int:ty { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A number that this crate knows no name for.
            Unknown($int),
        }

        impl $name {
            /// The meaning of a number from the wire.
            pub fn from_wire(number: $int) -> Self {
                match number {
                    $($value => Self::$variant,)*
                    other => Self::Unknown(other),
                }
            }

            /// The number that travels.
            pub fn to_wire(self) -> $int {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Unknown(number) => number,
                }
            }
        }
    };
}
pub(super) use open_enum;

/// Makes a set of flags whose unknown bits survive.
macro_rules! open_flags {
    ($(#[$($doc:tt)*])* pub struct $name:ident: $int:ty { $($(#[$($fdoc:tt)*])* $flag:ident = $value:expr;)* }) => {
        bitflags::bitflags! {
            $(#[$($doc)*])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name: $int {
                $($(#[$($fdoc)*])* const $flag = $value;)*
                const _ = !0;
            }
        }
    };
}
pub(super) use open_flags;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_and_ends_in_zero() {
        let text = PaddedText::<4>::new("ab\u{e9}");
        assert_eq!(text.as_bytes(), b"ab\0\0");
        assert_eq!(text.as_str(), Some("ab"));
        assert_eq!(PaddedText::<4>::from(*b"abcd").to_string(), "abcd");
    }

    #[test]
    fn a_property_shorter_than_its_header_is_refused() {
        let src = Bytes::from_static(&[0, 1, 0, 3, 0, 0, 0, 0]);
        let error = Property::decode(&mut Reader::new(&src), &src).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::BadLength);
    }

    #[test]
    fn properties_survive_with_their_padding_made_anew() {
        let src = Bytes::from_static(&[0xff, 0xff, 0, 5, 7, 0, 0, 0, 0, 9, 0, 8, 1, 2, 3, 4]);
        let all: Vec<Property> = decode_all(&mut Reader::new(&src), &src).unwrap();
        assert_eq!(all.len(), 2);
        let mut w = Writer::new();
        encode_all(&all, &mut w);
        assert_eq!(w.as_slice(), &src[..]);
    }
}
