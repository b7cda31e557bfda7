//! Enter the measures of a whole analysis; leave one light, its reason, and one sentence in plain words.

use serde::Serialize;

use super::groups::{EXCELLENT, MODERATE};
use super::{ClusterGrade, share_interval};

/// What may be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Do not report the groups.
    Red,
    /// Report with the doubt that the reason names.
    #[default]
    Amber,
    /// Sizes and members of the groups can be reported.
    Green,
}

impl Light {
    /// `green`, `amber` or `red`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Amber => "amber",
            Self::Green => "green",
        }
    }
}

/// The measures that the verdict rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Number of groups.
    pub k: usize,
    /// Mean silhouette width of the groups.
    pub silhouette: f64,
    /// Probability that one Gaussian population gives groups as tight as these.
    pub null_p: f64,
    /// Probability that one Gaussian population, cut in the same way, has a valley as deep as the deepest one.
    pub valley_p: f64,
    /// The pair of neighbouring groups with no valley to speak of between them, if there is one, and its probability.
    pub touching: Option<(usize, usize, f64)>,
    /// Mean adjusted Rand index between runs.
    pub ari: f64,
    /// The same between the votes of two halves of the runs: what is reported is the vote.
    pub vote_ari: f64,
    /// Share of objects whose vote is too close to call.
    pub undecided: f64,
    /// Per group, mean best Jaccard similarity over subsamples.
    pub jaccard: Vec<f64>,
    /// Out-of-bag agreement of the forest with the groups.
    pub agreement: f64,
    /// The features that suffice to tell the groups apart, if none of them would without having made the groups.
    pub alone: Vec<String>,
    /// The largest share of objects that another, equally good measurement puts into another group.
    pub measurement: Option<f64>,
    /// Where the groups are classes learned from marks: what they rest on. The measures of a population that was cut
    /// (silhouette, single population, valleys, features alone) then do not count.
    pub learned: Option<Learned>,
}

/// What classes that were learned from marked objects rest on.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Number of marked objects.
    pub n_marked: usize,
    /// Number of them that forests which have not seen them put into their class.
    pub n_right: usize,
    /// The mean share over the classes of such objects.
    pub balanced_accuracy: f64,
    /// Probability that shuffled marks are learned as well.
    pub chance_p: f64,
    /// Mean share of objects that another sample of the marks puts into another class.
    pub sample: f64,
}

/// One light with its reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Green, amber or red.
    pub light: Light,
    /// The measure that decided, with its value and its bound.
    pub reason: String,
    /// What may be said, in plain words.
    pub sentence: String,
}

/// A single population must be this improbable before groups are believed.
pub const NULL_LEVEL: f64 = 0.05;
/// A forest that cannot say which group an object is in this often does not reproduce them.
const REPRODUCED: f64 = 0.9;
/// More objects than this without a group, and the groups are not those of the table.
const UNDECIDED: f64 = 1.0 - REPRODUCED;
/// Less than this at the lower end of its interval, and an accuracy says little: mark more.
const SURE: f64 = 0.75;
/// The same share of objects as a forest may get wrong may change sides when the outlines move by a pixel.
const MOVED_BY_MEASURING: f64 = 1.0 - REPRODUCED;
/// Kaufman and Rousseeuw (1990): 0.25 and below, no substantial structure; 0.5 and above, reasonable.
const NO_STRUCTURE: f64 = 0.25;

impl Verdict {
    /// Judges the evidence: the worst measure decides.
    pub fn of(evidence: &Evidence) -> Self {
        let findings = findings(evidence);
        let light = findings.iter().map(|f| f.0).min().unwrap_or(Light::Green);
        let reason = findings.into_iter().find(|f| f.0 == light).map_or_else(
            || match &evidence.learned {
                Some(learned) => format!(
                    "held-out marks are found again, other seeds and samples of the marks give the same classes, and \
                     shuffled marks are not learned as well (p = {:.2})",
                    learned.chance_p
                ),
                None => format!(
                    "other runs vote for the same groups (ARI {:.2}), every group returns in subsamples, \
                     valleys lie between them, and a single population is improbable (p = {:.2})",
                    evidence.vote_ari, evidence.null_p
                ),
            },
            |f| f.1,
        );
        let k = evidence.k;
        if let Some(learned) = &evidence.learned {
            return Self { light, sentence: learned.sentence(k, light, &reason), reason };
        }
        let sentence = match light {
            Light::Green => format!(
                "{k} groups, repeatable. Sizes and members can be reported; distances on the map \
                 cannot. It is a hypothesis: test it on new images."
            ),
            Light::Amber => format!(
                "{k} groups, with a doubt: {reason}. Report them together with this doubt; \
                 test them on new images."
            ),
            Light::Red if k < 2 => format!("There are no groups to report: {reason}."),
            Light::Red => format!("Do not report these {k} groups: {reason}."),
        };
        Self { light, reason, sentence }
    }
}

impl Learned {
    fn sentence(&self, k: usize, light: Light, reason: &str) -> String {
        let (low, high) = share_interval(self.n_right, self.n_marked);
        let accuracy = format!(
            "{} of {} held-out marks right: {:.0} % [{:.0}\u{2013}{:.0}]",
            self.n_right,
            self.n_marked,
            100.0 * self.n_right as f64 / self.n_marked.max(1) as f64,
            100.0 * low,
            100.0 * high
        );
        match light {
            Light::Green => format!(
                "{k} classes, repeatable. The classes of all objects can be reported with their accuracy ({accuracy}); \
                 distances on the map cannot. Test them on new images."
            ),
            Light::Amber => format!(
                "{k} classes, with a doubt: {reason}. Report them together with this doubt and their accuracy \
                 ({accuracy}); test them on new images."
            ),
            Light::Red => format!("Do not report these {k} classes: {reason}."),
        }
    }

    /// What keeps the light from green beside [`repeats`].
    fn findings(&self) -> Vec<(Light, String)> {
        let mut findings = Vec::new();
        if self.chance_p > NULL_LEVEL {
            let reason = format!(
                "shuffled marks are learned as well (p = {:.2}, should be at most {NULL_LEVEL})",
                self.chance_p
            );
            findings.push((Light::Red, reason));
        }
        if self.balanced_accuracy < REPRODUCED {
            let reason = format!(
                "objects whose marks are held out are put into the right class only {:.0} % of the time (90 % wanted)",
                100.0 * self.balanced_accuracy
            );
            findings.push((Light::Amber, reason));
        }
        let (low, _) = share_interval(self.n_right, self.n_marked);
        if low < SURE {
            let reason = format!(
                "with {} marked objects, as few as {:.0} % of the classes could be right ({:.0} % wanted): mark more",
                self.n_marked,
                100.0 * low,
                100.0 * SURE
            );
            findings.push((Light::Amber, reason));
        }
        if self.sample > MOVED_BY_MEASURING {
            let reason = format!(
                "another sample of the marks puts {:.0} % of the objects into another class ({:.0} % allowed)",
                100.0 * self.sample,
                100.0 * MOVED_BY_MEASURING
            );
            findings.push((Light::Amber, reason));
        }
        findings
    }
}

/// Every measure that keeps the light from green, the ones that weigh most first.
fn findings(e: &Evidence) -> Vec<(Light, String)> {
    match &e.learned {
        Some(learned) => [learned.findings(), repeats(e, "class", "classes")].concat(),
        None => [of_a_population(e), repeats(e, "group", "groups"), of_a_cut(e)].concat(),
    }
    .into_iter()
    .chain(measured_again(e))
    .collect()
}

/// Are there groups at all?
fn of_a_population(e: &Evidence) -> Vec<(Light, String)> {
    let mut findings = Vec::new();
    if e.k < 2 {
        findings.push((Light::Red, "there is one group only".to_owned()));
    }
    if e.null_p > NULL_LEVEL {
        let reason = format!(
            "a single population explains the table as well (p = {:.2}, should be at most {NULL_LEVEL})",
            e.null_p
        );
        findings.push((Light::Red, reason));
    }
    // A Gaussian population is told apart by its tightness, one of any other shape by its missing valleys.
    if e.null_p <= NULL_LEVEL && e.valley_p > NULL_LEVEL {
        let reason = format!(
            "no valley lies between any two of them: one population that is not Gaussian (skewed, say) explains \
             the table as well (p = {:.2}, should be at most {NULL_LEVEL})",
            e.valley_p
        );
        findings.push((Light::Red, reason));
    }
    findings
}

/// Does another run, and another sample, say the same?
fn repeats(e: &Evidence, noun: &str, nouns: &str) -> Vec<(Light, String)> {
    let mut findings = Vec::new();
    let (worst_group, worst) = e
        .jaccard
        .iter()
        .copied()
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((0, 1.0));
    let group = worst_group + 1;
    match ClusterGrade::of(worst) {
        ClusterGrade::Dissolved => findings.push((
            Light::Red,
            format!("{noun} {group} dissolves in subsamples (Jaccard {worst:.2}, below 0.6)"),
        )),
        ClusterGrade::Doubtful => findings.push((
            Light::Amber,
            format!("{noun} {group} has doubtful members (Jaccard {worst:.2}, below 0.75)"),
        )),
        ClusterGrade::Stable | ClusterGrade::HighlyStable => {}
    }
    if e.ari < MODERATE {
        let reason = format!("runs disagree on the {nouns} (ARI {:.2}, below {MODERATE})", e.ari);
        findings.push((Light::Red, reason));
    } else if e.vote_ari < EXCELLENT {
        let reason = format!(
            "other runs would vote for other {nouns} (ARI {:.2} between the votes of two halves, {EXCELLENT} wanted)",
            e.vote_ari
        );
        findings.push((Light::Amber, reason));
    } else if e.undecided > UNDECIDED {
        let reason = format!(
            "the runs cannot decide on {:.0} % of the objects ({:.0} % allowed)",
            100.0 * e.undecided,
            100.0 * UNDECIDED
        );
        findings.push((Light::Amber, reason));
    }
    findings
}

/// Are the borders those of the objects, or of the method?
fn of_a_cut(e: &Evidence) -> Vec<(Light, String)> {
    let mut findings = Vec::new();
    if let Some((a, b, p)) = e.touching.filter(|_| e.valley_p <= NULL_LEVEL) {
        let reason = format!(
            "no valley lies between groups {} and {}: the border is K-means' own (p = {p:.2}, should be at most \
             {NULL_LEVEL})",
            a.min(b),
            a.max(b)
        );
        findings.push((Light::Amber, reason));
    }
    if e.silhouette < NO_STRUCTURE {
        let reason =
            format!("the groups overlap (silhouette {:.2}, below {NO_STRUCTURE})", e.silhouette);
        findings.push((Light::Amber, reason));
    }
    if e.agreement < REPRODUCED {
        let reason = format!(
            "the measured features predict the groups only {:.0} % of the time (90 % wanted)",
            100.0 * e.agreement
        );
        findings.push((Light::Amber, reason));
    }
    if let [first, rest @ ..] = e.alone.as_slice() {
        let reason = format!(
            "the groups are those of {first}{} alone: grouped without, no feature knows of them",
            rest.iter().map(|name| format!(" and {name}")).collect::<String>()
        );
        findings.push((Light::Amber, reason));
    }
    findings
}

fn measured_again(e: &Evidence) -> Option<(Light, String)> {
    let share = e.measurement.filter(|&share| share > MOVED_BY_MEASURING)?;
    let noun = if e.learned.is_some() { "class" } else { "group" };
    let reason = format!(
        "measured a pixel larger or smaller, {:.0} % of the objects change their {noun} ({:.0} % allowed)",
        100.0 * share,
        100.0 * MOVED_BY_MEASURING
    );
    Some((Light::Amber, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: fn() -> Evidence = || Evidence {
        k: 2,
        silhouette: 0.58,
        null_p: 0.01,
        valley_p: 0.01,
        touching: None,
        ari: 0.97,
        vote_ari: 0.99,
        undecided: 0.0,
        jaccard: vec![0.98, 0.95],
        agreement: 0.98,
        alone: Vec::new(),
        measurement: None,
        learned: None,
    };

    #[test]
    fn the_worst_measure_decides() {
        let light = |change: fn(&mut Evidence)| {
            let mut evidence = GOOD();
            change(&mut evidence);
            Verdict::of(&evidence).light
        };
        assert_eq!(light(|_| ()), Light::Green);
        assert_eq!(light(|e| e.null_p = 0.4), Light::Red);
        assert_eq!(light(|e| e.jaccard[1] = 0.5), Light::Red);
        assert_eq!(light(|e| e.jaccard[1] = 0.7), Light::Amber);
        assert_eq!(light(|e| e.valley_p = 0.4), Light::Red);
        assert_eq!(light(|e| e.touching = Some((2, 1, 0.3))), Light::Amber);
        assert_eq!(light(|e| e.alone = vec!["area".into()]), Light::Amber);
        assert_eq!(light(|e| e.measurement = Some(0.2)), Light::Amber);
        assert_eq!(light(|e| e.measurement = Some(0.05)), Light::Green);
        assert_eq!(light(|e| e.k = 1), Light::Red);
        assert_eq!(light(|e| e.ari = 0.5), Light::Red);
        assert_eq!(light(|e| e.vote_ari = 0.8), Light::Amber);
        assert_eq!(light(|e| e.undecided = 0.2), Light::Amber);
        assert_eq!(light(|e| e.silhouette = 0.1), Light::Amber);
        assert_eq!(light(|e| e.agreement = 0.8), Light::Amber);
    }

    #[test]
    fn learned_classes_are_judged_by_their_marks() {
        let verdict = |change: fn(&mut Learned)| {
            let mut learned = Learned {
                n_marked: 20,
                n_right: 19,
                balanced_accuracy: 0.95,
                chance_p: 0.01,
                sample: 0.03,
            };
            change(&mut learned);
            // What speaks against clusters does not speak against classes.
            let clusters =
                Evidence { silhouette: 0.1, null_p: 0.4, alone: vec!["area".into()], ..GOOD() };
            Verdict::of(&Evidence { learned: Some(learned), ..clusters })
        };
        let green = verdict(|_| ());
        assert_eq!(green.light, Light::Green);
        assert!(
            green.sentence.contains("19 of 20 held-out marks right: 95 % [76\u{2013}99]"),
            "{}",
            green.sentence
        );
        assert_eq!(verdict(|l| l.chance_p = 0.3).light, Light::Red);
        assert_eq!(verdict(|l| l.balanced_accuracy = 0.8).light, Light::Amber);
        assert_eq!(verdict(|l| l.sample = 0.2).light, Light::Amber);
        let few = verdict(|l| (l.n_marked, l.n_right) = (6, 6));
        assert_eq!(few.light, Light::Amber);
        assert!(few.reason.contains("with 6 marked objects, as few as 61 %"), "{}", few.reason);
    }

    #[test]
    fn the_reason_names_value_and_bound() {
        let mut evidence = GOOD();
        evidence.jaccard[1] = 0.51;
        let verdict = Verdict::of(&evidence);
        assert_eq!(verdict.reason, "group 2 dissolves in subsamples (Jaccard 0.51, below 0.6)");
        assert!(verdict.sentence.starts_with("Do not report these 2 groups"));
    }
}
