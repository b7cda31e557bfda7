//! From column names of any tool to the property they mean, and from a property to its column names.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::property::{Index, PROPERTIES, Property, Unit};

/// The words used for the columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// `axis_major_length`, `centroid_y`, `moments_hu_0`, `intensity_mean__dapi`; `volume` in 3D.
    #[default]
    Canonical,
    /// Exactly those of scikit-image's `regionprops_table`: `centroid-0`, `moments-0-1`, `area` in 3D too.
    Skimage,
    /// The older words of the lecture's tables: `major_axis_length`, `mean_intensity`, `local_centroid-0`.
    Lecture,
}

/// A column name that was understood.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it means.
    pub property: &'static Property,
    /// The canonical name, with its index and channel: `centroid_y`, `intensity_mean__dapi`.
    pub name: String,
    /// The channel, when the name has one.
    pub channel: Option<String>,
    /// The unit of length written in the name (`µm`, `px`).
    pub length: Option<&'static str>,
    /// The index within the family, as in the canonical name (`y`, `2_0`), empty for a single column.
    pub index: String,
}

impl Known {
    /// The column's unit, when lengths are in `length` unless the name says otherwise.
    ///
    /// ```
    /// use polariscope::regions::recognize;
    /// assert_eq!(recognize("Nucleus: Area µm^2").unwrap().unit("px"), "µm²");
    /// assert_eq!(recognize("moments_central_2_0").unwrap().unit("px"), "px²");
    /// ```
    pub fn unit(&self, length: &str) -> String {
        let length = self.length.unwrap_or(length);
        let powers = || self.index.split('_').filter_map(|p| p.parse::<u8>().ok()).sum();
        match (self.property.unit, self.property.index) {
            (Unit::Length(0), Index::Powers) => match powers() {
                0 | 4.. => String::new(),
                power => Unit::Length(power).with(length),
            },
            (Unit::Length(0), _) => length.to_owned(),
            (unit, _) => unit.with(length),
        }
    }
}

/// The property a column name means, in the words of scikit-image (old and new), napari-skimage-regionprops, clEsperanto,
/// `SimpleITK`, `CellProfiler`, `QuPath`, `ImageJ`, ilastik or this program; `None` when nobody known uses the name.
///
/// ```
/// use polariscope::regions::{recognize, Role};
/// for name in ["area", "Area", "Nuclei_AreaShape_Area", "Nucleus: Area µm^2", "Size in pixels"] {
///     assert_eq!(recognize(name).unwrap().name, "area", "{name}");
/// }
/// assert_eq!(recognize("Circ.").unwrap().property.name, "circularity");
/// assert_eq!(recognize("centroid-0").unwrap().property.role, Role::Position);
/// assert_eq!(recognize("intensity_mean__dapi").unwrap().channel.as_deref(), Some("dapi"));
/// assert!(recognize("shoe size").is_none());
/// ```
pub fn recognize(column: &str) -> Option<Known> {
    let (column, length) = split_unit(column.trim());
    let (stem, channel) = match column.rsplit_once("__") {
        Some((stem, channel)) if !stem.is_empty() && !channel.is_empty() => (stem, Some(channel)),
        _ => (column, None),
    };
    let compartment = stem.rsplit_once(": ").map_or(stem, |(_, inner)| inner);
    let plain = normalized(compartment);
    let module = cellprofiler_module(&plain).unwrap_or(&plain);
    let found = lookup(module).or_else(|| measured_channel(module))?;
    let channel = channel.map(str::to_owned).or(found.channel);
    let index = found.index;
    let mut name = found.property.name.to_owned();
    if !index.is_empty() {
        name = format!("{name}_{index}");
    }
    if let Some(channel) = &channel {
        name = format!("{name}__{channel}");
    }
    Some(Known { property: found.property, name, channel, length, index })
}

/// Lower case, with one `_` for each stretch of other characters.
pub fn normalized(column: &str) -> String {
    let mut plain = String::with_capacity(column.len());
    for c in column.replace('%', "percent ").chars() {
        if c.is_alphanumeric() {
            plain.extend(c.to_lowercase());
        } else if !plain.is_empty() && !plain.ends_with('_') {
            plain.push('_');
        }
    }
    plain.trim_end_matches('_').to_owned()
}

/// The property of exactly this canonical name or scikit-image name, for images of `ndim` axes.
pub fn property(name: &str, ndim: usize) -> Option<&'static Property> {
    let fits = |p: &&Property| p.dims.contains(ndim);
    PROPERTIES
        .iter()
        .filter(fits)
        .find(|p| p.name == name)
        .or_else(|| PROPERTIES.iter().filter(fits).find(|p| p.skimage == name || p.lecture == name))
}

impl Property {
    /// The indices of the family's columns for images of `ndim` axes, canonical and as counted by scikit-image:
    /// `("y", "0")`. A single column has the empty index; percentages give 5, 25, 75 and 95.
    pub fn indices(&self, ndim: usize) -> Vec<(String, String)> {
        let axes = &["z", "y", "x"][3 - ndim.clamp(1, 3)..];
        let counted = |n: usize| (0..n).map(|i| (i.to_string(), i.to_string())).collect();
        match self.index {
            Index::Single => vec![(String::new(), String::new())],
            Index::Any => Vec::new(),
            Index::Count(n) => counted(n as usize),
            Index::PerAxis => counted(ndim),
            Index::Percent => ["5", "25", "75", "95"].map(|p| (p.to_owned(), p.to_owned())).into(),
            Index::Axis => {
                axes.iter().enumerate().map(|(i, a)| ((*a).to_owned(), i.to_string())).collect()
            }
            Index::Bounds => ["min", "max"]
                .iter()
                .flat_map(|end| axes.iter().map(move |a| format!("{a}_{end}")))
                .enumerate()
                .map(|(i, name)| (name, i.to_string()))
                .collect(),
            Index::Matrix => digits(ndim, 2),
            Index::Powers => digits(4, ndim),
        }
    }

    /// The family's column names for images of `ndim` axes, in the order of [`indices`](Self::indices).
    ///
    /// `channel` is the name of the intensity image and its number; a single unnamed image has neither.
    pub fn columns(
        &self,
        ndim: usize,
        names: Names,
        channel: Option<(&str, usize)>,
    ) -> Vec<String> {
        self.columns_at(&self.indices(ndim), names, channel)
    }

    /// The indices of the family, or the one percentage asked for.
    pub(super) fn indices_with(&self, ndim: usize, only: Option<&str>) -> Vec<(String, String)> {
        match (self.index, only) {
            (Index::Percent, Some(percent)) => vec![(percent.to_owned(), percent.to_owned())],
            _ => self.indices(ndim),
        }
    }

    /// [`columns`](Self::columns) for these indices.
    pub(super) fn columns_at(
        &self,
        indices: &[(String, String)],
        names: Names,
        channel: Option<(&str, usize)>,
    ) -> Vec<String> {
        let channel = channel.filter(|_| self.intensity);
        let stem = match names {
            Names::Canonical => self.name,
            Names::Lecture if !self.lecture.is_empty() => self.lecture,
            _ if !self.skimage.is_empty() => self.skimage,
            _ => self.name,
        };
        let columns = indices.iter().map(|(ours, counted)| {
            let (mark, index) =
                if names == Names::Canonical { ("_", ours) } else { ("-", counted) };
            let mark = if index.is_empty() { "" } else { mark };
            match (channel, names) {
                (Some((name, _)), Names::Canonical) if !name.is_empty() => {
                    format!("{stem}{mark}{index}__{name}")
                }
                (Some((_, number)), Names::Skimage | Names::Lecture) => {
                    format!("{stem}{mark}{index}-{number}")
                }
                _ => format!("{stem}{mark}{index}"),
            }
        });
        columns.collect()
    }
}

/// All words of `length` digits below `base`, in order, joined with `_` and `-`.
fn digits(base: usize, length: usize) -> Vec<(String, String)> {
    let word = |number: usize, mark: &str| {
        let digit = |place: usize| (number / base.pow(place as u32) % base).to_string();
        (0..length).rev().map(digit).collect::<Vec<_>>().join(mark)
    };
    (0..base.pow(length as u32)).map(|n| (word(n, "_"), word(n, "-"))).collect()
}

/// What [`lookup`] found, before a channel after `__` is considered.
struct Found {
    property: &'static Property,
    index: String,
    channel: Option<String>,
}

/// The whole name, or a family's name followed by an index it can have.
fn lookup(plain: &str) -> Option<Found> {
    let known = |name: &str| dictionary().get(name).map(|&i| &PROPERTIES[i]);
    if let Some(property) = known(plain) {
        return Some(Found { property, index: String::new(), channel: None });
    }
    let ends = plain.char_indices().rev().map(|(i, _)| i).filter(|&i| i > 0);
    for end in ends {
        let Some(property) = known(&plain[..end]) else { continue };
        let rest = plain[end..].trim_start_matches('_');
        let glued = !plain[end..].starts_with('_');
        if property.index == Index::Single && !glued {
            // A multichannel table of scikit-image counts its channels; CellProfiler names them.
            let counted = rest.bytes().all(|b| b.is_ascii_digit());
            let named = plain.starts_with("intensity_") && property.name.len() < end;
            if property.intensity && (counted || named) {
                let channel = Some(rest.to_owned());
                return Some(Found { property, index: String::new(), channel });
            }
        }
        if let Some(index) = index_of(property.index, rest, glued) {
            return Some(Found { property, index, channel: None });
        }
    }
    None
}

/// The canonical form of an index, if the family can have it.
fn index_of(family: Index, rest: &str, glued: bool) -> Option<String> {
    let number = || rest.parse::<usize>().ok();
    let numbers = |n: usize| {
        let parts: Vec<&str> = rest.split('_').collect();
        let all = parts.iter().all(|p| p.len() == 1 && p.as_bytes()[0].is_ascii_digit());
        (all && (n..=3).contains(&parts.len())).then(|| rest.to_owned())
    };
    match family {
        // `pca0`, `UMAP1` and the like have no mark before the number.
        Index::Any => (number().is_some() || !glued).then(|| rest.to_owned()),
        _ if glued && family != Index::Bounds => None,
        Index::Single => None,
        Index::Axis => matches!(rest, "x" | "y" | "z" | "0" | "1" | "2").then(|| rest.to_owned()),
        Index::Bounds => bound(rest).or_else(|| (!glued).then(|| rest.to_owned())),
        Index::PerAxis => number().filter(|&n| n < 3).map(|n| n.to_string()),
        Index::Count(count) => number().filter(|&n| n < count as usize).map(|n| n.to_string()),
        Index::Percent => number().filter(|&n| n <= 100).map(|n| n.to_string()),
        Index::Matrix | Index::Powers => numbers(2),
    }
}

/// `min_x`, `minimum_x` and `x_min` are one.
fn bound(rest: &str) -> Option<String> {
    let axis = rest.split('_').find(|w| matches!(*w, "x" | "y" | "z"))?;
    let end = rest.split('_').find_map(|w| w.get(..3).filter(|e| matches!(*e, "min" | "max")))?;
    Some(format!("{axis}_{end}"))
}

/// `Nuclei_AreaShape_Area` is `AreaShape_Area` of an object whose name the user chose.
fn cellprofiler_module(plain: &str) -> Option<&str> {
    ["areashape_", "intensity_", "location_", "texture_", "neighbors_", "number_object"]
        .iter()
        .filter_map(|module| plain.find(&format!("_{module}")))
        .min()
        .map(|start| &plain[start + 1..])
}

/// `QuPath` puts the channel first: `DAPI mean`, `Channel 1 std dev`.
fn measured_channel(plain: &str) -> Option<Found> {
    for statistic in ["mean", "median", "std_dev", "min", "max", "sum"] {
        if let Some(channel) = plain.strip_suffix(statistic).and_then(|c| c.strip_suffix('_')) {
            let &position = dictionary().get(statistic)?;
            let (property, channel) = (&PROPERTIES[position], Some(channel.to_owned()));
            return Some(Found { property, index: String::new(), channel });
        }
    }
    None
}

/// Takes a unit off the end of a name: `Area µm^2`, `Length [px]`, `Perimeter (um)`.
fn split_unit(column: &str) -> (&str, Option<&'static str>) {
    let bare = column.trim_end_matches([')', ']']);
    let bare = bare.trim_end_matches(['²', '³']);
    let bare = bare.strip_suffix("^2").or_else(|| bare.strip_suffix("^3")).unwrap_or(bare);
    let units = [
        ("µm", "µm"),
        ("μm", "µm"),
        ("um", "µm"),
        ("micron", "µm"),
        ("nm", "nm"),
        ("mm", "mm"),
        ("px", "px"),
    ];
    for (written, unit) in units {
        if let Some(stem) = bare.strip_suffix(written) {
            let name = stem.trim_end_matches([' ', '(', '[', '_']);
            if name.len() < stem.len() && !name.is_empty() {
                return (name, Some(unit));
            }
        }
    }
    (column, None)
}

/// Every normalised name and alias; the first record wins, so that `area` is the property of planes.
fn dictionary() -> &'static BTreeMap<String, usize> {
    static DICTIONARY: OnceLock<BTreeMap<String, usize>> = OnceLock::new();
    DICTIONARY.get_or_init(|| {
        let mut dictionary = BTreeMap::new();
        let mut add = |name: &str, position: usize| {
            dictionary.entry(normalized(name)).or_insert(position);
        };
        for (position, p) in PROPERTIES.iter().enumerate() {
            add(p.name, position);
        }
        for (position, p) in PROPERTIES.iter().enumerate() {
            for name in [p.skimage, p.lecture].iter().chain(p.aliases).filter(|n| !n.is_empty()) {
                add(name, position);
            }
        }
        dictionary
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regions::property::Role;

    #[test]
    fn every_name_is_found_again() {
        for p in PROPERTIES {
            let ndim = if p.dims.contains(2) { 2 } else { 3 };
            assert_eq!(recognize(p.name).map(|k| k.property.name), Some(p.name));
            assert!(!p.definition.is_empty() && !p.range.is_empty() && !p.source.is_empty());
            for names in [Names::Canonical, Names::Skimage, Names::Lecture] {
                for column in p.columns(ndim, names, None) {
                    let known = recognize(&column).unwrap_or_else(|| panic!("{column}"));
                    assert_eq!(known.property.role, p.role, "{column}");
                    if ndim == 2 {
                        assert_eq!(known.property.name, p.name, "{column}");
                    }
                }
            }
        }
    }

    #[test]
    fn words_of_other_tools() {
        let cases = [
            ("major_axis_length", "axis_major_length"),
            ("Nuclei_AreaShape_MajorAxisLength", "axis_major_length"),
            ("Nuclei_Intensity_MeanIntensity_DAPI", "intensity_mean__dapi"),
            ("Nucleus: DAPI mean", "intensity_mean__dapi"),
            ("Nucleus: Circularity", "circularity"),
            ("Nucleus: Max diameter µm", "feret_diameter_max"),
            ("Centroid X µm", "centroid_x"),
            ("bbox_min_x", "bbox_x_min"),
            ("AreaShape_BoundingBoxMaximum_Y", "bbox_y_max"),
            ("bbox-3", "bbox_3"),
            ("moments_hu-6", "moments_hu_6"),
            ("inertia_tensor-0-1", "inertia_tensor_0_1"),
            ("intensity_mean-1", "intensity_mean__1"),
            ("UMAP0", "umap_0"),
            ("standard_deviation_intensity", "intensity_std"),
            ("Perim.", "perimeter"),
            ("ObjectNumber", "label"),
            ("intensity_quantile_90", "intensity_quantile_90"),
        ];
        for (column, name) in cases {
            assert_eq!(recognize(column).map(|k| k.name).as_deref(), Some(name), "{column}");
        }
        for column in ["nonsense", "areas of interest", "moments_hu_9", "centroidx", ""] {
            assert!(recognize(column).is_none(), "{column}");
        }
        assert_eq!(recognize("Classification").map(|k| k.property.role), Some(Role::Prediction));
    }

    #[test]
    fn names_for_planes_and_stacks() {
        let names = |p: &str, ndim, names| property(p, ndim).unwrap().columns(ndim, names, None);
        assert_eq!(names("area", 3, Names::Canonical), ["volume"]);
        assert_eq!(names("volume", 3, Names::Skimage), ["area"]);
        assert_eq!(
            names("centroid", 3, Names::Skimage),
            ["centroid-0", "centroid-1", "centroid-2"]
        );
        let bbox = ["bbox_y_min", "bbox_x_min", "bbox_y_max", "bbox_x_max"];
        assert_eq!(names("bbox", 2, Names::Canonical), bbox);
        assert_eq!(names("moments", 2, Names::Canonical)[8], "moments_2_0");
        assert_eq!(names("axis_major_length", 2, Names::Lecture), ["major_axis_length"]);
    }
}
