//! Any text as operations of Data Connect: diagnostics, or statements and SDKs, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    dataconnect::fuzz::operations(text);
});
