//! SHAP values: which features moved a classifier's output, how far, and in which direction.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::axis::{Frame, extent, roomy_extent, small};
use super::canvas::{Figure, Ink};
use super::legend::ColorBy;
use super::map::{Map, MapAxes, map};
use super::palette::{ACCENT, CONTRAST, GRID, MUTED, UNASSIGNED, sequential};
use super::ranking::{Ranked, Ranking, ranking};
use super::text::{Anchor, Lettering};
use crate::explain;
use crate::report::number::{count, significant};

/// More features than this are not drawn.
const MAX_FEATURES: usize = 14;
/// More objects than this are not drawn.
const MAX_OBJECTS: usize = 1500;

/// SHAP values of one output.
#[derive(Debug, Clone, Default)]
pub struct Shap {
    /// Names of the features.
    pub features: Vec<String>,
    /// Feature values, objects x features.
    pub values: Array2<f64>,
    /// SHAP values, objects x features.
    pub shap: Array2<f64>,
    /// What the model says without knowing anything.
    pub base: f64,
    /// What is explained, e.g. `probability of group 2`.
    pub output: String,
}

impl Shap {
    /// One output of a forest's SHAP values; `values` are the features of the explained rows.
    pub fn of(shap: &explain::Shap, values: ArrayView2<'_, f64>, output: usize) -> Self {
        Self {
            features: shap.features.clone(),
            values: values.to_owned(),
            shap: shap.values.index_axis(Axis(2), output).to_owned(),
            base: shap.base[output],
            output: shap.outputs[output].clone(),
        }
    }

    /// Features by mean absolute SHAP value, largest first.
    fn order(&self) -> Vec<(usize, f64)> {
        let n = self.shap.nrows().max(1) as f64;
        let mut order: Vec<(usize, f64)> = (0..self.features.len().min(self.shap.ncols()))
            .map(|f| (f, self.shap.column(f).iter().map(|v| v.abs()).sum::<f64>() / n))
            .collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order
    }
}

/// Mean absolute SHAP value of each feature, as bars.
pub fn shap_bar(shap: &Shap) -> Figure {
    let rows = shap.order().into_iter().map(|(f, value)| Ranked {
        name: shap.features[f].clone(),
        value,
        chosen: true,
        note: significant(value),
        ..Ranked::default()
    });
    ranking(&Ranking {
        title: "What the forest looks at".into(),
        subtitle: format!("How far each feature moves the {} on average.", shap.output),
        measure: "mean |SHAP value|".into(),
        baseline: 0.0,
        rows: rows.collect(),
    })
}

/// Families of correlated features beside their members, for one output.
#[derive(Debug, Clone, Default)]
pub struct ShapFamilies {
    /// What is explained, e.g. `probability of group 2`.
    pub output: String,
    /// The families and the features that are in none, the weightiest first.
    pub rows: Vec<ShapFamily>,
}

/// How far features move the output together, and the strongest of them alone.
#[derive(Debug, Clone, Default)]
pub struct ShapFamily {
    /// Name of the family, or of a feature that is in none.
    pub name: String,
    /// Mean absolute value of the members' sum.
    pub together: f64,
    /// The member of largest mean absolute value, and that value; nothing for a feature in no family.
    pub strongest: Option<(String, f64)>,
}

impl ShapFamilies {
    /// Sums over the members of each family (positions of features); a feature in no family stands for itself.
    pub fn of(shap: &Shap, families: &[(String, Vec<usize>)]) -> Self {
        let n = shap.shap.nrows().max(1) as f64;
        let mean_abs = |members: &[usize]| {
            let sum =
                |row: ArrayView1<'_, f64>| members.iter().filter_map(|&f| row.get(f)).sum::<f64>();
            shap.shap.outer_iter().map(|row| sum(row).abs()).sum::<f64>() / n
        };
        let alone = |f: usize| (shap.features[f].clone(), mean_abs(&[f]));
        let mut rows: Vec<ShapFamily> = families
            .iter()
            .map(|(name, members)| ShapFamily {
                name: name.clone(),
                together: mean_abs(members),
                strongest: members
                    .iter()
                    .map(|&f| alone(f))
                    .reduce(|best, next| if next.1 > best.1 { next } else { best }),
            })
            .collect();
        let in_none = |f: &usize| !families.iter().any(|(_, members)| members.contains(f));
        rows.extend(
            (0..shap.features.len())
                .filter(in_none)
                .map(alone)
                .map(|(name, together)| ShapFamily { name, together, strongest: None }),
        );
        rows.sort_by(|a, b| b.together.total_cmp(&a.together));
        Self { output: shap.output.clone(), rows }
    }
}

/// Draws [`ShapFamilies`]: one bar for what moves together, a thin one for its strongest member alone.
pub fn shap_families(families: &ShapFamilies) -> Figure {
    let title = "What the forest looks at, by families";
    let subtitle = format!(
        "Features that move together share what they explain. Wide bar: how far the family moves the {}; thin bar: \
         the strongest of its features alone.",
        families.output
    );
    let rows = &families.rows[..families.rows.len().min(MAX_FEATURES)];
    let letters = Lettering::new(12.5);
    let names = rows.iter().map(|row| letters.width(&row.name)).fold(40.0, f64::max).min(220.0);
    let top = Figure::new(title, 720.0, 0.0).header(&subtitle);
    let bottom = top + 34.0 * rows.len().max(1) as f64 + 4.0;
    let mut figure = Figure::new(title, 720.0, bottom + 52.0);
    figure.header(&subtitle);
    let frame = Frame { left: 30.0 + names, top, right: 620.0, bottom };
    let (_, high) = extent(rows.iter().map(|row| row.together).chain([0.0]));
    let x = frame.across(0.0, high * 1.04);
    figure.x_axis(&frame, &x, "mean |SHAP value|", "");
    for (i, row) in rows.iter().enumerate() {
        let y = frame.top + 34.0 * (i as f64 + 0.5);
        let name = letters.fitted(&row.name, 220.0);
        figure.text((frame.left - 10.0, y + 1.4), name, letters.anchor(Anchor::End));
        figure.rect((x.at(0.0), y - 10.0), (x.at(row.together), y + 4.0), ACCENT);
        figure.text((frame.right + 14.0, y + 1.4), significant(row.together), small());
        if let Some((name, alone)) = row.strongest.as_ref().filter(|(_, alone)| *alone > 0.0) {
            figure.rect((x.at(0.0), y + 5.0), (x.at(*alone), y + 10.0), CONTRAST);
            let start = x.at(*alone) + 6.0;
            let note = small().fitted(&format!("{name} alone"), 710.0 - start);
            figure.text((start, y + 14.0), note, small());
        }
    }
    figure.line(vec![(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)], MUTED);
    figure
}

/// One dot per object and feature: how far the feature moved the output, coloured by the feature's value.
pub fn shap_summary(shap: &Shap) -> Figure {
    let title = "How each feature moves the forest";
    let subtitle = format!(
        "One dot per object: to the right, the feature raises the {}; colour is the feature's own value.",
        shap.output
    );
    let order: Vec<_> = shap.order().into_iter().take(MAX_FEATURES).collect();
    let letters = Lettering::new(12.5);
    let names = order.iter().map(|o| letters.width(&shap.features[o.0])).fold(40.0, f64::max);
    let names = names.min(210.0);
    let top = Figure::new(title, 720.0, 0.0).header(&subtitle);
    let bottom = top + 34.0 * order.len().max(1) as f64;
    let mut figure = Figure::new(title, 720.0, bottom.max(top + 200.0) + 52.0);
    figure.header(&subtitle);
    let frame = Frame { left: 30.0 + names, top, right: 700.0 - 90.0, bottom };
    let shown = order.iter().flat_map(|o| shap.shap.column(o.0).to_vec());
    let (low, high) = roomy_extent(shown.chain([0.0]), 0.04);
    let x = frame.across(low, high);
    figure.x_axis(&frame, &x, &format!("SHAP value: change of the {}", shap.output), "");
    figure.line(vec![(x.at(0.0), frame.top), (x.at(0.0), frame.bottom)], MUTED);
    for (row, (feature, _)) in order.iter().enumerate() {
        let y = frame.top + 34.0 * (row as f64 + 0.5);
        let name = letters.fitted(&shap.features[*feature], 210.0);
        figure.text((frame.left - 10.0, y + 4.4), name, letters.anchor(Anchor::End));
        swarm(&mut figure, shap, *feature, y, |v| x.at(v));
    }
    let at = (frame.right + 22.0, frame.top);
    value_bar(&mut figure, at);
    figure
}

/// A colour bar without numbers, since each row has a scale of its own.
fn value_bar(figure: &mut Figure, at: (f64, f64)) {
    let letters = small();
    figure.text((at.0, at.1 + 8.0), "high", letters);
    for i in 0..40 {
        let y = at.1 + 16.0 + 120.0 * f64::from(i) / 40.0;
        figure.rect((at.0, y), (at.0 + 14.0, y + 3.4), sequential(1.0 - f64::from(i) / 39.0));
    }
    figure.text((at.0, at.1 + 152.0), "low", letters);
    figure.text(
        (at.0 + 34.0, at.1 + 76.0),
        "feature value",
        letters.upwards().anchor(Anchor::Middle),
    );
}

/// Dots of one feature; where many fall together they are stacked away from the middle line.
fn swarm(figure: &mut Figure, shap: &Shap, feature: usize, y: f64, x: impl Fn(f64) -> f64) {
    let n = shap.shap.nrows();
    let kept = n.min(MAX_OBJECTS);
    let values = shap.values.column(feature);
    let rank = ranks(&values.to_vec());
    let mut dots: Vec<(f64, f64)> = (0..kept)
        .map(|i| i * n / kept.max(1))
        .map(|i| (x(shap.shap[(i, feature)]), rank.get(i).copied().unwrap_or(0.5)))
        .filter(|d| d.0.is_finite())
        .collect();
    dots.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let radius = if kept > 400 { 1.7 } else { 2.4 };
    let column = |px: f64| (px / (radius * 1.6)).floor() as i64;
    let mut placed = Vec::with_capacity(dots.len());
    let mut start = 0;
    while start < dots.len() {
        let same =
            dots[start..].iter().take_while(|d| column(d.0) == column(dots[start].0)).count();
        let spacing = (28.0 / same as f64).min(radius * 1.7);
        for (k, dot) in dots[start..start + same].iter().enumerate() {
            let step = k.div_ceil(2) as f64 * if k % 2 == 0 { 1.0 } else { -1.0 };
            placed.push(((dot.1 * 15.0).round() as u8, (dot.0, y + step * spacing)));
        }
        start += same;
    }
    // By colour, so that equal dots share a path; high values lie on top.
    placed.sort_by_key(|dot| dot.0);
    for (level, at) in placed {
        figure.dot(at, radius, Ink::from(sequential(f64::from(level) / 15.0)).alpha(0.9));
    }
}

/// Ranks scaled to 0..1, so that one extreme value does not take all the colour.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.5; values.len()];
    let last = values.len().saturating_sub(1).max(1) as f64;
    let mut i = 0;
    while i < order.len() {
        let tie = order[i..].iter().take_while(|&&o| values[o] == values[order[i]]).count().max(1);
        for &o in &order[i..i + tie] {
            ranks[o] = (i as f64 + (tie - 1) as f64 / 2.0) / last;
        }
        i += tie;
    }
    ranks
}

/// The SHAP values of one feature over its value, coloured by another one.
pub fn shap_dependence(shap: &Shap, feature: usize, color_by: Option<usize>) -> Figure {
    let column = |matrix: &Array2<f64>, f: usize| {
        if f < matrix.ncols() { matrix.column(f).to_vec() } else { Vec::new() }
    };
    let name = |f: usize| shap.features.get(f).cloned().unwrap_or_default();
    map(&Map {
        title: format!("How {} moves the forest", name(feature)),
        subtitle:
            "Points at one height spread sideways: the forest does not care; a step: a threshold."
                .into(),
        x: column(&shap.values, feature),
        y: column(&shap.shap, feature),
        color: match color_by {
            Some(f) => ColorBy::values(name(f), column(&shap.values, f)),
            None => ColorBy::Nothing,
        },
        axes: MapAxes::Own(name(feature), format!("SHAP value of {}", name(feature))),
        ..Map::default()
    })
}

/// How the features of one object lead from the base value to what the forest says of it.
pub fn shap_waterfall(shap: &Shap, row: usize, object: &str) -> Figure {
    let title = format!("Why the forest says so of {object}");
    let n = shap.features.len().min(shap.shap.ncols());
    let value = |f: usize| shap.shap.get((row, f)).copied().unwrap_or(0.0);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| value(b).abs().total_cmp(&value(a).abs()).then(a.cmp(&b)));
    let rest = order.split_off(order.len().min(10));
    let mut steps: Vec<(String, f64)> = order
        .iter()
        .map(|&f| {
            let own = shap.values.get((row, f)).copied().unwrap_or(f64::NAN);
            (format!("{} = {}", shap.features[f], significant(own)), value(f))
        })
        .collect();
    if !rest.is_empty() {
        let sum = rest.iter().map(|&f| value(f)).sum();
        steps.push((format!("{} other features", count(rest.len())), sum));
    }
    let end = shap.base + steps.iter().map(|s| s.1).sum::<f64>();
    let subtitle = format!(
        "From {} (all objects) to {} (this one): {}.",
        significant(shap.base),
        significant(end),
        shap.output
    );
    let top = Figure::new(&title, 720.0, 0.0).header(&subtitle) + 4.0;
    let bottom = top + 28.0 * steps.len().max(1) as f64;
    let mut figure = Figure::new(&title, 720.0, bottom + 52.0);
    figure.header(&subtitle);
    let letters = Lettering::new(12.5);
    let names = steps.iter().map(|s| letters.width(&s.0)).fold(60.0, f64::max).min(270.0);
    let frame = Frame { left: 30.0 + names, top, right: 690.0, bottom };
    let mut at = shap.base;
    let ends: Vec<f64> = steps
        .iter()
        .map(|s| {
            at += s.1;
            at
        })
        .collect();
    let (low, high) = extent(ends.iter().copied().chain([shap.base]));
    let room = ((high - low) * 0.16).max(1e-9);
    let x = frame.across(low - room, high + room);
    figure.x_axis(&frame, &x, &shap.output, "");
    let (from, to) = frame.corners();
    figure.frame(from, to, GRID);
    let mut start = shap.base;
    for (i, ((name, change), end)) in steps.iter().zip(&ends).enumerate() {
        let y = top + 28.0 * (i as f64 + 0.5);
        let color = if *change >= 0.0 { ACCENT } else { CONTRAST };
        figure.rect((x.at(start), y - 9.0), (x.at(*end), y + 9.0), color);
        figure.line(vec![(x.at(*end), y - 9.0), (x.at(*end), (y + 37.0).min(bottom))], UNASSIGNED);
        let name = letters.fitted(name, 270.0);
        figure.text((frame.left - 10.0, y + 4.4), name, letters.anchor(Anchor::End));
        let sign = if *change >= 0.0 { "+" } else { "\u{2212}" };
        let label = format!("{sign}{}", significant(change.abs()));
        let rightmost = x.at(start.max(*end));
        let fits = rightmost + 8.0 + small().width(&label) < frame.right;
        if fits {
            figure.text((rightmost + 6.0, y + 4.0), label, small());
        } else {
            let left = x.at(start.min(*end)) - 6.0;
            figure.text((left, y + 4.0), label, small().anchor(Anchor::End));
        }
        start = *end;
    }
    figure
}

#[cfg(test)]
mod tests {
    #[test]
    fn families_are_sums_and_features_in_none_stand_alone() {
        let shap = super::Shap {
            features: ["a", "b", "c"].map(String::from).to_vec(),
            shap: ndarray::array![[0.1, 0.5, 0.2], [-0.3, 0.0, -0.2]],
            ..super::Shap::default()
        };
        let found = super::ShapFamilies::of(&shap, &[("a and 1 more".into(), vec![0, 2])]);
        let rows: Vec<(&str, f64)> =
            found.rows.iter().map(|row| (row.name.as_str(), row.together)).collect();
        assert_eq!(rows, [("a and 1 more", 0.4), ("b", 0.25)]);
        assert_eq!(found.rows[0].strongest, Some(("a".into(), 0.2)));
        assert_eq!(found.rows[1].strongest, None);
    }

    #[test]
    fn ties_share_a_rank() {
        assert_eq!(super::ranks(&[5.0, 1.0, 5.0]), [0.75, 0.0, 0.75]);
        assert_eq!(super::ranks(&[2.0]), [0.0]);
    }
}
