//! Wanted properties become a plan of columns; measured objects become a table.

use std::str::FromStr;

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;

use super::accumulator::Objects;
use super::names::{Names, property, recognize};
use super::neighbors::Neighbors;
use super::object::{Desk, Needs, Object, Space, equivalent_diameter, hu};
use super::property::{Offer, PROPERTIES, Property, Unit};
use crate::error::{Error, Result, closest};
use crate::kernels::region_intensity::Intensity;
use crate::kernels::region_weights::{Weighted, quantile};
use crate::progress::Progress;

/// Which properties a table has.
///
/// ```
/// use polariscope::regions::Selection;
/// assert_eq!("all".parse::<Selection>()?, Selection::All);
/// let two = Selection::Names(vec!["area".into(), "core".into()]);
/// assert_eq!("area, core".parse::<Selection>()?, two);
/// # Ok::<(), polariscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// What most analyses want.
    #[default]
    Core,
    /// Everything that can be measured.
    All,
    /// Properties by name (also scikit-image's), single columns (`moments_hu_0`, `intensity_quantile_90`), `core` and `all`.
    Names(Vec<String>),
}

impl FromStr for Selection {
    type Err = Error;

    /// `core`, `all`, or names separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        match names.as_slice() {
            [one] if one == "core" => Ok(Self::Core),
            [one] if one == "all" => Ok(Self::All),
            names if names.iter().any(String::is_empty) => Err(Error::parameter(
                "properties",
                format!("{text:?}"),
                "names separated by commas",
            )
            .help("`core`, `all`, or names as `explore columns` lists them")),
            _ => Ok(Self::Names(names)),
        }
    }
}

/// One property of one channel, and where its numbers go.
#[derive(Debug)]
struct Item {
    property: &'static Property,
    write: From,
    channel: usize,
    /// Positions within the family that are wanted.
    wanted: Vec<usize>,
    /// The indices of the family, as in the names; percentages for quantiles.
    percents: Vec<f64>,
    names: Vec<String>,
}

/// Appends all columns of a family, in the order of its indices; NaN is written as null.
type Write = fn(&Object<'_>, &Item, &mut Vec<f64>);

/// As [`Write`], for what follows from all objects together.
type WriteNeighbors = fn(&Neighbors, usize, &mut Vec<f64>);

/// What a column is written from.
#[derive(Debug, Clone, Copy)]
enum From {
    Object(Write),
    Neighbors(WriteNeighbors),
}

/// The columns of a table, in order, and what they need.
#[derive(Debug)]
pub(crate) struct Plan {
    items: Vec<Item>,
    pub needs: Needs,
}

impl Plan {
    /// Resolves a selection for images of `n_axes` axes with these channels.
    pub fn new(
        selection: &Selection,
        n_axes: usize,
        channels: &[String],
        names: Names,
    ) -> Result<Self> {
        let mut plan = Self { items: Vec::new(), needs: Needs::default() };
        for (property, index) in wanted(selection, n_axes, !channels.is_empty(), names)? {
            let n_channels = if property.intensity { channels.len() } else { 1 };
            for channel in 0..n_channels {
                let key = channels.get(channel).map(|name| (name.as_str(), channel));
                // A single image is not counted by scikit-image, and has no name unless it was given one.
                let key = key.filter(|_| channels.len() > 1 || names == Names::Canonical);
                plan.add(property, index.as_deref(), n_axes, names, key, channel);
            }
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        property: &'static Property,
        index: Option<&str>,
        n_axes: usize,
        names: Names,
        key: Option<(&str, usize)>,
        channel: usize,
    ) {
        let indices = property.indices_with(n_axes, index);
        let all = property.columns_at(&indices, names, key);
        let keep =
            |i: &usize| index.is_none_or(|only| indices[*i].0 == only || indices[*i].1 == only);
        let wanted: Vec<usize> = (0..all.len()).filter(keep).collect();
        let names: Vec<String> = wanted.iter().map(|&i| all[i].clone()).collect();
        if self.items.iter().any(|item| item.names == names) {
            return;
        }
        let percents = indices.iter().map(|(p, _)| p.parse().unwrap_or(f64::NAN)).collect();
        if let Some((write, needs)) = writer(property.name) {
            needs(&mut self.needs);
            self.items.push(Item { property, write, channel, wanted, percents, names });
        }
    }

    /// Measures every object: one row each, labels ascending.
    pub fn table(&self, objects: &Objects, space: Space, progress: &Progress) -> Result<DataFrame> {
        let n_objects = objects.labels.len();
        let n_columns: usize = self.items.iter().map(|item| item.wanted.len()).sum();
        let neighbors = Neighbors::of(objects, space, self.needs);
        let mut values = vec![0.0f64; n_objects * n_columns];
        let done = std::sync::atomic::AtomicUsize::new(0);
        values.par_chunks_mut((n_columns * BLOCK_OBJECTS).max(1)).enumerate().for_each_init(
            || (Desk::default(), Vec::new()),
            |(desk, family), (block, values)| {
                for (i, row) in values.chunks_exact_mut(n_columns).enumerate() {
                    let at = block * BLOCK_OBJECTS + i;
                    self.row(objects, &neighbors, at, space, desk, family, row);
                }
                let before = done.fetch_add(values.len(), std::sync::atomic::Ordering::Relaxed);
                progress.report(before + values.len(), n_objects * n_columns);
            },
        );
        let labels = Column::new("label".into(), &objects.labels);
        let families = self.items.iter().flat_map(|item| item.names.iter().map(move |n| (n, item)));
        let columns = families.enumerate().map(|(place, (name, item))| {
            let numbers = values.iter().skip(place).step_by(n_columns);
            column(name, numbers, n_objects, is_whole(item.property))
        });
        let columns = std::iter::once(labels).chain(columns).collect();
        DataFrame::new(n_objects, columns).map_err(|error| Error::internal(error.to_string()))
    }

    #[expect(clippy::too_many_arguments, reason = "one row of everything, with room that is kept")]
    fn row(
        &self,
        objects: &Objects,
        neighbors: &Neighbors,
        at: usize,
        space: Space,
        desk: &mut Desk,
        family: &mut Vec<f64>,
        row: &mut [f64],
    ) {
        let object = Object::measure(objects, at, space, self.needs, desk);
        let mut place = 0;
        for item in &self.items {
            family.clear();
            match item.write {
                From::Object(write) => write(&object, item, family),
                From::Neighbors(write) => write(neighbors, at, family),
            }
            for &wanted in &item.wanted {
                row[place] = family[wanted];
                place += 1;
            }
        }
    }
}

/// Objects measured by one thread in a row.
const BLOCK_OBJECTS: usize = 64;

/// Null where the number is undefined.
fn column<'a>(
    name: &str,
    numbers: impl Iterator<Item = &'a f64>,
    n_objects: usize,
    whole: bool,
) -> Column {
    let defined = numbers.map(|&v| v.is_finite().then_some(v));
    if whole {
        let mut integers = Vec::with_capacity(n_objects);
        integers.extend(defined.map(|v| v.map(|v| v as i64)));
        return Column::new(name.into(), integers);
    }
    let mut numbers: Vec<Option<f64>> = Vec::with_capacity(n_objects);
    numbers.extend(defined);
    Column::new(name.into(), numbers)
}

/// Counts and pixel indices are written as integers, as scikit-image does.
fn is_whole(property: &Property) -> bool {
    property.unit == Unit::Pixel
        || matches!(property.name, "euler_number" | "touching_neighbor_count")
}

/// The properties of a selection, in the order of the table, each with the single index asked for.
fn wanted(
    selection: &Selection,
    n_axes: usize,
    has_channels: bool,
    names: Names,
) -> Result<Vec<(&'static Property, Option<String>)>> {
    let measured = |p: &&Property| p.offer != Offer::Foreign && p.dims.contains(n_axes);
    // scikit-image's own table has only what scikit-image has.
    let in_words = |p: &&Property| names != Names::Skimage || !p.skimage.is_empty();
    let everything = |most: Offer| {
        PROPERTIES
            .iter()
            .filter(measured)
            .filter(in_words)
            .filter(move |p| p.name != "label" && p.offer <= most && (has_channels || !p.intensity))
            .map(|p| (p, None))
    };
    let asked = match selection {
        Selection::Core => return Ok(everything(Offer::Core).collect()),
        Selection::All => return Ok(everything(Offer::Extra).collect()),
        Selection::Names(asked) => asked,
    };
    let mut wanted = Vec::new();
    for name in asked {
        match name.as_str() {
            "core" => wanted.extend(everything(Offer::Core)),
            "all" => wanted.extend(everything(Offer::Extra)),
            "label" => {}
            _ => wanted.push(find(name, n_axes).ok_or_else(|| unknown(name, n_axes))?),
        }
    }
    if let Some((property, _)) = wanted.iter().find(|(p, _)| p.intensity && !has_channels) {
        return Err(Error::parameter(
            "properties",
            property.name,
            "measurable without an intensity image",
        )
        .help("add the image: `.channel(name, &image)`, or --image on the command line"));
    }
    Ok(wanted)
}

fn find(name: &str, n_axes: usize) -> Option<(&'static Property, Option<String>)> {
    let measured = |p: &&'static Property| p.offer != Offer::Foreign;
    if let Some(found) = property(name, n_axes).filter(measured) {
        return Some((found, None));
    }
    let known = recognize(name)?;
    let found = property(known.property.name, n_axes)
        .or_else(|| property(known.property.skimage, n_axes))
        .filter(measured)?;
    let index = (!known.index.is_empty()).then_some(known.index);
    let exists = index.as_deref().is_none_or(|only| {
        found
            .indices_with(n_axes, Some(only))
            .iter()
            .any(|(ours, counted)| ours == only || counted == only)
    });
    exists.then_some((found, index))
}

fn unknown(name: &str, n_axes: usize) -> Error {
    let fitting =
        PROPERTIES.iter().filter(|p| p.offer != Offer::Foreign && p.dims.contains(n_axes));
    let error = Error::parameter("properties", name, "names of properties, `core` or `all`");
    match closest(name, fitting.map(|p| p.name)) {
        Some(close) => error.help(format!("did you mean `{close}`?")),
        None => error.help("`explore columns` lists all of them"),
    }
}

/// How a property's columns are written, and what must be computed for it.
fn writer(name: &str) -> Option<(From, fn(&mut Needs))> {
    if let Some((write, needs)) = from_neighbors(name) {
        return Some((From::Neighbors(write), needs));
    }
    let (write, needs) = from_labels(name).or_else(|| from_intensity(name))?;
    Some((From::Object(write), needs))
}

fn from_neighbors(name: &str) -> Option<(WriteNeighbors, fn(&mut Needs))> {
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

fn from_labels(name: &str) -> Option<(Write, fn(&mut Needs))> {
    let nothing: fn(&mut Needs) = |_| {};
    let edges: fn(&mut Needs) = |n| n.edges = true;
    let perimeter: fn(&mut Needs) = |n| (n.edges, n.perimeter) = (true, true);
    let hull: fn(&mut Needs) = |n| n.hull = true;
    let cubes: fn(&mut Needs) = |n| n.cubes = true;
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

fn from_intensity(name: &str) -> Option<(Write, fn(&mut Needs))> {
    let nothing: fn(&mut Needs) = |_| {};
    let sorted: fn(&mut Needs) = |n| (n.values, n.sorted) = (true, true);
    let weighted: fn(&mut Needs) = |n| (n.values, n.weighted) = (true, true);
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

/// scikit-image's normalisation: by the smallest spacing and the size to the power order / n_axes + 1.
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
