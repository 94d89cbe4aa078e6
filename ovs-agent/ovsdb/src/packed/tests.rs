//! A packed row is the row: every value comes back, differences and all, and what does not belong in a column stays out.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::datum::Atom;

fn words() -> Words {
    Words::new(["", "key", "weft", "weft-owner"])
}

fn kind(key: AtomType, value: Option<AtomType>, max: u32) -> ColumnType {
    ColumnType { key, value, min: 0, max }
}

fn pack(kind: &ColumnType, datum: &Datum) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    write(&mut out, kind, &words(), datum.as_ref()).map(|()| out)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,8}",
        Just("key".to_owned()),
        Just("weft-owner".to_owned()),
        any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string()),
        any::<u128>().prop_map(|id| Uuid::from_u128(id).to_string().to_uppercase()),
        any::<u128>().prop_map(|id| Uuid::from_u128(id).simple().to_string()),
        "[0-9a-f-]{36}",
    ]
}

fn atom(kind: AtomType) -> BoxedStrategy<Atom> {
    match kind {
        AtomType::Integer => any::<i64>().prop_map(Atom::Integer).boxed(),
        AtomType::Real => (-1e9f64..1e9).prop_map(|value| Atom::Real(Real(value))).boxed(),
        AtomType::Boolean => any::<bool>().prop_map(Atom::Boolean).boxed(),
        AtomType::String => text().prop_map(|text| Atom::Text(text.into())).boxed(),
        // A few, so that sets meet.
        AtomType::Uuid => (0u128..40).prop_map(|id| Atom::Uuid(Uuid::from_u128(id))).boxed(),
    }
}

fn set(kind: AtomType, most: usize) -> impl Strategy<Value = Datum> {
    prop::collection::vec(atom(kind), 0..most).prop_map(Datum::set)
}

fn map() -> impl Strategy<Value = Datum> {
    prop::collection::vec((atom(AtomType::String), atom(AtomType::String)), 0..6).prop_map(Datum::map)
}

fn any_kind() -> impl Strategy<Value = AtomType> {
    use AtomType::{Boolean, Integer, Real, String, Uuid};
    prop_oneof![Just(Integer), Just(Real), Just(Boolean), Just(String), Just(Uuid)]
}

proptest! {
    #[test]
    fn sets_come_back((key, datum) in any_kind().prop_flat_map(|key| (Just(key), set(key, 20)))) {
        let kind = kind(key, None, u32::MAX);
        let packed = pack(&kind, &datum).expect("it belongs");
        prop_assert_eq!(super::datum(&packed, &kind, &words()), datum);
    }

    #[test]
    fn maps_come_back(datum in map()) {
        let kind = kind(AtomType::String, Some(AtomType::String), u32::MAX);
        let packed = pack(&kind, &datum).expect("it belongs");
        prop_assert_eq!(super::datum(&packed, &kind, &words()), datum);
    }

    #[test]
    fn differences_apply_as_to_values(
        (key, before, change) in any_kind().prop_flat_map(|key| (Just(key), set(key, 30), set(key, 10))),
    ) {
        let kind = kind(key, None, u32::MAX);
        let mut out = Vec::new();
        let packed = pack(&kind, &before).expect("it belongs");
        write_modified(&mut out, &packed, change.as_ref(), (&kind, &words())).expect("it belongs");
        let mut after = before;
        after.apply_difference(change);
        prop_assert_eq!(super::datum(&out, &kind, &words()), after);
    }

    #[test]
    fn differences_of_maps_apply_as_to_values(before in map(), change in map()) {
        let kind = kind(AtomType::String, Some(AtomType::String), u32::MAX);
        let mut out = Vec::new();
        let packed = pack(&kind, &before).expect("it belongs");
        write_modified(&mut out, &packed, change.as_ref(), (&kind, &words())).expect("it belongs");
        let mut after = before;
        after.apply_difference(change);
        prop_assert_eq!(super::datum(&out, &kind, &words()), after);
    }

    #[test]
    fn columns_come_apart_as_they_were_joined(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..9)) {
        let row = join(parts.iter().map(Vec::as_slice), &mut Vec::new());
        let apart: Vec<&[u8]> = columns(&row).collect();
        prop_assert_eq!(apart, parts);
    }

    /// Never reached by what we pack; bytes that are no row end early and do no harm.
    #[test]
    fn other_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60), key in any_kind()) {
        for column in columns(&bytes) {
            let _ = super::datum(column, &kind(key, None, 1), &words());
        }
    }

    #[test]
    fn lists_of_identities_differ_where_sets_differ(
        a in prop::collection::btree_set(0u128..90, 0..80),
        b in prop::collection::btree_set(0u128..90, 0..80),
    ) {
        use crate::fuzz::Shapes;
        use crate::row::{Layout, Packer, View};
        let layout = Layout::new("Shapes".into(), vec![("many".into(), kind(AtomType::Uuid, None, u32::MAX))], Default::default());
        let row = |ids: &BTreeSet<u128>| {
            let mut packer = Packer::default();
            packer.start(&layout);
            let atoms = ids.iter().map(|id| Atom::Uuid(Uuid::from_u128(*id)));
            packer.put(&layout, 0, Datum::set(atoms).as_ref()).expect("it belongs");
            packer.finish(&layout)
        };
        let column = crate::column::Column::<Shapes, BTreeSet<crate::table::Id<Shapes>>>::new("many");
        let (mine, theirs) = (row(&a), row(&b));
        let (mine, theirs) = (View::new(&layout, &mine).ids(column), View::new(&layout, &theirs).ids(column));
        let found: Vec<u128> = mine.difference(theirs).iter().map(|id| id.uuid().as_u128()).collect();
        let expected: Vec<u128> = a.symmetric_difference(&b).copied().collect();
        prop_assert_eq!(found, expected);
        prop_assert!(a.iter().all(|id| mine.contains(crate::table::Id::new(Uuid::from_u128(*id)))));
        prop_assert_eq!(mine.len(), a.len());
    }
}

#[test]
fn only_what_belongs_is_admitted() {
    let (real, uuid) = (ColumnType::scalar(AtomType::Real), ColumnType::scalar(AtomType::Uuid));
    let whole = pack(&real, &Datum::scalar(Atom::Integer(2))).expect("a whole number is a real");
    assert_eq!(datum(&whole, &real, &words()), Datum::scalar(Atom::Real(Real(2.0))));
    assert_eq!(pack(&real, &Datum::scalar(Atom::Boolean(true))), None);
    assert_eq!(pack(&real, &Datum::Map(Vec::new())), None);
    assert_eq!(pack(&uuid, &Datum::scalar(Atom::Text("x".into()))), None);
    let map = kind(AtomType::String, Some(AtomType::String), 1);
    assert_eq!(pack(&map, &Datum::Set(Vec::new())), None);
}

/// What the numbers in the documentation of memory rest on.
#[test]
fn frequent_texts_and_identities_are_short() {
    let map = kind(AtomType::String, Some(AtomType::String), u32::MAX);
    let pairs = |key: &str, value: &str| Datum::map([(Atom::Text(key.into()), Atom::Text(value.into()))]);
    assert_eq!(pack(&map, &pairs("weft-owner", "weft")).map(|bytes| bytes.len()), Some(2));
    let id = Uuid::from_u128(7).to_string();
    assert_eq!(pack(&map, &pairs("key", &id)).map(|bytes| bytes.len()), Some(18));
}
