//! The parsers of this module as functions of bytes, for [`crate::fuzzing`].

use super::rtnetlink;

/// An answer to an order over netlink.
pub(crate) fn netlink_answer(bytes: &[u8]) {
    let _ = rtnetlink::read_answer(bytes);
}
