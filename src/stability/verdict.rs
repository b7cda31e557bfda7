//! Enter the measures of a whole analysis; leave one light, its reason, and one sentence in plain words.

use serde::Serialize;

use super::ClusterGrade;
use super::groups::{EXCELLENT, MODERATE};

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
            || {
                format!(
                    "other runs vote for the same groups (ARI {:.2}), every group returns in subsamples, \
                     valleys lie between them, and a single population is improbable (p = {:.2})",
                    evidence.vote_ari, evidence.null_p
                )
            },
            |f| f.1,
        );
        let k = evidence.k;
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

/// Every measure that keeps the light from green, the ones that weigh most first.
fn findings(e: &Evidence) -> Vec<(Light, String)> {
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
            format!("group {group} dissolves in subsamples (Jaccard {worst:.2}, below 0.6)"),
        )),
        ClusterGrade::Doubtful => findings.push((
            Light::Amber,
            format!("group {group} has doubtful members (Jaccard {worst:.2}, below 0.75)"),
        )),
        ClusterGrade::Stable | ClusterGrade::HighlyStable => {}
    }
    if e.ari < MODERATE {
        let reason = format!("runs disagree on the groups (ARI {:.2}, below {MODERATE})", e.ari);
        findings.push((Light::Red, reason));
    } else if e.vote_ari < EXCELLENT {
        let reason = format!(
            "other runs would vote for other groups (ARI {:.2} between the votes of two halves, {EXCELLENT} wanted)",
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
    if let Some(share) = e.measurement.filter(|&share| share > MOVED_BY_MEASURING) {
        let reason = format!(
            "measured a pixel larger or smaller, {:.0} % of the objects change their group ({:.0} % allowed)",
            100.0 * share,
            100.0 * MOVED_BY_MEASURING
        );
        findings.push((Light::Amber, reason));
    }
    findings
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
    fn the_reason_names_value_and_bound() {
        let mut evidence = GOOD();
        evidence.jaccard[1] = 0.51;
        let verdict = Verdict::of(&evidence);
        assert_eq!(verdict.reason, "group 2 dissolves in subsamples (Jaccard 0.51, below 0.6)");
        assert!(verdict.sentence.starts_with("Do not report these 2 groups"));
    }
}
