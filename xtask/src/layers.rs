//! The step that holds the dependency graph against the layers.
//!
//! The graph is what `cargo tree` prints, not what the manifests seem to say. Development
//! dependencies may go up, but must not close a circle: no crate could then be tested, or
//! published, before the others.

mod graph;
mod purity;
mod table;

use crate::cargo::Cargo;
use crate::step::{Failure, Mode, Verdict, report};
use crate::workspace::Workspace;
use graph::Graph;
use table::{LAYERS, Layer};

/// Checks every crate against its row of the table.
pub(crate) fn check(workspace: &Workspace, _: Mode) -> Result<Verdict, Failure> {
    let names: Vec<&str> = workspace
        .libraries()
        .map(|lib| lib.manifest.name.as_str())
        .collect();
    let always = tree(workspace, "-e normal,build")?;
    let with_features = tree(workspace, "-e normal,build --all-features")?;
    let with_dev = tree(workspace, "-e normal,build,dev --all-features")?;

    let mut findings = rows_without_crate(&names);
    for name in names {
        match LAYERS.iter().find(|layer| layer.package == name) {
            Some(layer) => {
                findings.extend(misused(layer, &always, &with_features));
            }
            None => findings.push(format!("{name}: has no row in the table of layers")),
        }
    }
    for circle in graph::circles(&with_dev) {
        findings.push(format!(
            "the crates depend on each other in a circle: {circle}"
        ));
    }
    findings.extend(purity::check(workspace)?);
    report(&findings)
}

fn tree(workspace: &Workspace, edges: &str) -> Result<Graph, Failure> {
    let text = Cargo::new(
        workspace,
        "tree --workspace --depth 1 --prefix depth --no-dedupe",
    )
    .args(edges.split(' '))
    .read()?;
    Ok(graph::parse(&text))
}

/// What `layer`'s crate depends on although its row does not say so.
fn misused(layer: &Layer, always: &Graph, with_features: &Graph) -> Vec<String> {
    let uses = |graph: &Graph| graph.get(layer.package).cloned().unwrap_or_default();
    let allowed = |name: &str| layer.uses.contains(&name) || layer.packages.contains(&name);
    let mut findings = Vec::new();
    for name in uses(always).iter().filter(|name| !allowed(name)) {
        findings.push(format!("{}: must not depend on {name}", layer.package));
    }
    let optional = uses(with_features)
        .difference(&uses(always))
        .cloned()
        .collect::<Vec<_>>();
    for name in optional {
        if !allowed(&name) && !layer.by_feature.contains(&name.as_str()) {
            findings.push(format!("{}: no feature may bring in {name}", layer.package));
        }
    }
    findings
}

fn rows_without_crate(names: &[&str]) -> Vec<String> {
    let missing = LAYERS
        .iter()
        .filter(|layer| !names.contains(&layer.package));
    missing
        .map(|layer| format!("{}: the table has a row for no crate", layer.package))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: Layer = Layer {
        package: "middle",
        is_pure: false,
        uses: &["below"],
        packages: &["libc"],
        by_feature: &["proptest"],
    };

    fn graph(text: &str) -> Graph {
        graph::parse(text)
    }

    #[test]
    fn what_the_row_names_is_allowed() {
        let always = graph("0middle v1\n1below v1\n1libc v1\n");
        let more = graph("0middle v1\n1below v1\n1libc v1\n1proptest v1\n");
        assert_eq!(misused(&LAYER, &always, &more), [""; 0]);
    }

    #[test]
    fn a_dependency_that_goes_up_is_found() {
        let up = graph("0middle v1\n1above v1\n");
        assert_eq!(
            misused(&LAYER, &up, &up),
            ["middle: must not depend on above"]
        );
    }

    #[test]
    fn what_a_feature_may_bring_in_is_not_there_without_it() {
        let always = graph("0middle v1\n1proptest v1\n");
        assert_eq!(
            misused(&LAYER, &always, &always),
            ["middle: must not depend on proptest"]
        );
        let more = graph("0middle v1\n1serde v1\n");
        let none = graph("0middle v1\n");
        assert_eq!(
            misused(&LAYER, &none, &more),
            ["middle: no feature may bring in serde"]
        );
    }

    #[test]
    fn a_row_for_a_crate_that_is_gone_is_found() {
        let all: Vec<_> = LAYERS.iter().map(|layer| layer.package).collect();
        assert_eq!(rows_without_crate(&all), [""; 0]);
        assert_eq!(rows_without_crate(&all[1..]).len(), 1);
    }
}
