//! Wanted properties become a plan of columns; measured objects become a table.

use std::str::FromStr;

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;

use super::accumulator::Objects;
use super::names::{Names, property, recognize};
use super::neighbors::Neighbors;
use super::object::{Desk, Needs, Object, Space};
use super::property::{Offer, PROPERTIES, Property, Unit};
use super::writers::{From, writer};
use crate::error::{Error, Result, closest};
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
pub(super) struct Item {
    pub property: &'static Property,
    write: From,
    pub channel: usize,
    /// Positions within the family that are wanted.
    wanted: Vec<usize>,
    /// The indices of the family, as in the names; percentages for quantiles.
    pub percents: Vec<f64>,
    names: Vec<String>,
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
