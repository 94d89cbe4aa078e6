//! A persistent ordered map: a copy copies one pointer, and a change copies only the path that leads to it.
//!
//! It is a B+ tree, because a snapshot has a dozen maps with an entry per port: packed leaves need half the memory
//! of one tree node per entry, and a lookup touches a quarter of the cache lines.

use std::fmt;
use std::slice;
use std::sync::Arc;

/// A map in key order. `FULL` is the most entries of a leaf and the most children of an inner node: 16 was measured to be
/// as fast as 32 with smaller copies, and tests use fewer to get deep trees from few keys.
#[derive(Clone)]
pub(crate) struct OrderedMap<K, V, const FULL: usize = 16> {
    /// `None` when the map is empty; no node ever is.
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

/// All leaves are equally deep. A child's key is a lower bound of what the child holds and above all that the child
/// before it holds; the first child's key says nothing.
#[derive(Clone)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<Child<K, V>>),
}

type Child<K, V> = (K, Arc<Node<K, V>>);

/// Reading.
impl<K: Ord, V, const FULL: usize> OrderedMap<K, V, FULL> {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Inner(children) => node = &children[child_for(children, key)].1,
                Node::Leaf(entries) => {
                    let position = entries.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
                    return Some(&entries[position].1);
                }
            }
        }
    }

    /// The entry with the largest key that is not above `key`.
    pub(crate) fn at_or_before(&self, key: &K) -> Option<(&K, &V)> {
        fn last<'a, K: Ord, V>(node: &'a Node<K, V>, key: &K) -> Option<(&'a K, &'a V)> {
            match node {
                Node::Leaf(entries) => {
                    let position = entries.partition_point(|(k, _)| k <= key).checked_sub(1)?;
                    Some((&entries[position].0, &entries[position].1))
                }
                // The child for the key may hold only larger ones, then the child before it ends with the answer.
                Node::Inner(children) => {
                    children[..=child_for(children, key)].iter().rev().find_map(|(_, child)| last(child, key))
                }
            }
        }
        last(self.root.as_deref()?, key)
    }

    /// All entries, in order.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        self.walk(|_| 0, |_| 0)
    }

    /// All values, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// The entries from `key` on, in order.
    pub(crate) fn starting_at(&self, key: &K) -> Iter<'_, K, V> {
        let first = |entries: &[(K, V)]| entries.partition_point(|(k, _)| k < key);
        self.walk(|children| child_for(children, key), first)
    }

    /// The entries above `key`, in order.
    pub(crate) fn after(&self, key: &K) -> Iter<'_, K, V> {
        let first = |entries: &[(K, V)]| entries.partition_point(|(k, _)| k <= key);
        self.walk(|children| child_for(children, key), first)
    }

    fn walk(
        &self,
        child: impl Fn(&[Child<K, V>]) -> usize,
        entry: impl Fn(&[(K, V)]) -> usize,
    ) -> Iter<'_, K, V> {
        let mut iter = Iter { above: Vec::new(), leaf: [].iter() };
        let mut next = self.root.as_deref();
        while let Some(node) = next {
            next = match node {
                Node::Leaf(entries) => {
                    iter.leaf = entries[entry(entries)..].iter();
                    None
                }
                Node::Inner(children) => {
                    let (first, rest) = (child(children), &children[..]);
                    iter.above.push(rest[first + 1..].iter());
                    Some(&*children[first].1)
                }
            };
        }
        iter
    }
}

/// Making a whole map at once.
impl<K: Ord + Clone, V, const FULL: usize> OrderedMap<K, V, FULL> {
    /// The map of these entries, which must be in the order of their keys, no key twice: one pass, and full nodes.
    pub(crate) fn from_sorted(entries: impl ExactSizeIterator<Item = (K, V)>) -> Self {
        let (len, mut entries) = (entries.len(), entries.peekable());
        let mut level: Vec<Child<K, V>> = Vec::with_capacity(len.div_ceil(FULL));
        while let Some((first, _)) = entries.peek() {
            let first = first.clone();
            let mut leaf = Vec::with_capacity(FULL);
            leaf.extend(entries.by_ref().take(FULL));
            leaf.shrink_to_fit();
            debug_assert!(leaf.is_sorted_by(|a, b| a.0 < b.0), "the entries come in order");
            level.push((first, Arc::new(Node::Leaf(leaf))));
        }
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(FULL));
            let mut children = level.into_iter().peekable();
            while let Some((first, _)) = children.peek() {
                let first = first.clone();
                let mut node = Vec::with_capacity(FULL);
                node.extend(children.by_ref().take(FULL));
                node.shrink_to_fit();
                above.push((first, Arc::new(Node::Inner(node))));
            }
            level = above;
        }
        OrderedMap { root: level.pop().map(|(_, root)| root), len }
    }
}

/// Changing.
impl<K: Ord + Clone, V: Clone, const FULL: usize> OrderedMap<K, V, FULL> {
    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![(key, value)])));
            self.len = 1;
            return;
        };
        let grown = insert::<K, V, FULL>(root, key, value);
        self.len += usize::from(grown.is_new);
        if let Some(right) = grown.right {
            // The first child's key is never looked at, so any will do.
            let left = (right.0.clone(), root.clone());
            *root = Arc::new(Node::Inner(vec![left, right]));
        }
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove(&mut self, key: &K) {
        // Looking first costs less than copying a path for nothing.
        if self.get(key).is_none() {
            return;
        }
        let Some(root) = &mut self.root else { return };
        remove::<K, V, FULL>(root, key);
        self.len -= 1;
        if root.len() == 0 {
            self.root = None;
        } else if let Node::Inner(children) = &**root
            && let [(_, only)] = &children[..]
        {
            *root = only.clone();
        }
    }
}

/// What an insertion did to a node.
struct Grown<K, V> {
    is_new: bool,
    /// What did not fit any more, to stand right of the node.
    right: Option<Child<K, V>>,
}

fn insert<K: Ord + Clone, V: Clone, const FULL: usize>(
    node: &mut Arc<Node<K, V>>,
    key: K,
    value: V,
) -> Grown<K, V> {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(position) => {
                entries[position].1 = value;
                Grown { is_new: false, right: None }
            }
            Err(position) => {
                let right = insert_at::<_, FULL>(entries, position, (key, value));
                let right = right.map(|entries| (entries[0].0.clone(), Arc::new(Node::Leaf(entries))));
                Grown { is_new: true, right }
            }
        },
        Node::Inner(children) => {
            let position = child_for(children, &key);
            let mut grown = insert::<K, V, FULL>(&mut children[position].1, key, value);
            let right =
                grown.right.take().and_then(|right| insert_at::<_, FULL>(children, position + 1, right));
            grown.right = right.map(|children| (children[0].0.clone(), Arc::new(Node::Inner(children))));
            grown
        }
    }
}

/// Inserts, and cuts off the right part when the list gets too long. A list that grows at its end is cut there, so that
/// keys that come in order leave full nodes behind.
fn insert_at<T, const FULL: usize>(list: &mut Vec<T>, position: usize, item: T) -> Option<Vec<T>> {
    if list.len() < FULL {
        list.reserve_exact(1);
        list.insert(position, item);
        return None;
    }
    if position == list.len() {
        return Some(vec![item]);
    }
    let mut right = list.split_off(FULL / 2);
    if position <= list.len() {
        list.insert(position, item);
    } else {
        right.reserve_exact(1);
        right.insert(position - list.len(), item);
    }
    list.shrink_to_fit();
    Some(right)
}

/// Removes a key that is there. A node that gets less than a quarter full joins a neighbour that has room.
fn remove<K: Ord + Clone, V: Clone, const FULL: usize>(node: &mut Arc<Node<K, V>>, key: &K) {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => {
            if let Ok(position) = entries.binary_search_by(|(k, _)| k.cmp(key)) {
                entries.remove(position);
            }
        }
        Node::Inner(children) => {
            let position = child_for(children, key);
            remove::<K, V, FULL>(&mut children[position].1, key);
            match children[position].1.len() {
                0 => drop(children.remove(position)),
                sparse if sparse < FULL / 4 => join_a_neighbour::<K, V, FULL>(children, position),
                _ => {}
            }
        }
    }
}

fn join_a_neighbour<K: Clone, V: Clone, const FULL: usize>(children: &mut Vec<Child<K, V>>, position: usize) {
    let fits = |left: usize| {
        let (left, right) = (children.get(left)?, children.get(left + 1)?);
        (left.1.len() + right.1.len() <= FULL).then_some(())
    };
    let left = match position.checked_sub(1) {
        Some(left) if fits(left).is_some() => left,
        _ if fits(position).is_some() => position,
        _ => return,
    };
    let (bound, right) = children.remove(left + 1);
    match (Arc::make_mut(&mut children[left].1), Arc::unwrap_or_clone(right)) {
        (Node::Leaf(entries), Node::Leaf(more)) => entries.extend(more),
        (Node::Inner(entries), Node::Inner(mut more)) => {
            // What stood first is not first any more, so its key now has to say something.
            more[0].0 = bound;
            entries.extend(more);
        }
        _ => unreachable!("all leaves are equally deep"),
    }
}

/// Which child holds a key, if any does.
fn child_for<K: Ord, V>(children: &[Child<K, V>], key: &K) -> usize {
    children.partition_point(|(bound, _)| bound <= key).saturating_sub(1)
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }
}

/// A walk over a map in key order.
pub(crate) struct Iter<'a, K, V> {
    /// What is still to come above the present leaf, outermost first.
    above: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            let Some((_, child)) = self.above.last_mut()?.next() else {
                self.above.pop();
                continue;
            };
            match &**child {
                Node::Leaf(entries) => self.leaf = entries.iter(),
                Node::Inner(children) => self.above.push(children.iter()),
            }
        }
    }
}

impl<K, V, const FULL: usize> Default for OrderedMap<K, V, FULL> {
    fn default() -> Self {
        OrderedMap { root: None, len: 0 }
    }
}

/// Equal entries, however the trees came about.
impl<K: Ord, V: PartialEq, const FULL: usize> PartialEq for OrderedMap<K, V, FULL> {
    fn eq(&self, other: &Self) -> bool {
        let same_tree = match (&self.root, &other.root) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (one, two) => one.is_none() && two.is_none(),
        };
        same_tree || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Ord, V: Eq, const FULL: usize> Eq for OrderedMap<K, V, FULL> {}

impl<K: Ord + fmt::Debug, V: fmt::Debug, const FULL: usize> fmt::Debug for OrderedMap<K, V, FULL> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
