//! What nests too deep is refused before the stack is at stake.

use wire::json::{self, NESTING_LEVELS_MAX};
use wire::v1::{Document, Value};

/// A value of so many maps inside one another: three levels of JSON each, but for the innermost.
fn maps(depth: usize) -> String {
    format!(
        "{}{{\"nullValue\":null}}{}",
        "{\"mapValue\":{\"fields\":{\"a\":".repeat(depth),
        "}}}".repeat(depth)
    )
}

#[test]
fn the_deepest_document_firestore_allows_is_read() {
    let text = format!("{{\"fields\":{{\"a\":{}}}}}", maps(20));
    assert!(json::read::<Document>(text.as_bytes()).is_ok());
}

#[test]
fn the_limit_is_exact() {
    let deepest = (NESTING_LEVELS_MAX - 1) / 3;
    assert!(json::read::<Value>(maps(deepest).as_bytes()).is_ok());
    let error = json::read::<Value>(maps(deepest + 1).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid JSON payload received. Message too deep. Max recursion depth reached for key 'mapValue'"
    );
}

#[test]
fn a_million_brackets_are_refused_wherever_they_stand() {
    let deep = |open: &str| open.repeat(1_000_000);
    for text in [
        deep("["),
        deep("{\"mapValue\":{\"fields\":{\"a\":"),
        deep("{\"arrayValue\":{\"values\":["),
        format!("{{\"unknown\":{}", deep("[")),
        format!("{{\"unknown\":{}", deep("{\"a\":")),
        format!("{{\"explainMetrics\":{{\"planSummary\":{{\"indexesUsed\":[{}", deep("{\"a\":[")),
    ] {
        let error = json::read::<wire::v1::RunQueryResponse>(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("Message too deep"), "{error}");
        assert!(json::read::<Value>(text.as_bytes()).is_err());
    }
}
