//! Any text as a CEL expression, with types and without: diagnostics or a value, never a panic, never for long.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

/// Far above what any expression within the limits takes, sanitizer included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fuzz_target!(|text: &str| {
    let start = Instant::now();
    policy::cel::fuzz::any(text);
    assert!(start.elapsed() < INPUT_TIME_MAX, "took {:?}", start.elapsed());
});
