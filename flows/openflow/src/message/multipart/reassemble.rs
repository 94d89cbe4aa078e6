//! Putting the parts of an answer together, without letting a switch fill the memory.

use super::{MultipartFlags, MultipartKind, MultipartReply};
use crate::ids::Xid;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// Collects the parts of several answers at once, each under its transaction id.
///
/// What reads long answers part by part, with [`MultipartReply::flows`], does not need it.
#[derive(Debug)]
pub struct Reassembler {
    max_bytes: usize,
    max_answers: usize,
    held: usize,
    open: BTreeMap<Xid, Open>,
}

#[derive(Debug)]
struct Open {
    kind: MultipartKind,
    body: BytesMut,
}

/// Why parts could not be put together. What was collected of that answer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReassemblyError {
    /// The parts of one answer are about different things.
    #[error("an answer to {xid} about {first:?} went on about {then:?}")]
    KindChanged {
        /// The answer.
        xid: Xid,
        /// What it was about.
        first: MultipartKind,
        /// What its next part was about.
        then: MultipartKind,
    },
    /// All answers together are larger than allowed.
    #[error("unfinished answers hold more than {max_bytes} bytes")]
    TooLarge {
        /// How much is allowed.
        max_bytes: usize,
    },
    /// More answers are unfinished than allowed.
    #[error("more than {max_answers} answers are unfinished")]
    TooMany {
        /// How many are allowed.
        max_answers: usize,
    },
}

impl Reassembler {
    /// Holds at most `max_bytes` of at most `max_answers` unfinished answers.
    pub fn new(max_bytes: usize, max_answers: usize) -> Reassembler {
        Reassembler { max_bytes, max_answers, held: 0, open: BTreeMap::new() }
    }

    /// Takes the next part of the answer to `xid`; gives the whole answer when this was its last.
    ///
    /// An answer in one part is given back as it is, without copying.
    ///
    /// # Errors
    /// When the answer contradicts itself or a bound is passed; it is forgotten then.
    pub fn push(
        &mut self,
        xid: Xid,
        part: MultipartReply,
    ) -> Result<Option<MultipartReply>, ReassemblyError> {
        let Some(mut open) = self.take(xid) else {
            if !part.has_more() {
                return Ok(Some(part));
            }
            if self.open.len() >= self.max_answers {
                return Err(ReassemblyError::TooMany { max_answers: self.max_answers });
            }
            return self.keep(xid, Open { kind: part.kind, body: BytesMut::new() }, &part.body);
        };
        if open.kind != part.kind {
            return Err(ReassemblyError::KindChanged { xid, first: open.kind, then: part.kind });
        }
        if part.has_more() {
            return self.keep(xid, open, &part.body);
        }
        if self.held + open.body.len() + part.body.len() > self.max_bytes {
            return Err(ReassemblyError::TooLarge { max_bytes: self.max_bytes });
        }
        open.body.extend_from_slice(&part.body);
        let flags = part.flags & !MultipartFlags::MORE;
        Ok(Some(MultipartReply { kind: open.kind, flags, body: open.body.freeze() }))
    }

    /// Forgets what was collected of an answer, as when an error came instead of its end.
    pub fn forget(&mut self, xid: Xid) {
        self.take(xid);
    }

    /// How many answers are unfinished.
    pub fn unfinished(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, xid: Xid) -> Option<Open> {
        let open = self.open.remove(&xid)?;
        self.held -= open.body.len();
        Some(open)
    }

    fn keep(
        &mut self,
        xid: Xid,
        mut open: Open,
        more: &Bytes,
    ) -> Result<Option<MultipartReply>, ReassemblyError> {
        if self.held + open.body.len() + more.len() > self.max_bytes {
            return Err(ReassemblyError::TooLarge { max_bytes: self.max_bytes });
        }
        open.body.extend_from_slice(more);
        self.held += open.body.len();
        self.open.insert(xid, open);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: MultipartKind, more: &str, body: &'static [u8]) -> MultipartReply {
        let flags = if more == "more" { MultipartFlags::MORE } else { MultipartFlags::empty() };
        MultipartReply { kind, flags, body: Bytes::from_static(body) }
    }

    #[test]
    fn parts_of_several_answers_are_kept_apart() {
        let mut all = Reassembler::new(100, 2);
        let kind = MultipartKind::FlowDesc;
        assert_eq!(all.push(Xid(1), part(kind, "more", b"ab")), Ok(None));
        assert_eq!(all.push(Xid(2), part(kind, "more", b"x")), Ok(None));
        assert_eq!(
            all.push(Xid(3), part(kind, "more", b"y")),
            Err(ReassemblyError::TooMany { max_answers: 2 })
        );
        assert_eq!(all.push(Xid(4), part(kind, "last", b"z")).unwrap().unwrap().body, "z");
        assert_eq!(all.push(Xid(1), part(kind, "last", b"cd")).unwrap().unwrap().body, "abcd");
        all.forget(Xid(2));
        assert_eq!((all.unfinished(), all.held), (0, 0));
    }

    #[test]
    fn an_answer_that_is_too_large_or_changes_its_kind_is_forgotten() {
        let mut all = Reassembler::new(3, 2);
        let kind = MultipartKind::FlowDesc;
        all.push(Xid(1), part(kind, "more", b"ab")).unwrap();
        assert_eq!(
            all.push(Xid(1), part(kind, "more", b"cd")),
            Err(ReassemblyError::TooLarge { max_bytes: 3 })
        );
        all.push(Xid(1), part(kind, "more", b"ab")).unwrap();
        assert!(all.push(Xid(1), part(MultipartKind::Desc, "last", b"")).is_err());
        assert_eq!((all.unfinished(), all.held), (0, 0));
    }
}
