//! A feature of pure chance beside the measured ones: what matters less than it does not matter.

use ndarray::{Array2, Axis, concatenate};

use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::table::Features;

/// The name of the column that [`with_random_control`] adds.
pub const RANDOM_CONTROL: &str = "random_control";

/// The features with one more column of uniform random numbers, as a yardstick for importances.
///
/// ```
/// use ndarray::array;
/// use polariscope::explain::with_random_control;
/// use polariscope::table::Features;
///
/// let features = Features::new(array![[1.0], [2.0]], ["area"])?;
/// assert_eq!(with_random_control(&features, 0)?.names(), ["area", "random_control"]);
/// # Ok::<(), polariscope::Error>(())
/// ```
///
/// # Determinism
/// The random column follows from `seed` and the number of rows.
///
/// # Errors
/// When a column of that name is there already.
pub fn with_random_control(features: &Features, seed: u64) -> Result<Features> {
    let mut stream = Seed::new(seed).stream("random control", 0);
    let chance = Array2::from_shape_simple_fn((features.n_rows(), 1), || stream.uniform());
    let matrix = concatenate(Axis(1), &[features.matrix(), chance.view()])
        .map_err(|e| Error::internal(e.to_string()))?;
    let names = features.names().iter().map(String::as_str).chain([RANDOM_CONTROL]);
    Features::from_rows(matrix, names, features.rows().to_vec())
}
