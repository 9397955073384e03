//! The parsers of this module as functions of bytes, for [`crate::fuzzing`].

use super::rtnetlink;

/// Parses a reply to a request over netlink.
pub(crate) fn netlink_answer(bytes: &[u8]) {
    let _ = rtnetlink::parse_ack(bytes);
}
