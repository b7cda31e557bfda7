//! The metadata of a store become the array to read and the meaning of its axes (OME-NGFF 0.1 to 0.5).

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Wanted, inside, node};
use crate::error::{Error, Result};
use crate::image::metadata::{in_unit, one_time_point, usable};

/// The array that holds the image, and what is said about it.
pub(super) struct Found {
    pub array: PathBuf,
    pub description: Description,
}

/// What the metadata say about an array; empty for a bare one.
#[derive(Debug, Default)]
pub(super) struct Description {
    /// Name, type and unit of every axis.
    axes: Vec<[String; 3]>,
    /// Spacing along every axis.
    scale: Vec<f64>,
    channel_names: Vec<String>,
}

/// Finds the image at full resolution below `folder`.
pub(super) fn find(folder: &Path, wanted: Wanted) -> Result<Found> {
    let Some(here) = node(folder)? else {
        return Err(Error::format("is not a Zarr store")
            .in_file(folder)
            .help("name the folder that holds zarr.json, .zgroup or .zarray"));
    };
    if here.is_array {
        let names = strings(&here.attributes["_ARRAY_DIMENSIONS"]);
        let axes = names.into_iter().map(|name| [name, String::new(), String::new()]).collect();
        let description = Description { axes, ..Description::default() };
        return Ok(Found { array: folder.to_path_buf(), description });
    }
    let ome = match &here.attributes["ome"] {
        // Before 0.5 the keys stood in the attributes themselves.
        Value::Null => &here.attributes,
        ome => ome,
    };
    let labels = folder.join("labels");
    if wanted == Wanted::Labels && ome["image-label"].is_null() && node(&labels)?.is_some() {
        return find(&labels, wanted);
    }
    if let Some(image) = ome["multiscales"].get(0) {
        return multiscale(folder, ome, image);
    }
    let several = |what: &str, names: &[String]| {
        let shown: Vec<_> =
            names.iter().take(8).map(|n| folder.join(n).display().to_string()).collect();
        Err(Error::format(format!("holds {} {what}", names.len()))
            .in_file(folder)
            .help(format!("name one of them, such as {}", shown.join(" or "))))
    };
    if ome["labels"].is_array() {
        return match strings(&ome["labels"]).as_slice() {
            [name] => find(&inside(folder, name)?, wanted),
            names => several("label images", names),
        };
    }
    for (key, what) in [("plate", "wells of a plate"), ("well", "fields of a well")] {
        let list = &ome[key][if key == "plate" { "wells" } else { "images" }];
        if let Some(list) = list.as_array() {
            let names = list.iter().filter_map(|item| item["path"].as_str().map(str::to_owned));
            return several(what, &names.collect::<Vec<_>>());
        }
    }
    // Bio-Formats writes every series of a file into a group of its own.
    match (node(&folder.join("0"))?, node(&folder.join("1"))?) {
        (Some(_), None) => find(&folder.join("0"), wanted),
        (Some(_), Some(_)) => Err(Error::format("holds several images")
            .in_file(folder)
            .help(format!("name one of them, such as {}", folder.join("0").display()))),
        _ => Err(Error::format("is a Zarr group without an image (no `multiscales`)")
            .in_file(folder)
            .help("name the array or the OME-Zarr image in it")),
    }
}

fn multiscale(folder: &Path, ome: &Value, image: &Value) -> Result<Found> {
    let Some(path) = image["datasets"][0]["path"].as_str() else {
        return Err(Error::format("its `multiscales` names no dataset")
            .in_file(folder)
            .help("the store is damaged: export it again"));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let axes = image["axes"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let axes = axes.map(|axis| match axis {
        // Version 0.3 gave names alone.
        Value::String(name) => [name.clone(), String::new(), String::new()],
        axis => [text(&axis["name"]), text(&axis["type"]), text(&axis["unit"])],
    });
    let scales = [&image["datasets"][0], image].map(scale);
    let [mut scale, outer] = scales;
    if scale.is_empty() {
        scale = outer;
    } else {
        scale.iter_mut().zip(outer).for_each(|(inner, outer)| *inner *= outer);
    }
    let channels = ome["omero"]["channels"].as_array().map(Vec::as_slice).unwrap_or_default();
    let channel_names = channels.iter().map(|channel| text(&channel["label"])).collect();
    let description = Description { axes: axes.collect(), scale, channel_names };
    Ok(Found { array: inside(folder, path)?, description })
}

/// The scale among the coordinate transformations, if there is one.
fn scale(of: &Value) -> Vec<f64> {
    let steps = of["coordinateTransformations"].as_array().map(Vec::as_slice).unwrap_or_default();
    let scale = steps.iter().find(|step| step["type"] == "scale").map(|step| &step["scale"]);
    let factors = scale.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    factors.iter().map(|factor| usable(factor.as_f64().unwrap_or(1.0))).collect()
}

fn strings(of: &Value) -> Vec<String> {
    let items = of.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What an axis of an array counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Time,
    Channel,
    /// z, y, x as 0, 1, 2.
    Space(usize),
}

/// The meaning of the axes of an array.
#[derive(Debug)]
pub(in crate::image) struct Axes {
    pub(super) order: Vec<Axis>,
    /// Planes have no z axis, or one of length 1.
    pub shape: Vec<usize>,
    pub n_channels: usize,
    pub channel_names: Vec<String>,
    /// Along the axes of `shape`.
    pub spacing: Vec<f64>,
    pub unit: Option<String>,
}

impl Axes {
    /// `names` are the array's own, for a bare one.
    pub(super) fn new(said: &Description, names: &[String], lengths: &[usize]) -> Result<Self> {
        let order = if !said.axes.is_empty() {
            let axes = said.axes.iter();
            named(&axes.map(|[name, kind, _]| [name.as_str(), kind]).collect::<Vec<_>>())?
        } else if names.len() == lengths.len() {
            named(&names.iter().map(|name| [name.as_str(), ""]).collect::<Vec<_>>())?
        } else {
            unnamed(lengths)?
        };
        if order.len() != lengths.len() {
            return Err(Error::format(format!(
                "its metadata name {} axes, the array has {}",
                order.len(),
                lengths.len()
            ))
            .help("the store is damaged: export it again"));
        }
        if lengths.contains(&0) {
            return Err(Error::format(format!("the image is {lengths:?} pixels"))
                .help("export it again: there is nothing to read"));
        }
        let along = |axis: Axis| order.iter().position(|a| *a == axis);
        let length = |axis: Axis| along(axis).map_or(1, |i| lengths[i]);
        one_time_point(length(Axis::Time))?;
        let is_stack = length(Axis::Space(0)) > 1;
        let space: Vec<usize> = (usize::from(!is_stack)..3).collect();
        let unit_of = |axis: usize| {
            let unit =
                along(Axis::Space(axis)).and_then(|i| said.axes.get(i)).map(|a| a[2].as_str());
            short_unit(unit.unwrap_or_default())
        };
        let unit = unit_of(2);
        let spacing = |axis: &usize| {
            let own = along(Axis::Space(*axis)).and_then(|i| said.scale.get(i)).copied();
            let factor = match (unit_of(*axis), &unit) {
                (Some(from), Some(to)) => in_unit(&from, to),
                _ => 1.0,
            };
            usable(own.unwrap_or(1.0) * factor)
        };
        Ok(Self {
            shape: space.iter().map(|&axis| length(Axis::Space(axis))).collect(),
            n_channels: length(Axis::Channel),
            channel_names: said.channel_names.clone(),
            spacing: space.iter().map(spacing).collect(),
            unit,
            order,
        })
    }

    /// The position of the axis z, y or x (0, 1, 2) in the array.
    pub(super) fn at(&self, space: usize) -> Option<usize> {
        self.order.iter().position(|axis| *axis == Axis::Space(space))
    }
}

/// Axes from their names and types.
fn named(axes: &[[&str; 2]]) -> Result<Vec<Axis>> {
    let refuse = || {
        let names: Vec<&str> = axes.iter().map(|[name, _]| *name).collect();
        Error::format(format!("its axes are {names:?}")).help(
            "images have the axes t, c, z, y, x in this order, of which only y and x are needed",
        )
    };
    let mut order = Vec::new();
    for [name, kind] in axes {
        order.push(match (*kind, name.to_ascii_lowercase().as_str()) {
            ("time", _) | ("", "t" | "time") => Axis::Time,
            ("channel", _) | ("", "c" | "channel" | "s") => Axis::Channel,
            ("space" | "", "z") => Axis::Space(0),
            ("space" | "", "y") => Axis::Space(1),
            ("space" | "", "x") => Axis::Space(2),
            _ => return Err(refuse()),
        });
    }
    let space: Vec<Axis> = order.iter().copied().filter(|a| matches!(a, Axis::Space(_))).collect();
    let is_once = |axis| order.iter().filter(|a| **a == axis).count() <= 1;
    let in_order = space.ends_with(&[Axis::Space(1), Axis::Space(2)])
        && (space.len() == 2 || space.starts_with(&[Axis::Space(0)]) && space.len() == 3);
    if in_order && is_once(Axis::Time) && is_once(Axis::Channel) {
        Ok(order)
    } else {
        Err(refuse())
    }
}

/// Axes that nobody names end in (z,) y, x; those before must have length 1, but five are t, c, z, y, x.
fn unnamed(lengths: &[usize]) -> Result<Vec<Axis>> {
    const FIVE: [Axis; 5] =
        [Axis::Time, Axis::Channel, Axis::Space(0), Axis::Space(1), Axis::Space(2)];
    match lengths {
        [_, _] | [_, _, _] | [_, _, _, _, _] | [1, _, _, _] => {
            Ok(FIVE[5 - lengths.len()..].to_vec())
        }
        _ => Err(Error::format(format!(
            "an array of shape {lengths:?} does not say what its axes are"
        ))
        .help("give it dimension names (t, c, z, y, x), or save it as OME-Zarr")),
    }
}

/// The unit as it is printed; `None` for pixels.
fn short_unit(unit: &str) -> Option<String> {
    let short = match unit {
        "" | "pixel" => return None,
        "picometer" => "pm",
        "angstrom" => "Å",
        "nanometer" => "nm",
        "micrometer" | "micron" | "um" => "µm",
        "millimeter" => "mm",
        "centimeter" => "cm",
        "meter" => "m",
        other => other,
    };
    Some(short.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_named_or_guessed() {
        let of = |names: &[&str], lengths: &[usize]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            Axes::new(&Description::default(), &names, lengths)
        };
        let axes = of(&["t", "c", "z", "y", "x"], &[1, 3, 5, 20, 30]).unwrap();
        assert_eq!((axes.n_channels, axes.shape.as_slice()), (3, &[5, 20, 30][..]));
        assert_eq!(of(&["c", "y", "x"], &[3, 20, 30]).unwrap().n_channels, 3);
        assert_eq!(of(&["y", "x", "c"], &[20, 30, 3]).unwrap().shape, [20, 30]);
        assert_eq!(of(&[], &[5, 20, 30]).unwrap().shape, [5, 20, 30]);
        assert_eq!(of(&[], &[1, 1, 1, 20, 30]).unwrap().shape, [20, 30]);
        for (names, lengths) in [
            (&["x", "y"][..], &[20, 30][..]),
            (&["y", "y", "x"], &[1, 20, 30]),
            (&["q", "y", "x"], &[1, 20, 30]),
            (&["t", "y", "x"], &[4, 20, 30]),
            (&[], &[3, 5, 20, 30]),
            (&[], &[20]),
            (&[], &[0, 30]),
        ] {
            assert!(of(names, lengths).unwrap_err().remedy().is_some());
        }
    }

    #[test]
    fn scales_multiply_and_units_agree() {
        let axis = |name: &str, unit: &str| [name.to_owned(), "space".to_owned(), unit.to_owned()];
        let said = Description {
            axes: vec![axis("z", "nanometer"), axis("y", "micrometer"), axis("x", "micrometer")],
            scale: vec![500.0, 0.25, 0.125],
            channel_names: Vec::new(),
        };
        let axes = Axes::new(&said, &[], &[4, 20, 30]).unwrap();
        assert_eq!(axes.spacing, [0.5, 0.25, 0.125]);
        assert_eq!(axes.unit.as_deref(), Some("µm"));
    }
}
