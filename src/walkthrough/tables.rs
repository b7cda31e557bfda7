//! The tables of the walk-through: one row per object, and one row per feature.

use ndarray::{ArrayView2, Axis};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::Outcome;
use crate::error::Result;
use crate::select::ranking_frame;
use crate::table::{
    Columns, Table, label_column, numbers_of, optional_column, with_columns, with_values,
};

/// The key of each of these rows of the table, or its line when the keys are not whole numbers.
pub(super) fn keys(table: &Table, columns: &Columns, rows: &[usize]) -> Vec<u32> {
    let lines = || rows.iter().map(|&row| row as u32 + 1).collect();
    let Some(values) = columns.key().and_then(|key| numbers_of(&table.frame, key)) else {
        return lines();
    };
    let whole = |row: &usize| {
        let key = values[*row];
        (key >= 0.0 && key.fract() == 0.0 && key <= f64::from(u32::MAX)).then_some(key as u32)
    };
    let keys: Option<Vec<u32>> = rows.iter().map(whole).collect();
    keys.unwrap_or_else(lines)
}

impl Outcome {
    /// The key of each of these rows of the analysis.
    pub(super) fn keys(&self, rows: &[usize]) -> Vec<u32> {
        let rows: Vec<usize> = rows.iter().map(|&row| self.features.rows()[row]).collect();
        keys(&self.table, &self.columns, &rows)
    }

    /// Every input row in input order with every input column, plus coordinates, groups and how
    /// stable each object is. Rows that were left out have empty results and cluster 0.
    ///
    /// With an annotation, `annotation` is the class that an object is marked with (0: none) and `cluster` that class,
    /// or what most forests say of an object without a mark; `cluster_confidence` is their share.
    /// `predicted_cluster` is what the written model says, of marked objects too.
    ///
    /// # Errors
    /// Only through a fault in the table library.
    pub fn objects(&self) -> Result<DataFrame> {
        let mut frame = self.table.frame.clone();
        let rows = self.features.rows();
        let mut add = |stem: &str, first: usize, values: ArrayView2<f64>| -> Result<()> {
            let names: Vec<String> =
                (first..first + values.ncols()).map(|i| format!("{stem}_{i}")).collect();
            frame = with_values(&frame, rows, &names, values)?;
            Ok(())
        };
        add("pca", 0, self.pca.coordinates())?;
        if let Some(umap) = &self.umap {
            add("umap", 0, umap.medoid().view())?;
        }
        if let Some(tsne) = &self.tsne {
            add("tsne", 0, tsne.coordinates.view())?;
        }
        add("distance_to_center", 1, self.groups.distances.view())?;
        let stability = &self.groups.stability;
        let n_rows = frame.height();
        let labels = |name: &str, labels: &[usize]| label_column(name, n_rows, rows, labels);
        let numbers = |name: &str, values: &[f64]| {
            optional_column(name, n_rows, rows, values.iter().map(|&v| Some(v)))
        };
        let mut columns = vec![
            labels("cluster", &stability.assigned()),
            numbers("cluster_confidence", &stability.confidence),
        ];
        let learning = self.groups.learning.as_ref();
        columns.extend(learning.map(|l| labels("annotation", &l.marks.classes)));
        columns.extend(self.forest.as_ref().map(|f| labels("predicted_cluster", &f.predicted)));
        // Per object: how much of its neighbourhood returns on another map.
        columns.extend(self.umap.as_ref().map(|u| numbers("stability", &u.stability.objects)));
        with_columns(&frame, columns)
    }

    /// The ranking of features, one row each; empty when there is one group only.
    ///
    /// # Errors
    /// Only through a fault in the table library.
    pub fn feature_table(&self) -> Result<DataFrame> {
        let ranking = self.selection.as_ref().map(|s| s.ranking.as_slice()).unwrap_or_default();
        let units: Vec<&str> = ranking
            .iter()
            .map(|f| self.columns.get(&f.feature).map_or("", |c| c.unit.as_str()))
            .collect();
        let number = |name: &str, values: &[f64]| -> Column {
            let of_feature: Vec<f64> = ranking.iter().map(|f| values[f.column]).collect();
            Series::new(name.into(), of_feature).into()
        };
        let mut columns: Vec<Column> = vec![Series::new("unit".into(), units).into()];
        if let Some(forest) = &self.forest {
            columns.push(number("importance", &forest.importances));
            columns.push(number("shap_mean_abs", &forest.shap.importances()));
        }
        with_columns(&ranking_frame(ranking)?, columns)
    }

    /// How many rows were left out because a feature is missing.
    pub fn n_left_out(&self) -> usize {
        self.table.frame.height() - self.features.matrix().len_of(Axis(0))
    }
}
