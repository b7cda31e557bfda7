//! How far the outcome can be trusted: the evidence for the light, and every source of doubt kept apart.

use serde_json::{Value, json};

use super::{Classifier, Grouped, Measurement, Outcome};
use crate::cluster::Null;
use crate::report::count;
use crate::select::Selection;
use crate::stability::{Evidence, Learned, NULL_LEVEL, RELIABLE, Verdict, unseen_share};

/// The verdict on the groups; `moved` is the share of objects that measuring again puts elsewhere.
pub(super) fn verdict(
    groups: &Grouped,
    selection: Option<&Selection>,
    forest: Option<&Classifier>,
    moved: Option<f64>,
) -> Verdict {
    let null = groups.null.as_ref();
    let valleys = null.map(|null| null.valleys.as_slice()).unwrap_or_default();
    let shallowest = valleys.iter().max_by(|a, b| a.p_value.total_cmp(&b.p_value));
    let touching = shallowest.filter(|valley| valley.p_value > NULL_LEVEL);
    Verdict::of(&Evidence {
        k: groups.k,
        silhouette: groups.silhouette.unwrap_or(0.0),
        null_p: null.map_or(1.0, |null| null.p_value),
        valley_p: null.map_or(1.0, Null::valley_p),
        touching: touching.map(|valley| (valley.group, valley.neighbor, valley.p_value)),
        ari: groups.stability.ari.value,
        vote_ari: groups.stability.vote_ari,
        undecided: groups.stability.n_undecided as f64
            / groups.stability.labels.len().max(1) as f64,
        jaccard: groups.stability.jaccard.clone(),
        agreement: forest.map_or(1.0, |forest| forest.oob_accuracy),
        alone: selection
            .filter(|selection| selection.circular.len() == selection.chosen.len())
            .map(|selection| selection.circular.clone())
            .unwrap_or_default(),
        measurement: moved,
        learned: groups.learning.as_ref().map(|learning| {
            let (n_right, n_marked) = learning.right();
            Learned {
                n_marked,
                n_right,
                balanced_accuracy: learning.held_out.balanced_accuracy(),
                chance_p: learning.chance_p(),
                sample: groups.stability.subsample_differs,
            }
        }),
    })
}

/// One source of doubt on the screen and in the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// `machine`, `seed`, `sample`, `measurement` or `choices`.
    pub source: &'static str,
    /// The share of objects in another group when this source takes another value; `None` where it was not asked.
    pub moved: Option<f64>,
}

impl Outcome {
    /// The sources of doubt, in one unit: the share of objects that they put into another group.
    pub fn doubts(&self) -> Vec<Doubt> {
        let stability = &self.groups.stability;
        let grouped = |share: f64| (self.groups.k > 1).then_some(share);
        let machine = self.machine.as_ref().filter(|machine| machine.same_bits).map(|_| 0.0);
        let measurement = self.measurement.as_ref().and_then(Measurement::moved);
        [
            ("machine", machine),
            ("seed", grouped(stability.single_run_differs)),
            ("sample", grouped(stability.subsample_differs)),
            ("measurement", measurement),
            ("choices", self.choices.moved()),
        ]
        .map(|(source, moved)| Doubt { source, moved })
        .into()
    }

    /// The sources of doubt in one sentence.
    pub(super) fn doubts_sentence(&self) -> String {
        let part = |doubt: &Doubt| match (doubt.source, doubt.moved) {
            ("measurement", None) => "measurement unknown".to_owned(),
            (source, Some(share)) => format!("{source} {}", percent(share)),
            (source, None) => format!("{source} not known"),
        };
        let parts: Vec<String> = self.doubts().iter().map(part).collect();
        format!("objects that change {}, by source: {}", self.groups.noun(), parts.join(", "))
    }

    /// Every source with what was done and what came of it, for the screen of the report alone.
    pub(super) fn source_lines(&self) -> Vec<(String, String)> {
        let line = |label: &str, text: String| (label.to_owned(), text);
        let mut lines = Vec::new();
        if let Some(machine) = &self.machine {
            let same = if machine.same_bits { "the same bits" } else { "DIFFERENT BITS" };
            let [a, b, c] = machine.threads;
            let print = &machine.fingerprint;
            lines.push(line("Machine", format!("{same} on {a}, {b} and {c} threads ({print})")));
        }
        let stability = &self.groups.stability;
        let noun = self.groups.noun();
        if self.groups.k > 1 {
            let kappa = self.conclusion.map_or(String::new(), |kappa| {
                format!("; classifiers trained on different runs agree (kappa {:.2})", kappa.value)
            });
            lines.push(line(
                "Seed",
                format!(
                    "a single run would place {} of the objects differently, {} are not assigned{kappa}",
                    percent(stability.single_run_differs),
                    count(stability.n_undecided)
                ),
            ));
            let weakest = stability.jaccard.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let weakest = weakest.map_or(String::new(), |(group, jaccard)| {
                format!("; weakest is {noun} {} (Jaccard {jaccard:.2})", group + 1)
            });
            lines.push(line(
                "Sample",
                format!(
                    "{} times 80 % of the {}: {} change {noun}{weakest}",
                    stability.n_subsamples,
                    self.sampled(),
                    percent(stability.subsample_differs)
                ),
            ));
        }
        lines.push(line("Measured", self.measurement_sentence()));
        let mut choices: Vec<String> = self
            .choices
            .groups
            .iter()
            .map(|choice| format!("{}: {} change {noun}", choice.choice, percent(choice.moved)))
            .collect();
        choices.extend(self.choices.map.iter().map(|choice| {
            format!(
                "{}: {} of the neighbours on the map stay, {} between seeds",
                choice.choice,
                percent(choice.shared_neighbors.max(0.0)),
                percent(choice.between_seeds)
            )
        }));
        if !choices.is_empty() {
            lines.push(line("Choices", choices.join("; ")));
        }
        lines
    }

    /// What is drawn again where the sample is in doubt.
    pub(super) fn sampled(&self) -> &'static str {
        if self.groups.learning.is_some() { "marks" } else { "objects" }
    }

    /// What measuring again did.
    pub(super) fn measurement_sentence(&self) -> String {
        let Some(measurement) = &self.measurement else {
            return "not known: give the label image (--labels) and the images".to_owned();
        };
        let parts: Vec<String> = measurement
            .variants
            .iter()
            .map(|variant| match variant.moved {
                Some(share) => {
                    format!("{}: {} change {}", variant.change, percent(share), self.groups.noun())
                }
                None => format!("{}: {} objects vanish", variant.change, variant.n_lost),
            })
            .collect();
        parts.join("; ")
    }

    /// The features that depend on where exactly the outlines lie, if there are any.
    pub(super) fn unreliable_sentence(&self) -> Option<String> {
        let low = self.measurement.as_ref()?.unreliable();
        let (first, rest) = low.split_first()?;
        let others: Vec<String> =
            rest.iter().take(3).map(|(name, icc)| format!("{name} {icc:.2}")).collect();
        let more = rest.len().saturating_sub(others.len());
        Some(format!(
            "measured a pixel larger or smaller, {} {} would say something else (reliability ICC below \
             {RELIABLE}): {} {:.2}{}{}",
            low.len(),
            if low.len() == 1 { "feature" } else { "features" },
            first.0,
            first.1,
            others.iter().map(|other| format!(", {other}")).collect::<String>(),
            if more > 0 { format!(" and {more} more") } else { String::new() },
        ))
    }

    pub(super) fn trust_json(&self) -> Value {
        let groups = &self.groups;
        let stability = &groups.stability;
        let map = self.umap.as_ref().map(|u| &u.stability);
        json!({
            "light": self.verdict.light,
            "reason": self.verdict.reason,
            "sentence": self.verdict.sentence,
            "null_p_value": groups.null.as_ref().map(|single| single.p_value),
            "valley_p_value": groups.null.as_ref().map(Null::valley_p),
            "ari_mean": stability.ari.value,
            "ari_worst": stability.ari_worst,
            "ambiguous_pairs": stability.ambiguous_pairs,
            "jaccard": stability.jaccard,
            "single_run_differs": stability.single_run_differs,
            "not_assigned": stability.n_undecided,
            "map_resolution": map.and_then(|m| m.resolution),
            "objects_that_move": map.map(|m| m.n_moving),
            "sources": self.sources_json(),
        })
    }

    /// Machine, seed, sample, measurement and choices, each with all that is known of it.
    fn sources_json(&self) -> Value {
        let groups = &self.groups.stability;
        let frequency = self.selection.as_ref().map(|selection| {
            let share = |f: &crate::select::RankedFeature| (f.feature.clone(), json!(f.frequency));
            selection.ranking.iter().map(share).collect::<serde_json::Map<String, Value>>()
        });
        json!({
            "machine": self.machine,
            "seed": {
                "maps": self.umap.as_ref().map(|umap| json!({
                    "n_runs": umap.stability.n_runs,
                    "resolution": umap.stability.resolution,
                    "procrustes_median": umap.stability.procrustes_median,
                    "procrustes_worst": umap.stability.procrustes_worst,
                    "objects_that_move": umap.stability.n_moving,
                    "other_outcomes_at_most": unseen_share(umap.runs.len()),
                })),
                "groups": {
                    "n_runs": groups.n_runs,
                    "ari": groups.ari,
                    "ari_worst": groups.ari_worst,
                    "moved": groups.single_run_differs,
                    "not_assigned": groups.n_undecided,
                    "other_outcomes_at_most": unseen_share(groups.n_runs),
                },
                "features_chosen": frequency,
                "classifiers_kappa": self.conclusion,
            },
            "sample": {
                "n_runs": groups.n_subsamples,
                "share": super::groups::SUBSAMPLE,
                "jaccard": groups.jaccard,
                "moved": groups.subsample_differs,
            },
            "measurement": self.measurement,
            "choices": self.choices,
        })
    }
}

/// `0`, `0.4 %`, `12 %`.
pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0".to_owned(),
        p if p < 1.0 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}
