//! All objects together become what each one's neighbourhood is like.

use super::accumulator::Objects;
use super::object::{Needs, Space};
use crate::kernels::region_neighbors::{Owned, contacts, nearest};
use crate::kernels::region_sums::{Bounds, Moments};

/// Per object, as far as needed.
#[derive(Debug, Default)]
pub(crate) struct Neighbors {
    /// Number of objects that share a pixel edge or face.
    pub touching: Vec<u32>,
    /// Length or surface of what is shared.
    pub contact: Vec<f64>,
    /// Mean distance to the nearest 1, 2, .. 6 centroids; NaN where there are fewer.
    pub nearest: Vec<[f64; 6]>,
}

impl Neighbors {
    pub fn of(objects: &Objects, space: Space, needs: Needs) -> Self {
        let mut neighbors = Self::default();
        if needs.contacts {
            neighbors.touch(objects, space);
        }
        if needs.nearest {
            let distances = nearest::<6>(&centroids(objects, space));
            neighbors.nearest = distances.into_iter().map(running_means).collect();
        }
        neighbors
    }

    fn touch(&mut self, objects: &Objects, space: Space) {
        let owned = |(owner, ends): (usize, &[usize])| {
            let spans = objects.spans[ends[0]..ends[1]].iter();
            spans.map(move |&span| (span, owner as u32)).collect::<Vec<Owned>>()
        };
        let runs: Vec<Owned> = objects.begins.windows(2).enumerate().flat_map(owned).collect();
        let [z, y, x] = space.spacing;
        // In a plane the absent z axis has spacing 1: faces become edges.
        let sizes = [y * x, z * x, z * y];
        self.touching = vec![0; objects.labels.len()];
        self.contact = vec![0.0; objects.labels.len()];
        for contact in contacts(&runs, space.n_rows()) {
            let size: f64 = contact.faces.iter().zip(sizes).map(|(&n, size)| n as f64 * size).sum();
            for object in contact.pair {
                self.touching[object as usize] += 1;
                self.contact[object as usize] += size;
            }
        }
    }
}

/// With units, from the corner of the image.
fn centroids(objects: &Objects, space: Space) -> Vec<[f64; 3]> {
    let center = |ends: &[usize]| {
        let spans = &objects.spans[ends[0]..ends[1]];
        let bounds = Bounds::of(spans, space.n_rows());
        let center = Moments::of(spans, space.n_rows(), &bounds, false).center;
        [0, 1, 2].map(|a| (center[a] + f64::from(bounds.first[a])) * space.spacing[a])
    };
    objects.begins.windows(2).map(center).collect()
}

fn running_means(distances: [f64; 6]) -> [f64; 6] {
    let mut sum = 0.0;
    let mut means = [0.0; 6];
    for (n, (mean, distance)) in means.iter_mut().zip(distances).enumerate() {
        sum += distance;
        *mean = sum / (n + 1) as f64;
    }
    means
}
