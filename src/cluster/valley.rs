//! Rows and their groups in; whether a valley lies between each group and the nearest other one, out.
//!
//! A single population that is not Gaussian (skewed, say) can be cut into groups tighter than those of a Gaussian
//! one. What it does not have is a valley: fewer objects on the border than on both sides of it.

use ndarray::{Array1, Array2, ArrayView2};

use super::dip::dip;

/// What lies between a group and the one whose centre is nearest.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Valley {
    /// The group.
    pub group: usize,
    /// The group of the nearest centre.
    pub neighbor: usize,
    /// Hartigan's dip of both groups on the line through their centres, times the root of their number of objects:
    /// about 0.3 to 0.5 where there is no valley, whatever the number of objects.
    pub depth: f64,
    /// How often the deepest valley of a single Gaussian population, cut in the same way, is as deep (at any k, where
    /// k was chosen).
    pub p_value: f64,
}

/// For each group 1..k with rows, its neighbour and the depth of the valley between; label 0 is left out.
pub(super) fn valleys(rows: ArrayView2<'_, f64>, labels: &[usize]) -> Vec<(usize, usize, f64)> {
    let centres = centres(rows, labels);
    let nearest = |a: usize| {
        let others = (0..centres.len()).filter(|&b| b != a);
        let distance = |b: usize| Some(square(&centres[a].as_ref()?.view(), centres[b].as_ref()?));
        others.filter_map(|b| Some((b, distance(b)?))).min_by(|x, y| x.1.total_cmp(&y.1))
    };
    let mut found: Vec<(usize, usize, f64)> = Vec::new();
    for a in 0..centres.len() {
        let (Some(centre), Some((b, _))) = (&centres[a], nearest(a)) else { continue };
        // Two groups that are each other's neighbours share a valley.
        if let Some(&(_, _, depth)) = found.iter().find(|v| (v.0, v.1) == (b + 1, a + 1)) {
            found.push((a + 1, b + 1, depth));
            continue;
        }
        let Some(other) = &centres[b] else { continue };
        let axis = other - centre;
        let along: Vec<f64> = rows
            .outer_iter()
            .zip(labels)
            .filter(|(_, label)| **label == a + 1 || **label == b + 1)
            .map(|(row, _)| row.dot(&axis))
            .collect();
        found.push((a + 1, b + 1, dip(&along) * (along.len() as f64).sqrt()));
    }
    found
}

/// The mean row of each group; `None` for a group without rows.
fn centres(rows: ArrayView2<'_, f64>, labels: &[usize]) -> Vec<Option<Array1<f64>>> {
    let k = labels.iter().copied().max().unwrap_or(0);
    let mut sums = Array2::<f64>::zeros((k, rows.ncols()));
    let mut counts = vec![0usize; k];
    for (row, &label) in rows.outer_iter().zip(labels).filter(|(_, label)| **label > 0) {
        let mut sum = sums.row_mut(label - 1);
        sum += &row;
        counts[label - 1] += 1;
    }
    let mean = |(sum, &count): (ndarray::ArrayView1<'_, f64>, &usize)| {
        (count > 0).then(|| sum.to_owned() / count as f64)
    };
    sums.outer_iter().zip(&counts).map(mean).collect()
}

fn square(a: &ndarray::ArrayView1<'_, f64>, b: &Array1<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn a_gap_is_deep_and_a_cut_through_one_cloud_is_not() {
        let mut stream = Seed::new(4).stream("valley", 0);
        let apart = Array2::from_shape_fn((300, 2), |(i, j)| {
            stream.normal() + if i < 100 && j == 0 { 8.0 } else { 0.0 }
        });
        let labels: Vec<usize> = (0..300).map(|i| if i < 100 { 2 } else { 1 }).collect();
        let found = valleys(apart.view(), &labels);
        assert_eq!((found[0].0, found[0].1, found[1].0, found[1].1), (1, 2, 2, 1));
        assert!(found[0].2 > 1.0 && found[0].2 == found[1].2, "{found:?}");

        let cloud = Array2::from_shape_fn((300, 2), |_| stream.normal());
        let cut: Vec<usize> = cloud.outer_iter().map(|r| if r[0] > 0.0 { 1 } else { 2 }).collect();
        assert!(valleys(cloud.view(), &cut)[0].2 < 0.6);
    }

    #[test]
    fn objects_without_a_group_and_groups_without_objects_are_left_out() {
        let rows = ndarray::array![[0.0], [1.0], [5.0], [9.0]];
        let found = valleys(rows.view(), &[1, 1, 0, 3]);
        assert_eq!(found.iter().map(|v| (v.0, v.1)).collect::<Vec<_>>(), [(1, 3), (3, 1)]);
        assert!(valleys(rows.view(), &[1, 1, 1, 1]).is_empty());
    }
}
