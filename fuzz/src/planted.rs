//! Targets with a planted fault, which the driver must find: otherwise its silence
//! would prove nothing.

use tcplens::fuzzing::FuzzTarget;

/// Seeds of all of them.
pub(crate) const SEEDS: &[&[u8]] = &[b"header 16 length 20\n", b"body\n"];

/// The faults: each needs two things at once that no seed has.
pub(crate) const TARGETS: &[FuzzTarget] = &[
    FuzzTarget {
        name: "planted_panic",
        run: |bytes| assert!(!is_hit(bytes), "planted"),
        max_len: 256,
    },
    FuzzTarget {
        name: "planted_overflow",
        run: |bytes| {
            let sum = bytes.iter().fold(0_u16, |sum, byte| sum + u16::from(*byte));
            std::hint::black_box(sum);
        },
        max_len: 1024,
    },
    FuzzTarget {
        name: "planted_abort",
        run: |bytes| {
            if is_hit(bytes) {
                std::process::abort();
            }
        },
        max_len: 256,
    },
    FuzzTarget {
        name: "planted_hang",
        run: |bytes| {
            while is_hit(bytes) {
                std::hint::spin_loop();
            }
        },
        max_len: 256,
    },
];

fn is_hit(bytes: &[u8]) -> bool {
    bytes.starts_with(b"header 4294967296") && bytes.ends_with(b"body\n")
}
