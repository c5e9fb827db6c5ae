//! Any text as Realtime Database rules: diagnostics or a ruleset that decides, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    policy::fuzz::rtdb(text);
});
