//! SHAP values of a table: what they are, and how they are summed up.

use ndarray::{Array2, Array3, Axis};

use crate::error::{Error, Result};

/// How much each feature moved each output of each row away from the base.
///
/// `base[k] + values[i, .., k].sum()` is the forest's output `k` for row `i`.
#[derive(Debug, Clone)]
pub struct Shap {
    /// Shape `(n_rows, n_features, n_outputs)`, in the unit of the outputs.
    pub values: Array3<f64>,
    /// The expected output, one per output.
    pub base: Vec<f64>,
    /// Largest difference between base + values and the forest's own output: rounding, or a fault.
    pub additivity_error: f64,
    /// Names of the features (or of their groups), along axis 1.
    pub features: Vec<String>,
    /// Names of the outputs (the classes), along axis 2.
    pub outputs: Vec<String>,
}

impl Shap {
    /// Mean absolute value over the rows, shape `(n_features, n_outputs)`: how much a feature matters.
    pub fn mean_abs(&self) -> Array2<f64> {
        let n = self.values.len_of(Axis(0)).max(1) as f64;
        self.values.mapv(f64::abs).sum_axis(Axis(0)) / n
    }

    /// Mean absolute value per feature, summed over the outputs.
    pub fn importances(&self) -> Vec<f64> {
        self.mean_abs().sum_axis(Axis(1)).to_vec()
    }

    /// Positions of the features, the most important first; equal ones keep their order.
    pub fn ranking(&self) -> Vec<usize> {
        let importances = self.importances();
        let mut order: Vec<usize> = (0..importances.len()).collect();
        order.sort_by(|&a, &b| importances[b].total_cmp(&importances[a]));
        order
    }

    /// Values by family of features: correlated features share what they explain, their sum does not
    /// depend on how it was shared. A feature in no family stays alone.
    ///
    /// # Errors
    /// A position that is not a feature, or is in two families.
    pub fn grouped(&self, families: &[(String, Vec<usize>)]) -> Result<Self> {
        let (n, d, k) = self.values.dim();
        let mut family_of = vec![None; d];
        for (f, (name, members)) in families.iter().enumerate() {
            for &member in members {
                match family_of.get_mut(member) {
                    Some(slot @ None) => *slot = Some(f),
                    Some(Some(_)) => {
                        let message = format!("feature {member} is in two families");
                        return Err(Error::new(crate::error::ErrorKind::Parameter, message));
                    }
                    None => {
                        let name = format!("feature of family {name}");
                        return Err(Error::parameter(&name, member, format!("below {d}")));
                    }
                }
            }
        }
        let mut features: Vec<String> = families.iter().map(|(name, _)| name.clone()).collect();
        let target: Vec<usize> = (0..d)
            .map(|j| {
                family_of[j].unwrap_or_else(|| {
                    features.push(self.features[j].clone());
                    features.len() - 1
                })
            })
            .collect();
        let mut values = Array3::zeros((n, features.len(), k));
        for (j, &group) in target.iter().enumerate() {
            let mut sum = values.index_axis_mut(Axis(1), group);
            sum += &self.values.index_axis(Axis(1), j);
        }
        Ok(Self { values, features, ..self.clone() })
    }
}
