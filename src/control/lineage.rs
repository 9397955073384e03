//! Which processes this program descends from: acting on one of them may end
//! the session it is used in.

use crate::model::stat::Stat;
use std::fs;

/// No session is nested deeper.
const DEEPEST: usize = 64;

/// The ancestors of this process by pid, its parent first; as far as `/proc`
/// lets them be seen.
#[must_use]
pub fn ancestors() -> Vec<u32> {
    let parent = |pid: u32| {
        let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some(Stat::parse(&bytes)?.parent).filter(|parent| *parent != 0)
    };
    std::iter::successors(parent(std::process::id()), |pid| parent(*pid))
        .take(DEEPEST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_comes_first() {
        let parent = std::os::unix::process::parent_id();
        assert_eq!(ancestors().first(), Some(&parent));
    }
}
