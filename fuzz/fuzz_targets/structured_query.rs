//! Any structured query, from JSON or from protocol bytes: refused with `INVALID_ARGUMENT` or `UNIMPLEMENTED`, or a
//! query whose proof can be told. Never a panic.
#![no_main]

use base::{Code, DatabaseName, ResourcePath};
use firestore::query;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use wire::v1::StructuredQuery;

fuzz_target!(|data: &[u8]| {
    let asked = match data.split_first() {
        Some((b'{', _)) => wire::json::read::<StructuredQuery>(data).ok(),
        _ => StructuredQuery::decode(data).ok(),
    };
    let Some(asked) = asked else { return };
    let database = DatabaseName::default_of("p");
    let below = ResourcePath::parse("a/b").unwrap();
    for parent in [ResourcePath::ROOT, below] {
        match query::parse(&database, &parent, asked.clone()) {
            Ok(parsed) => {
                let _ = (query::proof(&parsed), query::proof_path(&parsed));
            }
            Err(status) => {
                assert!(matches!(status.code, Code::InvalidArgument | Code::Unimplemented), "{status}");
            }
        }
    }
});
