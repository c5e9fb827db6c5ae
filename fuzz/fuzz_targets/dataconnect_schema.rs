//! Any text as a schema of Data Connect: diagnostics, or an API with its tables, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    dataconnect::fuzz::schema(text);
});
