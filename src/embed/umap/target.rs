//! A fuzzy graph and one label per row enter; the graph with edges between classes weakened leaves.

use super::graph::Graph;

/// The distance that a missing label is from any other (umap-learn's `unknown_dist`).
const UNKNOWN_DISTANCE: f32 = 1.0;

/// The fuzzy intersection of the graph with the partition into classes, with every row's strongest
/// edge lifted back to 1 (umap-learn's `discrete_metric_simplicial_set_intersection`).
///
/// `weight` says how much the labels count, from 0 to 1.
pub(super) fn intersect(graph: &Graph, labels: &[Option<usize>], weight: f64) -> Graph {
    let far = if weight < 1.0 { 2.5 / (1.0 - weight) } else { 1e12 };
    let (apart, unknown) = ((-far).exp() as f32, (-UNKNOWN_DISTANCE).exp());
    let factor = |i: usize, j: u32| match (labels[i], labels[j as usize]) {
        (Some(a), Some(b)) if a == b => 1.0,
        (Some(_), Some(_)) => apart,
        _ => unknown,
    };
    let rows = (0..graph.n_rows()).map(|i| {
        let mut row: Vec<(u32, f32)> = graph.row(i).map(|(j, w)| (j, w * factor(i, j))).collect();
        let strongest = row.iter().fold(0.0, |strongest: f32, edge| strongest.max(edge.1));
        if strongest > 0.0 {
            for edge in &mut row {
                edge.1 /= strongest;
            }
        }
        row
    });
    Graph::from_rows(rows.collect()).symmetric(1.0)
}
