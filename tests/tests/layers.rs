//! The house's structure: what may import what, as ARCHITECTURE.md says it, and no circles.

#![allow(clippy::expect_used, reason = "tests")]

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/modules.rs"]
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use modules::Workspace;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The height of each module that ARCHITECTURE.md names: in its blocks that begin with
/// "```layers", a line is a layer, the lowest first. `engine: job picture` are two modules of the
/// package `engine` that do not know each other.
fn heights() -> BTreeMap<String, usize> {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the map is there");
    let mut heights = BTreeMap::new();
    let mut inside = false;
    for line in map.lines() {
        if line.starts_with("```") {
            inside = line == "```layers";
            continue;
        }
        let Some((package, modules)) = line.split_once(':').filter(|_| inside) else {
            continue;
        };
        let height = heights.len();
        for module in modules.split_whitespace() {
            let name = format!("{}::{module}", package.trim());
            let before = heights.insert(name.clone(), height);
            assert!(
                before.is_none(),
                "ARCHITECTURE.md names {name} in two layers"
            );
        }
    }
    assert!(
        !heights.is_empty(),
        "ARCHITECTURE.md has no block ```layers"
    );
    heights
}

/// The entry of the map that a module belongs to: itself or the nearest module above it.
fn entry<'a>(heights: &'a BTreeMap<String, usize>, module: &str) -> Option<(&'a str, usize)> {
    let mut name = module;
    loop {
        if let Some((entry, height)) = heights.get_key_value(name) {
            return Some((entry, *height));
        }
        name = name.rsplit_once("::")?.0;
    }
}

#[test]
fn imports_point_down_the_layers_of_the_map() {
    let heights = heights();
    let workspace = Workspace::read(root());
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for module in workspace.names() {
        match entry(&heights, module) {
            Some((entry, _)) => {
                used.insert(entry);
            }
            // A package's root only lists its modules.
            None if !module.contains("::") => {}
            None => wrong.push(format!("ARCHITECTURE.md gives {module} no layer")),
        }
    }
    for name in heights.keys().filter(|name| !used.contains(name.as_str())) {
        wrong.push(format!("ARCHITECTURE.md names {name}, which is gone"));
    }
    for ((from, to), what) in workspace.uses() {
        let (Some((from_entry, above)), Some((to_entry, below))) =
            (entry(&heights, &from), entry(&heights, &to))
        else {
            continue;
        };
        if from_entry != to_entry && above <= below {
            wrong.push(format!(
                "{from} imports {what} of {to}, which does not lie below it"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_do_not_import_each_other_in_circles() {
    let uses = Workspace::read(root()).uses();
    assert!(uses.len() > 500, "only {} imports were read", uses.len());
    let circles = circles::circles(&uses);
    let list: Vec<String> = circles
        .iter()
        .map(|circle| {
            let ties = uses
                .iter()
                .filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
            let ties: Vec<String> = ties
                .map(|((from, to), what)| format!("  {from} -> {to}: {what}"))
                .collect();
            format!(
                "{} modules: {}\n{}",
                circle.len(),
                circle.join(", "),
                ties.join("\n")
            )
        })
        .collect();
    assert!(
        circles.is_empty(),
        "{} circles\n{}",
        circles.len(),
        list.join("\n")
    );
}
