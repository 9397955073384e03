//! Groups of files that use each other: the strongly connected components of a graph.

use std::collections::BTreeSet;

/// Groups of two and more, each sorted, the largest first.
pub(crate) fn find(graph: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let reach: Vec<BTreeSet<usize>> = (0..graph.len())
        .map(|from| reachable(graph, from))
        .collect();
    let mut grouped = BTreeSet::new();
    let mut found = Vec::new();
    for from in 0..graph.len() {
        if grouped.contains(&from) {
            continue;
        }
        let group: Vec<usize> = reach[from]
            .iter()
            .copied()
            .filter(|to| reach[*to].contains(&from))
            .collect();
        if group.len() > 1 {
            grouped.extend(group.iter().copied());
            found.push(group);
        }
    }
    found.sort_by_key(|group| std::cmp::Reverse(group.len()));
    found
}

/// All nodes that can be reached from one, by one step or more.
fn reachable(graph: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for next in &graph[node] {
            if found.insert(*next) {
                open.push(*next);
            }
        }
    }
    found
}
