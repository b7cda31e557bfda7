//! Decoded chunks that a later read may want again: tiles with a margin touch the chunks of their neighbours.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Enough for three rows of chunks across a plane of 16-bit pixels 10,000 wide.
const MOST_BYTES: usize = 1 << 25;

/// The chunks decoded last, by their address in the file.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    chunks: VecDeque<(u64, Arc<Vec<u8>>)>,
    n_bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, address: u64) -> Option<Arc<Vec<u8>>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.chunks.iter().find(|(at, _)| *at == address).map(|(_, chunk)| chunk.clone())
    }

    /// Keeps a chunk, and lets go of those that were kept first.
    pub(super) fn keep(&self, address: u64, chunk: &Arc<Vec<u8>>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if chunk.len() > MOST_BYTES / 4 || held.chunks.iter().any(|(at, _)| *at == address) {
            return;
        }
        held.n_bytes += chunk.len();
        held.chunks.push_back((address, chunk.clone()));
        while held.n_bytes > MOST_BYTES {
            let Some((_, first)) = held.chunks.pop_front() else { return };
            held.n_bytes -= first.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_first_goes_first() {
        let cache = Cache::default();
        let chunk = Arc::new(vec![0; MOST_BYTES / 4]);
        (1..=5).for_each(|address| cache.keep(address, &chunk));
        assert!(cache.get(1).is_none() && (2..=5).all(|address| cache.get(address).is_some()));
        cache.keep(9, &Arc::new(vec![0; MOST_BYTES]));
        assert!(cache.get(9).is_none() && cache.get(5).is_some());
    }
}
