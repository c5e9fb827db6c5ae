//! Any text as rules of every language, and all of them as one project: findings, never a panic, never for long.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

/// Far above what any check within the limits takes, sanitizer included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fuzz_target!(|text: &str| {
    let start = Instant::now();
    prove::fuzz::checks(text);
    assert!(start.elapsed() < INPUT_TIME_MAX, "took {:?}", start.elapsed());
});
