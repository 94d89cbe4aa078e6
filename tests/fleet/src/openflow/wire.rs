//! Reading and writing big-endian fields of OpenFlow messages, with bounds checked at every step.

/// The length of the header that every message starts with (OpenFlow 1.5 section 7.1.1).
pub const HEADER: usize = 8;

/// Bytes that are read from the front. Every read gives nothing when there are too few left.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

/// The 16 bits at an offset; 0 beyond the end.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|part| part.try_into().ok()).map_or(0, u16::from_be_bytes)
}

/// The 32 bits at an offset; 0 beyond the end.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The 64 bits at an offset; 0 beyond the end.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// Zeros up to the next multiple of eight, counted from `mark`.
pub fn pad8(out: &mut Vec<u8>, mark: usize) {
    let length = out.len() - mark;
    out.resize(mark + length.next_multiple_of(8), 0);
}

/// Writes the distance from `mark` to the end into the 16 bits at `at`.
///
/// A length that does not fit cannot happen: whoever writes splits before that.
pub fn patch_length(out: &mut [u8], at: usize, mark: usize) {
    let length = u16::try_from(out.len() - mark).unwrap_or(u16::MAX);
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// Writes a message of OpenFlow 1.5 with what `body` writes after the header.
pub fn message(out: &mut Vec<u8>, kind: u8, xid: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let mark = out.len();
    out.extend_from_slice(&[6, kind, 0, 0]);
    out.extend_from_slice(&xid.to_be_bytes());
    body(out);
    patch_length(out, mark + 2, mark);
}

/// Why a stream cannot be cut into messages any more: a length below the header's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message says that it is {0} bytes long")]
pub struct BadLength(pub u16);

/// The length of the first message in a stream, once its header is there.
///
/// # Errors
/// When the length is below the header's: the next message cannot be found then.
pub fn first_length(stream: &[u8]) -> Result<Option<usize>, BadLength> {
    if stream.len() < 4 {
        return Ok(None);
    }
    let length = u16_at(stream, 2);
    if usize::from(length) < HEADER { Err(BadLength(length)) } else { Ok(Some(usize::from(length))) }
}
