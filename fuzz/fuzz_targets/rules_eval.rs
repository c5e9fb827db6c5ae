//! Any text as rules or as a condition, and any request: the same answer observed and not, never a panic, never for long.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

/// Far above what any decision within the limits takes, sanitizer included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fuzz_target!(|input: (u64, &str)| {
    let (seed, text) = input;
    let start = Instant::now();
    policy::fuzz::rules_agree(seed, text);
    assert!(start.elapsed() < INPUT_TIME_MAX, "took {:?}", start.elapsed());
});
