//! Labels and intensities become the statistics of clEsperanto: size, place, intensity, distances.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::image::{IntensityImage, LabelImage};

/// Features that need no intensity image.
pub(super) const SHAPE: [&str; 22] = [
    "label",
    "original_label",
    "bbox_min_x",
    "bbox_min_y",
    "bbox_min_z",
    "bbox_max_x",
    "bbox_max_y",
    "bbox_max_z",
    "bbox_width",
    "bbox_height",
    "bbox_depth",
    "area",
    "sum_x",
    "sum_y",
    "sum_z",
    "centroid_x",
    "centroid_y",
    "centroid_z",
    "sum_distance_to_centroid",
    "mean_distance_to_centroid",
    "max_distance_to_centroid",
    "mean_max_distance_to_centroid_ratio",
];
/// Features that do.
pub(super) const INTENSITY: [&str; 15] = [
    "min_intensity",
    "max_intensity",
    "sum_intensity",
    "mean_intensity",
    "standard_deviation_intensity",
    "sum_intensity_times_x",
    "sum_intensity_times_y",
    "sum_intensity_times_z",
    "mass_center_x",
    "mass_center_y",
    "mass_center_z",
    "sum_distance_to_mass_center",
    "mean_distance_to_mass_center",
    "max_distance_to_mass_center",
    "mean_max_distance_to_mass_center_ratio",
];

/// Objects of a label image, ascending, with the pixels of each.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    pub labels: Vec<u32>,
    pub image: &'a LabelImage,
    places: Vec<Object>,
}

#[derive(Debug, Clone, Default)]
struct Object {
    area: f64,
    sum: [f64; 3],
    low: [f64; 3],
    high: [f64; 3],
    intensity_sum: f64,
    intensity_low: f64,
    intensity_high: f64,
    weighted: [f64; 3],
    /// Sum and maximum, from the centroid and from the centre of mass.
    distance: [(f64, f64); 2],
    squared: f64,
}

impl Object {
    fn center(&self) -> [f64; 3] {
        self.sum.map(|sum| sum / self.area)
    }

    fn mass_center(&self) -> [f64; 3] {
        self.weighted.map(|sum| sum / self.intensity_sum)
    }
}

impl<'a> Objects<'a> {
    /// Measures all objects; `intensity` may be absent.
    pub fn of(image: &'a LabelImage, intensity: Option<&IntensityImage>) -> Result<Self> {
        if let Some(intensity) = intensity {
            intensity.check_same_shape("the intensity image", image.grid())?;
            if let Some(i) =
                (0..intensity.pixels().len()).find(|&i| !intensity.pixels().get(i).is_finite())
            {
                return Err(Error::data(format!(
                    "pixel {i} of the intensity image is {}, not a finite number",
                    intensity.pixels().get(i)
                ))
                .help("replace it, for instance by 0"));
            }
        }
        let labels = image.labels();
        let mut places = vec![Object::default(); labels.len()];
        let value =
            |i: usize| intensity.map_or(1.0, |image| f64::from(image.pixels().get(i) as f32));
        each_pixel(image, &labels, |object, i, at| {
            let (object, value) = (&mut places[object], value(i));
            if object.area == 0.0 {
                (object.low, object.high) = (at, at);
                (object.intensity_low, object.intensity_high) = (value, value);
            }
            object.area += 1.0;
            object.intensity_sum += value;
            object.intensity_low = object.intensity_low.min(value);
            object.intensity_high = object.intensity_high.max(value);
            for (axis, x) in at.into_iter().enumerate() {
                object.sum[axis] += x;
                object.weighted[axis] += x * value;
                object.low[axis] = object.low[axis].min(x);
                object.high[axis] = object.high[axis].max(x);
            }
        });
        each_pixel(image, &labels, |object, i, at| {
            let (object, value) = (&mut places[object], value(i));
            let centers = [object.center(), object.mass_center()];
            for ((sum, most), center) in object.distance.iter_mut().zip(centers) {
                let distance = distance(at, center);
                *sum += distance;
                *most = most.max(distance);
            }
            object.squared += (value - object.intensity_sum / object.area).powi(2);
        });
        Ok(Self { labels, image, places })
    }

    /// Centroids as x, y, z.
    pub fn centers(&self) -> Vec<[f64; 3]> {
        self.places.iter().map(Object::center).collect()
    }

    /// One statistic of every object; `None` for a name that is none.
    pub fn statistic(&self, name: &str) -> Option<Vec<f32>> {
        let axis = |prefix: &str| match name.strip_prefix(prefix)? {
            "x" => Some(0),
            "y" => Some(1),
            "z" => Some(2),
            _ => None,
        };
        let each =
            |f: &dyn Fn(&Object) -> f64| Some(self.places.iter().map(|o| f(o) as f32).collect());
        if name == "label" || name == "original_label" {
            // Background is counted as the first object there: `label` is one more than the label.
            let more = f64::from(u32::from(name == "label"));
            return Some(self.labels.iter().map(|&l| (f64::from(l) + more) as f32).collect());
        }
        for (prefix, value) in [
            ("bbox_min_", (|o, a| o.low[a]) as fn(&Object, usize) -> f64),
            ("bbox_max_", |o, a| o.high[a]),
            ("sum_intensity_times_", |o, a| o.weighted[a]),
            ("mass_center_", |o, a| o.mass_center()[a]),
            ("sum_", |o, a| o.sum[a]),
            ("centroid_", |o, a| o.center()[a]),
        ] {
            if let Some(axis) = axis(prefix) {
                return each(&|o| value(o, axis));
            }
        }
        let length = |a: usize| move |o: &Object| o.high[a] - o.low[a] + 1.0;
        match name {
            "bbox_width" => each(&length(0)),
            "bbox_height" => each(&length(1)),
            "bbox_depth" => each(&length(2)),
            "area" => each(&|o| o.area),
            "min_intensity" => each(&|o| o.intensity_low),
            "max_intensity" => each(&|o| o.intensity_high),
            "sum_intensity" => each(&|o| o.intensity_sum),
            "mean_intensity" => each(&|o| o.intensity_sum / o.area),
            "standard_deviation_intensity" => each(&|o| (o.squared / o.area).sqrt()),
            _ => {
                let (rest, center) = match (
                    name.strip_suffix("_ratio").unwrap_or(name).strip_suffix("_to_centroid"),
                    name.strip_suffix("_ratio").unwrap_or(name).strip_suffix("_to_mass_center"),
                ) {
                    (Some(rest), _) => (rest, 0),
                    (_, Some(rest)) => (rest, 1),
                    _ => return None,
                };
                match (rest, name.ends_with("_ratio")) {
                    ("sum_distance", false) => each(&|o| o.distance[center].0),
                    ("mean_distance", false) => each(&|o| o.distance[center].0 / o.area),
                    ("max_distance", false) => each(&|o| o.distance[center].1),
                    // Its name is the wrong way round: the maximum over the mean.
                    ("mean_max_distance", true) => {
                        each(&|o| o.distance[center].1 / (o.distance[center].0 / o.area))
                    }
                    _ => None,
                }
            }
        }
    }
}

/// Every pixel of every object: the object's position, the pixel's, and its x, y, z.
fn each_pixel(image: &LabelImage, labels: &[u32], mut act: impl FnMut(usize, usize, [f64; 3])) {
    let [_, ny, nx] = image.grid().extent();
    let mut last = (0, 0);
    for (i, &label) in image.pixels().iter().enumerate().filter(|(_, label)| **label > 0) {
        if label != last.0 {
            last = (label, labels.partition_point(|&l| l < label));
        }
        let row = i / nx;
        act(last.1, i, [(i % nx) as f64, (row % ny) as f64, (row / ny) as f64]);
    }
}

pub(super) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// How many pixel sides (faces) any two labels share, background included; the smaller label first.
pub(super) fn contacts(image: &LabelImage) -> BTreeMap<[u32; 2], u64> {
    let mut contacts = BTreeMap::new();
    each_contact(image, |pair, _, _| *contacts.entry(pair).or_default() += 1);
    contacts
}

/// Every pair of neighbouring pixels with different labels: the labels, and where the pixels are.
pub(super) fn each_contact(image: &LabelImage, mut act: impl FnMut([u32; 2], usize, usize)) {
    let [_, ny, nx] = image.grid().extent();
    let pixels = image.pixels();
    for (i, &label) in pixels.iter().enumerate() {
        let (x, y, z) = (i % nx, i / nx % ny, i / nx / ny);
        for (here, step) in [(x, 1), (y, nx), (z, nx * ny)] {
            if here > 0 && pixels[i - step] != label {
                let other = pixels[i - step];
                act([label.min(other), label.max(other)], i, i - step);
            }
        }
    }
}
