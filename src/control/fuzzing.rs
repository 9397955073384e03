//! The parsers of this module as functions of bytes, for [`crate::fuzzing`].

use super::netlink;

/// Parses a reply over netlink.
pub(crate) fn netlink_answer(bytes: &[u8]) {
    let _ = netlink::parse_ack(bytes);
    let found = netlink::parse_payload(bytes, 20);
    assert!(found.is_none_or(|body| body.len() < bytes.len()));
}
