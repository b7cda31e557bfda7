//! A measured object becomes the numbers of one family of columns.

use super::columns::Item;
use super::neighbors::Neighbors;
use super::object::{Needs, Object, equivalent_diameter, hu};
use crate::kernels::region_intensity::Intensity;
use crate::kernels::region_weights::{Weighted, quantile};

/// Appends all columns of a family, in the order of its indices; NaN is written as null.
pub(super) type Write = fn(&Object<'_>, &Item, &mut Vec<f64>);

/// As [`Write`], for what follows from all objects together.
pub(super) type WriteNeighbors = fn(&Neighbors, usize, &mut Vec<f64>);

/// What a column is written from.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Object(Write),
    Neighbors(WriteNeighbors),
}

/// Adds what a property needs.
pub(super) type Ask = fn(&mut Needs);

/// How a property's columns are written, and what must be computed for it.
pub(super) fn writer(name: &str) -> Option<(From, Ask)> {
    if let Some((write, needs)) = from_neighbors(name) {
        return Some((From::Neighbors(write), needs));
    }
    let (write, needs) = from_labels(name).or_else(|| from_intensity(name))?;
    Some((From::Object(write), needs))
}

fn from_neighbors(name: &str) -> Option<(WriteNeighbors, Ask)> {
    Some(match name {
        "touching_neighbor_count" => {
            (|n, at, out| out.push(f64::from(n.touching[at])), |n| n.contacts = true)
        }
        "contact_length" => (|n, at, out| out.push(n.contact[at]), |n| n.contacts = true),
        "nearest_neighbor_distance" => {
            (|n, at, out| out.extend(n.nearest[at]), |n| n.nearest = true)
        }
        _ => return None,
    })
}

fn from_labels(name: &str) -> Option<(Write, Ask)> {
    let nothing: Ask = |_| {};
    let edges: Ask = |n| n.edges = true;
    let perimeter: Ask = |n| (n.edges, n.perimeter) = (true, true);
    let hull: Ask = |n| n.hull = true;
    let cubes: Ask = |n| n.cubes = true;
    let (write, needs): (Write, _) = match name {
        "area" | "volume" => (|o, _, out| out.push(o.size()), nothing),
        "num_pixels" => (|o, _, out| out.push(o.n_pixels as f64), nothing),
        "area_bbox" | "volume_bbox" => (|o, _, out| out.push(o.box_size()), nothing),
        "area_convex" | "volume_convex" => (|o, _, out| out.push(o.hull_size()), hull),
        "equivalent_diameter_area" | "equivalent_diameter_volume" => {
            (|o, _, out| out.push(equivalent_diameter(o.size(), o.space.n_axes)), nothing)
        }
        "axis_major_length" => (|o, _, out| out.push(o.ellipse.major), nothing),
        "axis_minor_length" => (|o, _, out| out.push(o.ellipse.minor), nothing),
        "aspect_ratio" => (|o, _, out| out.push(o.ellipse.major / o.ellipse.minor), nothing),
        "elongation" => (|o, _, out| out.push(1.0 - o.ellipse.minor / o.ellipse.major), nothing),
        "eccentricity" => (eccentricity, nothing),
        "orientation" => (|o, _, out| out.push(o.ellipse.orientation), nothing),
        "perimeter" => (|o, _, out| out.push(o.perimeter()), perimeter),
        "perimeter_crofton" => (crofton, edges),
        "circularity" => (circularity, perimeter),
        "roundness" => (roundness, nothing),
        "surface_area" => {
            (|o, _, out| out.push(o.solid.surface(o.space.spacing, &o.space.shares)), edges)
        }
        "area_filled" | "volume_filled" => (
            |o, _, out| out.push((o.n_pixels + o.hole_pixels) as f64 * o.space.pixel()),
            |n| n.filled = true,
        ),
        "distance_to_centroid_mean" => {
            (|o, _, out| out.push(o.distances[0]), |n| n.distances = true)
        }
        "distance_to_centroid_max" => {
            (|o, _, out| out.push(o.distances[1]), |n| n.distances = true)
        }
        "distance_to_centroid_max_mean_ratio" => {
            (|o, _, out| out.push(o.distances[1] / o.distances[0]), |n| n.distances = true)
        }
        "extent" => (|o, _, out| out.push(o.size() / o.box_size()), nothing),
        "solidity" => (|o, _, out| out.push(o.size() / o.hull_size()), hull),
        "feret_diameter_max" => (|o, _, out| out.push(o.hull.feret_max), hull),
        "feret_diameter_min" => (|o, _, out| out.push(o.hull.feret_min), hull),
        "euler_number" => (|o, _, out| out.push(o.euler() as f64), edges),
        "centroid" => (|o, _, out| centroid(o, o.moments.center, true, out), nothing),
        "centroid_local" => (|o, _, out| centroid(o, o.moments.center, false, out), nothing),
        "bbox" => (bbox, nothing),
        "inertia_tensor" => (inertia_tensor, nothing),
        "inertia_tensor_eigvals" => {
            (|o, _, out| out.extend(&o.ellipse.eigenvalues[..o.space.n_axes]), nothing)
        }
        "moments" => (|o, _, out| powers(o, &o.moments.raw, out), cubes),
        "moments_central" => (|o, _, out| powers(o, &o.moments.central, out), cubes),
        "moments_normalized" => (|o, _, out| normalized_powers(o, &o.moments.central, out), cubes),
        "moments_hu" => (|o, _, out| hu_moments(o, &o.moments.central, out), cubes),
        _ => return None,
    };
    Some((write, needs))
}

fn from_intensity(name: &str) -> Option<(Write, Ask)> {
    let nothing: Ask = |_| {};
    let sorted: Ask = |n| (n.values, n.sorted) = (true, true);
    let weighted: Ask = |n| (n.values, n.weighted) = (true, true);
    let (write, needs): (Write, _) = match name {
        "intensity_mean" => (|o, i, out| out.push(mean_std(o, i).0), nothing),
        "intensity_std" => (|o, i, out| out.push(mean_std(o, i).1), nothing),
        "intensity_min" => (|o, i, out| out.push(whole(o, i, |s| s.min)), nothing),
        "intensity_max" => (|o, i, out| out.push(whole(o, i, |s| s.max)), nothing),
        "intensity_sum" => (|o, i, out| out.push(whole(o, i, |s| s.sum.value())), nothing),
        "intensity_median" => {
            (|o, i, out| out.push(quantile(&o.channels[i.channel].sorted, 0.5)), sorted)
        }
        "intensity_quantile" => (quantiles, sorted),
        "centroid_weighted" => (|o, i, out| weighted_centroid(o, i, true, out), weighted),
        "centroid_weighted_local" => (|o, i, out| weighted_centroid(o, i, false, out), weighted),
        "moments_weighted" => {
            (|o, i, out| of_weighted(o, i, out, |o, w, out| powers(o, &w.raw, out)), weighted)
        }
        "moments_weighted_central" => {
            (|o, i, out| of_weighted(o, i, out, |o, w, out| powers(o, &w.central, out)), weighted)
        }
        "moments_weighted_normalized" => (
            |o, i, out| of_weighted(o, i, out, |o, w, out| normalized_powers(o, &w.central, out)),
            weighted,
        ),
        "moments_weighted_hu" => (
            |o, i, out| of_weighted(o, i, out, |o, w, out| hu_moments(o, &w.central, out)),
            weighted,
        ),
        "haralick" => (textures, |n| (n.values, n.texture) = (true, true)),
        _ => return None,
    };
    Some((write, needs))
}

fn eccentricity(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    let [large, small, _] = o.ellipse.eigenvalues;
    out.push(if large == 0.0 { 0.0 } else { (1.0 - small / large).sqrt() });
}

fn crofton(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    out.push(o.space.equal_spacing().map_or(f64::NAN, |spacing| o.edges.crofton() * spacing));
}

fn circularity(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    out.push(4.0 * std::f64::consts::PI * o.size() / o.perimeter().powi(2));
}

fn roundness(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    out.push(4.0 * o.size() / (std::f64::consts::PI * o.ellipse.major.powi(2)));
}

/// With units; from the corner of the image or of the bounding box.
fn centroid(o: &Object<'_>, local: [f64; 3], in_image: bool, out: &mut Vec<f64>) {
    let first = |axis| if in_image { o.first(axis) } else { 0.0 };
    out.extend(o.space.axes().map(|a| (local[a] + first(a)) * o.space.spacing[a]));
}

fn bbox(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    out.extend(o.space.axes().map(|a| o.first(a)));
    out.extend(o.space.axes().map(|a| o.first(a) + f64::from(o.bounds.extent[a])));
}

fn inertia_tensor(o: &Object<'_>, _: &Item, out: &mut Vec<f64>) {
    let n = o.space.n_axes;
    out.extend(o.ellipse.tensor[..n].iter().flat_map(|row| &row[..n]));
}

fn mean_std(o: &Object<'_>, item: &Item) -> (f64, f64) {
    o.channels[item.channel].sums.mean_std().unwrap_or((f64::NAN, f64::NAN))
}

/// Undefined with a value that is not a number.
fn whole(o: &Object<'_>, item: &Item, value: fn(&Intensity) -> f64) -> f64 {
    let sums = o.channels[item.channel].sums;
    if sums.odd > 0 { f64::NAN } else { value(sums) }
}

fn quantiles(o: &Object<'_>, item: &Item, out: &mut Vec<f64>) {
    let sorted = &o.channels[item.channel].sorted;
    out.extend(item.percents.iter().map(|percent| quantile(sorted, percent / 100.0)));
}

fn textures(o: &Object<'_>, item: &Item, out: &mut Vec<f64>) {
    out.extend(o.channels[item.channel].texture.unwrap_or([f64::NAN; 13]));
}

fn weighted_centroid(o: &Object<'_>, item: &Item, in_image: bool, out: &mut Vec<f64>) {
    let center = o.channels[item.channel].weighted.as_ref().map_or([f64::NAN; 3], |w| w.center);
    centroid(o, center, in_image, out);
}

/// Writes from the weighted moments, or as many undefined values.
fn of_weighted(
    o: &Object<'_>,
    item: &Item,
    out: &mut Vec<f64>,
    write: fn(&Object<'_>, &Weighted, &mut Vec<f64>),
) {
    match &o.channels[item.channel].weighted {
        Some(weighted) => write(o, weighted, out),
        None => out.extend(item.property.indices(o.space.n_axes).iter().map(|_| f64::NAN)),
    }
}

/// The entries of a table of powers that the image has, with their powers along z, y, x.
fn entries(o: &Object<'_>) -> impl Iterator<Item = (usize, [i32; 3])> {
    let n = if o.space.n_axes == 2 { 16 } else { 64 };
    (0..n).map(|entry| (entry, [entry / 16, entry / 4 % 4, entry % 4].map(|p| p as i32)))
}

/// Moments with units.
fn powers(o: &Object<'_>, moments: &[f64; 64], out: &mut Vec<f64>) {
    let scale =
        |powers: [i32; 3]| -> f64 { (0..3).map(|a| o.space.spacing[a].powi(powers[a])).product() };
    out.extend(entries(o).map(|(entry, powers)| moments[entry] * scale(powers)));
}

/// scikit-image's normalisation: by the smallest spacing and the size to the power order / `n_axes` + 1.
fn normalized_powers(o: &Object<'_>, central: &[f64; 64], out: &mut Vec<f64>) {
    let smallest = o.space.axes().map(|a| o.space.spacing[a]).fold(f64::INFINITY, f64::min);
    out.extend(entries(o).map(|(entry, powers)| {
        let order: i32 = powers.iter().sum();
        if order < 2 {
            return f64::NAN;
        }
        let scale: f64 = (0..3).map(|a| (o.space.spacing[a] / smallest).powi(powers[a])).product();
        let n_axes = o.space.n_axes as f64;
        central[entry] * scale / central[0].powf(f64::from(order) / n_axes + 1.0)
    }));
}

fn hu_moments(o: &Object<'_>, central: &[f64; 64], out: &mut Vec<f64>) {
    if o.space.equal_spacing() != Some(1.0) {
        out.extend([f64::NAN; 7]);
        return;
    }
    let nu = |y: usize, x: usize| central[4 * y + x] / central[0].powf((y + x) as f64 / 2.0 + 1.0);
    out.extend(hu(nu));
}
