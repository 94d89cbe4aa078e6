//! The notation reads what it writes, and differences are undone by themselves.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Datum {
    serde_json::from_str(text).expect(text)
}

fn text(value: &str) -> Atom {
    Atom::Text(value.into())
}

#[test]
fn the_notation_of_the_rfc_is_read() {
    assert_eq!(read("7"), Datum::scalar(Atom::Integer(7)));
    assert_eq!(read("-1.5"), Datum::scalar(Atom::Real(Real(-1.5))));
    assert_eq!(read("\"x\\n\""), Datum::scalar(text("x\n")));
    assert_eq!(read(r#"["set",[]]"#), Datum::Set(vec![]));
    assert_eq!(read(r#"["set",["b","a","b"]]"#), Datum::Set(vec![text("a"), text("b")]));
    assert_eq!(read(r#"["map",[["k","v"]]]"#), Datum::Map(vec![(text("k"), text("v"))]));
    let id = Uuid::from_u128(5);
    assert_eq!(read(&format!(r#"["uuid","{id}"]"#)), Datum::scalar(Atom::Uuid(id)));
    assert_eq!(read(&format!(r#"["set",[["uuid","{id}"]]]"#)), Datum::scalar(Atom::Uuid(id)));
}

#[test]
fn what_is_no_value_is_refused() {
    for wrong in [
        "null",
        "{}",
        "[]",
        r#"["set"]"#,
        r#"["set",[],1]"#,
        r#"["set",[["set",[]]]]"#,
        r#"["bag",[]]"#,
        r#"["uuid","x"]"#,
        r#"["map",[["k"]]]"#,
        r#"["map",[["k","v","w"]]]"#,
        "18446744073709551615",
        "[1,2]",
        r#"["set",[["set",["a"]]]]"#,
    ] {
        assert!(serde_json::from_str::<Datum>(wrong).is_err(), "{wrong} was read");
    }
}

#[test]
fn a_real_that_is_no_number_is_not_sent() {
    assert!(serde_json::to_string(&Datum::scalar(Atom::Real(Real(f64::NAN)))).is_err());
}

fn atom() -> impl Strategy<Value = Atom> {
    prop_oneof![
        any::<i64>().prop_map(Atom::Integer),
        (-1e9f64..1e9).prop_map(|value| Atom::Real(Real(value + 0.5))),
        any::<bool>().prop_map(Atom::Boolean),
        ".{0,5}".prop_map(|value| Atom::Text(value.into())),
        any::<u128>().prop_map(|value| Atom::Uuid(Uuid::from_u128(value))),
    ]
}

fn small_text() -> impl Strategy<Value = Atom> {
    "[a-d]".prop_map(|value| Atom::Text(value.into()))
}

fn datum() -> impl Strategy<Value = Datum> {
    prop_oneof![
        prop::collection::vec(atom(), 0..6).prop_map(Datum::set),
        prop::collection::vec((atom(), atom()), 0..6).prop_map(Datum::map),
    ]
}

fn small_map() -> impl Strategy<Value = Datum> {
    prop::collection::vec((small_text(), small_text()), 0..5).prop_map(Datum::map)
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(datum in datum()) {
        let text = serde_json::to_string(&datum).expect("finite");
        prop_assert_eq!(read(&text), datum);
    }

    #[test]
    fn a_set_difference_applied_twice_is_undone(
        a in prop::collection::vec(small_text(), 0..5), b in prop::collection::vec(small_text(), 0..5),
    ) {
        let (before, difference) = (Datum::set(a), Datum::set(b));
        let mut now = before.clone();
        now.apply_difference(difference.clone());
        now.apply_difference(difference);
        prop_assert_eq!(now, before);
    }

    /// The difference computed the way the server does leads from any map to any other.
    #[test]
    fn a_map_difference_leads_to_the_new_map(old in small_map(), new in small_map()) {
        let (Datum::Map(was), Datum::Map(is)) = (&old, &new) else { unreachable!() };
        let gone = was.iter().filter(|(key, _)| !is.iter().any(|(other, _)| other == key));
        let changed = is.iter().filter(|pair| !was.contains(pair));
        let difference = Datum::map(gone.chain(changed).cloned());
        let mut now = old.clone();
        now.apply_difference(difference);
        prop_assert_eq!(now, new);
    }
}
