//! The error codes that the switch answers with (OpenFlow 1.5 section 7.5.4), and how they are written.

use super::wire::message;

/// Type and code of an error. Type 0xffff is an experimenter error of Nicira's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code(pub u16, pub u16);

/// Nicira's experimenter number.
pub const NICIRA: u32 = 0x2320;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $code:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Code = Code($kind, $code);)*
        }
    };
}

codes! {
    /// OFPBRC_BAD_VERSION
    BAD_VERSION = 1, 0;
    /// OFPBRC_BAD_TYPE
    BAD_TYPE = 1, 1;
    /// OFPBRC_BAD_STAT
    BAD_STAT = 1, 2;
    /// OFPBRC_BAD_VENDOR
    BAD_VENDOR = 1, 3;
    /// OFPBRC_BAD_SUBTYPE
    BAD_SUBTYPE = 1, 4;
    /// OFPBRC_BAD_LEN
    BAD_LENGTH = 1, 6;
    /// OFPBRC_BAD_TABLE_ID
    BAD_REQUEST_TABLE = 1, 9;
    /// OFPBRC_IS_SLAVE
    IS_SECONDARY = 1, 10;
    /// OFPBRC_BAD_PORT
    BAD_REQUEST_PORT = 1, 11;
    /// OFPBAC_BAD_TYPE
    ACTION_TYPE = 2, 0;
    /// OFPBAC_BAD_LEN
    ACTION_LENGTH = 2, 1;
    /// OFPBAC_BAD_EXPERIMENTER
    ACTION_VENDOR = 2, 2;
    /// OFPBAC_BAD_EXP_TYPE
    ACTION_VENDOR_TYPE = 2, 3;
    /// OFPBAC_BAD_OUT_PORT
    ACTION_OUT_PORT = 2, 4;
    /// OFPBAC_BAD_OUT_GROUP
    ACTION_OUT_GROUP = 2, 9;
    /// OFPBAC_BAD_SET_TYPE
    ACTION_SET_TYPE = 2, 13;
    /// OFPBAC_BAD_SET_LEN
    ACTION_SET_LENGTH = 2, 14;
    /// OFPBIC_UNKNOWN_INST
    INSTRUCTION_UNKNOWN = 3, 0;
    /// OFPBIC_BAD_TABLE_ID
    INSTRUCTION_TABLE = 3, 2;
    /// OFPBIC_BAD_EXPERIMENTER
    INSTRUCTION_VENDOR = 3, 5;
    /// OFPBIC_BAD_LEN
    INSTRUCTION_LENGTH = 3, 7;
    /// OFPBIC_DUP_INST
    INSTRUCTION_TWICE = 3, 9;
    /// OFPBMC_BAD_TYPE
    MATCH_TYPE = 4, 0;
    /// OFPBMC_BAD_LEN
    MATCH_LENGTH = 4, 1;
    /// OFPBMC_BAD_FIELD
    MATCH_FIELD = 4, 6;
    /// OFPBMC_BAD_VALUE
    MATCH_VALUE = 4, 7;
    /// OFPBMC_BAD_MASK
    MATCH_MASK = 4, 8;
    /// OFPBMC_BAD_PREREQ
    MATCH_PREREQUISITE = 4, 9;
    /// OFPBMC_DUP_FIELD
    MATCH_TWICE = 4, 10;
    /// OFPFMFC_TABLE_FULL
    TABLE_FULL = 5, 1;
    /// OFPFMFC_BAD_TABLE_ID
    FLOW_TABLE = 5, 2;
    /// OFPFMFC_OVERLAP
    OVERLAP = 5, 3;
    /// OFPFMFC_BAD_COMMAND
    FLOW_COMMAND = 5, 6;
    /// OFPFMFC_BAD_FLAGS
    FLOW_FLAGS = 5, 7;
    /// OFPGMFC_GROUP_EXISTS
    GROUP_EXISTS = 6, 0;
    /// OFPGMFC_INVALID_GROUP
    GROUP_INVALID = 6, 1;
    /// OFPGMFC_WATCH_UNSUPPORTED
    GROUP_WATCH = 6, 6;
    /// OFPGMFC_UNKNOWN_GROUP
    GROUP_UNKNOWN = 6, 8;
    /// OFPGMFC_BAD_TYPE
    GROUP_TYPE = 6, 10;
    /// OFPGMFC_BAD_COMMAND
    GROUP_COMMAND = 6, 11;
    /// OFPGMFC_BAD_BUCKET
    GROUP_BUCKET = 6, 12;
    /// OFPGMFC_UNKNOWN_BUCKET
    BUCKET_UNKNOWN = 6, 15;
    /// OFPGMFC_BUCKET_EXISTS
    BUCKET_EXISTS = 6, 16;
    /// OFPQOFC_BAD_PORT
    QUEUE_PORT = 9, 0;
    /// OFPRRFC_STALE
    ROLE_STALE = 11, 0;
    /// OFPRRFC_BAD_ROLE
    ROLE_BAD = 11, 2;
    /// OFPMMFC_METER_EXISTS
    METER_EXISTS = 12, 1;
    /// OFPMMFC_INVALID_METER
    METER_INVALID = 12, 2;
    /// OFPMMFC_UNKNOWN_METER
    METER_UNKNOWN = 12, 3;
    /// OFPMMFC_BAD_COMMAND
    METER_COMMAND = 12, 4;
    /// OFPMOFC_MONITOR_EXISTS
    MONITOR_EXISTS = 16, 1;
    /// OFPMOFC_UNKNOWN_MONITOR
    MONITOR_UNKNOWN = 16, 3;
    /// OFPMOFC_BAD_COMMAND
    MONITOR_COMMAND = 16, 4;
    /// OFPMOFC_BAD_FLAGS
    MONITOR_FLAGS = 16, 5;
    /// OFPBFC_BAD_ID
    BUNDLE_ID = 17, 2;
    /// OFPBFC_BUNDLE_CLOSED
    BUNDLE_CLOSED = 17, 4;
    /// OFPBFC_BAD_TYPE
    BUNDLE_TYPE = 17, 6;
    /// OFPBFC_BAD_FLAGS
    BUNDLE_FLAGS = 17, 7;
    /// OFPBFC_MSG_BAD_LEN
    BUNDLE_MESSAGE_LENGTH = 17, 8;
    /// OFPBFC_MSG_BAD_XID
    BUNDLE_MESSAGE_XID = 17, 9;
    /// OFPBFC_MSG_UNSUP
    BUNDLE_MESSAGE_UNSUPPORTED = 17, 10;
    /// OFPBFC_MSG_FAILED
    BUNDLE_MESSAGE_FAILED = 17, 13;
    /// OFPBFC_BAD_VERSION, an error of Nicira's
    BUNDLE_MESSAGE_VERSION = 0xffff, 22;
}

/// How much of the refused message comes back in the error: all that fits, as Open vSwitch does it.
const QUOTED: usize = 0xffff - 16;

/// Writes the error that answers `request`, quoting it.
pub fn write_error(out: &mut Vec<u8>, code: Code, request: &[u8]) {
    let xid = super::wire::u32_at(request, 4);
    message(out, super::ERROR, xid, |out| {
        out.extend_from_slice(&code.0.to_be_bytes());
        out.extend_from_slice(&code.1.to_be_bytes());
        if code.0 == 0xffff {
            out.extend_from_slice(&NICIRA.to_be_bytes());
        }
        out.extend_from_slice(&request[..request.len().min(QUOTED)]);
    });
}
