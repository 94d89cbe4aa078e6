//! What can be wrong with bytes that claim to be OpenFlow.

use std::fmt;

/// Why bytes could not be decoded, and where.
///
/// It is small and `Copy` so that a decoder can return it from any depth without allocating.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {at}")]
pub struct DecodeError {
    /// Offset in bytes from the start of the outermost buffer that was being read.
    pub at: usize,
    /// What was wrong there.
    pub kind: DecodeErrorKind,
}

/// The kinds of fault a decoder tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Fewer bytes are left than the structure needs.
    Truncated,
    /// A length field is smaller than its own header, larger than what holds it, or misaligned.
    BadLength,
    /// A value has no meaning in this place.
    BadValue,
    /// The protocol version is not one that this decoder reads.
    BadVersion,
    /// The type is not the one that was asked for.
    BadType,
    /// Bytes are left over where none may be.
    TrailingBytes,
    /// Something nests deeper than any sane sender would.
    TooDeep,
    /// More was sent than the reader is willing to hold.
    TooLarge,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "bytes are missing",
            Self::BadLength => "length does not fit",
            Self::BadValue => "value has no meaning here",
            Self::BadVersion => "protocol version not supported",
            Self::BadType => "unexpected type",
            Self::TrailingBytes => "bytes left over",
            Self::TooDeep => "nested too deeply",
            Self::TooLarge => "too large",
        })
    }
}
