//! The figures of the walk-through, each drawn from the outcome.

use ndarray::{Array2, Axis};

use super::Outcome;
use crate::error::Result;
use crate::report::figures::{
    self, Biplot, ColorBy, Figure, Histograms, Loadings, Map, MapAxes, Ranked, Ranking, Scree,
    Shap, StabilityCard,
};
use crate::table::families;

/// Objects in a picture, at most; evenly spread, and the picture says so.
const MAX_DRAWN: usize = 20_000;
/// Rows of the ranking.
const MAX_RANKED: usize = 15;

impl Outcome {
    /// Every figure with its file stem, in the order of the story.
    ///
    /// # Errors
    /// Only through a fault in the drawing library.
    pub fn figures(&self) -> Result<Vec<(&'static str, Figure)>> {
        let mut figures = vec![
            ("histograms", self.histograms()),
            ("correlation", self.correlation_figure()),
            ("scree", self.scree()),
            ("loadings", self.loadings()),
            ("pca", self.map("PCA", &self.variance_sentence(), &self.pca_plane(), None)),
            ("biplot", self.biplot()),
        ];
        if let Some(umap) = &self.umap {
            let sentence = self.umap_sentence().unwrap_or_default();
            let stable = Some(umap.stability.objects.as_slice());
            figures.push(("umap", self.map("UMAP", &sentence, umap.medoid(), stable)));
        }
        if let Some(tsne) = &self.tsne {
            let sentence = self.tsne_sentence().unwrap_or_default();
            figures.push(("tsne", self.map("t-SNE", &sentence, &tsne.coordinates, None)));
        }
        figures.push(("stability", self.stability_card()));
        if let Some(figure) = self.ranking_figure() {
            figures.push(("ranking", figure));
        }
        if let Some((bar, summary)) = self.shap_figures() {
            figures.push(("shap", bar));
            figures.push(("shap_summary", summary));
        }
        Ok(figures)
    }

    /// Every `step`-th analysed row, so that at most [`MAX_DRAWN`] are drawn.
    fn drawn<'a, T: Clone + 'a>(&self, values: impl Iterator<Item = &'a T>) -> Vec<T> {
        let step = self.features.n_rows().div_ceil(MAX_DRAWN).max(1);
        values.step_by(step).cloned().collect()
    }

    fn by_group(&self) -> ColorBy {
        ColorBy::clusters(self.drawn(self.groups.stability.assigned().iter()))
    }

    fn histograms(&self) -> figures::Figure {
        let unit = |name: &str| self.columns.get(name).map_or(String::new(), |c| c.unit.clone());
        let features = self
            .raw
            .names()
            .iter()
            .zip(self.raw.matrix().columns())
            .map(|(name, column)| (name.clone(), unit(name), self.drawn(column.iter())))
            .collect();
        let subtitle = "What was measured, by group.".to_owned();
        figures::histograms(&Histograms { subtitle, features, color: self.by_group() })
    }

    fn correlation_figure(&self) -> Figure {
        let mut family_of = vec![0; self.features.n_features()];
        let sets = families(&self.correlation, crate::select::FAMILY_CUT);
        for (family, members) in sets.iter().enumerate() {
            members.iter().for_each(|&member| family_of[member] = family);
        }
        figures::correlation(&figures::Correlation {
            features: self.features.names().to_vec(),
            matrix: self.correlation.clone(),
            families: family_of,
            method: "Spearman".to_owned(),
        })
    }

    fn scree(&self) -> Figure {
        let components = self.variance.components();
        let total = self.pca.total_variance();
        figures::scree(&Scree {
            shares: components.iter().map(|c| c.share).collect(),
            intervals: components.iter().map(|c| c.interval).collect(),
            noise: components.iter().map(|c| c.noise / total).collect(),
            n_above_noise: self.variance.stop_rules().parallel_analysis,
            subtitle: self.variance_sentence(),
        })
    }

    fn loadings(&self) -> Figure {
        figures::loadings(&Loadings {
            features: self.features.names().to_vec(),
            components: self.pca.components().outer_iter().take(4).map(|c| c.to_vec()).collect(),
            shares: self.variance.components().iter().take(4).map(|c| c.share).collect(),
        })
    }

    fn pca_plane(&self) -> Array2<f64> {
        self.pca.coordinates().select(Axis(1), &[0, 1])
    }

    fn map(&self, title: &str, note: &str, map: &Array2<f64>, stable: Option<&[f64]>) -> Figure {
        let axes = match title {
            "PCA" => MapAxes::Alike(self.axis_title(0), self.axis_title(1)),
            _ => MapAxes::Arbitrary,
        };
        figures::map(&Map {
            title: title.to_owned(),
            subtitle: note.to_owned(),
            x: self.drawn(map.column(0).iter()),
            y: self.drawn(map.column(1).iter()),
            color: self.by_group(),
            stability: stable.map(|s| self.drawn(s.iter())),
            axes,
            centers: Vec::new(),
        })
    }

    /// Objects and features in the plane of the first two components.
    fn biplot(&self) -> Figure {
        let (components, values) = (self.pca.components(), self.pca.explained_variance());
        let arrow = |(f, name): (usize, &String)| {
            // For features on one scale: their correlations with the components.
            let along = |c: usize| components[[c, f]] * values[c].sqrt();
            (name.clone(), along(0), along(1))
        };
        figures::biplot(&Biplot {
            x: self.drawn(self.pca.coordinates().column(0).iter()),
            y: self.drawn(self.pca.coordinates().column(1).iter()),
            color: self.by_group(),
            arrows: self.features.names().iter().enumerate().map(arrow).collect(),
            axes: (self.axis_title(0), self.axis_title(1)),
        })
    }

    fn axis_title(&self, axis: usize) -> String {
        format!(
            "PC{} ({:.0} % of the variance)",
            axis + 1,
            100.0 * self.variance.components()[axis].share
        )
    }

    pub(super) fn stability_card(&self) -> Figure {
        let map = self.umap.as_ref().map(|u| &u.stability);
        let curve = |value: fn(&crate::stability::ScalePoint) -> f64| -> Vec<(usize, f64)> {
            map.map(|m| m.curve.iter().map(|p| (p.k, value(p))).collect()).unwrap_or_default()
        };
        let stability = &self.groups.stability;
        figures::stability(&StabilityCard {
            light: self.verdict.light,
            sentence: self.verdict.sentence.clone(),
            between_runs: curve(|p| p.repeatability.value),
            with_data: curve(|p| p.faithfulness),
            band: map.and_then(|m| m.resolution).map(|band| (band.from, band.to)),
            agreement: stability.agreement.clone(),
            groups: self
                .groups
                .sizes()
                .into_iter()
                .zip(stability.jaccard.iter().copied())
                .collect(),
            sources: self.doubts().into_iter().map(|d| (d.source.to_owned(), d.moved)).collect(),
        })
    }

    fn ranking_figure(&self) -> Option<Figure> {
        let selection = self.selection.as_ref()?;
        let rows = selection
            .ranking
            .iter()
            .take(MAX_RANKED)
            .map(|f| Ranked {
                name: f.feature.clone(),
                value: f.correlation,
                interval: Some((f.correlation_low, f.correlation_high)),
                chosen: f.chosen,
                note: format!("family {}", f.family),
            })
            .collect();
        Some(figures::ranking(&Ranking {
            title: "How strongly each feature goes with the groups".to_owned(),
            subtitle: selection.sentence.clone(),
            baseline: 0.0,
            measure: "|Spearman correlation| with the distance to a group's centre".to_owned(),
            rows,
        }))
    }

    fn shap_figures(&self) -> Option<(Figure, Figure)> {
        let forest = self.forest.as_ref()?;
        let shap = Shap {
            features: forest.shap.features.clone(),
            values: self.raw.select_rows(&forest.shap_rows).matrix().to_owned(),
            shap: forest.shap.values.index_axis(Axis(2), 0).to_owned(),
            base: forest.shap.base[0],
            output: format!("group {}", forest.shap.outputs[0]),
        };
        Some((figures::shap_bar(&shap), figures::shap_summary(&shap)))
    }
}
