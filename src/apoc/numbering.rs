//! Numbers of objects as clEsperanto gives them: by their first pixel, columns before rows before layers.

use crate::segment::{Connectivity, Objects, Runs};

/// Objects of connected pixels (sides or faces), numbered column by column.
pub(super) fn components_by_column(runs: Runs) -> Objects {
    let (components, n) = runs.components(Connectivity::Faces);
    let [_, ny, _] = runs.extent;
    // The first pixel of an object begins one of its runs.
    let mut first = vec![(u32::MAX, 0, 0); n];
    for row in 0..runs.rows.len() - 1 {
        for run in runs.of_row(row) {
            let component = &mut first[components[run] as usize];
            *component = (*component).min((runs.runs[run].start, row % ny, row / ny));
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by_key(|&component| first[component]);
    let mut numbers = vec![0; n];
    order.iter().enumerate().for_each(|(i, &component)| numbers[component] = i as u32 + 1);
    let labels = components.iter().map(|&component| numbers[component as usize]).collect();
    Objects { runs, labels }
}
