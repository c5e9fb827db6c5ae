//! Texts from users never become SQL, and come back as they were sent.

use serde_json::json;

use crate::harness::House;

const CORPUS: [&str; 22] = [
    "'; DROP TABLE movie; --",
    "' OR '1'='1",
    "\\'; DELETE FROM movie; --",
    "\" OR \"\"=\"",
    "$1",
    "$$; SELECT 1; $$",
    "E'\\''",
    "/* */ -- ",
    "%",
    "_",
    "\\",
    "\\\\",
    "{}",
    "{\"a\",\"b\"}",
    "NULL",
    "null",
    "{NULL}",
    "a,b",
    "tab\tnew\nline\rreturn",
    ":'x' :y ::text",
    "ü 雪 🦀 \u{202e}",
    "",
];

pub fn run(house: &House<'_>) {
    let ok = |name: &str, variables: serde_json::Value| {
        house.call(name, Some("'--"), variables).unwrap_or_else(|said| panic!("{name}: {said}"))
    };
    ok("AddUser", json!({"uid": "'--", "name": "x"}));
    for (n, text) in CORPUS.iter().enumerate() {
        let extra = json!({"k": text, (*text): [text]});
        let id = format!("{:032x}", n + 1);
        ok("AddMovie", json!({"id": id, "title": text, "tags": [text, text], "extra": extra}));
        ok("AddUser", json!({"uid": text, "name": text}));
        let movie = ok("One", json!({"id": id}))["movie"].clone();
        assert_eq!(
            (&movie["title"], &movie["tags"], &movie["extra"]),
            (&json!(text), &json!([text, text]), &extra)
        );
        assert_eq!(ok("Find", json!({"title": text}))["movies"], json!([{"id": id, "title": text}]));
        // As a part of a text they mean nothing but themselves.
        for argument in ["contains", "starts", "ends"] {
            let expected = CORPUS.iter().take(n + 1).filter(|title| match argument {
                "contains" => title.contains(text),
                "starts" => title.starts_with(text),
                _ => title.ends_with(text),
            });
            let found = ok("Text", json!({(argument): text}));
            assert_eq!(found["movies"].as_array().unwrap().len(), expected.count(), "{argument} {text:?}");
        }
        assert_eq!(ok("Tagged", json!({"all": [text], "one": text}))["movies"], json!([{"title": text}]));
        ok("AddReview", json!({"movie": id, "stars": 1, "text": text}));
        assert_eq!(ok("One", json!({"id": id}))["movie"]["reviews_on_movie"][0]["text"], json!(text));
        for wrong in [json!({"id": text}), json!({"id": [text]}), json!({"id": {"a": text}})] {
            assert!(house.call("One", None, wrong).unwrap_err().contains("\"id\""));
        }
    }
    for name in ["\"; DROP TABLE movie; --", "title\" = 'x', \"title", "nothing", "reviews_on_movie\""] {
        let said = house.call("AddMany", None, json!({"data": [{"id": "1", (name): "x"}]})).unwrap_err();
        assert!(said.contains("Invalid"), "{said}");
    }
    assert!(house.call("AddMovie", None, json!({"title": "nul\0"})).unwrap_err().contains("NUL"));
    let count = house.server.run(&house.database, "SELECT count(*) FROM movie").unwrap();
    assert_eq!(count.trim(), CORPUS.len().to_string());
}
