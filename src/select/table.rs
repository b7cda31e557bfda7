//! The ranking as a table, one row per feature.

use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::{RankedFeature, Selection};
use crate::error::{Error, Result};

impl Selection {
    /// `rank, feature, correlation, ...`, strongest first.
    ///
    /// # Errors
    /// Only through a fault in the table library.
    pub fn frame(&self) -> Result<DataFrame> {
        ranking_frame(&self.ranking)
    }
}

/// The table of a ranking, also of an empty one.
///
/// # Errors
/// Only through a fault in the table library.
pub fn ranking_frame(ranking: &[RankedFeature]) -> Result<DataFrame> {
    let number = |name: &str, value: fn(&RankedFeature) -> Option<f64>| -> Column {
        Series::new(name.into(), ranking.iter().map(value).collect::<Vec<_>>()).into()
    };
    let flag = |name: &str, value: fn(&RankedFeature) -> bool| -> Column {
        Series::new(name.into(), ranking.iter().map(value).collect::<Vec<_>>()).into()
    };
    let names: Vec<&str> = ranking.iter().map(|f| f.feature.as_str()).collect();
    let families: Vec<u32> = ranking.iter().map(|f| f.family as u32).collect();
    let columns = vec![
        Series::new("rank".into(), (1..=ranking.len() as u32).collect::<Vec<_>>()).into(),
        Series::new("feature".into(), names).into(),
        number("correlation", |f| Some(f.correlation)),
        number("correlation_low", |f| Some(f.correlation_low)),
        number("correlation_high", |f| Some(f.correlation_high)),
        number("held_out_correlation", |f| f.held_out_correlation),
        number("auc", |f| Some(f.auc)),
        number("frequency", |f| Some(f.frequency)),
        Series::new("family".into(), families).into(),
        flag("representative", |f| f.representative),
        flag("chosen", |f| f.chosen),
    ];
    DataFrame::new(ranking.len(), columns).map_err(|e| Error::internal(e.to_string()))
}
