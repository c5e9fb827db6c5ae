//! Any text as SQL of an operation: refused, or one statement, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    dataconnect::fuzz::native(text);
});
