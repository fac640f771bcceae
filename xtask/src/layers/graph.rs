//! The dependency graph, as `cargo tree` prints it.

use std::collections::{BTreeMap, BTreeSet};

/// What each package of the workspace depends on directly.
pub(super) type Graph = BTreeMap<String, BTreeSet<String>>;

/// Reads the output of `cargo tree --workspace --depth 1 --prefix depth`.
///
/// A line is a depth, a name, a version and more: `0evloop v0.1.0 (…)` is a package of the
/// workspace, and the lines `1…` after it are what it depends on.
pub(super) fn parse(text: &str) -> Graph {
    let mut graph = Graph::new();
    let mut package = None;
    for line in text.lines() {
        let name = line
            .get(1..)
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_default();
        if line.starts_with('0') {
            package = Some(graph.entry(name.to_owned()).or_default());
        } else if line.starts_with('1')
            && let Some(uses) = &mut package
        {
            uses.insert(name.to_owned());
        }
    }
    graph
}

/// The circles of the graph, each written once as `a -> b -> a`.
pub(super) fn circles(graph: &Graph) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in graph.keys() {
        if let Some(path) = way(graph, start, start) {
            let smallest = path.iter().min() == Some(start);
            if smallest {
                found.insert(format!("{} -> {start}", path.join(" -> ")));
            }
        }
    }
    found
}

/// The packages on a shortest way from `start` along the edges to `end`, `end` left out.
fn way(graph: &Graph, start: &str, end: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut paths = vec![vec![start.to_owned()]];
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let uses = path
                .last()
                .and_then(|name| graph.get(name))
                .into_iter()
                .flatten();
            for next in uses {
                if next == end {
                    return Some(path);
                }
                if seen.insert(next.clone()) {
                    let mut path = path.clone();
                    path.push(next.clone());
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
0evloop-core v0.1.0 (/src/crates/core)
1evloop-timers v0.1.0 (/src/crates/timers)
1smallvec v1.15.1

0evloop-timers v0.1.0 (/src/crates/timers)
";

    #[test]
    fn a_tree_becomes_a_graph() {
        let graph = parse(TREE);
        let uses: Vec<_> = graph["evloop-core"].iter().collect();
        assert_eq!(uses, ["evloop-timers", "smallvec"]);
        assert!(graph["evloop-timers"].is_empty());
        assert_eq!(graph.len(), 2);
    }

    #[test]
    fn a_graph_that_goes_down_has_no_circle() {
        assert!(circles(&parse(TREE)).is_empty());
    }

    #[test]
    fn a_circle_is_found_once_and_written_out() {
        let graph = parse("0a v1\n1b v1\n0b v1\n1c v1\n0c v1\n1a v1\n1d v1\n0d v1\n");
        assert_eq!(
            circles(&graph).into_iter().collect::<Vec<_>>(),
            ["a -> b -> c -> a"]
        );
    }

    #[test]
    fn a_crate_that_uses_itself_is_a_circle() {
        let graph = parse("0a v1\n1a v1\n");
        assert_eq!(circles(&graph).into_iter().collect::<Vec<_>>(), ["a -> a"]);
    }
}
