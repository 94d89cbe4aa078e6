//! Error messages: what the switch refused and why (OpenFlow 1.5 section 7.5.4).

use super::codec::{Part, share_rest};
use super::error_names::{NICIRA, STANDARD};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::fmt;

/// The error type under which experimenters define their own.
const EXPERIMENTER_TYPE: u16 = 0xffff;

/// Nicira, the experimenter behind Open vSwitch's own errors.
const NICIRA_ID: u32 = 0x0000_2320;

/// A request could not be carried out. The message's transaction id is that of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// Why.
    pub code: ErrorCode,
    /// What the switch adds: the start of the request (at least 64 bytes of it, if it had as many), or text
    /// when the handshake failed.
    pub data: Bytes,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// An error that the specification defines.
    Standard {
        /// The family (`ofp_error_type`).
        kind: u16,
        /// The error within the family.
        code: u16,
    },
    /// An error that somebody else defined.
    Experimenter {
        /// Who.
        experimenter: u32,
        /// Which of theirs.
        code: u16,
    },
}

impl ErrorCode {
    /// No common version.
    pub const HELLO_INCOMPATIBLE: ErrorCode = standard(0, 0);
    /// The connection's role allows reading only.
    pub const IS_SECONDARY: ErrorCode = standard(1, 10);
    /// A multipart request grew beyond what the switch holds.
    pub const MULTIPART_BUFFER_OVERFLOW: ErrorCode = standard(1, 13);
    /// An action names a group that does not exist.
    pub const BAD_OUT_GROUP: ErrorCode = standard(2, 9);
    /// The table is full.
    pub const TABLE_FULL: ErrorCode = standard(5, 1);
    /// A group to be added is there already.
    pub const GROUP_EXISTS: ErrorCode = standard(6, 0);
    /// A group to be changed is not there.
    pub const UNKNOWN_GROUP: ErrorCode = standard(6, 8);
    /// A bucket to be removed is not there.
    pub const UNKNOWN_BUCKET: ErrorCode = standard(6, 15);
    /// A bucket to be inserted is there already.
    pub const BUCKET_EXISTS: ErrorCode = standard(6, 16);
    /// The election number of a role request is older than one seen before.
    pub const ROLE_STALE: ErrorCode = standard(11, 0);
    /// A meter to be added is there already.
    pub const METER_EXISTS: ErrorCode = standard(12, 1);
    /// A meter to be changed is not there.
    pub const UNKNOWN_METER: ErrorCode = standard(12, 3);
    /// A bundle with this id is not there, or is in the wrong state.
    pub const BUNDLE_BAD_ID: ErrorCode = standard(17, 2);
    /// A bundle with this id is open already.
    pub const BUNDLE_EXISTS: ErrorCode = standard(17, 3);
    /// This message cannot be part of a bundle.
    pub const BUNDLE_MESSAGE_UNSUPPORTED: ErrorCode = standard(17, 10);
    /// A message of the bundle failed, so nothing of it was applied.
    pub const BUNDLE_MESSAGE_FAILED: ErrorCode = standard(17, 13);
    /// The bundle was idle for too long and is gone.
    pub const BUNDLE_TIMEOUT: ErrorCode = standard(17, 14);

    /// The name by which Open vSwitch and the specification know the error.
    pub fn name(self) -> Option<&'static str> {
        match self {
            ErrorCode::Standard { kind, code } => {
                let found = STANDARD.binary_search_by_key(&(kind, code), |&(kind, code, _)| (kind, code));
                found.ok().map(|index| STANDARD[index].2)
            }
            ErrorCode::Experimenter { experimenter: NICIRA_ID, code } => {
                let found = NICIRA.binary_search_by_key(&code, |&(code, _)| code);
                found.ok().map(|index| NICIRA[index].1)
            }
            ErrorCode::Experimenter { .. } => None,
        }
    }
}

const fn standard(kind: u16, code: u16) -> ErrorCode {
    ErrorCode::Standard { kind, code }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self) {
            (Some(name), _) => f.write_str(name),
            (None, ErrorCode::Standard { kind, code }) => write!(f, "error type {kind} code {code}"),
            (None, ErrorCode::Experimenter { experimenter, code }) => {
                write!(f, "error {code} of experimenter {experimenter:#010x}")
            }
        }
    }
}

impl Part for ErrorMessage {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, code) = (r.u16()?, r.u16()?);
        let code = match kind {
            EXPERIMENTER_TYPE => ErrorCode::Experimenter { code, experimenter: r.u32()? },
            kind => ErrorCode::Standard { kind, code },
        };
        Ok(ErrorMessage { code, data: share_rest(r, src) })
    }

    fn encode(&self, w: &mut Writer) {
        match self.code {
            ErrorCode::Standard { kind, code } => {
                w.u16(kind);
                w.u16(code);
            }
            ErrorCode::Experimenter { experimenter, code } => {
                w.u16(EXPERIMENTER_TYPE);
                w.u16(code);
                w.u32(experimenter);
            }
        }
        w.bytes(&self.data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tables_are_sorted_so_that_every_name_is_found() {
        for &(kind, code, name) in STANDARD {
            assert_eq!(ErrorCode::Standard { kind, code }.name(), Some(name));
        }
        for &(code, name) in NICIRA {
            assert_eq!(ErrorCode::Experimenter { experimenter: NICIRA_ID, code }.name(), Some(name));
        }
        assert_eq!(ErrorCode::Standard { kind: 99, code: 0 }.to_string(), "error type 99 code 0");
    }
}
