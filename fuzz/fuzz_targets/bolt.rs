//! Any text as Bolt: diagnostics or rules that decide and are explained in the text, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    policy::fuzz::bolt(text);
});
