//! What every action must survive: the way to bytes and back, also for those that nobody knows.

use super::*;

fn decode(bytes: &[u8]) -> Action {
    let mut list = Action::decode_list(&mut Reader::new(bytes), bytes.len()).unwrap();
    assert_eq!(list.len(), 1);
    list.remove(0)
}

fn bytes_of(action: &Action) -> Vec<u8> {
    let mut w = Writer::new();
    action.encode(&mut w);
    w.as_slice().to_vec()
}

#[test]
fn what_is_not_known_or_not_as_it_should_be_survives_byte_for_byte() {
    let unknown: &[&[u8]] = &[
        // A type that does not exist, and a subtype, and an experimenter.
        &[0, 99, 0, 8, 1, 2, 3, 4],
        &[0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0x12, 0x34, 1, 2, 3, 4, 5, 6],
        &[0xff, 0xff, 0, 16, 9, 9, 9, 9, 0, 1, 1, 2, 3, 4, 5, 6],
        // An experimenter's action too short to say which it is.
        &[0xff, 0xff, 0, 8, 0, 0, 0x23, 0x20],
        // Padding that is not zero, and an output longer than it needs to be.
        &[0, 24, 0, 8, 0, 0, 0, 1],
        &[0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // A property of controller2 that is not known.
        &[0xff, 0xff, 0, 24, 0, 0, 0x23, 0x20, 0, 37, 0, 0, 0, 0, 0, 0, 0, 77, 0, 8, 1, 2, 3, 4],
        // A translation with a range that is not known, and a port list that reaches beyond the end.
        &[0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 36, 0, 0, 0, 0, 0x01, 0x00],
        &[0xff, 0xff, 0, 16, 0, 0, 0x23, 0x20, 0, 21, 0, 9, 0, 0, 0, 0],
    ];
    for bytes in unknown {
        let action = decode(bytes);
        assert!(matches!(action, Action::Raw(_)), "{action:?}");
        assert_eq!(bytes_of(&action), *bytes);
    }
}

#[test]
fn lengths_must_fit() {
    for bytes in
        [&[0, 24, 0, 4, 0, 0, 0, 0][..], &[0, 24, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0], &[0, 24, 0, 16, 0, 0, 0, 0]]
    {
        let error = Action::decode_list(&mut Reader::new(bytes), bytes.len()).unwrap_err();
        assert_eq!((error.at, error.kind), (0, DecodeErrorKind::BadLength));
    }
    let cut = Action::decode_list(&mut Reader::new(&[0, 24, 0]), 3).unwrap_err();
    assert_eq!(cut.kind, DecodeErrorKind::Truncated);
}

#[test]
fn a_remark_compares_equal_when_it_comes_back() {
    for length in 0..30 {
        let note = Action::note(&vec![7; length]);
        let bytes = bytes_of(&note);
        assert!(bytes.len() >= 16 && bytes.len().is_multiple_of(8));
        assert_eq!(decode(&bytes), note);
    }
}

#[test]
fn actions_that_are_only_sent_keep_their_form() {
    for action in [
        Action::SetTunnel(5),
        Action::SetTunnel64(5),
        Action::WriteMetadata { metadata: 5, mask: 7 },
        Action::CopyTtlIn,
        Action::PushPbb(0x88e7),
        Action::PopPbb,
        Action::DecTtlCntIds(vec![1, 2, 3, 4, 5]),
        Action::Resubmit(Resubmit { port: PortNo(5), table: None, tuple: Tuple::Packet }),
    ] {
        let bytes = bytes_of(&action);
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len());
        assert_eq!(decode(&bytes), action);
    }
}
