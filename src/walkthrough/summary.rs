//! The outcome as one JSON object: everything the screen says and more, the same bytes for the same job.

use serde_json::{Value, json};

use super::{Classifier, Learning, Outcome};
use crate::error::{Error, Result};
use crate::stability::unseen_share;

impl Outcome {
    /// What `summary.json` holds: numbers, recipe, version and seed; no thread count, clock or path.
    ///
    /// # Errors
    /// Only through a fault in the JSON library.
    pub fn summary(&self) -> Result<Value> {
        let recipe =
            serde_json::to_value(&self.recipe).map_err(|e| Error::internal(e.to_string()))?;
        let left_out: serde_json::Map<String, Value> = self
            .columns
            .iter()
            .filter_map(|c| Some((c.name.clone(), json!(c.left_out.as_ref()?))))
            .collect();
        Ok(json!({
            "schema_version": crate::SCHEMA_VERSION,
            "generator": "polariscope",
            "version": env!("CARGO_PKG_VERSION"),
            "input": self.name,
            "recipe": recipe,
            "seed": self.recipe.seed,
            "backend": "cpu",
            "n_rows": self.table.frame.height(),
            "n_columns": self.table.frame.width(),
            "n_rows_left_out": self.n_left_out(),
            "warnings": self.table.warnings,
            "key": self.columns.key(),
            "features": self.features.names(),
            "not_features": left_out,
            "columns": self.summaries,
            "pca": self.pca_json(),
            "umap": self.umap_json(),
            "tsne": self.tsne_json(),
            "clusters": self.groups_json(),
            "annotation": self.groups.learning.as_ref().map(Learning::json),
            "selection": self.selection,
            "forest": self.forest.as_ref().map(|f| self.forest_json(f)).transpose()?,
            "trust": self.trust_json(),
        }))
    }

    /// What of it was repeated: the JSON of `explore stability`.
    ///
    /// # Errors
    /// As [`summary`](Self::summary).
    pub fn stability_summary(&self) -> Result<Value> {
        let mut summary = self.summary()?;
        let kept = [
            "schema_version",
            "generator",
            "version",
            "input",
            "recipe",
            "seed",
            "backend",
            "n_rows",
            "features",
            "pca",
            "umap",
            "clusters",
            "annotation",
            "selection",
            "trust",
        ];
        if let Value::Object(fields) = &mut summary {
            fields.retain(|name, _| kept.contains(&name.as_str()));
        }
        Ok(summary)
    }

    fn pca_json(&self) -> Value {
        let explained = self.variance.components();
        let rules = self.variance.stop_rules();
        json!({
            "explained_variance": self.pca.explained_variance().to_vec(),
            "explained_variance_ratio": self.pca.explained_variance_ratio().to_vec(),
            "total_variance": self.pca.total_variance(),
            "components": rows_of(self.pca.components()),
            "features": self.features.names(),
            "intervals": explained.iter().map(|c| c.interval).collect::<Vec<_>>(),
            "noise": explained.iter().map(|c| c.noise).collect::<Vec<_>>(),
            "interchangeable_with_next":
                explained.iter().map(|c| c.interchangeable_with_next).collect::<Vec<_>>(),
            "stop_rules": {
                "parallel_analysis": rules.parallel_analysis,
                "broken_stick": rules.broken_stick,
                "marchenko_pastur": rules.marchenko_pastur,
                "eighty_percent": rules.eighty_percent,
                "ninety_percent": rules.ninety_percent,
            },
            "effective_features": self.variance.effective_features(),
            "loadings_low": rows_of(self.variance.loadings_interval().0),
            "loadings_high": rows_of(self.variance.loadings_interval().1),
        })
    }

    fn umap_json(&self) -> Option<Value> {
        let umap = self.umap.as_ref()?;
        Some(json!({
            "stability": umap.stability,
            "trustworthiness": umap.quality.trustworthiness,
            "continuity": umap.quality.continuity,
            "neighbor_preservation": umap.quality.neighbor_preservation,
            "quality_neighbors": umap.quality.n_neighbors,
            "r_squared": self.by_feature(&umap.r_squared),
            "other_outcomes_at_most": unseen_share(umap.runs.len()),
        }))
    }

    fn tsne_json(&self) -> Option<Value> {
        let tsne = self.tsne.as_ref()?;
        Some(json!({
            "kl_divergence": tsne.kl_divergence,
            "trustworthiness": tsne.quality.trustworthiness,
            "continuity": tsne.quality.continuity,
            "neighbor_preservation": tsne.quality.neighbor_preservation,
            "quality_neighbors": tsne.quality.n_neighbors,
            "r_squared": self.by_feature(&tsne.r_squared),
        }))
    }

    fn groups_json(&self) -> Value {
        let groups = &self.groups;
        let choice = groups.choice.as_ref().map(|c| {
            json!({
                "best_k": c.best_k,
                "gap_k": c.gap_k,
                "candidates": c.candidates,
            })
        });
        let population = groups.null.as_ref().map(|single| {
            json!({
                "p_value": single.p_value,
                "observed": single.observed,
                "n_tables": single.simulated.len(),
                "n_rows": single.n_rows,
                "valleys": single.valleys,
            })
        });
        json!({
            "k": groups.k,
            "choice": choice,
            "sizes": groups.sizes(),
            "not_assigned": groups.stability.n_undecided,
            "inertia": groups.inertia,
            "silhouette": groups.silhouette,
            "single_population": population,
            "stability": groups.stability,
            "other_outcomes_at_most": unseen_share(groups.stability.n_runs),
        })
    }

    fn forest_json(&self, forest: &Classifier) -> Result<Value> {
        let families = self.families();
        let grouped = forest.shap.grouped(&families)?;
        let (names, weights) = (self.features.names(), grouped.importances());
        let by_family: Vec<Value> = grouped
            .ranking()
            .into_iter()
            .map(|i| {
                // Families come first; what follows are features in no family, under their own names.
                let features = families.get(i).map_or_else(
                    || vec![&grouped.features[i]],
                    |(_, members)| members.iter().map(|&member| &names[member]).collect(),
                );
                json!({
                    "family": grouped.features[i],
                    "features": features,
                    "shap_mean_abs": weights[i],
                })
            })
            .collect();
        Ok(json!({
            "oob_accuracy": forest.oob_accuracy,
            "n_trees": self.recipe.n_trees,
            "importances": self.by_feature(&forest.importances),
            "shap_mean_abs": self.by_feature(&forest.shap.importances()),
            "shap_families": by_family,
            "shap_additivity_error": forest.shap.additivity_error,
            "shap_rows": forest.shap_rows.len(),
        }))
    }

    /// `{feature: value}`.
    fn by_feature(&self, values: &[f64]) -> serde_json::Map<String, Value> {
        self.features.names().iter().cloned().zip(values.iter().map(|&v| json!(v))).collect()
    }
}

/// A matrix as a list of rows.
fn rows_of(matrix: ndarray::ArrayView2<f64>) -> Vec<Vec<f64>> {
    matrix.outer_iter().map(|row| row.to_vec()).collect()
}
