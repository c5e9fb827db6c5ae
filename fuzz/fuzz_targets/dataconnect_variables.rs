//! Any text as the variables of operations, as JSON: refused, or bound, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    dataconnect::fuzz::variables(text);
});
