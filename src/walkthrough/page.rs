//! The page of the walk-through: the story of the outcome, each part with what it does not show.

use super::trust::percent;
use super::{Learning, Outcome};
use crate::embed::procrustes;
use crate::error::Result;
use crate::image::{IntensityImage, LabelImage};
use crate::report::figures::Figure;
use crate::report::{Column, Explorer, LabelLayer, Report, Section, count, significant};
use crate::select::FAMILY_CUT;
use crate::stability::{ClusterGrade, Light, RELIABLE, unseen_share};

/// Runs that the slider steps through, at most.
const MAX_RUNS: usize = 10;
/// Rows of a table that shows the strongest features only.
const MAX_ROWS: usize = 8;
/// Values of the linked view, at most: it must open from a mail.
const MAX_VALUES: usize = 3_400_000;

impl Outcome {
    /// The report as one self-contained HTML file.
    ///
    /// # Errors
    /// Only through a fault in the template library.
    pub fn page(&self, figures: &[(&'static str, Figure)]) -> Result<String> {
        let frame = &self.table.frame;
        let size = format!("{} objects x {} columns", count(frame.height()), frame.width());
        let mut report = Report::new(self.name.clone())
            .subtitle(size)
            .verdict(self.verdict.light, self.verdict.sentence.clone());
        for section in self.sections(figures) {
            report = report.section(section);
        }
        report
            .explorer(
                "Look for yourself",
                "Draw a lasso on the plot or click rows of the table: the same objects light up \
                 everywhere. The selection can be saved as a table, or as a lasso file that \
                 explore cluster lasso replays.",
                self.explorer()?,
            )
            .section(what_next())
            .fact("version", env!("CARGO_PKG_VERSION"))
            .fact("seed", self.recipe.seed.to_string())
            .fact("features", self.features.names().join(", "))
            .recipe(self.recipe.to_toml()?)
            .html()
    }

    fn sections(&self, figures: &[(&'static str, Figure)]) -> Vec<Section> {
        let with = |mut section: Section, names: &[&str]| {
            for (_, figure) in figures.iter().filter(|(name, _)| names.contains(name)) {
                section = section.shows(figure.clone());
            }
            section
        };
        let mut sections = vec![
            with(self.table_section(), &["correlation"]),
            with(self.variance_section(), &["scree", "loadings", "biplot"]),
        ];
        if let Some(umap) = &self.umap {
            let section = Section::new("The map, drawn many times")
                .says(format!(
                    "The picture is the run that agrees best with the other {}. Hollow points do not keep their neighbours. Trustworthiness {:.2}: at 1 no stranger stands among the neighbours on the map.",
                    umap.runs.len() - 1,
                    umap.quality.trustworthiness
                ))
                .doubt(format!(
                    "Distances between islands and their sizes mean nothing. A pinned seed would hide what moves. What all {} runs share could still fail in up to {:.0} % of further runs.",
                    umap.runs.len(),
                    100.0 * unseen_share(umap.runs.len())
                ));
            let rows = by_strength(self.features.names(), &umap.r_squared);
            let section = section
                .says("The axes have no explained variance. The table has the features that a straight line over both of them explains best (R\u{b2}; all are in summary.json).")
                .table(["feature", "R\u{b2} on the map"], rows);
            sections.push(with(section, &["umap"]));
        }
        if self.tsne.is_some() {
            let section = Section::new("The same by t-SNE")
                .doubt("One run of a method that also depends on its seed: use it to doubt the map above, not to confirm it.");
            sections.push(with(section, &["tsne"]));
        }
        sections.push(with(self.groups_section(), &["stability"]));
        if let Some(selection) = &self.selection {
            let (nouns, doubt) = match &self.groups.learning {
                None => (
                    "groups",
                    "Groups made from a feature always correlate with it. The column held_out_correlation in features.csv is what is left when its family takes no part in the grouping.",
                ),
                Some(_) => (
                    "classes",
                    "Ranked on the marked objects alone, since the classes of the others were made from these features. With few marks another feature may do as well: the column frequency in features.csv says how often each is chosen when a fifth of the marks is left out.",
                ),
            };
            let section = Section::new(format!("Features that separate the {nouns}"))
                .says(format!(
                    "A small forest that sees only {} tells the {nouns} apart with {:.0} % balanced accuracy, out of bag.",
                    selection.chosen.join(", "),
                    100.0 * selection.balanced_accuracy
                ))
                .doubt(doubt);
            sections.push(with(section, &["ranking", "histograms"]));
        }
        if let Some(sentence) = self.forest_sentence() {
            let mut section = Section::new("A classifier that gives the same answer every time")
                .says(format!("The forest {sentence}."))
                .says(format!("Points right of zero speak for {} 1, points left of it against; colour is the value of the feature.", self.groups.noun()));
            if let Some(sentence) = self.dilution_sentence() {
                section = section.says(sentence);
            }
            let section = section.doubt("Correlated features dilute each other: they share their importance, so a low bar does not mean that a feature is unrelated.");
            sections.push(with(section, &["shap", "shap_families", "shap_summary"]));
        }
        sections
    }

    /// What the family that weighs most has together, and its strongest feature alone; over all groups.
    fn dilution_sentence(&self) -> Option<String> {
        let families = self.families();
        let alone = &self.forest.as_ref()?.shap;
        let together = alone.grouped(&families).ok()?;
        // Families come before the features that are in none.
        let family = together.ranking().into_iter().find(|&i| i < families.len())?;
        let (name, members) = &families[family];
        let strongest = alone.ranking().into_iter().find(|feature| members.contains(feature))?;
        Some(format!(
            "Features that move together (|Spearman| of at least {FAMILY_CUT}) say nearly the same, and the forest takes now one and now another of them: read their bar by families. The weightiest family, {name}, has {} together; its strongest feature, {}, has {} alone (mean |SHAP|, all groups).",
            significant(together.importances()[family]),
            alone.features[strongest],
            significant(alone.importances()[strongest])
        ))
    }

    fn table_section(&self) -> Section {
        let rows = self
            .features
            .names()
            .iter()
            .filter_map(|name| self.summaries.iter().find(|s| s.name == *name))
            .map(|s| {
                let number = |v: Option<f64>| v.map_or(String::new(), significant);
                let mut row = vec![
                    s.name.clone(),
                    s.unit.clone(),
                    count(s.missing),
                    number(s.mean),
                    number(s.std),
                    number(s.min),
                    number(s.median),
                    number(s.max),
                    crate::report::sparkline(&s.histogram),
                ];
                if let Some(measurement) = &self.measurement {
                    let icc = measurement.reliability.iter().find(|r| r.feature == s.name);
                    let icc = icc.and_then(|r| r.icc);
                    row.push(icc.map_or(String::new(), |icc| {
                        let low = if icc < RELIABLE { " !" } else { "" };
                        format!("{icc:.2}{low}")
                    }));
                }
                row
            })
            .collect();
        let head = ["feature", "unit", "missing", "mean", "sd", "min", "median", "max", "shape"];
        let head = head.into_iter().chain(self.measurement.as_ref().map(|_| "ICC"));
        let mut section = Section::new("What is in the table")
            .says(format!(
                "Left out of the analysis: {}.",
                nothing_if_empty(&self.columns.left_out())
            ))
            .table(head, rows);
        if self.n_left_out() > 0 {
            section = section.says(format!(
                "{} rows miss a feature and take no part; they are kept in the tables with cluster 0.",
                count(self.n_left_out())
            ));
        }
        if self.measurement.is_some() {
            section = section.says(format!(
                "ICC: the share of a feature's spread that is due to the objects when they are measured again with outlines a pixel larger and smaller (and images half a pixel aside); below {RELIABLE} another segmentation would say something else.",
            ));
        }
        section.doubt(
            "Features that move together (dark blocks) count several times in every distance.",
        )
    }

    /// Components with intervals, the rules for how many to keep, and what each is made of.
    fn variance_section(&self) -> Section {
        let variance = &self.variance;
        let rules = variance.stop_rules();
        let keep = |rule: &str, n: usize| vec![rule.to_owned(), n.to_string()];
        let swaps: Vec<String> = variance
            .components()
            .iter()
            .take(rules.parallel_analysis.max(2))
            .enumerate()
            .filter(|(_, component)| component.interchangeable_with_next)
            .map(|(i, _)| format!("PC{} and PC{}", i + 1, i + 2))
            .collect();
        let swaps = match swaps.as_slice() {
            [] => "No two of them are interchangeable.".to_owned(),
            some => format!(
                "Interchangeable, so that only the plane they span means something: {}.",
                some.join(", ")
            ),
        };
        let (low, high) = variance.loadings_interval();
        let shown = variance.loadings().nrows().min(2);
        let cell = |c: usize, f: usize| {
            format!("{:.2} [{:.2}, {:.2}]", variance.loadings()[[c, f]], low[[c, f]], high[[c, f]])
        };
        let weight =
            |f: usize| (0..shown).map(|c| variance.loadings()[[c, f]].abs()).fold(0.0, f64::max);
        let mut heaviest: Vec<usize> = (0..variance.feature_names().len()).collect();
        heaviest.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then(a.cmp(&b)));
        let loadings = heaviest
            .into_iter()
            .take(MAX_ROWS)
            .map(|f| {
                let name = std::iter::once(variance.feature_names()[f].clone());
                name.chain((0..shown).map(|c| cell(c, f))).collect()
            })
            .collect();
        let head = ["heaviest features", "in PC1 [95 %]", "in PC2 [95 %]"];
        Section::new("What the components explain")
            .says("The bars are shares of all variance, with the interval in which they fall when the objects are drawn again; the line is what unrelated features would give.")
            .table(
                ["rule", "components to look at"],
                vec![
                    keep("parallel analysis: more than unrelated features give", rules.parallel_analysis),
                    keep("broken stick: more than a stick broken at random gives", rules.broken_stick),
                    keep("Marchenko-Pastur: above the edge of pure noise", rules.marchenko_pastur),
                    keep("80 % of the variance", rules.eighty_percent),
                    keep("90 % of the variance", rules.ninety_percent),
                ],
            )
            .says(format!(
                "The {} features spread their variance like {:.1} independent ones. {swaps}",
                self.features.n_features(),
                variance.effective_features()
            ))
            .table(head.into_iter().take(1 + shown), loadings)
            .doubt("Components beyond the line are noise; two neighbours whose intervals overlap may trade places.")
    }

    /// What was changed, by source of doubt, and the objects that change group.
    fn doubts_table(&self) -> Vec<Vec<String>> {
        let stability = &self.groups.stability;
        let row = |source: &str, change: String, moved: Option<f64>| {
            let moved = moved.map_or("not known".to_owned(), percent);
            vec![source.to_owned(), change, moved]
        };
        let same = self.machine.as_ref().filter(|machine| machine.same_bits).map(|_| 0.0);
        let (runs, samples) = (stability.n_runs, stability.n_subsamples);
        let mut rows = vec![
            row("machine", "the same steps on 1, 2 and 7 threads".to_owned(), same),
            row(
                "seed",
                format!("one of {runs} runs in place of all"),
                Some(stability.single_run_differs),
            ),
            row(
                "sample",
                format!("{samples} times 80 % of the {}", self.sampled()),
                Some(stability.subsample_differs),
            ),
        ];
        match &self.measurement {
            Some(measurement) => rows.extend(
                measurement.variants.iter().map(|v| row("measurement", v.change.clone(), v.moved)),
            ),
            None => rows.push(row("measurement", "needs the label image".to_owned(), None)),
        }
        let choices = self.choices.groups.iter();
        rows.extend(choices.map(|c| row("choices", c.choice.clone(), Some(c.moved))));
        rows
    }

    fn groups_section(&self) -> Section {
        let stability = &self.groups.stability;
        let noun = self.groups.noun();
        let rows = self
            .groups
            .sizes()
            .into_iter()
            .zip(&stability.jaccard)
            .enumerate()
            .map(|(group, (size, &jaccard))| {
                let grade = match ClusterGrade::of(jaccard) {
                    ClusterGrade::HighlyStable => "highly stable",
                    ClusterGrade::Stable => "stable",
                    ClusterGrade::Doubtful => "a pattern, members doubtful",
                    ClusterGrade::Dissolved => "dissolves: do not use",
                };
                vec![
                    (group + 1).to_string(),
                    count(size),
                    format!("{jaccard:.2}"),
                    grade.to_owned(),
                ]
            })
            .collect();
        let (heading, doubt) = match &self.groups.learning {
            None => (
                "Groups, and whether they are there",
                "K-means looks for round groups of like size and cuts other shapes apart; whether the groups mean anything, only new images can tell.",
            ),
            Some(_) => (
                "Classes, and whether they can be learned",
                "Every object gets one of the marked classes, also one of a kind that nobody marked; the accuracy is that on the marked objects, which may be easier than the others.",
            ),
        };
        let mut section = Section::new(heading)
            .says(format!("{}.", self.groups_sentence()))
            .table([noun, "objects", "Jaccard over subsamples", "which is"], rows);
        if let Some(learning) = &self.groups.learning {
            let (head, rows) = confusion(learning);
            section = section
                .says("The table of marks below sets what objects were marked as beside the class that forests give them which have not seen their marks.")
                .table(head, rows);
        }
        section
            .says(format!(
                "A single run would have placed {:.1} % of the objects differently from the vote of all runs; {} objects change sides in at least one run in twenty.",
                100.0 * stability.single_run_differs,
                count(stability.n_changing)
            ))
            .says(match stability.n_undecided {
                0 => "Every object is assigned: on none are the runs so divided that as many others could vote otherwise.".to_owned(),
                n => format!(
                    "{} objects are not assigned (cluster 0): the runs are so divided on them that as many others could vote otherwise.",
                    count(n)
                ),
            })
            .table(["source", "what was changed", &format!("objects that change {noun}")], self.doubts_table())
            .doubt(match self.verdict.light {
                Light::Green => doubt.to_owned(),
                _ => format!("{}.", capitalised(&self.verdict.reason)),
            })
    }

    /// The linked view: maps, features and groups of every analysed object.
    fn explorer(&self) -> Result<Explorer> {
        let step =
            (self.features.n_rows() * (self.features.n_features() + 6)).div_ceil(MAX_VALUES).max(1);
        let rows: Vec<usize> = (0..self.features.n_rows()).step_by(step).collect();
        let pick = |column: ndarray::ArrayView1<f64>| -> Vec<f64> {
            rows.iter().map(|&row| column[row]).collect()
        };
        let column = |name: &str, unit: &str, values: Vec<f64>| Column {
            name: name.to_owned(),
            unit: unit.to_owned(),
            values,
        };
        let mut columns = vec![
            column("pca_0", "", pick(self.pca.coordinates().column(0))),
            column("pca_1", "", pick(self.pca.coordinates().column(1))),
        ];
        let mut axes = ("pca_0".to_owned(), "pca_1".to_owned());
        let assigned = self.groups.stability.assigned();
        let mut runs = Vec::new();
        if let Some(umap) = &self.umap {
            let shown = umap.medoid();
            columns.push(column("umap_0", "", pick(shown.column(0))));
            columns.push(column("umap_1", "", pick(shown.column(1))));
            axes = ("umap_0".to_owned(), "umap_1".to_owned());
            for run in umap.runs.iter().take(MAX_RUNS) {
                let aligned = procrustes(shown.view(), run.view())?.aligned;
                runs.push((pick(aligned.column(0)), pick(aligned.column(1))));
            }
        }
        if let Some(tsne) = &self.tsne {
            columns.push(column("tsne_0", "", pick(tsne.coordinates.column(0))));
            columns.push(column("tsne_1", "", pick(tsne.coordinates.column(1))));
        }
        for (name, values) in self.raw.names().iter().zip(self.raw.matrix().columns()) {
            let unit = self.columns.get(name).map_or("", |c| c.unit.as_str());
            columns.push(column(name, unit, pick(values)));
        }
        Ok(Explorer {
            key: self.columns.key().unwrap_or_default().to_owned(),
            keys: self.keys(&rows),
            columns,
            groups: rows.iter().map(|&row| assigned[row]).collect(),
            axes,
            image: self.labels.as_ref().and_then(|labels| layer(labels, self.image.as_ref())),
            runs,
        })
    }
}

/// Marked classes beside held-out answers, as a table.
fn confusion(learning: &Learning) -> (Vec<String>, Vec<Vec<String>>) {
    let named = |label: &usize| format!("class {label}");
    let labels = &learning.held_out.labels;
    let head = std::iter::once("marked as".to_owned()).chain(labels.iter().map(named)).collect();
    let rows = labels.iter().zip(learning.held_out.counts.outer_iter());
    let rows = rows.map(|(label, counts)| {
        std::iter::once(named(label)).chain(counts.iter().map(u64::to_string)).collect()
    });
    (head, rows.collect())
}

/// A plane of labels for the linked view, with the image under it; stacks are not shown.
fn layer(labels: &LabelImage, image: Option<&IntensityImage>) -> Option<LabelLayer> {
    let [height, width] = *labels.shape() else {
        return None;
    };
    let brightness = image.map(|i| i.pixels().to_f32()).unwrap_or_default();
    Some(LabelLayer { width, height, labels: labels.pixels().to_vec(), brightness })
}

/// Names with their values, the highest first.
fn by_strength(names: &[String], values: &[f64]) -> Vec<Vec<String>> {
    let mut pairs: Vec<(&String, f64)> = names.iter().zip(values.iter().copied()).collect();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
    pairs
        .into_iter()
        .take(MAX_ROWS)
        .map(|(name, value)| vec![name.clone(), format!("{value:.2}")])
        .collect()
}

fn what_next() -> Section {
    Section::new("What next")
        .says("What stands here is a hypothesis. It becomes a finding when new images, measured the same way and put through the model file of this folder (explore predict model.json TABLE), show the same groups.")
        .says("Change one choice at a time (-k, --n-neighbors, --features) and see what stays.")
}

fn nothing_if_empty(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
