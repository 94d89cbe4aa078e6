//! Proves that imports between rooms run one way: the allowed edges are this table, and a new edge is a visible decision.

use std::collections::BTreeMap;

use weft_tidy::rooms;

/// Which of our crates each crate may import outside its tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("weft-api", &[]),
    ("weft-client", &["weft-api"]),
    ("weft-cli", &["weft-api", "weft-client"]),
    ("weft-model", &[]),
    ("weft-openflow", &[]),
    ("weft-answers", &[]),
    ("weft-compiler", &["weft-model", "weft-openflow", "weft-answers"]),
    ("weft-distributor", &["weft-model", "weft-openflow", "weft-compiler"]),
    ("weft-trace", &["weft-model", "weft-openflow", "weft-answers", "weft-compiler"]),
    ("weft-store", &[]),
    ("weft-ovsdb", &[]),
    (
        "weft-controller",
        &[
            "weft-api",
            "weft-model",
            "weft-openflow",
            "weft-answers",
            "weft-compiler",
            "weft-distributor",
            "weft-trace",
            "weft-store",
            "weft-ovsdb",
        ],
    ),
    ("weft-agent", &["weft-api", "weft-client", "weft-ovsdb"]),
    ("weft-rig", &[]),
    // Judges the controller, so it shares no code with it.
    ("weft-fleet", &[]),
    ("weft-tidy", &[]),
];

/// Rooms of tests may import whatever they test.
const TESTS: &[&str] = &["weft-scenarios", "weft-bench", "weft-demo"];

/// The pure world: no runtime, no sockets, no clock, no randomness.
const PURE: &[&str] =
    &["weft-model", "weft-openflow", "weft-answers", "weft-compiler", "weft-distributor", "weft-trace"];

#[test]
fn only_the_allowed_edges_exist() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for room in rooms().unwrap() {
        if TESTS.contains(&room.name.as_str()) {
            continue;
        }
        let Some(edges) = allowed.get(room.name.as_str()) else {
            wrong.push(format!("{} ({}) has no row in the table of allowed edges", room.name, room.folder));
            continue;
        };
        for import in room.imports.iter().filter(|import| !edges.contains(&import.as_str())) {
            wrong.push(format!("{} must not import {import}", room.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_world_has_no_shell() {
    let banned = [
        "tokio",
        "std::net::Tcp",
        "std::time::SystemTime",
        "Instant::now",
        "HashMap",
        "HashSet",
        "rand::",
        "std::fs",
        "std::process",
    ];
    let mut wrong = Vec::new();
    for room in rooms().unwrap().iter().filter(|room| PURE.contains(&room.name.as_str())) {
        let source = weft_tidy::top().join(&room.folder).join("src");
        for file in weft_tidy::files(".rs").unwrap().iter().filter(|f| f.starts_with(&source)) {
            let name = weft_tidy::shown(file);
            if name.contains("test") {
                continue;
            }
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (number, line) in
                code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                for word in banned.iter().filter(|word| line.contains(**word)) {
                    wrong.push(format!("{name}:{} uses {word}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
