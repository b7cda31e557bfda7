//! Ground truth in place of clusters: objects that a person marked, and the forests that learn from them.

use std::collections::BTreeMap;

use linfa::traits::Fit;
use serde_json::{Value, json};

use super::choices::GroupChoice;
use super::{Grouped, Recipe};
use crate::classify::metrics::Confusion;
use crate::classify::validate::{cross_validate, stratified_k_fold};
use crate::classify::{ForestParams, RandomForest};
use crate::cluster::agreement::{adjusted_rand, jaccard_per_cluster, share_differing};
use crate::cluster::silhouette;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::seed::Seed;
use crate::select::suffices::out_of_bag_accuracy;
use crate::select::{Grouping, Selection};
use crate::stability::{GroupStability, NULL_LEVEL, share_interval};
use crate::table::Features;

/// One object of a class to learn from, and one to be judged.
const FEWEST: usize = 2;
/// Up to so many marks, each is held out alone; beyond, a tenth of them at a time.
const LEAVE_ONE_OUT: usize = 50;
const FOLDS: usize = 10;
/// Share of the marks in a sample of them.
const SAMPLE: f64 = super::groups::SUBSAMPLE;
/// Marks that are shuffled, evenly spread: chance needs no more to be told from learning.
const MAX_SHUFFLED: usize = 1_000;
/// The depth of APOC's trees, which can be read.
const SHALLOW: usize = 2;

/// The objects that carry a mark.
#[derive(Debug, Clone)]
pub struct Marks {
    /// The numbers in the annotation, ascending: the first is class 1 here, the next class 2, as in APOC.
    pub numbers: Vec<u32>,
    /// Per row of the analysis its class 1..k, 0 where it is not marked.
    pub classes: Vec<usize>,
    /// Marked objects that take no part in the analysis.
    pub n_unknown: usize,
}

impl Marks {
    /// The marks of `annotated` labels on the rows with these keys.
    ///
    /// # Errors
    /// No marks, one class only, or a class with a single mark.
    pub(super) fn of(annotated: &BTreeMap<u32, u32>, keys: &[u32]) -> Result<Self> {
        let mark = |key: &u32| annotated.get(key).copied().unwrap_or(0);
        let mut numbers: Vec<u32> = keys.iter().map(mark).filter(|mark| *mark > 0).collect();
        let n_known = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        let class = |mark: u32| match mark {
            0 => 0,
            mark => numbers.partition_point(|number| *number < mark) + 1,
        };
        let classes = keys.iter().map(|key| class(mark(key))).collect();
        let marks = Self { numbers, classes, n_unknown: annotated.len().saturating_sub(n_known) };
        marks.check()?;
        Ok(marks)
    }

    fn check(&self) -> Result<()> {
        let counts = self.counts();
        match (self.numbers.as_slice(), counts.as_slice()) {
            ([], _) => {
                let message =
                    format!("the annotation marks none of the {} objects", self.classes.len());
                return Err(Error::data(message).help(
                    "mark objects, not the ground beside them, with 1, 2, ..; 0 says nothing",
                ));
            }
            ([number], [count]) => {
                return Err(Error::data(format!(
                    "the annotation has one class only: all of its {count} objects are marked {number}"
                ))
                .help("mark objects of at least two kinds with 1, 2, .."));
            }
            _ => {}
        }
        let few = counts.iter().position(|count| *count < FEWEST);
        few.map_or(Ok(()), |class| {
            Err(Error::data(format!(
                "class {} has {} marked object: at least {FEWEST} are needed, one to learn from and one to be judged",
                self.numbers[class], counts[class]
            ))
            .help("mark more objects of this kind; numbers that count objects are no classes"))
        })
    }

    /// Number of classes.
    pub fn k(&self) -> usize {
        self.numbers.len()
    }

    /// Marked objects of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.k()];
        self.classes.iter().filter(|class| **class > 0).for_each(|class| counts[class - 1] += 1);
        counts
    }

    /// The rows that are marked.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.classes.len()).filter(|&row| self.classes[row] > 0).collect()
    }
}

/// What forests make of the marks.
#[derive(Debug, Clone)]
pub struct Learning {
    /// The marks.
    pub marks: Marks,
    /// The classes of marked objects beside those by forests that have not seen their marks.
    pub held_out: Confusion,
    /// Parts into which the marks were divided for it.
    pub n_folds: usize,
    /// Balanced accuracy, out of bag, of a small forest.
    pub learned: f64,
    /// The same with the marks shuffled, once for each shuffling.
    pub shuffled: Vec<f64>,
    /// Samples of the marks, as positions among the marked rows.
    samples: Vec<Vec<usize>>,
}

impl Learning {
    /// `(1 + shuffled that do as well) / (1 + shufflings)`: small when the features know of the classes (Ojala and
    /// Garriga, *Permutation tests for studying classifier performance*, 2010, test 1).
    pub fn chance_p(&self) -> f64 {
        let as_well = self.shuffled.iter().filter(|s| **s >= self.learned).count();
        (1 + as_well) as f64 / (1 + self.shuffled.len()) as f64
    }

    /// Held-out marks that were found again, and all marks.
    pub fn right(&self) -> (usize, usize) {
        (self.held_out.counts.diag().sum() as usize, self.held_out.counts.sum() as usize)
    }

    /// The features ranked by how they separate the marked objects: the classes of the others were made from them.
    pub(super) fn selection(&self, features: &Features, seed: u64) -> Result<Selection> {
        let rows = self.marks.rows();
        let classes: Vec<usize> = rows.iter().map(|&row| self.marks.classes[row]).collect();
        Selection::of_classes(&features.select_rows(&rows), &classes, &self.samples, seed)
    }

    /// Shallower trees, and the features of the short list alone.
    pub(super) fn choices(
        &self,
        raw: &Features,
        selection: &Selection,
        reported: &[usize],
        recipe: &Recipe,
    ) -> Result<Vec<GroupChoice>> {
        let chosen = selection.ranking.iter().filter(|f| f.chosen);
        let mut columns: Vec<usize> = chosen.map(|f| f.column).collect();
        columns.sort_unstable();
        let mut tried = Vec::new();
        if recipe.max_depth != SHALLOW {
            let params = recipe.forest().max_depth(SHALLOW);
            tried.push((format!("max_depth = {SHALLOW}"), self.classes(&params, raw)?));
        }
        if !columns.is_empty() && columns.len() < raw.n_features() {
            let some = raw.columns(&columns)?;
            let choice = format!("features = {}", some.names().join(", "));
            tried.push((choice, self.classes(&recipe.forest(), &some)?));
        }
        let compared = |(choice, other): (String, Vec<usize>)| {
            Ok(GroupChoice {
                choice,
                moved: share_differing(reported, &other),
                ari: adjusted_rand(reported, &other)?,
                jaccard: jaccard_per_cluster(reported, &other)?.into_values().collect(),
            })
        };
        tried.into_iter().map(compared).collect()
    }

    fn classes(
        &self,
        params: &ForestParams<RandomForest>,
        features: &Features,
    ) -> Result<Vec<usize>> {
        classes(params, features, &self.marks.classes)
    }

    /// The share of objects that the analysis, begun with other measurements of the rows `kept`, would have put into
    /// another class; `None` where a class has lost its marks.
    pub(super) fn moved_by(
        &self,
        features: &Features,
        kept: &[usize],
        reported: &[usize],
        recipe: &Recipe,
    ) -> Result<Option<f64>> {
        let marks: Vec<usize> = kept.iter().map(|&row| self.marks.classes[row]).collect();
        if (1..=self.marks.k()).any(|class| !marks.contains(&class)) {
            return Ok(None);
        }
        let before: Vec<usize> = kept.iter().map(|&row| reported[row]).collect();
        let params = recipe.forest().seed(Seed::new(recipe.seed).child("measurement", 0).value());
        Ok(Some(share_differing(&before, &classes(&params, features, &marks)?)))
    }

    /// How the classes came about, in a sentence.
    pub(super) fn sentence(&self, stability: &GroupStability) -> String {
        let counts = self.marks.counts();
        let each: Vec<String> =
            counts.iter().enumerate().map(|(i, count)| format!("{}: {count}", i + 1)).collect();
        let p = self.chance_p();
        format!(
            "{} classes from marks on {} of {} objects ({}); {} forests {} (ARI {:.2}, worst {:.2}); shuffled marks are \
             learned {} ({})",
            self.marks.k(),
            counts.iter().sum::<usize>(),
            self.marks.classes.len(),
            each.join(", "),
            stability.n_runs,
            if stability.agree() { "agree" } else { "do not all agree" },
            stability.ari.value,
            stability.ari_worst,
            if p <= NULL_LEVEL { "worse" } else { "as well" },
            if p < 0.01 { "p < 0.01".to_owned() } else { format!("p = {p:.2}") },
        )
    }

    /// What the forest does with marks that it has not seen, in a sentence.
    pub(super) fn forest_sentence(&self, out_of_bag: f64) -> String {
        let (right, n) = self.right();
        let (low, high) = share_interval(right, n);
        format!(
            "puts {right} of {n} held-out marked objects into their class: {:.0} % [{:.0}\u{2013}{:.0}], balanced \
             {:.0} %, out of bag {:.0} %",
            100.0 * right as f64 / n as f64,
            100.0 * low,
            100.0 * high,
            100.0 * self.held_out.balanced_accuracy(),
            100.0 * out_of_bag,
        )
    }

    /// What a reader of the classes has to know.
    pub(super) fn notes(&self) -> Vec<String> {
        let numbers = &self.marks.numbers;
        let mut notes = Vec::new();
        if numbers.iter().enumerate().any(|(i, number)| *number != i as u32 + 1) {
            let found: Vec<String> = numbers.iter().map(u32::to_string).collect();
            notes.push(format!(
                "the annotation has the classes {}: they are called 1 to {} here",
                found.join(", "),
                numbers.len()
            ));
        }
        match self.marks.n_unknown {
            0 => {}
            1 => notes.push("1 marked object is not in the analysis".to_owned()),
            n => notes.push(format!("{n} marked objects are not in the analysis")),
        }
        notes
    }

    pub(super) fn json(&self) -> Value {
        let (right, n) = self.right();
        let (low, high) = share_interval(right, n);
        json!({
            "numbers": self.marks.numbers,
            "marked": self.marks.counts(),
            "not_in_analysis": self.marks.n_unknown,
            "held_out": {
                "n_folds": self.n_folds,
                "n_marks": n,
                "n_right": right,
                "accuracy": right as f64 / n as f64,
                "low": low,
                "high": high,
                "balanced_accuracy": self.held_out.balanced_accuracy(),
                "confusion": self.held_out.counts.outer_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
            },
            "shuffled_marks": {
                "p_value": self.chance_p(),
                "observed": self.learned,
                "n_tables": self.shuffled.len(),
            },
        })
    }
}

/// The class of every row: its mark, or what a forest that learned from the marks says of it.
fn classes(
    params: &ForestParams<RandomForest>,
    features: &Features,
    marks: &[usize],
) -> Result<Vec<usize>> {
    let rows: Vec<usize> = (0..marks.len()).filter(|&row| marks[row] > 0).collect();
    let labels: Vec<usize> = rows.iter().map(|&row| marks[row]).collect();
    let lesson = features.select_rows(&rows).labelled(&labels)?;
    let mut classes = params.clone().oob_score(false).fit(&lesson)?.assign(features)?;
    rows.iter().zip(labels).for_each(|(&row, label)| classes[row] = label);
    Ok(classes)
}

impl Grouped {
    /// Classes in place of clusters: of forests with other seeds, and of forests that see a part of the marks only.
    /// `raw` are the features as measured, `features` the same rows on one scale.
    pub(super) fn learn(
        raw: &Features,
        features: &Features,
        marks: Marks,
        recipe: &Recipe,
        progress: &Progress,
    ) -> Result<Self> {
        let seed = Seed::new(recipe.seed);
        let n_runs = recipe.cluster_runs.max(2);
        let total = n_runs + recipe.subsamples + 1;
        let all: Vec<usize> = (0..raw.n_rows()).collect();
        let (mut runs, mut subsamples) = (Vec::new(), Vec::new());
        for run in 0..n_runs {
            let params = recipe.forest().seed(seed.child("marks", run as u64).value());
            runs.push(classes(&params, raw, &marks.classes)?);
            progress.report(run + 1, total);
        }
        let samples = samples_of(&marks, recipe.subsamples.max(1), seed);
        let marked = marks.rows();
        for (draw, sample) in samples.iter().enumerate() {
            let mut seen = vec![0; raw.n_rows()];
            sample.iter().map(|&i| marked[i]).for_each(|row| seen[row] = marks.classes[row]);
            let params = recipe.forest().seed(seed.child("sample of marks", draw as u64).value());
            subsamples.push((all.clone(), classes(&params, raw, &seen)?));
            progress.report(n_runs + draw + 1, total);
        }
        let stability = GroupStability::of_classes(&runs, &subsamples)?;
        let reported = Grouping::of(features, stability.labels.clone());
        let distances = super::groups::distances(features, &reported.centers);
        let own = distances.outer_iter().zip(&stability.labels);
        let learning = Learning::of(raw, marks, samples, recipe)?;
        progress.report(total, total);
        Ok(Self {
            k: learning.marks.k(),
            choice: None,
            inertia: own.map(|(row, &class)| row[class - 1].powi(2)).sum(),
            silhouette: Some(silhouette(features, &stability.labels)?.mean),
            distances,
            runs: runs.into_iter().map(|labels| Grouping::of(features, labels)).collect(),
            stability,
            null: None,
            learning: Some(learning),
        })
    }
}

impl Learning {
    fn of(raw: &Features, marks: Marks, samples: Vec<Vec<usize>>, recipe: &Recipe) -> Result<Self> {
        let rows = marks.rows();
        let truth: Vec<usize> = rows.iter().map(|&row| marks.classes[row]).collect();
        let lesson = raw.select_rows(&rows);
        let n_folds = if rows.len() <= LEAVE_ONE_OUT { rows.len() } else { FOLDS };
        let splits = stratified_k_fold(&truth, n_folds, recipe.seed)?;
        let judged = cross_validate(&recipe.forest(), &lesson, &truth, &splits)?;

        let step = rows.len().div_ceil(MAX_SHUFFLED).max(1);
        let some: Vec<usize> = (0..rows.len()).step_by(step).collect();
        let (lesson, truth) =
            (lesson.select_rows(&some), some.iter().map(|&i| truth[i]).collect::<Vec<_>>());
        let shuffled = (0..recipe.null_tables as u64).map(|table| {
            let mut classes = truth.clone();
            Seed::new(recipe.seed).stream("shuffled marks", table).shuffle(&mut classes);
            out_of_bag_accuracy(&lesson, &classes, recipe.seed)
        });
        Ok(Self {
            held_out: judged.confusion,
            n_folds,
            learned: out_of_bag_accuracy(&lesson, &truth, recipe.seed)?,
            shuffled: shuffled.collect::<Result<_>>()?,
            samples,
            marks,
        })
    }
}

/// Samples of the marks, as positions among the marked rows: four in five of each class, so that at least one of
/// each is in and one is out.
fn samples_of(marks: &Marks, n_samples: usize, seed: Seed) -> Vec<Vec<usize>> {
    let of_marked: Vec<usize> = marks.classes.iter().copied().filter(|class| *class > 0).collect();
    let drawn = |draw: u64| {
        let mut stream = seed.stream("sample of marks", draw);
        let mut sample = Vec::new();
        for class in 1..=marks.k() {
            let of_class: Vec<usize> =
                (0..of_marked.len()).filter(|&i| of_marked[i] == class).collect();
            let n_drawn = ((SAMPLE * of_class.len() as f64) as usize).max(1);
            sample.extend(stream.sample(of_class.len(), n_drawn).into_iter().map(|i| of_class[i]));
        }
        sample.sort_unstable();
        sample
    };
    (0..n_samples as u64).map(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn annotated(pairs: &[(u32, u32)]) -> BTreeMap<u32, u32> {
        pairs.iter().copied().collect()
    }

    #[test]
    fn marks_that_cannot_be_learned_from_are_refused() {
        let fails = |pairs: &[(u32, u32)], words: &str| {
            let error = Marks::of(&annotated(pairs), &[1, 2, 3, 4, 5]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        fails(&[], "marks none of the 5 objects");
        fails(&[(9, 1), (10, 2)], "marks none of the 5 objects");
        fails(&[(1, 3), (2, 3)], "all of its 2 objects are marked 3");
        fails(&[(1, 1), (2, 1), (3, 4)], "class 4 has 1 marked object");
        let marks =
            Marks::of(&annotated(&[(1, 7), (2, 2), (3, 7), (5, 2), (8, 2)]), &[1, 2, 3, 4, 5]);
        let marks = marks.unwrap();
        assert_eq!(marks.classes, [2, 1, 2, 0, 1]);
        assert_eq!((marks.numbers.as_slice(), marks.n_unknown), ([2, 7].as_slice(), 1));
    }

    /// Two kinds that `size` tells apart or not, a tenth of the objects marked.
    fn learned(gap: f64) -> Grouped {
        let mut stream = Seed::new(4).stream("marks", 0);
        let matrix = Array2::from_shape_fn((240, 3), |(row, column)| {
            stream.normal() + if column == 0 && row % 2 == 0 { gap } else { 0.0 }
        });
        let raw = Features::new(matrix, ["size", "noise", "more"]).unwrap();
        let keys: Vec<u32> = (1..=240).collect();
        let marked = (0..24).map(|i| (i * 10 + i % 2 + 1, i % 2 + 1)).collect();
        let marks = Marks::of(&marked, &keys).unwrap();
        let recipe = Recipe { cluster_runs: 10, subsamples: 10, ..Recipe::default() };
        Grouped::learn(&raw, &raw, marks, &recipe, &Progress::default()).unwrap()
    }

    #[test]
    fn classes_that_the_features_know_are_learned_and_others_are_not() {
        let good = learned(8.0);
        let learning = good.learning.as_ref().unwrap();
        assert!(learning.right().0 >= 22 && learning.right().1 == 24, "{:?}", learning.right());
        assert!(learning.chance_p() < 0.02);
        let truth: Vec<usize> = (0..240).map(|row| 1 + row % 2).collect();
        let right = good.stability.labels.iter().zip(&truth).filter(|(a, b)| a == b).count();
        assert!(right >= 235, "{right}");
        assert!(good.stability.subsample_differs < 0.05);

        let chance = learned(0.0);
        let learning = chance.learning.as_ref().unwrap();
        assert!(learning.chance_p() > NULL_LEVEL, "{}", learning.chance_p());
        assert!(learning.held_out.balanced_accuracy() < 0.75);
        assert!(chance.stability.subsample_differs > 0.1);
    }
}
