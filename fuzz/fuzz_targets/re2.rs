//! Any pattern on any text: no panic, an answer in bounded time, and RE2's own answer where RE2 is installed.
//!
//! The first line of the input is the pattern, the rest the text.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use policy::re2::Regex;

/// Far above what any pattern within the limits takes, sanitizer included.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

fuzz_target!(|input: &str| {
    let (pattern, rest) = input.split_once('\n').unwrap_or((input, ""));
    let text = rest;
    let start = Instant::now();
    match Regex::new(pattern) {
        Ok(regex) => {
            let full = regex.is_full_match(text);
            let partial = regex.is_match(text);
            assert!(partial || !full, "a whole match is a match");
            let (mut matches, mut end) = (0, 0);
            regex.each_match(text, &mut |group| {
                let found = group(0).expect("the match itself");
                assert!(found.start >= end && text.get(found.clone()).is_some(), "one after the other, at characters");
                end = found.end;
                matches += 1;
            });
            assert!(matches <= text.len() + 1, "one more than there are characters");
        }
        Err(error) => assert!(pattern.is_char_boundary(error.offset), "the offset is in the pattern"),
    }
    assert!(start.elapsed() < INPUT_TIME_MAX, "took {:?}", start.elapsed());
    #[cfg(reference)]
    reference::compare(pattern, text);
});

/// RE2 itself. Left out is where its versions differ among each other: Unicode's tables, `(?<name>…)`, and how large a
/// pattern may be.
#[cfg(reference)]
mod reference {
    use std::ffi::{c_char, c_int, c_void};

    use policy::re2::{NEST_LEVELS_MAX, PATTERN_BYTES_MAX, Regex};

    unsafe extern "C" {
        fn reference_new(pattern: *const c_char, len: usize, too_large: *mut bool) -> *mut c_void;
        fn reference_delete(regex: *mut c_void);
        fn reference_match(regex: *const c_void, text: *const c_char, len: usize) -> c_int;
    }

    pub fn compare(pattern: &str, text: &str) {
        let versions_differ = ["\\p", "\\P", "(?<"].iter().any(|part| pattern.contains(part))
            || !pattern.is_ascii() && (pattern.contains("(?") || pattern.contains('['))
            || !text.is_ascii() && pattern.contains("(?");
        let levels = pattern.bytes().filter(|byte| b"([*+?{|".contains(byte)).count();
        if versions_differ || pattern.len() > PATTERN_BYTES_MAX || levels >= NEST_LEVELS_MAX as usize {
            return;
        }
        let mut too_large = false;
        // SAFETY: the pointers are of slices with these lengths; what is made is deleted once, after its last use.
        let theirs = unsafe { reference_new(pattern.as_ptr().cast(), pattern.len(), &mut too_large) };
        let ours = Regex::new(pattern);
        match (&ours, theirs.is_null()) {
            (Ok(ours), false) => {
                // SAFETY: as above.
                let matched = unsafe { reference_match(theirs, text.as_ptr().cast(), text.len()) };
                let answer = c_int::from(ours.is_full_match(text)) | c_int::from(ours.is_match(text)) << 1;
                assert_eq!(answer, matched, "whole (1) and part (2): ours, RE2's");
            }
            (Ok(_), true) => assert!(too_large, "RE2 refuses the pattern"),
            (Err(error), false) => {
                assert!(error.message.contains("too large"), "RE2 accepts the pattern: {}", error.message);
            }
            (Err(_), true) => {}
        }
        if !theirs.is_null() {
            // SAFETY: as above.
            unsafe { reference_delete(theirs) };
        }
    }
}
