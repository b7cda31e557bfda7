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
    /// Mean adjusted Rand index between runs.
    pub ari: f64,
    /// The worst pair of runs.
    pub ari_worst: f64,
    /// Per group, mean best Jaccard similarity over subsamples.
    pub jaccard: Vec<f64>,
    /// Out-of-bag agreement of the forest with the groups.
    pub agreement: f64,
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
                    "runs agree (ARI {:.2}, worst {:.2}), every group returns in subsamples, \
                 and a single population is improbable (p = {:.2})",
                    evidence.ari, evidence.ari_worst, evidence.null_p
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
    } else if e.ari < EXCELLENT || e.ari_worst < MODERATE {
        let reason = format!(
            "some runs find other groups (ARI {:.2}, worst {:.2}; {EXCELLENT} and {MODERATE} wanted)",
            e.ari, e.ari_worst
        );
        findings.push((Light::Amber, reason));
    }
    if e.silhouette < NO_STRUCTURE {
        let reason = format!(
            "the groups touch or overlap (silhouette {:.2}, below {NO_STRUCTURE})",
            e.silhouette
        );
        findings.push((Light::Amber, reason));
    }
    if e.agreement < REPRODUCED {
        let reason = format!(
            "the measured features predict the groups only {:.0} % of the time (90 % wanted)",
            100.0 * e.agreement
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
        ari: 0.97,
        ari_worst: 0.94,
        jaccard: vec![0.98, 0.95],
        agreement: 0.98,
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
        assert_eq!(light(|e| e.ari = 0.5), Light::Red);
        assert_eq!(light(|e| e.ari_worst = 0.4), Light::Amber);
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
