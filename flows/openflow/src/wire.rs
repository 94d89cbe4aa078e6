//! The cursor and the writer that all encoding goes through: bounds checked, big-endian, 8-byte padded.

use crate::error::{DecodeError, DecodeErrorKind};
use bytes::Bytes;

/// The deepest nesting of structures that may contain each other (actions inside `clone`, `ct`, ...).
pub const MAX_DEPTH: u8 = 16;

/// A bounds-checked cursor over received bytes.
///
/// A reader made by [`Reader::sub`] keeps counting offsets from the outermost buffer, so a
/// [`DecodeError`] points into the message that was received.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
    base: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    /// A reader over a whole buffer.
    pub fn new(buf: &'a [u8]) -> Self {
        Reader { buf, pos: 0, base: 0, depth: 0 }
    }

    /// Offset of the next byte from the start of the outermost buffer.
    pub fn at(&self) -> usize {
        self.base + self.pos
    }

    /// Number of bytes read so far from this reader (not from its parents).
    pub fn consumed(&self) -> usize {
        self.pos
    }

    /// Number of bytes left.
    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// An error of this kind at the current position.
    pub fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { at: self.at(), kind }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        if n > self.remaining() {
            return Err(self.error(DecodeErrorKind::Truncated));
        }
        let out = &self.buf[self.pos..self.pos + n];
        self.pos += n;
        Ok(out)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        let out = &self.buf[self.pos..];
        self.pos = self.buf.len();
        out
    }

    /// Everything that is left, without consuming it.
    pub fn peek_rest(&self) -> &'a [u8] {
        &self.buf[self.pos..]
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    /// One byte.
    ///
    /// # Errors
    /// `Truncated` when nothing is left.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// A big-endian 16-bit number.
    ///
    /// # Errors
    /// `Truncated` when fewer than 2 bytes are left.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A big-endian 32-bit number.
    ///
    /// # Errors
    /// `Truncated` when fewer than 4 bytes are left.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A big-endian 64-bit number.
    ///
    /// # Errors
    /// `Truncated` when fewer than 8 bytes are left.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A big-endian 128-bit number.
    ///
    /// # Errors
    /// `Truncated` when fewer than 16 bytes are left.
    pub fn u128(&mut self) -> Result<u128, DecodeError> {
        self.array().map(u128::from_be_bytes)
    }

    /// The 16-bit number `offset` bytes ahead, without consuming anything.
    ///
    /// # Errors
    /// `Truncated` when it lies beyond the end.
    pub fn peek_u16(&self, offset: usize) -> Result<u16, DecodeError> {
        let rest = self.peek_rest();
        match rest.get(offset..).and_then(|tail| tail.first_chunk::<2>()) {
            Some(pair) => Ok(u16::from_be_bytes(*pair)),
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    /// Skips `n` bytes, whatever they hold.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    pub fn skip(&mut self, n: usize) -> Result<(), DecodeError> {
        self.bytes(n).map(drop)
    }

    /// Takes the next `n` bytes as a reader of their own.
    ///
    /// # Errors
    /// `BadLength` when fewer are left: a length field reached beyond what holds it.
    pub fn sub(&mut self, n: usize) -> Result<Reader<'a>, DecodeError> {
        let base = self.at();
        if n > self.remaining() {
            return Err(self.error(DecodeErrorKind::BadLength));
        }
        Ok(Reader { buf: self.bytes(n)?, pos: 0, base, depth: self.depth })
    }

    /// Like [`Reader::sub`], one level of nesting deeper.
    ///
    /// # Errors
    /// `TooDeep` past [`MAX_DEPTH`], otherwise as `sub`.
    pub fn nested(&mut self, n: usize) -> Result<Reader<'a>, DecodeError> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error(DecodeErrorKind::TooDeep));
        }
        let mut inner = self.sub(n)?;
        inner.depth += 1;
        Ok(inner)
    }

    /// Skips padding so that the bytes consumed from this reader become a multiple of 8; tolerates
    /// padding that is cut off by the end.
    pub fn align8(&mut self) {
        let pad = self.pos.next_multiple_of(8) - self.pos;
        self.pos += pad.min(self.remaining());
    }

    /// Requires that everything was consumed.
    ///
    /// # Errors
    /// `TrailingBytes` when something is left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingBytes)) }
    }

    /// Requires that everything that is left is zero, as padding must be.
    ///
    /// # Errors
    /// `BadValue` when a byte is not zero.
    pub fn finish_zeros(&mut self) -> Result<(), DecodeError> {
        if self.peek_rest().iter().any(|&byte| byte != 0) {
            return Err(self.error(DecodeErrorKind::BadValue));
        }
        self.rest();
        Ok(())
    }
}

/// An append-only buffer with back-patched lengths.
///
/// Writing never fails. A length that does not fit its 16-bit field is remembered instead, see
/// [`Writer::is_oversize`]: such bytes must not be sent.
#[derive(Debug, Default)]
pub struct Writer {
    buf: Vec<u8>,
    oversize: bool,
}

impl Writer {
    /// An empty writer.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer that can take `capacity` bytes without growing.
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { buf: Vec::with_capacity(capacity), oversize: false }
    }

    /// A writer that appends to an existing buffer, such as one that is used again and again.
    pub fn over(buf: Vec<u8>) -> Self {
        Writer { buf, oversize: false }
    }

    /// Number of bytes written, which is also the mark of the next byte.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// True when nothing was written.
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// True when some length did not fit its field; the bytes are then not valid OpenFlow.
    pub fn is_oversize(&self) -> bool {
        self.oversize
    }

    /// Empties the writer; its memory stays, for what is written next.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.oversize = false;
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.buf
    }

    /// The bytes, frozen for sharing, in no more memory than they need.
    pub fn into_bytes(mut self) -> Bytes {
        self.buf.shrink_to_fit();
        Bytes::from(self.buf)
    }

    /// The buffer itself, for reuse.
    pub fn into_inner(self) -> Vec<u8> {
        self.buf
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.buf.push(value);
    }

    /// Appends a big-endian 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a big-endian 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a big-endian 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a big-endian 128-bit number.
    pub fn u128(&mut self, value: u128) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends the low `width` bytes of `value`, big-endian (at most 16).
    pub fn uint(&mut self, value: u128, width: usize) {
        let bytes = value.to_be_bytes();
        self.buf.extend_from_slice(&bytes[16 - width.min(16)..]);
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Appends `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        self.buf.resize(self.buf.len() + n, 0);
    }

    /// Appends zeros until the distance from `mark` is a multiple of 8.
    pub fn pad8(&mut self, mark: usize) {
        let used = self.len() - mark;
        self.zeros(used.next_multiple_of(8) - used);
    }

    /// Appends zeros until the distance from `mark` is at least `size`.
    pub fn pad_to(&mut self, mark: usize, size: usize) {
        let used = self.len() - mark;
        self.zeros(size.saturating_sub(used));
    }

    /// Overwrites the 16-bit number at `at` (offset from the start of this writer).
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        self.buf[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }

    /// Writes the distance from `mark` to here into the 16-bit number at `at`.
    pub fn patch_len(&mut self, at: usize, mark: usize) {
        match u16::try_from(self.len() - mark) {
            Ok(length) => self.patch_u16(at, length),
            Err(_) => {
                self.oversize = true;
                self.patch_u16(at, u16::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_from_the_outermost_buffer() {
        let data = [1, 2, 3, 4, 5, 6];
        let mut outer = Reader::new(&data);
        outer.skip(2).unwrap();
        let mut inner = outer.sub(2).unwrap();
        assert_eq!(inner.u16().unwrap(), 0x0304);
        assert_eq!(inner.u8().unwrap_err(), DecodeError { at: 4, kind: DecodeErrorKind::Truncated });
        assert_eq!(outer.sub(3).unwrap_err().kind, DecodeErrorKind::BadLength);
        assert_eq!(outer.rest(), [5, 6]);
    }

    #[test]
    fn a_length_that_does_not_fit_is_remembered() {
        let mut w = Writer::new();
        w.u16(0);
        w.zeros(70_000);
        w.patch_len(0, 0);
        assert!(w.is_oversize());
    }

    #[test]
    fn padding_counts_from_the_mark() {
        let mut w = Writer::new();
        w.u8(1);
        let mark = w.len();
        w.uint(0x0102_0304, 3);
        w.pad8(mark);
        assert_eq!(w.as_slice(), [1, 2, 3, 4, 0, 0, 0, 0, 0]);
    }
}
