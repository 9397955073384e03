//! Row buffers for reuse: the rows of earlier observations take several
//! megabytes on a large machine.

use crate::model::row::Row;
use std::sync::Arc;

/// Maximum number of buffers kept.
const MAX_BUFFERS: usize = 2;

/// Rows of earlier observations, the oldest first.
#[derive(Debug, Default)]
pub(super) struct RowPool(Vec<Arc<Vec<Row>>>);

impl RowPool {
    /// Returns a buffer that is not read any more; a new one while all are.
    pub(super) fn take(&mut self) -> Vec<Row> {
        let mut spares = self.0.iter_mut();
        let free = spares.position(|rows| Arc::get_mut(rows).is_some());
        free.map(|free| self.0.swap_remove(free))
            .and_then(Arc::into_inner)
            .unwrap_or_default()
    }

    /// Keeps the rows of an observation. A late screen may still read them for
    /// a moment.
    pub(super) fn recycle(&mut self, rows: &Arc<Vec<Row>>) {
        self.0.push(Arc::clone(rows));
        let surplus = self.0.len().saturating_sub(MAX_BUFFERS);
        self.0.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(room: usize) -> Arc<Vec<Row>> {
        Arc::new(Vec::with_capacity(room))
    }

    #[test]
    fn buffers_still_in_use_are_not_handed_out() {
        let mut spares = RowPool::default();
        assert_eq!(spares.take().capacity(), 0);
        let shown = rows(10);
        spares.recycle(&shown);
        assert_eq!(spares.take().capacity(), 0, "it is still read");
        spares.recycle(&rows(20));
        assert!(spares.take().capacity() >= 20);
        drop(shown);
        assert!((10..20).contains(&spares.take().capacity()));
        for room in [1, 2, 3] {
            spares.recycle(&rows(room));
        }
        assert_eq!(spares.0.len(), MAX_BUFFERS);
    }
}
