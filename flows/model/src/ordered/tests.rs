//! The map against the standard one, and the rules of its tree.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Small = OrderedMap<u16, u16, 8>;

/// The rules of the tree, and how deep it is.
fn check_node(node: &Node<u16, u16>, bounds: (Option<u16>, Option<u16>)) -> usize {
    assert!((1..=8).contains(&node.len()));
    let within = |key: u16| bounds.0.is_none_or(|low| low <= key) && bounds.1.is_none_or(|high| key < high);
    match node {
        Node::Leaf(entries) => {
            assert!(entries.iter().all(|(key, _)| within(*key)) && entries.is_sorted_by(|a, b| a.0 < b.0));
            1
        }
        Node::Inner(children) => {
            let depth = |(position, child): (usize, &Child<u16, u16>)| {
                let low = if position == 0 { bounds.0 } else { Some(child.0) };
                let high = children.get(position + 1).map(|next| next.0).or(bounds.1);
                check_node(&child.1, (low, high))
            };
            let depths: Vec<usize> = children.iter().enumerate().map(depth).collect();
            assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "{depths:?}");
            depths[0] + 1
        }
    }
}

fn check(map: &Small, model: &BTreeMap<u16, u16>, probe: u16) {
    assert_eq!(map.len(), model.len());
    assert!(map.iter().eq(model.iter()));
    assert_eq!(map.get(&probe), model.get(&probe));
    assert_eq!(map.at_or_before(&probe), model.range(..=probe).next_back());
    assert!(map.starting_at(&probe).eq(model.range(probe..)));
    assert!(map.after(&probe).eq(model.range(probe..).filter(|(key, _)| **key != probe)));
    if let Some(root) = &map.root {
        check_node(root, (None, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// It does what a plain map does, and a copy taken before a change does not see the change.
    #[test]
    fn it_is_a_map(
        most in prop_oneof![Just(40u16), Just(400), Just(u16::MAX)],
        removals in 0..10u8,
        steps in prop::collection::vec((0..10u8, any::<u16>(), any::<u16>()), 0..1500),
    ) {
        let (mut map, mut model) = (Small::default(), BTreeMap::new());
        for (position, (kind, key, value)) in steps.into_iter().enumerate() {
            let key = key % most;
            let (before, model_before) = (map.clone(), model.clone());
            if kind < removals {
                map.remove(&key);
                model.remove(&key);
            } else {
                map.insert(key, value);
                model.insert(key, value);
            }
            if position % 16 == 0 {
                let probe = value % most;
                check(&before, &model_before, probe);
                check(&map, &model, probe);
                let mut rebuilt = Small::default();
                model.iter().for_each(|(key, value)| rebuilt.insert(*key, *value));
                prop_assert_eq!(&rebuilt, &map);
                prop_assert_eq!(before == map, model_before == model);
            }
        }
    }
}

/// Growing and shrinking again, upwards and downwards, leaves nothing behind.
#[test]
fn filling_and_emptying() {
    let up: Vec<u16> = (0..3000).collect();
    let down: Vec<u16> = up.iter().rev().copied().collect();
    for (fill, empty) in [(&up, &up), (&up, &down), (&down, &up), (&down, &down)] {
        let (mut map, mut model) = (Small::default(), BTreeMap::new());
        for key in fill {
            map.insert(*key, *key);
            model.insert(*key, *key);
        }
        check(&map, &model, 1234);
        for (position, key) in empty.iter().enumerate() {
            map.remove(key);
            model.remove(key);
            if position % 100 == 0 {
                check(&map, &model, 1234);
            }
        }
        assert!(map.root.is_none());
    }
}

/// A node whose first child went away takes in keys below the next child's bound; when it then joins the node
/// before it, that bound would hide them.
#[test]
fn joining_keeps_low_keys_in_sight() {
    let (mut map, mut model) = (Small::default(), BTreeMap::new());
    for key in (0..192).map(|n| n * 10) {
        map.insert(key, key);
        model.insert(key, key);
    }
    let mut remove = |map: &mut Small, keys: std::ops::Range<u16>| {
        for key in keys.map(|n| n * 10) {
            map.remove(&key);
            model.remove(&key);
        }
    };
    remove(&mut map, 64..72);
    map.insert(645, 645);
    remove(&mut map, 0..8);
    remove(&mut map, 76..128);
    model.insert(645, 645);
    check(&map, &model, 645);
}

proptest! {
    /// A map made at once is the same map, keeps the rules of the tree, and goes on like any other.
    #[test]
    fn a_map_made_at_once_is_a_map(
        model in prop::collection::btree_map(any::<u16>(), any::<u16>(), 0..700),
        more in prop::collection::vec((any::<bool>(), any::<u16>()), 0..200),
    ) {
        let entries: Vec<(u16, u16)> = model.iter().map(|(key, value)| (*key, *value)).collect();
        let (mut map, mut model) = (Small::from_sorted(entries.into_iter()), model);
        check(&map, &model, 7);
        for (add, key) in more {
            if add {
                map.insert(key, 1);
                model.insert(key, 1);
            } else {
                map.remove(&key);
                model.remove(&key);
            }
            check(&map, &model, key);
        }
    }
}
