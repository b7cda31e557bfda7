//! Tables of known truth: what lies in them, and which lights are right for it.

use polariscope::seed::{Seed, Stream};
use polariscope::stability::Light;
use polariscope::table::Table;

/// What a made table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Three groups 8 standard deviations apart in four features.
    Apart,
    /// Six groups in five features, centres drawn far apart.
    SixApart,
    /// Two groups whose members mix: 2.5 standard deviations between the centres.
    Overlapping,
    /// Unrelated normal features.
    Noise,
    /// One long Gaussian population: four features that follow one trait.
    Elongated,
    /// One skewed population (log-normal), as areas and intensities are.
    Skewed,
    /// One population with heavy tails (Student's t, 4 degrees of freedom).
    HeavyTails,
    /// Unrelated features, each evenly spread.
    Flat,
    /// Two groups in one feature, of which no other feature knows.
    Alone,
    /// A normal feature measured five times, and two unrelated ones.
    Copies,
    /// A feature of two groups measured five times, and two unrelated ones.
    CopiesOfGroups,
}

impl Kind {
    #[allow(dead_code, reason = "the test takes them one by one")]
    pub const ALL: [Self; 11] = [
        Self::Apart,
        Self::SixApart,
        Self::Overlapping,
        Self::Noise,
        Self::Elongated,
        Self::Skewed,
        Self::HeavyTails,
        Self::Flat,
        Self::Alone,
        Self::Copies,
        Self::CopiesOfGroups,
    ];

    /// The lights that are right. Groups that mix may be reported with a doubt or not at all.
    pub fn right(self) -> &'static [Light] {
        match self {
            Self::Apart | Self::SixApart => &[Light::Green],
            Self::Overlapping => &[Light::Amber, Light::Red],
            Self::Alone | Self::CopiesOfGroups => &[Light::Amber],
            _ => &[Light::Red],
        }
    }

    /// The number of groups that are there.
    #[allow(dead_code, reason = "only the study counts them")]
    pub fn k(self) -> usize {
        match self {
            Self::Apart => 3,
            Self::SixApart => 6,
            Self::Overlapping | Self::Alone | Self::CopiesOfGroups => 2,
            _ => 1,
        }
    }

    /// The table with this number: 180 objects.
    pub fn table(self, number: u64) -> Table {
        let mut stream = Seed::new(number).stream("made table", self as u64);
        let rows: Vec<Vec<f64>> = match self {
            Self::SixApart => {
                let centres = far_apart(6, 5, 9.0, &mut stream);
                (0..N).map(|i| around(&centres[i % 6], &mut stream)).collect()
            }
            _ => (0..N).map(|i| self.row(i, &mut stream)).collect(),
        };
        let head: Vec<String> = (0..rows[0].len()).map(|c| format!("f{c}")).collect();
        let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let lines: Vec<String> =
            std::iter::once(head.join(",")).chain(rows.iter().map(line)).collect();
        Table::from_bytes("made.csv", (lines.join("\n") + "\n").as_bytes())
            .expect("a table as this writes it")
    }

    fn row(self, i: usize, stream: &mut Stream) -> Vec<f64> {
        let side = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        match self {
            Self::Apart => {
                let far = 8.0 / 2f64.sqrt();
                (0..4).map(|j| stream.normal() + if i % 3 == j { far } else { 0.0 }).collect()
            }
            Self::Overlapping => {
                (0..4).map(|j| stream.normal() + if j < 2 { side * 0.884 } else { 0.0 }).collect()
            }
            Self::Elongated => {
                let trait_of = 3.0 * stream.normal();
                (0..4).map(|_| trait_of + stream.normal()).collect()
            }
            Self::Skewed => {
                let size = stream.normal();
                (0..4).map(|_| (0.7 * size + 0.4 * stream.normal()).exp()).collect()
            }
            Self::HeavyTails => (0..4)
                .map(|_| {
                    let square: f64 = (0..4).map(|_| stream.normal().powi(2)).sum();
                    stream.normal() / (square / 4.0).sqrt()
                })
                .collect(),
            Self::Flat => (0..4).map(|_| stream.uniform()).collect(),
            Self::Alone => {
                let mut row = vec![side * 5.0 + stream.normal()];
                row.extend((0..2).map(|_| stream.normal()));
                row
            }
            Self::Copies | Self::CopiesOfGroups => {
                let groups = self == Self::CopiesOfGroups;
                let once = if groups { side * 5.0 } else { 0.0 } + stream.normal();
                let mut row: Vec<f64> = (0..5).map(|_| once + 0.1 * stream.normal()).collect();
                row.extend((0..2).map(|_| stream.normal()));
                row
            }
            _ => (0..6).map(|_| stream.normal()).collect(),
        }
    }
}

/// Objects of a table.
const N: usize = 180;

fn around(centre: &[f64], stream: &mut Stream) -> Vec<f64> {
    centre.iter().map(|c| c + stream.normal()).collect()
}

/// Centres no two of which are nearer than `apart`.
fn far_apart(k: usize, d: usize, apart: f64, stream: &mut Stream) -> Vec<Vec<f64>> {
    let mut centres: Vec<Vec<f64>> = Vec::new();
    while centres.len() < k {
        let drawn: Vec<f64> = (0..d).map(|_| apart * stream.normal()).collect();
        let gap = |c: &Vec<f64>| c.iter().zip(&drawn).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        if centres.iter().all(|c| gap(c) >= apart * apart) {
            centres.push(drawn);
        }
    }
    centres
}
