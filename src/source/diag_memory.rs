//! Decodes the buffer memory of a `sock_diag` message. Pure, bytes only.
//!
//! Format: nine numbers of 32 bits by `sk_get_meminfo` in `net/core/sock.c`, in the
//! order of `SK_MEMINFO_*` in `include/uapi/linux/sock_diag.h`. The array only
//! grows at its end: drops came with Linux 4.7.

use super::diag_info::find_attribute;
use crate::model::socket_memory::{Buffers, SocketMemory};

/// `INET_DIAG_SKMEMINFO`.
const ATTR_SKMEMINFO: u16 = 7;
/// `SK_MEMINFO_RMEM_ALLOC`.
const RECEIVE_USED: usize = 0;
/// `SK_MEMINFO_RCVBUF`.
const RECEIVE_LIMIT: usize = 1;
/// `SK_MEMINFO_WMEM_ALLOC`.
const SEND_USED: usize = 2;
/// `SK_MEMINFO_SNDBUF`.
const SEND_LIMIT: usize = 3;
/// `SK_MEMINFO_DROPS`.
const DROPS: usize = 8;

/// The memory of a socket; none if it is not among the attributes.
#[must_use]
pub fn parse_memory(attributes: &[u8]) -> Option<SocketMemory> {
    let numbers = find_attribute(attributes, ATTR_SKMEMINFO)?;
    let number = |place: usize| {
        let bytes = numbers.get(place * 4..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let buffers = || {
        Some(Buffers {
            receive_used: number(RECEIVE_USED)?,
            receive_limit: number(RECEIVE_LIMIT)?,
            send_used: number(SEND_USED)?,
            send_limit: number(SEND_LIMIT)?,
        })
    };
    Some(SocketMemory {
        buffers: buffers(),
        drops: number(DROPS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An attribute with some numbers.
    fn attribute(kind: u16, numbers: &[u32]) -> Vec<u8> {
        let length = u16::try_from(4 + numbers.len() * 4).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        for number in numbers {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn reads_buffers_and_drops() {
        let mut bytes = attribute(8, &[1]);
        // Output of `ss -m`: r4352,rb212992,t0,tb212992,f3840,w0,o0,bl0,d66584.
        let numbers = [4352, 212_992, 0, 212_992, 3840, 0, 0, 0, 66_584];
        bytes.extend(attribute(ATTR_SKMEMINFO, &numbers));
        let known = parse_memory(&bytes).unwrap();
        assert_eq!(known.drops, Some(66_584));
        let buffers = known.buffers.unwrap();
        assert_eq!(
            (buffers.receive_used, buffers.receive_limit),
            (4352, 212_992)
        );
        assert_eq!((buffers.send_used, buffers.send_limit), (0, 212_992));
    }

    #[test]
    fn fields_missing_from_older_kernels_are_unknown() {
        let old = parse_memory(&attribute(ATTR_SKMEMINFO, &[1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        assert!(old.buffers.is_some());
        assert_eq!(old.drops, None);
        assert_eq!(
            parse_memory(&attribute(ATTR_SKMEMINFO, &[1, 2])).unwrap(),
            SocketMemory::default()
        );
        assert_eq!(
            parse_memory(&attribute(8, &[1, 2, 3, 4, 5, 6, 7, 8, 9])),
            None
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse_memory(&bytes);
        }
    }
}
