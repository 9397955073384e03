//! A row of numbers as a line of small bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Renders the latest numbers, one cell each, the tallest bar for the largest of
/// them.
pub(super) fn render(numbers: &[u32], cells: usize) -> String {
    let shown = &numbers[numbers.len().saturating_sub(cells)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let bar = |number: &u32| {
        let height = u64::from(*number) * 7 / u64::from(most);
        BARS[usize::try_from(height).unwrap_or(7).min(7)]
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_numbers_are_shown_to_scale() {
        assert_eq!(render(&[9, 0, 1, 2, 14], 4), "▁▁▂█");
        assert_eq!(render(&[0, 0], 5), "▁▁");
        assert_eq!(render(&[], 5), "");
        assert_eq!(render(&[u32::MAX, 0], 2), "█▁");
    }
}
