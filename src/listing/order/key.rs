//! Sort keys of rows: several numbers each, packed into one for sorting.
//!
//! A key is long, because some columns have long values; but in one table the
//! keys differ only in a few of their bits. Those bits are packed together, as
//! many as one number holds, and rows are sorted by that number. Rows with equal
//! numbers differ, if at all, in fewer bits, and are sorted by these in the same
//! way. If a key is known to be short, the differing bits need not be determined
//! first.

use crate::model::endpoint::Endpoint;
use std::cmp::Ordering;
use std::net::IpAddr;

/// Minimum number of rows to pack; fewer are compared by their whole keys.
const MIN_PACKED_ROWS: usize = 8;

/// Sort key of a row: the fields in this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey {
    /// 1 for rows without a value: they come last in both directions.
    missing: u64,
    /// The value, as a number that is ordered like it.
    value: u128,
    /// Orders equal values.
    secondary: u64,
    /// Orders the rest but for rows with the same peer. Without it, thousands of
    /// connections to one port would be looked up repeatedly.
    peer: u64,
}

/// A row being sorted.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackedRow {
    /// The key bits by which it is sorted at present, the upper half first: one
    /// number would take a third more memory.
    packed: [u64; 2],
    row: u32,
}

impl PackedRow {
    /// Wraps the number of a row.
    pub(super) fn new(row: u32) -> Self {
        Self {
            packed: [0; 2],
            row,
        }
    }

    /// The number of the row.
    pub(super) fn row(self) -> u32 {
        self.row
    }

    /// As one number each: without unpredictable branches.
    fn compare(&self, other: &Self) -> Ordering {
        let whole = |place: &Self| {
            let [first, second] = place.packed.map(u128::from);
            first << 64 | second
        };
        whole(self).cmp(&whole(other))
    }
}

impl SortKey {
    /// Sorts after all others.
    pub(super) const LAST: Self = Self {
        missing: 1,
        value: u128::MAX,
        secondary: u64::MAX,
        peer: u64::MAX,
    };

    pub(super) fn from_value(value: Option<u128>, secondary: u64, reverse: bool) -> Self {
        let ordered = value.unwrap_or(0);
        Self {
            missing: value.is_none().into(),
            value: if reverse { !ordered } else { ordered },
            secondary,
            peer: 0,
        }
    }

    /// Key by family, address and port. They are one bit and a port longer than
    /// the value, so that their end orders equal values.
    pub(super) fn from_address(end: Option<Endpoint>, reverse: bool) -> Self {
        let (value, last_bit) = match end.map(|end| end.address()) {
            Some(IpAddr::V4(v4)) => (Some(u32::from(v4).into()), 0),
            Some(IpAddr::V6(v6)) => {
                let bits = u128::from(v6);
                (Some(1 << 127 | bits >> 1), u64::from(bits & 1 == 1))
            }
            None => (None, 0),
        };
        let then = last_bit << 16 | end.map_or(0, |end| u64::from(end.port));
        Self::from_value(value, if reverse { !then } else { then }, reverse)
    }

    /// Adds the key of the peer.
    pub(super) fn with_peer(self, peer: u64) -> Self {
        Self { peer, ..self }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let parts = |key: &Self| (key.missing, key.value, key.secondary, key.peer);
        parts(self).cmp(&parts(other))
    }
}

/// Minimum and maximum of each field of some keys.
struct KeyRange {
    min: SortKey,
    max: SortKey,
}

impl KeyRange {
    fn from_keys(mut keys: impl Iterator<Item = SortKey>) -> Self {
        let first = keys.next().unwrap_or(SortKey::LAST);
        let mut range = Self {
            min: first,
            max: first,
        };
        for key in keys {
            range.widen(&key);
        }
        range
    }

    fn widen(&mut self, key: &SortKey) {
        let Self {
            min: least,
            max: most,
        } = self;
        least.missing = least.missing.min(key.missing);
        most.missing = most.missing.max(key.missing);
        least.value = least.value.min(key.value);
        most.value = most.value.max(key.value);
        least.secondary = least.secondary.min(key.secondary);
        most.secondary = most.secondary.max(key.secondary);
        least.peer = least.peer.min(key.peer);
        most.peer = most.peer.max(key.peer);
    }

    /// Number of bits of each field within this range.
    fn bit_widths(&self) -> [u32; 4] {
        let Self {
            min: least,
            max: most,
        } = self;
        let width = |least: u64, most: u64| u64::BITS - (most - least).leading_zeros();
        [
            width(least.missing, most.missing),
            u128::BITS - (most.value - least.value).leading_zeros(),
            width(least.secondary, most.secondary),
            width(least.peer, most.peer),
        ]
    }
}

/// Extracts the first differing bits of keys.
pub(super) struct KeyPacking {
    min: SortKey,
    /// Right shift of each field, and left shift of the bits packed before.
    shifts: [(u32, u32); 4],
}

impl KeyPacking {
    /// For keys that all have a value of at most 64 bits, and nothing between it
    /// and the peer.
    pub(super) const DEFAULT_ORDER: Self = Self {
        min: SortKey {
            missing: 0,
            value: 0,
            secondary: 0,
            peer: 0,
        },
        shifts: [(0, 0), (0, 64), (0, 0), (0, 64)],
    };

    /// None if all keys of a range are equal.
    fn for_range(range: &KeyRange) -> Option<Self> {
        let mut room = u128::BITS;
        let steps = range.bit_widths().map(|width| {
            let taken = width.min(room);
            room -= taken;
            (width - taken, taken)
        });
        (room < u128::BITS).then_some(Self {
            min: range.min,
            shifts: steps,
        })
    }

    fn pack(&self, key: &SortKey) -> [u64; 2] {
        let Self {
            min: least,
            shifts: steps,
        } = self;
        let [missing, value, then, peer] = *steps;
        let add = |packed: u128, field: u128, (short, room): (u32, u32)| {
            let before = packed.checked_shl(room).unwrap_or(0);
            before | field.checked_shr(short).unwrap_or(0)
        };
        let packed = add(0, u128::from(key.missing - least.missing), missing);
        let packed = add(packed, key.value - least.value, value);
        let packed = add(packed, u128::from(key.secondary - least.secondary), then);
        let packed = add(packed, u128::from(key.peer - least.peer), peer);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        [half(packed >> 64), half(packed)]
    }
}

/// Sorts rows by their keys; `settle` compares rows with equal keys. `known` is
/// the packing, if known.
pub(super) fn sort_packed(
    places: &mut [PackedRow],
    known: Option<KeyPacking>,
    key: &impl Fn(u32) -> SortKey,
    settle: &impl Fn(u32, u32) -> Ordering,
) {
    if places.len() < MIN_PACKED_ROWS {
        let compare = |left: &PackedRow, right: &PackedRow| key(left.row).compare(&key(right.row));
        places.sort_unstable_by(|left, right| {
            compare(left, right).then_with(|| settle(left.row, right.row))
        });
        return;
    }
    let packing = known.or_else(|| {
        let keys = places.iter().map(|place| key(place.row));
        KeyPacking::for_range(&KeyRange::from_keys(keys))
    });
    let Some(packing) = packing else {
        places.sort_unstable_by(|left, right| settle(left.row, right.row));
        return;
    };
    for place in places.iter_mut() {
        place.packed = packing.pack(&key(place.row));
    }
    places.sort_unstable_by(PackedRow::compare);
    for alike in places.chunk_by_mut(|left, right| left.packed == right.packed) {
        if alike.len() > 1 {
            sort_packed(alike, None, key, settle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = SortKey> {
        let small = 0_u64..4;
        let long = prop_oneof![0_u64..4, any::<u64>(), Just(u64::MAX)];
        let value = prop_oneof![0_u128..4, any::<u128>(), Just(u128::MAX), Just(1 << 127)];
        (any::<bool>(), value, long, small).prop_map(|(missing, value, then, peer)| SortKey {
            missing: missing.into(),
            value,
            secondary: then,
            peer: peer << 62 | peer,
        })
    }

    proptest! {
        #[test]
        fn packed_keys_sort_like_full_keys(
            keys in proptest::collection::vec(key(), 0..200)
        ) {
            let count = u32::try_from(keys.len()).unwrap();
            let whole = |row: u32| keys[row as usize];
            let mut places: Vec<PackedRow> = (0..count).map(PackedRow::new).collect();
            sort_packed(&mut places, None, &whole, &|left, right| left.cmp(&right));
            let mut expected: Vec<u32> = (0..count).collect();
            expected.sort_by(|left, right| whole(*left).compare(&whole(*right)));
            let sorted: Vec<u32> = places.into_iter().map(PackedRow::row).collect();
            prop_assert_eq!(sorted, expected);
        }

        #[test]
        fn packed_keys_of_the_default_order_are_in_order(keys in proptest::collection::vec(key(), 0..200)) {
            let count = u32::try_from(keys.len()).unwrap();
            let whole = |row: u32| SortKey {
                missing: 0,
                value: keys[row as usize].secondary.into(),
                secondary: 0,
                ..keys[row as usize]
            };
            let mut places: Vec<PackedRow> = (0..count).map(PackedRow::new).collect();
            let short = Some(KeyPacking::DEFAULT_ORDER);
            sort_packed(&mut places, short, &whole, &|left, right| left.cmp(&right));
            let mut expected: Vec<u32> = (0..count).collect();
            expected.sort_by(|left, right| whole(*left).compare(&whole(*right)));
            let sorted: Vec<u32> = places.into_iter().map(PackedRow::row).collect();
            prop_assert_eq!(sorted, expected);
        }
    }
}
