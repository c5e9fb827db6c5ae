//! Any text as a ruleset of either service: diagnostics or a ruleset, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Service, Source, compile};

fuzz_target!(|text: &str| {
    for service in [Service::Firestore, Service::Storage] {
        let compiled = compile(Source::new("fuzz.rules", text), service);
        assert!(compiled.ruleset.is_some() || !compiled.diagnostics.is_empty(), "refused without saying why");
    }
});
