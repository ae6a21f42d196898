//! Circles between modules.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Name, Uses};

type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The circles that are larger than a module and what stands below it. A module may be in a circle
/// with its own children: they are one room with several files. Children that are in a circle
/// without it are not.
pub(crate) fn circles(uses: &Uses) -> Vec<Vec<Name>> {
    let mut graph = Graph::new();
    for (from, to) in uses.keys() {
        graph.entry(from).or_default().insert(to);
        graph.entry(to).or_default();
    }
    let mut found = Vec::new();
    collect(&graph, &mut found);
    found.sort_by_key(|circle: &Vec<Name>| std::cmp::Reverse(circle.len()));
    found
}

fn collect(graph: &Graph<'_>, found: &mut Vec<Vec<Name>>) {
    for circle in components(graph)
        .into_iter()
        .filter(|circle| circle.len() > 1)
    {
        let root = circle.iter().copied().find(|root| {
            let below = format!("{root}::");
            circle
                .iter()
                .all(|other| other == root || other.starts_with(&below))
        });
        match root {
            None => found.push(circle.iter().map(ToString::to_string).collect()),
            Some(root) => {
                let rest = graph
                    .iter()
                    .filter(|(name, _)| circle.contains(*name) && **name != root)
                    .map(|(name, to)| {
                        let to = to.iter().filter(|to| circle.contains(*to) && **to != root);
                        (*name, to.copied().collect())
                    })
                    .collect();
                collect(&rest, found);
            }
        }
    }
}

/// Strongly connected components (Tarjan 1972).
fn components<'a>(graph: &Graph<'a>) -> Vec<BTreeSet<&'a str>> {
    struct Search<'g, 'a> {
        graph: &'g Graph<'a>,
        index: BTreeMap<&'a str, usize>,
        low: BTreeMap<&'a str, usize>,
        stack: Vec<&'a str>,
        found: Vec<BTreeSet<&'a str>>,
    }
    impl<'a> Search<'_, 'a> {
        fn visit(&mut self, node: &'a str) {
            let number = self.index.len();
            self.index.insert(node, number);
            self.low.insert(node, number);
            self.stack.push(node);
            for &next in &self.graph[node] {
                let reached = if !self.index.contains_key(next) {
                    self.visit(next);
                    self.low[next]
                } else if self.stack.contains(&next) {
                    self.index[next]
                } else {
                    continue;
                };
                let low = self.low[node].min(reached);
                self.low.insert(node, low);
            }
            if self.low[node] == self.index[node] {
                let mut component = BTreeSet::new();
                while let Some(top) = self.stack.pop() {
                    component.insert(top);
                    if top == node {
                        break;
                    }
                }
                self.found.push(component);
            }
        }
    }
    let mut search = Search {
        graph,
        index: BTreeMap::new(),
        low: BTreeMap::new(),
        stack: Vec::new(),
        found: Vec::new(),
    };
    for &node in graph.keys() {
        if !search.index.contains_key(node) {
            search.visit(node);
        }
    }
    search.found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(edges: &[(&str, &str)]) -> Uses {
        let edge = |(from, to): &(&str, &str)| ((from.to_string(), to.to_string()), "x".into());
        edges.iter().map(edge).collect()
    }

    #[test]
    fn siblings_in_a_circle_are_found_also_below_their_parent() {
        assert!(circles(&uses(&[("a", "b"), ("b", "c")])).is_empty());
        assert_eq!(
            circles(&uses(&[("a::x", "a::y"), ("a::y", "a::x")])),
            [["a::x", "a::y"]]
        );
        let with_parent = [
            ("a", "a::x"),
            ("a::x", "a"),
            ("a::x", "a::y"),
            ("a::y", "a"),
        ];
        assert!(circles(&uses(&with_parent)).is_empty());
        let both = [&with_parent[..], &[("a", "a::y"), ("a::y", "a::x")]].concat();
        assert_eq!(circles(&uses(&both)), [["a::x", "a::y"]]);
    }

    #[test]
    fn a_circle_that_leaves_the_room_and_comes_back_is_found() {
        let through = [("a", "b"), ("b", "a::x"), ("a::x", "a")];
        assert_eq!(circles(&uses(&through)), [["a", "a::x", "b"]]);
    }
}
