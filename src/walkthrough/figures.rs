//! The figures of the walk-through, each drawn from the outcome.

use ndarray::{Array2, Axis};

use super::Outcome;
use crate::error::Result;
use crate::report::figures::{
    self, Biplot, ColorBy, Correlation, Figure, Histograms, Loadings, Map, MapAxes, Ranking, Scree,
    Shap, ShapFamilies, StabilityCard,
};

/// Objects in a picture, at most; evenly spread, and the picture says so.
const MAX_DRAWN: usize = 20_000;

impl Outcome {
    /// Every figure with its file stem, in the order of the story.
    ///
    /// # Errors
    /// Only through a fault in the drawing library.
    pub fn figures(&self) -> Result<Vec<(&'static str, Figure)>> {
        let mut figures = vec![
            ("histograms", self.histograms()),
            (
                "correlation",
                figures::correlation(&Correlation::of(&self.features, &self.correlation)),
            ),
            ("scree", self.scree()),
            ("loadings", figures::loadings(&Loadings::of(&self.variance))),
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
        if let Some(selection) = &self.selection {
            figures.push(("ranking", figures::ranking(&Ranking::of(selection))));
        }
        figures.extend(self.shap_figures());
        Ok(figures)
    }

    /// Every `step`-th analysed row, so that at most [`MAX_DRAWN`] are drawn.
    fn drawn<'a, T: Clone + 'a>(&self, values: impl Iterator<Item = &'a T>) -> Vec<T> {
        let step = self.features.n_rows().div_ceil(MAX_DRAWN).max(1);
        values.step_by(step).cloned().collect()
    }

    fn by_group(&self) -> ColorBy {
        let labels = self.drawn(self.groups.stability.assigned().iter());
        match &self.groups.learning {
            Some(_) => ColorBy::Groups { name: "class".to_owned(), labels, names: Vec::new() },
            None => ColorBy::clusters(labels),
        }
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
        let subtitle = format!("What was measured, by {}.", self.groups.noun());
        figures::histograms(&Histograms { subtitle, features, color: self.by_group() })
    }

    fn scree(&self) -> Figure {
        let subtitle = self.variance_sentence();
        figures::scree(&Scree { subtitle, ..Scree::of(&self.variance) })
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
        let all = Biplot::of(&self.pca, self.by_group());
        figures::biplot(&Biplot { x: self.drawn(all.x.iter()), y: self.drawn(all.y.iter()), ..all })
    }

    fn axis_title(&self, axis: usize) -> String {
        figures::component_title(axis, self.variance.components()[axis].share)
    }

    /// The card of what survives another run.
    pub fn stability_card(&self) -> Figure {
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

    fn shap_figures(&self) -> Vec<(&'static str, Figure)> {
        let Some(forest) = &self.forest else { return Vec::new() };
        let explained = self.raw.select_rows(&forest.shap_rows);
        let mut shap = Shap::of(&forest.shap, explained.matrix(), 0);
        shap.output = format!("{} {}", self.groups.noun(), shap.output);
        let families = self.families();
        let by_family = || figures::shap_families(&ShapFamilies::of(&shap, &families));
        let mut drawn = vec![("shap", figures::shap_bar(&shap))];
        drawn.extend((!families.is_empty()).then(|| ("shap_families", by_family())));
        drawn.push(("shap_summary", figures::shap_summary(&shap)));
        drawn
    }
}
