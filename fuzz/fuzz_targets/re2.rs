//! Any pattern on any text: no panic, and an answer in bounded time.
//!
//! The first line of the input is the pattern, the second a rewrite string, the rest the text.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use policy::re2::Regex;

/// Far above what any pattern within the limits takes, sanitizer included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fuzz_target!(|input: &str| {
    let (pattern, rest) = input.split_once('\n').unwrap_or((input, ""));
    let (rewrite, text) = rest.split_once('\n').unwrap_or(("", rest));
    let start = Instant::now();
    match Regex::new(pattern) {
        Ok(regex) => {
            let full = regex.is_full_match(text);
            let partial = regex.is_match(text);
            assert!(partial || !full, "a whole match is a match");
            let pieces = regex.split(text);
            assert!(pieces.len() <= text.len() + 1, "a piece more than there are characters");
            let _ = regex.replace_all(text, rewrite);
            if !pattern.contains("\\C") && !pattern.contains("\\B") {
                assert_eq!(regex.replace_all(text, "\\0").as_deref(), Ok(text), "replaced by itself");
            }
        }
        Err(error) => assert!(pattern.is_char_boundary(error.offset), "the offset is in the pattern"),
    }
    assert!(start.elapsed() < INPUT_TIME_MAX, "took {:?}", start.elapsed());
});
