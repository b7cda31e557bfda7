//! The outcome on one terminal screen: every claim with its doubt.

use std::path::Path;

use super::{Learning, Outcome};
use crate::report::count;
use crate::report::screen::{FeatureRow, Screen, Style};
use crate::stability::NULL_LEVEL;
use crate::table::redundancies;

/// Median Procrustes disparity to the map that is shown above which the pictures differ at large.
pub(super) const ISLANDS_MOVE: f64 = 0.2;
/// Features that move together more tightly than this say the same.
const SAME: f64 = 0.95;

impl Outcome {
    /// The screen, at most 80 columns wide, with the place of the report in its last line.
    pub fn screen(&self, report: &Path, style: Style) -> String {
        let frame = &self.table.frame;
        let size = format!("{} objects x {} columns", count(frame.height()), frame.width());
        let key = self.columns.key().map(|key| format!("key: {key} (unique)"));
        let screen = Screen {
            title: [Some(self.name.clone()), Some(size), key].into_iter().flatten().collect(),
            not_features: self.columns.reasons(),
            features: self.feature_rows(),
            unfolded: false,
            table: self.name.clone(),
            findings: self.findings(),
            verdict: Some((self.verdict.light, self.verdict.sentence.clone())),
            notes: self.notes(),
            report: Some(report.display().to_string()),
        };
        screen.text(style)
    }

    /// The screen of the non-determinism report alone.
    pub fn stability_screen(&self, style: Style) -> String {
        let repeated = ["PCA", "UMAP", "K-means", "Classes", "Features"];
        let screen = Screen {
            title: vec![self.name.clone(), format!("{} objects", count(self.features.n_rows()))],
            findings: self
                .findings()
                .into_iter()
                .filter(|(label, _)| repeated.contains(&label.as_str()))
                .chain(self.source_lines())
                .collect(),
            verdict: Some((self.verdict.light, self.verdict.sentence.clone())),
            notes: self.notes(),
            ..Screen::default()
        };
        screen.text(style)
    }

    fn feature_rows(&self) -> Vec<FeatureRow> {
        let names = self.features.names();
        let same = redundancies(&self.correlation, SAME);
        let row = |(position, name): (usize, &String)| {
            let summary = self.summaries.iter().find(|s| s.name == *name)?;
            Some(FeatureRow {
                moves_with: same[position].iter().map(|&other| names[other].clone()).collect(),
                ..FeatureRow::of(summary)
            })
        };
        names.iter().enumerate().filter_map(row).collect()
    }

    /// One label and sentence per step.
    pub(super) fn findings(&self) -> Vec<(String, String)> {
        let mut findings = vec![("PCA".to_owned(), self.variance_sentence())];
        findings.extend(self.umap_sentence().map(|s| ("UMAP".to_owned(), s)));
        findings.extend(self.tsne_sentence().map(|s| ("t-SNE".to_owned(), s)));
        let way = if self.groups.learning.is_some() { "Classes" } else { "K-means" };
        findings.push((way.to_owned(), self.groups_sentence()));
        findings
            .extend(self.selection.as_ref().map(|s| ("Features".to_owned(), s.sentence.clone())));
        findings.extend(self.forest_sentence().map(|s| ("Forest".to_owned(), s)));
        if self.groups.k > 1 {
            findings.push(("Doubt".to_owned(), self.doubts_sentence()));
        }
        findings
    }

    pub(super) fn variance_sentence(&self) -> String {
        let shown: Vec<String> = self
            .variance
            .components()
            .iter()
            .take(2)
            .enumerate()
            .map(|(i, component)| {
                let (low, high) = component.interval;
                format!(
                    "PC{} {:.0} % [{:.0}\u{2013}{:.0}]",
                    i + 1,
                    100.0 * component.share,
                    100.0 * low,
                    100.0 * high
                )
            })
            .collect();
        let n = self.variance.stop_rules().parallel_analysis;
        let components = if n == 1 { "component" } else { "components" };
        format!("{}   {n} {components} above noise (parallel analysis)", shown.join("   "))
    }

    pub(super) fn umap_sentence(&self) -> Option<String> {
        let map = &self.umap.as_ref()?.stability;
        let moving = match map.n_moving {
            0 => "every object does".to_owned(),
            1 => "1 object does not".to_owned(),
            n => format!("{} objects do not", count(n)),
        };
        let turned = match map.procrustes_median {
            d if d > ISLANDS_MOVE => {
                format!("; islands stand elsewhere each time (Procrustes {d:.2})")
            }
            _ => String::new(),
        };
        Some(match map.resolution {
            Some(band) if band.from == 1 => {
                format!(
                    "{} runs: even nearest neighbours keep their place; {moving}{turned}",
                    map.n_runs
                )
            }
            Some(band) => format!(
                "{} runs: groups of {} objects and larger keep their place; {moving}{turned}",
                map.n_runs,
                count(band.from),
            ),
            None => format!(
                "{} runs: no group size keeps its place; do not read distances or islands",
                map.n_runs
            ),
        })
    }

    pub(super) fn tsne_sentence(&self) -> Option<String> {
        let tsne = self.tsne.as_ref()?;
        Some(format!(
            "one run: KL {:.2}, trustworthiness {:.2}; sizes and distances of islands mean nothing",
            tsne.kl_divergence, tsne.quality.trustworthiness
        ))
    }

    pub(super) fn groups_sentence(&self) -> String {
        let groups = &self.groups;
        if let Some(learning) = &groups.learning {
            return learning.sentence(&groups.stability);
        }
        let (Some(silhouette), Some(null)) = (groups.silhouette, &groups.null) else {
            return "k = 1: one group, nothing to compare".to_owned();
        };
        let population = if null.p_value <= NULL_LEVEL {
            "a single population explains it worse"
        } else {
            "a single population explains it as well"
        };
        let chosen = if groups.choice.is_some() { "" } else { " as asked" };
        let stability = &groups.stability;
        let agree = if stability.agree() { "agree" } else { "do not all agree" };
        let open = match stability.n_undecided {
            0 => String::new(),
            n => format!("; {} objects are not assigned", count(n)),
        };
        let p = match null.p_value {
            p if p < 0.01 => "p < 0.01".to_owned(),
            p => format!("p = {p:.2}"),
        };
        format!(
            "k = {}{chosen} (silhouette {silhouette:.2}); {} runs {agree} (ARI {:.2}, worst {:.2}); \
             {population} ({p}){open}",
            groups.k, stability.n_runs, stability.ari.value, stability.ari_worst,
        )
    }

    pub(super) fn forest_sentence(&self) -> Option<String> {
        let forest = self.forest.as_ref()?;
        if let Some(learning) = &self.groups.learning {
            return Some(learning.forest_sentence(forest.oob_accuracy));
        }
        Some(format!(
            "reproduces the groups: {:.0} % out of bag; the same answer every time it is applied",
            100.0 * forest.oob_accuracy
        ))
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.table.warnings.clone();
        if self.n_left_out() > 0 {
            notes.push(format!(
                "{} of {} rows miss a feature: they are kept in the tables with cluster 0",
                count(self.n_left_out()),
                count(self.table.frame.height()),
            ));
        }
        notes.extend(self.groups.learning.iter().flat_map(Learning::notes));
        notes.extend(self.unreliable_sentence());
        notes
    }
}
