//! shim
use ndarray::*; use crate::error::Result; use crate::table::Features; use linfa::traits::Fit;
/// x
#[derive(Debug, Clone, serde::Serialize)]
pub struct ExplainedVariance { /// x
pub shares: Vec<f64>, /// x
pub intervals: Vec<[f64;2]>, /// x
pub noise: Vec<f64> }
impl ExplainedVariance {
 /// x
 pub fn of(f:&Features,_s:u64)->Result<Self>{ let p=super::Pca::params(f.n_features().min(f.n_rows())).fit(f)?; let s=p.explained_variance_ratio().to_vec(); Ok(Self{intervals:s.iter().map(|&v|[v*0.9,v*1.1]).collect(),noise:vec![1.0/s.len() as f64;s.len()],shares:s}) }
 /// x
 pub fn n_components(&self)->usize{ self.shares.iter().zip(&self.noise).take_while(|(a,b)|a>b).count() }
}
/// x
pub fn r_squared_on_map(f:&Features,_m:ArrayView2<f64>)->Result<Vec<f64>>{ Ok(vec![0.0;f.n_features()]) }
