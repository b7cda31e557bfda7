//! New rows become points of an existing map, each on its own.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::affinity::{self, Conditional};
use super::{Tsne, check_finite};
use crate::embed::neighbors::Neighbors;
use crate::error::{Error, Result};
use crate::kernels::tsne_forces::{PaddedRows, attraction, repulsion_from};

// The values of openTSNE 1.0's `transform`.
const PERPLEXITY: f64 = 5.0;
const N_START: usize = 25;
const N_ITER: usize = 250;
const EXAGGERATION: f32 = 1.5;
const LEARNING_RATE: f32 = 0.1;
const MAX_GRADIENT: f32 = 0.25;

pub(super) fn place(tsne: &Tsne, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let (found, wanted) = (rows.ncols(), tsne.matrix.ncols());
    if found != wanted {
        return Err(Error::data(format!("found {found} columns, but {wanted} were fitted")));
    }
    check_finite(rows, &[])?;
    match tsne.coordinates.ncols() {
        1 => place_points::<1>(tsne, rows),
        2 => place_points::<2>(tsne, rows),
        _ => place_points::<3>(tsne, rows),
    }
}

fn place_points<const D: usize>(tsne: &Tsne, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let n = tsne.matrix.nrows();
    let map: Vec<[f32; D]> = tsne
        .coordinates
        .rows()
        .into_iter()
        .map(|row| std::array::from_fn(|d| row[d] as f32))
        .collect();
    let near = Neighbors::query(tsne.matrix.view(), rows, N_START.min(n), tsne.metric)?;
    let perplexity = PERPLEXITY.min(n as f64);
    let carrying = near.nearest(affinity::n_neighbors(perplexity, near.k()))?;
    let conditional = Conditional::calibrate(&carrying, perplexity);
    let affinities = (0..rows.nrows()).map(|i| conditional.row(i).map(|(j, p)| (j, p as f32)));
    let affinities = PaddedRows::new(affinities);

    let mut points: Vec<[f32; D]> = near
        .indices
        .rows()
        .into_iter()
        .map(|row| {
            std::array::from_fn(|d| median(row.iter().map(|&j| map[j as usize][d]).collect()))
        })
        .collect();
    let mut gradient = vec![[0.0; D]; points.len()];
    let mut push = vec![[0.0; D]; points.len()];
    let mut steps = super::optimize::Steps::new(points.len(), None);
    for _ in 0..N_ITER {
        attraction(&affinities, &points, &map, &mut gradient);
        let z = repulsion_from(&map, &points, &mut push);
        gradient.par_iter_mut().zip(&push).zip(&z).for_each(|((gradient, push), z)| {
            for d in 0..D {
                gradient[d] = EXAGGERATION * gradient[d] - push[d] / z;
            }
            let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            let shorten = if length > MAX_GRADIENT { MAX_GRADIENT / length } else { 1.0 };
            for g in gradient.iter_mut() {
                *g *= shorten;
            }
        });
        steps.take(&mut points, &gradient, LEARNING_RATE);
    }
    Ok(Array2::from_shape_fn((points.len(), D), |(i, d)| f64::from(points[i][d])))
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    f32::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}
