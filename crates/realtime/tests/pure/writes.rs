use realtime::model::{Change, Verb, Write, WriteError};

fn shown(write: &Write) -> Vec<String> {
    let change = |change: &Change| {
        let mut out = change.path().to_string();
        out.push_str(if matches!(change, Change::Priority { .. }) { "/.priority=" } else { "=" });
        change.value().encode(&mut out);
        out
    };
    write.changes.iter().map(change).collect()
}

fn refused(write: Result<Write, WriteError>) -> String {
    write.unwrap_err().to_string()
}

#[test]
fn sets_are_of_a_value_or_of_a_priority() {
    let write = Write::set("a/b", r#"{"x":1}"#).unwrap();
    assert_eq!(
        (write.verb, write.path.to_string(), shown(&write)),
        (Verb::Set, "/a/b".into(), vec!["/a/b={\"x\":1}".into()])
    );
    assert_eq!(shown(&Write::set("/a/.priority/", "\"p\"").unwrap()), ["/a/.priority=\"p\""]);
    assert_eq!(
        shown(&Write::set(".priority", "{\".sv\":\"timestamp\"}").unwrap()),
        ["//.priority={\".sv\":\"timestamp\"}"]
    );
    assert!(refused(Write::set("a/.priority", "true")).contains("`.priority` is a boolean"));
    assert!(refused(Write::set("a/.priority", "{\"a\":1}")).contains("`.priority` is an object"));
    assert!(refused(Write::set("a/.priority/b", "1")).starts_with("Invalid path: Invalid token in path"));
    assert!(refused(Write::set("x.priority", "1")).starts_with("Invalid path: Invalid token in path"));
    assert!(Write::set(&"a/".repeat(32), "1").is_ok());
    assert!(refused(Write::set(&"a/".repeat(32), "{\"b\":1}")).contains("more than 32 levels"));
}

#[test]
fn updates_have_deep_places_and_priorities_last() {
    let write = Write::update("/u", r#"{"b/c/.priority":1,"b/c":null,"a/":{"x":true},"a/.priority":null}"#);
    // A priority is below its place.
    assert!(refused(write).contains("an update may not change /u/a and /u/a/.priority"));
    let write = Write::update("/u", r#"{"b/.priority":1,"b/c":null,"a/":{"x":true},".priority":2}"#).unwrap();
    assert_eq!(shown(&write), ["/u/a={\"x\":true}", "/u/b/c=null", "/u/.priority=2", "/u/b/.priority=1"]);
    assert!(shown(&Write::update("u", "{}").unwrap()).is_empty());
    for (json, above, below) in [
        (r#"{"a":1,"a/b":2}"#, "/a", "/a/b"),
        (r#"{"a/b/c":1,"a":null,"a0":1}"#, "/a", "/a/b/c"),
        (r#"{"a":1,"/a":2}"#, "/a", "/a"),
        (r#"{"a/.priority":1,"/a/.priority":2}"#, "/a/.priority", "/a/.priority"),
        (r#"{"/":1,"a":2}"#, "/", "/a"),
    ] {
        let text = format!("an update may not change {above} and {below}");
        assert!(refused(Write::update("", json)).contains(&text), "{json}");
    }
}

#[test]
fn updates_that_are_none_are_refused() {
    for (json, text) in [
        ("null", "an update is null"),
        ("[1]", "an update is an array"),
        ("\"x\"", "an update is a text"),
        ("1", "an update is a number"),
        (r#"{"a/$b":1}"#, "Perhaps you're using invalid characters in your key names"),
        (r#"{"a/b":{"c.d":1}}"#, " At /u/a/b: the key `c.d`"),
        (r#"{"a/.priority":true}"#, "`.priority` is a boolean"),
        (r#"{"a":1"#, "EOF while parsing an object"),
    ] {
        let error = refused(Write::update("u", json));
        assert!(error.contains(text), "{json}: {error}");
    }
    let deep = format!(r#"{{"{}":1}}"#, "a/".repeat(32));
    assert!(refused(Write::update("u", &deep)).contains("it has 33 keys"));
    assert!(Write::update("u", r#"{"n":{".sv":{"increment":1}}}"#).unwrap().needs_before());
}
