//! Bytes that once were, or might be, trouble: nothing panics, and what is read is written back the same.

use crate::samples;
use bytes::Bytes;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use weft_openflow::message::Message;
use weft_openflow::message::stable::check_message;
use weft_openflow::{DecodeErrorKind, Xid};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/message")
}

/// Proves that the committed corpus keeps the promise, and that there is one for every sample.
#[test]
fn the_corpus_keeps_the_promise() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(corpus()).unwrap();
        for (name, message) in samples::all() {
            std::fs::write(corpus().join(name.replace(' ', "-")), message.encode(Xid(0x0a0b_0c0d))).unwrap();
        }
    }
    let mut files = 0;
    for entry in std::fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        assert_eq!(check_message(&data), Ok(()), "{}", path.display());
        files += 1;
    }
    assert!(files >= samples::all().len(), "{files} files");
}

/// Proves that every sample is read as exactly what was written, and written as exactly what was read.
#[test]
fn samples_survive() {
    for (name, message) in samples::all() {
        let bytes = message.try_encode(Xid(0x55)).unwrap();
        let (header, again) = Message::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((header.xid, usize::from(header.length)), (Xid(0x55), bytes.len()), "{name}");
        assert_eq!(again, message, "{name}");
        assert_eq!(again.encode(Xid(0x55)), bytes, "{name}");
        assert_eq!(check_message(&bytes), Ok(()), "{name}");
    }
}

/// Proves that the body of every multipart sample is read and written alike.
#[test]
fn multipart_bodies_survive() {
    use weft_openflow::message::{MultipartReply, MultipartRequest};
    for (name, message) in samples::all() {
        match message {
            Message::MultipartRequest(request) => {
                assert_eq!(MultipartRequest::from(&request.decode().unwrap()), request, "{name}");
            }
            Message::MultipartReply(reply) => {
                assert_eq!(MultipartReply::from(&reply.decode().unwrap()), reply, "{name}");
            }
            _ => {}
        }
    }
}

/// Proves that no cut of any sample is taken for a whole message, and none makes a panic.
#[test]
fn a_message_cut_short_is_an_error() {
    for (name, message) in samples::all() {
        let bytes = message.encode(Xid(1));
        for length in 0..bytes.len() {
            assert!(Message::decode(&bytes.slice(..length)).is_err(), "{name} cut to {length}");
        }
        // The same with a header that agrees with the cut: it may be a message, but must be a stable one.
        for length in 8..bytes.len() {
            let mut cut = bytes[..length].to_vec();
            cut[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            assert_eq!(check_message(&cut), Ok(()), "{name} cut to {length}");
        }
    }
}

/// Proves that messages in messages in messages end in an error, not in a stack that is too deep.
#[test]
fn nesting_is_bounded() {
    let mut bytes = Message::BarrierRequest.encode(Xid(1)).to_vec();
    while bytes.len() < 60_000 {
        let length = u16::try_from(bytes.len() + 16).unwrap();
        let mut outer = vec![6, 34];
        outer.extend(length.to_be_bytes());
        outer.extend([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3]);
        outer.extend(&bytes);
        bytes = outer;
    }
    let error = Message::decode(&Bytes::from(bytes)).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TooDeep);
}

/// Proves that types and versions nobody knows survive byte for byte.
#[test]
fn unknown_messages_survive() {
    for (version, kind) in [(6, 200), (6, 22), (6, 35), (1, 13), (4, 14), (0x99, 1)] {
        let bytes = Bytes::from(vec![version, kind, 0, 13, 1, 2, 3, 4, 9, 8, 7, 6, 5]);
        let (header, message) = Message::decode(&bytes).unwrap();
        assert!(matches!(message, Message::Raw(_)));
        assert_eq!(message.encode(header.xid), bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves the promise for samples with some bytes changed.
    #[test]
    fn changed_samples_keep_the_promise(
        index in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let all = samples::all();
        let mut bytes = all[index.index(all.len())].1.encode(Xid(7)).to_vec();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        prop_assert_eq!(check_message(&bytes), Ok(()));
    }

    /// Proves the promise for a header that fits followed by anything.
    #[test]
    fn random_bodies_keep_the_promise(kind in 0u8..36, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![6, kind, 0, u8::try_from(8 + body.len()).unwrap(), 0, 0, 0, 1];
        bytes.extend(body);
        prop_assert_eq!(check_message(&bytes), Ok(()));
    }
}
