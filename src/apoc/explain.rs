//! Which feature decided where: SHAP values of pixels or objects, a random feature as the yardstick, and a
//! warning where features move together.

use ndarray::Array2;

use super::classifier::Classifier;
use super::forest::LEAF;
use super::object_statistics::Objects;
use super::objects::{measure, names_of};
use super::pixels::PixelPrediction;
use super::train::{Growth, Rows};
use crate::error::{Error, Result};
use crate::explain::{RANDOM_CONTROL, TreeShap};
use crate::image::{IntensityImage, LabelImage};
use crate::seed::Seed;
use crate::table::{families, pearson};

/// Pixels that are explained; of larger images every second, third, .. pixel of a row and column.
const MAX_PLACES: usize = 1 << 16;
/// Rows on which features are compared with chance.
const MAX_ROWS: usize = 5_000;
/// Features that correlate more than this share what they explain.
const MOVES_TOGETHER: f64 = 0.95;
/// Where no explained row came by in training: next to nothing, but not nothing.
const UNSEEN: f64 = 1e-3;

/// SHAP values at places of an image: how much each feature moved the probability of one class there.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The class that is explained, from 1.
    pub class: usize,
    /// Names of the features.
    pub features: Vec<String>,
    /// Rows and columns of the places.
    pub shape: [usize; 2],
    /// Every so many pixels is a place.
    pub step: usize,
    /// `values[feature][place]`; NaN where there is nothing to explain, as in the background of objects.
    pub values: Vec<Vec<f32>>,
    /// Mean absolute value per feature.
    pub importances: Vec<f64>,
    /// Names of features that move together (|r| > 0.95): only their sum means something.
    pub together: Vec<Vec<String>>,
}

impl Explanation {
    /// Positions of the features, the most important first.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.features.len()).collect();
        order.sort_by(|&a, &b| self.importances[b].total_cmp(&self.importances[a]));
        order
    }

    /// The feature that moved the probability most at each place; `None` where nothing did.
    pub fn decisive(&self) -> Vec<Option<usize>> {
        (0..self.shape.iter().product())
            .map(|place| {
                let size = |f: usize| self.values[f][place].abs();
                let best = (0..self.features.len()).filter(|&f| size(f) > 0.0);
                best.reduce(|a, b| if size(b) > size(a) { b } else { a })
            })
            .collect()
    }
}

impl Classifier {
    /// Explains the pixels of an image (of a stack: its middle layer) for one class, from 1.
    ///
    /// A model from a `.cl` file does not tell how many training pixels went which way: there the
    /// explained pixels stand for them.
    ///
    /// # Errors
    /// As [`PixelPrediction::labels`], or a class that the model has not.
    pub fn explain_pixels(&self, images: &[IntensityImage], class: usize) -> Result<Explanation> {
        let prediction = PixelPrediction::in_memory(self, images)?;
        let stack = prediction.stack()?;
        let [nz, ny, nx] = stack.extent();
        let fits = |s: &usize| ny.div_ceil(*s) * nx.div_ceil(*s) <= MAX_PLACES;
        let step = (1..=ny.max(nx)).find(fits).unwrap_or(1);
        let shape = [ny.div_ceil(step), nx.div_ceil(step)];
        let mut rows = Vec::with_capacity(shape[0] * shape[1] * stack.n_features());
        for strip in stack.strips().into_iter().filter(|(layers, _)| layers.contains(&(nz / 2))) {
            let strip = (nz / 2..nz / 2 + 1, strip.1);
            let planes = stack.features(&strip)?;
            for y in strip.1.clone().filter(|y| y % step == 0) {
                for x in (0..nx).step_by(step) {
                    let at = (y - strip.1.start) * nx + x;
                    rows.extend(planes.iter().map(|plane| f64::from(plane[at])));
                }
            }
        }
        let places = (0..shape[0] * shape[1]).map(Some).collect();
        self.explain(rows, class, shape, step, places)
    }

    /// Explains the objects of a label image (of a stack: its middle layer) for one class, from 1.
    ///
    /// # Errors
    /// As [`predict_objects`](Self::predict_objects), or a class that the model has not.
    pub fn explain_objects(
        &self,
        labels: &LabelImage,
        intensity: Option<&IntensityImage>,
        class: usize,
    ) -> Result<Explanation> {
        let objects = Objects::of(labels, intensity)?;
        let columns = measure(&names_of(&self.features), &objects, intensity.is_some())?;
        // A missing number has no class, and no explanation.
        let known: Vec<usize> = (0..objects.labels.len())
            .filter(|&i| columns.iter().all(|column| column[i].is_finite()))
            .collect();
        let rows = known.iter().flat_map(|&i| columns.iter().map(move |c| f64::from(c[i])));
        let [nz, ny, nx] = labels.grid().extent();
        let layer = &labels.pixels()[nz / 2 * ny * nx..][..ny * nx];
        let row_of = |label: &u32| {
            let object = objects.labels.binary_search(label).ok()?;
            known.binary_search(&object).ok()
        };
        self.explain(rows.collect(), class, [ny, nx], 1, layer.iter().map(row_of).collect())
    }

    /// Explains rows, and spreads them over places.
    fn explain(
        &self,
        rows: Vec<f64>,
        class: usize,
        shape: [usize; 2],
        step: usize,
        places: Vec<Option<usize>>,
    ) -> Result<Explanation> {
        if !(1..=self.n_classes()).contains(&class) {
            return Err(Error::parameter(
                "class",
                class,
                format!("from 1 to {}", self.n_classes()),
            ));
        }
        let n = rows.len() / self.n_features();
        let rows = Array2::from_shape_vec((n, self.n_features()), rows)
            .map_err(|e| Error::internal(e.to_string()))?;
        let covers = self.covers.clone().unwrap_or_else(|| self.covers_of(&rows));
        let model = self.model(covers)?;
        let shap = TreeShap::of(&model).explain_matrix(rows.view())?;
        let of_class = shap.values.index_axis(ndarray::Axis(2), class - 1);
        let features = self.feature_names();
        let value = |place: &Option<usize>, f: usize| {
            place.map_or(f32::NAN, |row| of_class[[row, f]] as f32)
        };
        let together = families(&pearson(rows.view()), MOVES_TOGETHER);
        let named = |family: Vec<usize>| family.into_iter().map(|f| features[f].clone()).collect();
        Ok(Explanation {
            class,
            shape,
            step,
            values: (0..features.len())
                .map(|f| places.iter().map(|p| value(p, f)).collect())
                .collect(),
            importances: of_class
                .columns()
                .into_iter()
                .map(|c| c.mapv(f64::abs).mean().unwrap_or(0.0))
                .collect(),
            together: together.into_iter().filter(|f| f.len() > 1).map(named).collect(),
            features,
        })
    }

    /// How many of these rows reach each node.
    fn covers_of(&self, rows: &Array2<f64>) -> Vec<f64> {
        let nodes = &self.forest.nodes;
        let mut covers = vec![0.0; nodes.len()];
        for row in rows.rows() {
            for &root in &self.forest.roots {
                let mut at = root as usize;
                while nodes[at].left != LEAF {
                    let below = (row[nodes[at].feature as usize] as f32) < nodes[at].threshold;
                    at = if below { nodes[at].left } else { nodes[at].right } as usize;
                }
                covers[at] += 1.0;
            }
        }
        for i in (0..nodes.len()).rev() {
            covers[i] = if nodes[i].left == LEAF {
                f64::max(covers[i], UNSEEN)
            } else {
                covers[nodes[i].left as usize] + covers[nodes[i].right as usize]
            };
        }
        covers
    }
}

impl Rows {
    /// Mean absolute SHAP value of each feature and, last, of one that is pure chance, in a forest that
    /// was offered both.
    pub(super) fn against_chance(
        &self,
        names: &[String],
        growth: &Growth,
    ) -> Result<Vec<(String, f64)>> {
        let n = self.classes.len();
        let mut stream = Seed::new(growth.seed).stream("random control", 0);
        let mut with_chance = Self { n_features: self.n_features + 1, ..self.clone() };
        with_chance.values = self
            .values
            .chunks_exact(self.n_features.max(1))
            .flat_map(|row| {
                row.iter().copied().chain([stream.uniform() as f32]).collect::<Vec<f32>>()
            })
            .collect();
        let kind = super::Kind::TableRowClassifier;
        let model = with_chance.fit(kind, String::new(), growth)?;
        let step = n.div_ceil(MAX_ROWS).max(1);
        let kept = with_chance.values.chunks_exact(with_chance.n_features).step_by(step);
        let kept: Vec<f64> = kept.flatten().map(|&x| f64::from(x)).collect();
        let rows = Array2::from_shape_vec(
            (kept.len() / with_chance.n_features, with_chance.n_features),
            kept,
        )
        .map_err(|e| Error::internal(e.to_string()))?;
        let forest = model.model(model.covers.clone().unwrap_or_default())?;
        let shap = TreeShap::of(&forest).explain_matrix(rows.view())?;
        let names = names.iter().map(String::as_str).chain([RANDOM_CONTROL]).map(str::to_owned);
        Ok(names.zip(shap.importances()).collect())
    }
}
