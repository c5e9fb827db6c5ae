//! SQL of operations, search and likeness.

use serde_json::json;

use crate::harness::House;

pub const SCHEMA: &str = r#"
type Book @table { title: String! @searchable text: String @searchable(language: "german") year: Int! tags: [String!] likeness: Vector @col(size: 2) }
type Old @view(sql: "SELECT id AS book_id, title FROM book WHERE year < 1950") { book: Book @unique title: String }
"#;

pub const OPERATIONS: &str = r#"
mutation Add($title: String!, $text: String, $year: Int!, $likeness: Vector, $tags: [String!]) @auth(level: USER) {
  book_insert(data: {title: $title, text: $text, year: $year, likeness: $likeness, tags: $tags})
}
query Select($from: Int, $titles: [String!], $text: String) @auth(level: USER) {
  _select(sql: "SELECT title, year, '$1' AS plain FROM book WHERE year >= $1 AND ($2::text[] IS NULL OR title = ANY ($2)) AND ($3::text IS NULL OR title = $3) ORDER BY year;", params: [$from, $titles, $text])
  first: _selectFirst(sql: "WITH b AS (SELECT * FROM book) SELECT count(*) AS n, $1 || '!' AS who FROM b", params: [{_expr: "auth.uid"}])
}
mutation Later($by: Int!, $year: Int) @auth(level: USER) {
  _execute(sql: "UPDATE book SET year = year + $1 WHERE $2::int IS NULL OR year = $2", params: [$by, $year])
}
mutation Moved @auth(level: USER) {
  _execute(sql: "WITH gone AS (DELETE FROM book WHERE year > 3000 RETURNING title, year) INSERT INTO book (title, year) SELECT title || '2', 1 FROM gone")
}
mutation Returned($year: Int!) @auth(level: USER) {
  _executeReturning(sql: "UPDATE book SET title = upper(title) WHERE year = $1 RETURNING title", params: [$year])
  one: _executeReturningFirst(sql: "UPDATE book SET title = lower(title) WHERE year = $1 RETURNING title", params: [$year])
}
query Search($query: String!, $format: Search_QueryFormat, $least: Float, $limit: Int, $year: Int) @auth(level: USER) {
  books_search(query: $query, queryFormat: $format, relevanceThreshold: $least, limit: $limit, where: {year: {ge: $year}}) { title _metadata { relevance distance } }
}
query Alike($compare: Vector!, $method: VectorSimilarityMethod, $within: Float, $limit: Int) @auth(level: USER) {
  books_likeness_similarity(compare: $compare, method: $method, within: $within, limit: $limit) { title _metadata { distance } }
}
query Views @auth(level: USER) { olds(orderBy: {title: ASC}, where: {book: {year: {gt: 0}}}) { title book { year old_on_book { title } } } }
"#;

fn titles(answer: &serde_json::Value, key: &str) -> Vec<String> {
    let rows = answer[key].as_array().unwrap();
    rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

pub fn run(house: &House<'_>) {
    let call = |name, variables| house.call(name, Some("ann"), variables).unwrap();
    for (title, text, year, likeness) in [
        ("The running dogs", json!("Zwei Häuser"), 1900, json!([1.0, 0.0])),
        ("Dogs and cats", json!(null), 1950, json!([0.0, 2.0])),
        ("It's \"quoted\"; -- $1", json!("ein Haus"), 2000, json!(null)),
    ] {
        call("Add", json!({"title": title, "text": text, "year": year, "likeness": likeness, "tags": ["a"]}));
    }
    let selected = call("Select", json!({"from": 1950}));
    assert_eq!(titles(&selected, "_select"), ["Dogs and cats", "It's \"quoted\"; -- $1"]);
    assert_eq!(selected["_select"][0]["plain"], "$1");
    assert_eq!(selected["first"], json!({"n": 3, "who": "ann!"}));
    // An omitted value is null, and nothing that is sent becomes SQL.
    assert_eq!(call("Select", json!({}))["_select"], json!([]));
    for text in ["It's \"quoted\"; -- $1", "'; DROP TABLE book; --", "$$", "\\"] {
        let variables = json!({"from": 0, "titles": [text], "text": text});
        let found = titles(&call("Select", variables), "_select").len();
        assert_eq!(found, usize::from(text.starts_with("It")), "{text}");
    }
    assert_eq!(call("Later", json!({"by": 1, "year": 1900})), json!({"_execute": 1}));
    assert_eq!(call("Later", json!({"by": 1})), json!({"_execute": 3}));
    call("Add", json!({"title": "Future", "year": 4000}));
    assert_eq!(call("Moved", json!({})), json!({"_execute": 1}));
    let returned = call("Returned", json!({"year": 1}));
    assert_eq!(returned, json!({"_executeReturning": [{"title": "FUTURE2"}], "one": {"title": "future2"}}));
    assert_eq!(call("Returned", json!({"year": 9}))["one"], json!(null));
    searches(house);
}

fn searches(house: &House<'_>) {
    let call = |name, variables| house.call(name, Some("ann"), variables).unwrap();
    let search = |variables| titles(&call("Search", variables), "books_search");
    assert_eq!(search(json!({"query": "run"})), ["The running dogs"]);
    assert_eq!(search(json!({"query": "dog"})).len(), 2);
    assert_eq!(search(json!({"query": "dog", "limit": 1})).len(), 1);
    assert_eq!(search(json!({"query": "dog", "year": 1940})), ["Dogs and cats"]);
    assert_eq!(search(json!({"query": "dog", "least": 1.0})).len(), 0);
    assert_eq!(search(json!({"query": "dogs running", "format": "PHRASE"})).len(), 0);
    assert_eq!(search(json!({"query": "running dogs", "format": "PHRASE"})).len(), 1);
    assert_eq!(search(json!({"query": "run | cat", "format": "ADVANCED"})).len(), 2);
    // German words in the German field.
    assert_eq!(search(json!({"query": "Haus"})).len(), 2);
    for text in ["'; DROP TABLE book; --", "& | !", "\"", "\\"] {
        search(json!({"query": text}));
    }
    let ranked = call("Search", json!({"query": "dog"}));
    let metadata = &ranked["books_search"][0]["_metadata"];
    assert!(metadata["relevance"].as_f64().unwrap() > 0.0 && metadata["distance"].is_null(), "{ranked}");
    let alike = |variables| call("Alike", variables)["books_likeness_similarity"].clone();
    let near = |title: &str, distance: i64| json!({"title": title, "_metadata": {"distance": distance}});
    let (dogs, cats) = ("The running dogs", "Dogs and cats");
    assert_eq!(alike(json!({"compare": [1, 0]})), json!([near(dogs, -1), near(cats, 0)]));
    let l2 = json!({"compare": [0, 0], "method": "L2", "within": 1.5});
    assert_eq!(alike(l2), json!([near(dogs, 1)]));
    let cosine = json!({"compare": [0, 5], "method": "COSINE", "limit": 1});
    assert_eq!(alike(cosine), json!([near(cats, 0)]));
    let wrong = house.call("Alike", Some("ann"), json!({"compare": [1]})).unwrap_err();
    assert!(wrong.contains("a vector of 2 numbers"), "{wrong}");
    let views = call("Views", json!({}));
    assert_eq!(views["olds"][0]["book"], json!({"year": 1902, "old_on_book": {"title": dogs}}), "{views}");
}
