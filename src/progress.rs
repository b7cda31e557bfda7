//! Progress is reported through a callback that the caller passes; nothing in here prints.

use std::fmt;
use std::sync::Arc;

/// Called now and then with the share that is done, from 0 to 1. Silent by default.
///
/// ```
/// use polariscope::progress::Progress;
/// use std::sync::{Arc, Mutex};
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&seen);
/// let progress = Progress::new(move |share| sink.lock().unwrap().push(share));
/// progress.report(1, 4);
/// assert_eq!(*seen.lock().unwrap(), [0.25]);
/// ```
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(f64) + Send + Sync>>);

impl Progress {
    /// Progress that calls `report` with the share done.
    pub fn new(report: impl Fn(f64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(report)))
    }

    /// `done` steps out of `total` are finished.
    pub fn report(&self, done: usize, total: usize) {
        if let Some(report) = &self.0 {
            report(done as f64 / total.max(1) as f64);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(on)" } else { "Progress(off)" })
    }
}
