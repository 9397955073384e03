//! The cursor: a place in the table that follows its socket.

/// Position of the cursor, and the part of the table on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    index: usize,
    top: usize,
    page_rows: usize,
    count: usize,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            index: 0,
            top: 0,
            page_rows: 10,
            count: 0,
        }
    }
}

impl Cursor {
    /// Its place in the order, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the first place to show on a screen with room for `page_rows` rows: the
    /// previous one if the cursor is visible, else moved no further than needed.
    #[must_use]
    pub fn top(&self, page: usize) -> usize {
        let page = page.max(1);
        let furthest = self.count.saturating_sub(page);
        let lowest = (self.index + 1).saturating_sub(page);
        self.top.clamp(lowest, self.index.max(lowest)).min(furthest)
    }

    /// Records the part shown by the last frame.
    pub(super) fn frame_drawn(&mut self, top: usize, page: usize) {
        self.top = top;
        self.page_rows = page.max(1);
    }

    /// Follows a new order: the socket is at `index` now, or gone, in which case
    /// the cursor keeps its place.
    pub(super) fn follow(&mut self, place: Option<usize>, count: usize) {
        let before = self.index;
        self.count = count;
        self.index = place.unwrap_or(before).min(count.saturating_sub(1));
        // The row stays at the same height of the screen, except at the top of
        // the table, where new rows should be visible.
        if place.is_some() && self.top > 0 {
            let moved = self.top + self.index;
            self.top = moved.saturating_sub(before);
        }
    }

    /// Moves by rows; stops at both ends.
    pub(super) fn move_by(&mut self, rows: isize) {
        let last = self.count.saturating_sub(1);
        self.index = self.index.saturating_add_signed(rows).min(last);
    }

    /// Moves by pages, keeping one row visible.
    pub(super) fn move_by_pages(&mut self, pages: isize) {
        let page = isize::try_from(self.page_rows.saturating_sub(1).max(1)).unwrap_or(1);
        self.move_by(page * pages);
    }

    /// Moves to a place.
    pub(super) fn move_to(&mut self, place: usize) {
        self.index = place.min(self.count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(place: usize, top: usize, count: usize) -> Cursor {
        Cursor {
            index: place,
            top,
            page_rows: 10,
            count,
        }
    }

    #[test]
    fn the_cursor_is_always_on_screen() {
        for count in [0, 1, 5, 100] {
            for place in [0, 1, 4, 50, 99] {
                let place = place.min(count.max(1) - 1);
                for old_top in [0, 3, 60, 99] {
                    for page in [1, 3, 10] {
                        let top = cursor(place, old_top, count).top(page);
                        assert!(top <= place && place < top + page, "{place} {top} {page}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_socket_that_moves_takes_the_cursor_along() {
        let mut cursor = cursor(20, 15, 100);
        cursor.follow(Some(25), 105);
        assert_eq!((cursor.index(), cursor.top(10)), (25, 20));
        cursor.follow(None, 3);
        assert_eq!((cursor.index(), cursor.top(10)), (2, 0));
        cursor.follow(None, 0);
        assert_eq!((cursor.index(), cursor.top(10)), (0, 0));
    }
}
