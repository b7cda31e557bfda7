//! Features that say the same: pairs above a threshold, and families by average linkage.

use ndarray::Array2;

/// For each column, the other columns that move with it: |r| above `threshold`, in table order.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::redundancies;
/// let r = array![[1.0, -0.99, 0.2], [-0.99, 1.0, 0.1], [0.2, 0.1, 1.0]];
/// assert_eq!(redundancies(&r, 0.95), [vec![1], vec![0], vec![]]);
/// ```
pub fn redundancies(correlations: &Array2<f64>, threshold: f64) -> Vec<Vec<usize>> {
    let others = |(i, row): (usize, ndarray::ArrayView1<'_, f64>)| {
        let moves = |&(j, r): &(usize, &f64)| j != i && r.abs() > threshold;
        row.iter().enumerate().filter(moves).map(|(j, _)| j).collect()
    };
    correlations.rows().into_iter().enumerate().map(others).collect()
}

/// Families of columns that move together, by average linkage on 1 - |r|, cut where the mean |r| falls below `cut`.
///
/// Each family ascends, and families come in the order of their first columns. A column without correlations
/// (NaN) is alone.
///
/// ```
/// use ndarray::array;
/// use polariscope::table::families;
/// let r = array![[1.0, 0.1, -0.9], [0.1, 1.0, 0.2], [-0.9, 0.2, 1.0]];
/// assert_eq!(families(&r, 0.85), [vec![0, 2], vec![1]]);
/// ```
pub fn families(correlations: &Array2<f64>, cut: f64) -> Vec<Vec<usize>> {
    let mut families: Vec<Vec<usize>> = (0..correlations.nrows()).map(|i| vec![i]).collect();
    let strength = |r: f64| if r.is_nan() { 0.0 } else { r.abs() };
    // Mean |r| between families; kept up to date by the rule of Lance and Williams.
    let mut mean = correlations.mapv(strength);
    loop {
        let alive: Vec<usize> = (0..families.len()).filter(|&i| !families[i].is_empty()).collect();
        let pairs = alive.iter().flat_map(|&i| alive.iter().map(move |&j| (i, j)));
        let closest = pairs.filter(|(i, j)| i < j).fold(None, |best: Option<(usize, usize)>, p| {
            if best.is_none_or(|b| mean[p] > mean[b]) { Some(p) } else { best }
        });
        let Some((i, j)) = closest.filter(|&p| mean[p] >= cut) else { break };
        let (ni, nj) = (families[i].len() as f64, families[j].len() as f64);
        for &k in &alive {
            let joined = (ni * mean[[i, k]] + nj * mean[[j, k]]) / (ni + nj);
            (mean[[i, k]], mean[[k, i]]) = (joined, joined);
        }
        let joining = std::mem::take(&mut families[j]);
        families[i].extend(joining);
        families[i].sort_unstable();
    }
    families.retain(|f| !f.is_empty());
    families
}

/// Names everybody can picture, the plainest first.
const PLAIN: [&str; 12] = [
    "area",
    "volume",
    "intensity_mean",
    "aspect_ratio",
    "circularity",
    "solidity",
    "elongation",
    "eccentricity",
    "perimeter",
    "surface_area",
    "axis_major_length",
    "intensity_std",
];

/// The member of a family to speak of: the plainest known property, else the member closest to all others.
///
/// `names` are all columns of the correlations; `family` holds positions in them.
///
/// # Panics
/// When the family is empty or names a column that there is not.
pub fn representative<N: AsRef<str>>(
    family: &[usize],
    names: &[N],
    correlations: &Array2<f64>,
) -> usize {
    let plainness = |&i: &usize| {
        let known = crate::regions::recognize(names[i].as_ref())?;
        PLAIN.iter().position(|p| *p == known.property.name)
    };
    if let Some((_, plainest)) = family.iter().filter_map(|i| Some((plainness(i)?, *i))).min() {
        return plainest;
    }
    let closeness = |&i: &usize| family.iter().map(|&j| correlations[[i, j]].abs()).sum::<f64>();
    let mut best = family[0];
    for i in family {
        if closeness(i) > closeness(&best) {
            best = *i;
        }
    }
    best
}
