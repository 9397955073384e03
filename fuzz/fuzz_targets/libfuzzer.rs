//! The targets under libFuzzer: `TARGET=filter cargo fuzz run libfuzzer`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tcplens::fuzzing::{TARGETS, Target};

static CHOSEN: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("TARGET must be one of `tcplens-fuzz list`, not {name:?}"))
});

fuzz_target!(|bytes: &[u8]| (CHOSEN.run)(bytes));
