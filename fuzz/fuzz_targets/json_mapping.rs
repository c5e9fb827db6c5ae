//! Any text as the proto3 JSON of a message: refused, or what was read and written again reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::json::{Json, JsonOptions, read, to_string};
use wire::v1;

fn round_trip<M: Json>(text: &[u8]) {
    let Ok(message) = read::<M>(text) else { return };
    for enum_numbers in [false, true] {
        let options = JsonOptions { enum_numbers, ..JsonOptions::default() };
        let written = to_string(&message, options);
        let again = read::<M>(written.as_bytes()).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(to_string(&again, options), written);
    }
}

fuzz_target!(|text: &[u8]| {
    round_trip::<v1::Document>(text);
    round_trip::<v1::RunQueryRequest>(text);
    round_trip::<v1::CommitRequest>(text);
});
