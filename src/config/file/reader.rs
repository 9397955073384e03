//! Reader of a file, and the owners it trusts.

use super::super::error::Distrust;

/// Reader of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// True if root does.
    pub root: bool,
    /// User who called sudo, if any.
    pub invoker: Option<u32>,
    /// True if the folders on the way count, too: not in a user namespace, where the
    /// owners of those above are not known.
    pub folders: bool,
}

impl Reader {
    /// Returns the reason why a file with this owner and mode is not trusted.
    pub(super) fn distrusts(self, owner: u32, mode: u32) -> Option<Distrust> {
        if !self.root {
            return None;
        }
        if !self.trusts(owner) {
            return Some(Distrust::Owner(owner));
        }
        (mode & 0o022 != 0).then_some(Distrust::Mode(mode & 0o777))
    }

    /// True for root, and for who called sudo.
    pub(super) fn trusts(self, owner: u32) -> bool {
        owner == 0 || Some(owner) == self.invoker
    }

    /// True if nothing of a file's text may be shown: root reads another user's
    /// file on behalf of the user who called sudo. Its mode proves nothing: the
    /// folder may be closed.
    pub(super) fn veils(self, owner: u32) -> bool {
        let somebody = self.invoker.filter(|uid| *uid != 0);
        self.root && somebody.is_some_and(|uid| uid != owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYBODY: Reader = Reader {
        root: false,
        invoker: None,
        folders: true,
    };

    fn root(invoker: Option<u32>) -> Reader {
        Reader {
            root: true,
            invoker,
            folders: true,
        }
    }

    #[test]
    fn root_reads_only_what_nobody_else_could_have_written() {
        let cases = [
            (ANYBODY, 1000, 0o666, None),
            (root(None), 0, 0o644, None),
            (root(None), 1000, 0o600, Some(Distrust::Owner(1000))),
            (root(Some(1000)), 1000, 0o600, None),
            (root(Some(1000)), 1001, 0o600, Some(Distrust::Owner(1001))),
            (root(Some(1000)), 1000, 0o620, Some(Distrust::Mode(0o620))),
            (root(None), 0, 0o646, Some(Distrust::Mode(0o646))),
        ];
        for (reader, owner, mode, expected) in cases {
            let found = reader.distrusts(owner, 0o100_000 | mode);
            assert_eq!(found, expected, "{reader:?} {owner} {mode:o}");
        }
    }

    #[test]
    fn nothing_is_told_of_a_file_of_roots_to_who_called_sudo() {
        let cases = [
            (ANYBODY, 1000, false),
            (root(None), 0, false),
            (root(Some(0)), 0, false),
            (root(Some(1000)), 1000, false),
            (root(Some(1000)), 0, true),
        ];
        for (reader, owner, expected) in cases {
            assert_eq!(reader.veils(owner), expected, "{reader:?} {owner}");
        }
    }
}
