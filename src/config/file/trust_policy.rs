//! Reader of a file, and the owners it trusts.

use super::super::error::UntrustedReason;

/// Reader of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    /// True if root does.
    pub is_root: bool,
    /// User who called sudo, if any.
    pub invoker: Option<u32>,
    /// True if the folders on the way count, too: not in a user namespace, where the
    /// owners of those above are not known.
    pub checks_dirs: bool,
}

impl TrustPolicy {
    /// Returns the reason why a file with this owner and mode is not trusted.
    pub(super) fn untrusted_reason(self, owner: u32, mode: u32) -> Option<UntrustedReason> {
        if !self.is_root {
            return None;
        }
        if !self.trusts(owner) {
            return Some(UntrustedReason::Owner(owner));
        }
        (mode & 0o022 != 0).then_some(UntrustedReason::Mode(mode & 0o777))
    }

    /// True for root, and for who called sudo.
    pub(super) fn trusts(self, owner: u32) -> bool {
        owner == 0 || Some(owner) == self.invoker
    }

    /// True if nothing of a file's text may be shown: root reads another user's
    /// file on behalf of the user who called sudo. Its mode proves nothing: the
    /// folder may be closed.
    pub(super) fn hides_content(self, owner: u32) -> bool {
        let somebody = self.invoker.filter(|uid| *uid != 0);
        self.is_root && somebody.is_some_and(|uid| uid != owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_USER: TrustPolicy = TrustPolicy {
        is_root: false,
        invoker: None,
        checks_dirs: true,
    };

    fn root(invoker: Option<u32>) -> TrustPolicy {
        TrustPolicy {
            is_root: true,
            invoker,
            checks_dirs: true,
        }
    }

    #[test]
    fn root_reads_only_what_nobody_else_could_have_written() {
        let cases = [
            (ANY_USER, 1000, 0o666, None),
            (root(None), 0, 0o644, None),
            (root(None), 1000, 0o600, Some(UntrustedReason::Owner(1000))),
            (root(Some(1000)), 1000, 0o600, None),
            (
                root(Some(1000)),
                1001,
                0o600,
                Some(UntrustedReason::Owner(1001)),
            ),
            (
                root(Some(1000)),
                1000,
                0o620,
                Some(UntrustedReason::Mode(0o620)),
            ),
            (root(None), 0, 0o646, Some(UntrustedReason::Mode(0o646))),
        ];
        for (reader, owner, mode, expected) in cases {
            let found = reader.untrusted_reason(owner, 0o100_000 | mode);
            assert_eq!(found, expected, "{reader:?} {owner} {mode:o}");
        }
    }

    #[test]
    fn nothing_is_told_of_a_file_of_roots_to_who_called_sudo() {
        let cases = [
            (ANY_USER, 1000, false),
            (root(None), 0, false),
            (root(Some(0)), 0, false),
            (root(Some(1000)), 1000, false),
            (root(Some(1000)), 0, true),
        ];
        for (reader, owner, expected) in cases {
            assert_eq!(reader.hides_content(owner), expected, "{reader:?} {owner}");
        }
    }
}
