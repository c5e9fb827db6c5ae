use realtime::model::{LEAVES_MAX, TEXT_BYTES_MAX, ValueProblem, decode_value};

#[test]
fn what_is_no_value_is_refused_with_the_place_and_what_was_seen() {
    let keys = "Invalid data; couldn't parse JSON object, array, or value. Perhaps you're using invalid characters in \
                your key names. At";
    let data = "Invalid data; couldn't parse JSON object, array, or value. At";
    for (json, text) in [
        ("", format!("{data} /: EOF while parsing a value at line 1 column 0")),
        ("{\"a\":1} x", format!("{data} /: trailing characters at line 1 column 9")),
        ("1e999", format!("{data} /: number out of range at line 1 column 5")),
        ("NaN", format!("{data} /: expected value at line 1 column 1")),
        (
            r#"{"a":{"b.c":1}}"#,
            format!(
                "{keys} /a: the key `b.c` contains '.'; keys may not contain . $ # [ ] / or control characters"
            ),
        ),
        (r#"{"":1}"#, format!("{keys} /: a key is empty")),
        (
            r#"{"a":[1,{"$x":1}]}"#,
            format!(
                "{keys} /a/1: the key `$x` contains '$'; keys may not contain . $ # [ ] / or control characters"
            ),
        ),
        (r#"{"a":{"x":1,"x":2}}"#, format!("{data} /a: `x` is there twice")),
        (r#"{"x":1,"x":null}"#, format!("{data} /: `x` is there twice")),
        (r#"{".value":1,".value":2}"#, format!("{data} /: `.value` is there twice")),
        (r#"{".value":1,"a":2}"#, format!("{data} /: `.value` is there beside other children")),
        (r#"{"a":2,".sv":"timestamp"}"#, format!("{data} /: `.sv` is there beside other children")),
        (r#"{".value":1,".sv":"timestamp"}"#, format!("{data} /: `.sv` is there beside other children")),
        (
            r#"{"a":{".value":{"b":1}}}"#,
            format!(
                "{data} /a: `.value` is an object, it may be a boolean, a number, a text or a server value"
            ),
        ),
        (
            r#"{"a":{"b":1,".priority":true}}"#,
            format!(
                "{data} /a: `.priority` is a boolean, it may be a text, a number, a server value or null"
            ),
        ),
        (
            r#"{"b":1,".priority":{"x":1}}"#,
            format!("{data} /: `.priority` is an object, it may be a text, a number, a server value or null"),
        ),
        (
            r#"{"a":{".sv":"now"}}"#,
            format!(r#"{data} /a: `.sv` is "now", it may be "timestamp" or {{"increment": a number}}"#),
        ),
        (
            r#"{"a":{".sv":{"increment":"1"}}}"#,
            format!(
                r#"{data} /a: `.sv` is an increment by something that is no number, it may be "timestamp" or {{"increment": a number}}"#
            ),
        ),
        (
            r#"{".sv":{"decrement":1}}"#,
            format!(
                r#"{data} /: `.sv` is {{"decrement": …}}, it may be "timestamp" or {{"increment": a number}}"#
            ),
        ),
        (
            r#"{".sv":{"increment":1,"x":1}}"#,
            format!(
                r#"{data} /: `.sv` is an object with more than `increment`, it may be "timestamp" or {{"increment": a number}}"#
            ),
        ),
    ] {
        assert_eq!(decode_value(json, 32).unwrap_err().to_string(), text, "{json}");
    }
}

#[test]
fn depth_counts_from_the_root() {
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert!(decode_value(&nested(3), 3).is_ok());
    let error = decode_value(&nested(4), 3).unwrap_err();
    assert_eq!((&error.problem, error.path().to_string().as_str()), (&ValueProblem::TooDeep, "/a/a/a"));
    assert!(decode_value("[[1]]", 2).is_ok());
    assert_eq!(decode_value("[[1]]", 1).unwrap_err().problem, ValueProblem::TooDeep);
    assert!(decode_value("[null]", 0).is_ok(), "it is null");
    // Deeper than any parser goes.
    for deep in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), "{\".value\":".repeat(1_000_000)] {
        assert!(decode_value(&deep, 32).is_err());
    }
}

#[test]
fn size_is_limited() {
    let many = |count: usize, item: &str| format!("[{}]", vec![item; count].join(","));
    assert!(decode_value(&many(LEAVES_MAX, "1"), 32).is_ok());
    let error = decode_value(&many(LEAVES_MAX + 1, "1"), 32).unwrap_err();
    assert!(error.is_size());
    let size = "Data to write exceeds the maximum size that can be modified with a single request.";
    assert!(error.to_string().starts_with(size), "{error}");
    let nulls: Vec<String> = (0..=LEAVES_MAX).map(|n| format!("\"{n}\":null")).collect();
    assert!(decode_value(&format!("{{{}}}", nulls.join(",")), 32).unwrap_err().is_size());
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    assert!(decode_value(&text(TEXT_BYTES_MAX), 0).is_ok());
    assert!(decode_value(&text(TEXT_BYTES_MAX + 1), 0).unwrap_err().is_size());
}
