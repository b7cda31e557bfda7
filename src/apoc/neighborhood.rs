//! Statistics of an object's neighbours, as clEsperanto's `statistics_of_labelled_neighbors` takes them.

use rayon::prelude::*;

use super::object_statistics::{Objects, contacts, distance};
use crate::error::{Error, Result};
use crate::segment::labels::dilate;

/// Distances within which neighbours are counted.
const PROXIMAL: [u32; 5] = [10, 20, 40, 80, 160];
/// Numbers of nearest neighbours.
const NEAREST: [usize; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 10, 20];
/// Radii by which labels are grown before their neighbours are looked at.
const DILATED: [usize; 2] = [5, 10];
/// Shares of the border above which a neighbour counts.
const PORTIONS: [&str; 6] = ["0", "0.16", "0.2", "0.33", "0.5", "0.75"];
/// What touching neighbours say, of the labels as they are or grown.
const TOUCHING: [&str; 10] = [
    "touching_neighbor_count",
    "minimum_distance_of_touching_neighbors",
    "average_distance_of_touching_neighbors",
    "maximum_distance_of_touching_neighbors",
    "max_min_distance_ratio_of_touching_neighbors",
    "touch_count_sum",
    "minimum_touch_count",
    "maximum_touch_count",
    "minimum_touch_portion",
    "maximum_touch_portion",
];
/// The one feature that carries a number.
const N_NEAREST: &str = "average_distance_of_n_nearest_neighbors=";

/// Every feature of neighbours by name.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = TOUCHING.map(str::to_owned).to_vec();
    names.extend(DILATED.iter().flat_map(|r| TOUCHING.map(|name| format!("{name}_dilated_r_{r}"))));
    names.extend(PROXIMAL.iter().map(|d| format!("proximal_neighbor_count_d{d}")));
    names.extend(NEAREST.iter().flat_map(|n| {
        ["maximum", "average"].map(|what| format!("{what}_distance_of_n{n}_nearest_neighbors"))
    }));
    names.push("distance_to_most_distant_other".into());
    names.extend(PORTIONS.iter().map(|p| format!("touch_portion_above_{p}_neighbor_count")));
    names.push("standard_deviation_touch_portion".into());
    names.push(format!("{N_NEAREST}N"));
    names
}

/// One feature of every object; `None` for a name that is none.
///
/// # Errors
/// A number of neighbours that is none.
pub(super) fn feature(name: &str, objects: &Objects<'_>) -> Result<Option<Vec<f32>>> {
    if let Some(n) = name.strip_prefix(N_NEAREST) {
        let n = n.parse::<usize>().ok().filter(|&n| n > 0);
        let n =
            n.ok_or_else(|| Error::parameter("feature", name, "a number of neighbours from 1"))?;
        return Ok(Some(by_distance(objects, |others, _| mean(&others[..n.min(others.len())]))));
    }
    let radius = name.strip_prefix("proximal_neighbor_count_d").and_then(|d| d.parse().ok());
    if let Some(d) = radius.filter(|d| PROXIMAL.contains(d)) {
        let within = move |others: &[f32]| others.iter().filter(|o| **o <= d as f32).count();
        return Ok(Some(by_distance(objects, |others, _| within(others) as f32)));
    }
    for n in NEAREST {
        if name == format!("maximum_distance_of_n{n}_nearest_neighbors") {
            let farthest =
                |others: &[f32]| others.iter().take(n).next_back().copied().unwrap_or(-1.0);
            return Ok(Some(by_distance(objects, |others, _| farthest(others))));
        }
        if name == format!("average_distance_of_n{n}_nearest_neighbors") {
            return Ok(Some(average_with_self(objects, n)));
        }
    }
    if name == "distance_to_most_distant_other" {
        return Ok(Some(by_distance(objects, |others, _| {
            others.last().copied().unwrap_or(f32::NAN)
        })));
    }
    if let Some((plain, radius)) = name.split_once("_dilated_r_") {
        let radius = radius.parse().ok().filter(|r| DILATED.contains(r));
        let (Some(radius), true) = (radius, TOUCHING.contains(&plain)) else {
            return Ok(None);
        };
        let grown = dilate(objects.image, radius);
        let grown = Objects::of(&grown, None)?;
        return Ok(Touch::of(&grown).feature(plain));
    }
    Ok(Touch::of(objects).feature(name))
}

/// A value from the ascending distances to all others, and the object's position.
fn by_distance(objects: &Objects<'_>, value: impl Fn(&[f32], usize) -> f32 + Sync) -> Vec<f32> {
    let centers = objects.centers();
    (0..centers.len()).into_par_iter().map(|i| value(&distances(&centers, i), i)).collect()
}

fn distances(centers: &[[f64; 3]], from: usize) -> Vec<f32> {
    let others = centers.iter().enumerate().filter(|(j, _)| *j != from);
    let mut distances: Vec<f32> =
        others.map(|(_, center)| distance(centers[from], *center) as f32).collect();
    distances.sort_unstable_by(f32::total_cmp);
    distances
}

/// Where there are fewer than n others, the object itself takes part, one pixel farther than any two are.
fn average_with_self(objects: &Objects<'_>, n: usize) -> Vec<f32> {
    let farthest = by_distance(objects, |others, _| others.last().copied().unwrap_or(0.0));
    let own = farthest.iter().copied().fold(0.0, f32::max) + 1.0;
    by_distance(objects, |others, _| {
        let with_self: Vec<f32> = others.iter().copied().chain([own]).take(n).collect();
        mean(&with_self)
    })
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// Who touches whom, and how long.
struct Touch<'a, 'b> {
    objects: &'a Objects<'b>,
    /// Per object its neighbours, background as `None`, and the sides shared with each.
    neighbors: Vec<Vec<(Option<usize>, f32)>>,
    /// Sides shared with anything.
    totals: Vec<f32>,
}

impl<'a, 'b> Touch<'a, 'b> {
    fn of(objects: &'a Objects<'b>) -> Self {
        let contacts = contacts(objects.image);
        let place = |label: u32| objects.labels.binary_search(&label).ok();
        let mut neighbors = vec![Vec::new(); objects.labels.len()];
        for (&[a, b], &count) in &contacts {
            let (a, b) = (place(a), place(b));
            for (one, other) in [(a, b), (b, a)] {
                if let Some(one) = one {
                    neighbors[one].push((other, count as f32));
                }
            }
        }
        let totals = neighbors.iter().map(|n: &Vec<_>| n.iter().map(|(_, c)| c).sum()).collect();
        Self { objects, neighbors, totals }
    }

    /// A feature of touching neighbours.
    fn feature(&self, name: &str) -> Option<Vec<f32>> {
        let centers = self.objects.centers();
        let apart = |i: usize| -> Vec<f32> {
            let others = self.neighbors[i].iter().filter_map(|(other, _)| *other);
            others.map(|j| distance(centers[i], centers[j]) as f32).collect()
        };
        let each = |f: &dyn Fn(usize) -> f32| Some((0..centers.len()).map(f).collect());
        let least = |values: Vec<f32>| values.into_iter().reduce(f32::min).unwrap_or(0.0);
        let most = |values: Vec<f32>| values.into_iter().reduce(f32::max).unwrap_or(0.0);
        let counts = |i: usize| -> Vec<f32> { self.objects_around(i).map(|(_, c)| c).collect() };
        let portions = |i: usize| -> Vec<f32> {
            self.objects_around(i).map(|(_, c)| c / self.totals[i]).collect()
        };
        // Where nothing touches, the least is that of all pairs together replaced by the largest.
        let or_largest = |values: &dyn Fn(usize) -> Vec<f32>, i: usize| {
            let largest = (0..centers.len()).flat_map(values).fold(0.0, f32::max);
            values(i).into_iter().fold(largest, f32::min)
        };
        match name {
            "touching_neighbor_count" => each(&|i| self.objects_around(i).count() as f32),
            "minimum_distance_of_touching_neighbors" => each(&|i| least(apart(i))),
            "maximum_distance_of_touching_neighbors" => each(&|i| most(apart(i))),
            "average_distance_of_touching_neighbors" => {
                each(&|i| if apart(i).is_empty() { 0.0 } else { mean(&apart(i)) })
            }
            "max_min_distance_ratio_of_touching_neighbors" => {
                each(&|i| most(apart(i)) / least(apart(i)))
            }
            "touch_count_sum" => each(&|i| counts(i).iter().sum()),
            "minimum_touch_count" => each(&|i| or_largest(&counts, i)),
            "maximum_touch_count" => each(&|i| most(counts(i))),
            "minimum_touch_portion" => each(&|i| or_largest(&portions, i)),
            "maximum_touch_portion" => each(&|i| most(portions(i))),
            "standard_deviation_touch_portion" => each(&|i| {
                let n = self.neighbors[i].len() as f32;
                let off = |(_, c): &(Option<usize>, f32)| (c / self.totals[i] - 1.0 / n).abs() / n;
                if n == 0.0 { 0.0 } else { self.neighbors[i].iter().map(off).sum() }
            }),
            _ => {
                let least = name
                    .strip_prefix("touch_portion_above_")?
                    .strip_suffix("_neighbor_count")
                    .filter(|p| PORTIONS.contains(p))?
                    .parse::<f32>()
                    .ok()?;
                let above = |share: &f32| *share > least;
                each(&|i| portions(i).iter().filter(|share| above(share)).count() as f32)
            }
        }
    }

    /// Neighbours of an object without background.
    fn objects_around(&self, i: usize) -> impl Iterator<Item = (usize, f32)> {
        self.neighbors[i].iter().filter_map(|&(other, count)| Some((other?, count)))
    }
}
