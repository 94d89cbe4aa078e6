//! YAML as a tree that knows on which line everything stands.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A value and where it stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct Node(Spanned<Kind>);

#[derive(Debug, Clone)]
enum Kind {
    Plain(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn read(text: &str) -> Result<Node, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    /// What it says, as JSON.
    pub fn value(&self) -> Value {
        match &self.0.value {
            Kind::Plain(value) => value.clone(),
            Kind::List(nodes) => nodes.iter().map(Node::value).collect(),
            Kind::Map(members) => {
                let members = members.iter().map(|(name, node)| (name.clone(), node.value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    /// The first member that is not one of these, with its line.
    pub fn unknown(&self, known: &[&str]) -> Option<(u64, &str)> {
        let Kind::Map(members) = &self.0.value else { return None };
        let (name, node) = members.iter().find(|(name, _)| !known.contains(&name.as_str()))?;
        Some((node.0.referenced.line(), name))
    }

    /// The line of what a path like `networks.0.mtu` leads to, or of what is nearest above it.
    pub fn line(&self, path: &str) -> Option<u64> {
        let mut node = self;
        for part in path.split('.') {
            let next = match &node.0.value {
                Kind::Map(members) => members.iter().find(|(name, _)| name == part).map(|(_, node)| node),
                Kind::List(nodes) => part.parse().ok().and_then(|position: usize| nodes.get(position)),
                Kind::Plain(_) => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        let is_found = !std::ptr::eq(node, self);
        is_found.then(|| node.0.referenced.line())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Plain(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Kind::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "name: web\nnetworks:\n  - name: front\n    mtu: 1400\n    subnets:\n      - {name: v4, cidr: 10.0.0.0/24, gateway_ip: null}\nports: []\n";

    #[test]
    fn files_say_what_they_say_and_know_where() {
        let node = Node::read(FILE).expect("a good file");
        let subnet = json!({"name": "v4", "cidr": "10.0.0.0/24", "gateway_ip": null});
        let expected = json!({"name": "web", "networks": [{"name": "front", "mtu": 1400, "subnets": [subnet]}], "ports": []});
        assert_eq!(node.value(), expected);
        let lines = ["name", "networks.0.mtu", "networks.0.colour", "networks.0.subnets.0.cidr", "nothing"];
        assert_eq!(lines.map(|path| node.line(path)), [Some(1), Some(4), Some(3), Some(6), None]);
        assert_eq!(node.unknown(&["name", "networks"]), Some((7, "ports")));
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        let wrong = Node::read("name: web\nnetworks: [\n").expect_err("an open list");
        assert!(wrong.contains('3') || wrong.contains('2'), "{wrong}");
        let twice = Node::read("name: web\nname: web\n").expect_err("a name twice");
        assert!(twice.contains('2'), "{twice}");
    }
}
