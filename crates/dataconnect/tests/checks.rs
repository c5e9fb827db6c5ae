//! `@check` and `@redact` on answers, `@allow` and variables before anything runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use base::{Fields, Timestamp, Value as Stored};
use dataconnect::diagnostic::Text;
use dataconnect::operation::{Api, Check, Evaluation, Operation, Selected, stored};
use dataconnect::schema::Schema;
use policy::cel::Call;
use policy::{Auth, Known, Policy as _, Step, Who};
use serde_json::{Map, Value as Json, json};

const SCHEMA: &str = r#"
type Movie @table { title: String! }
type MoviePermission @table(key: ["movie", "userId"]) { movie: Movie! userId: String! role: String! note: String }
"#;

struct House {
    api: Api,
}

impl House {
    fn new() -> Self {
        let text = Text::new("schema.gql", SCHEMA);
        let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
        assert_eq!(diagnostics, []);
        Self { api: Api::new(schema, &[text]).unwrap_or_else(|said| panic!("{said:#?}")) }
    }

    fn operation(&self, text: &str) -> Operation {
        let (mut operations, diagnostics) = self.api.compile(&[Text::new("o.gql", text)]);
        operations.pop().unwrap_or_else(|| panic!("{diagnostics:#?}")).1
    }
}

/// As the guard decides, with the answer so far as `response`.
fn holds(check: &Check, value: &Stored) -> bool {
    let (token, variables, response) = (Fields::new(), Fields::new(), Stored::Map(Fields::new()));
    let who = Who {
        auth: Some(Auth { uid: "alice", token: &token }),
        app: None,
        time: Timestamp::parse("2026-11-30T12:00:00Z").unwrap(),
    };
    let call = Call {
        operation_name: "mutation",
        operation_type: "mutation",
        variables: &variables,
        this: Some(value),
        response: Some(&response),
        uuid: &|| "0".repeat(32),
    };
    match check.guard.decide(&who, &call, &Known::default(), None) {
        Step::Decided(decision) => decision.allowed,
        Step::Needs(needs) => panic!("{needs:?}"),
    }
}

/// The first evaluation that does not hold.
fn first_refused<'o>(
    root: &'o Selected,
    answer: &Json,
    is_there: &dyn Fn(&Selected) -> bool,
) -> Option<Evaluation<'o>> {
    let evaluations = root.evaluations(&stored(answer), is_there);
    evaluations.into_iter().find(|one| !one.this.as_ref().is_some_and(|this| holds(one.check, this)))
}

/// The message and the path of the first check that fails.
fn refused(operation: &Operation, answer: &Json) -> Option<(String, String)> {
    let refused = first_refused(operation.selection.first().unwrap(), answer, &|_| true)?;
    Some((refused.check.message.clone(), refused.path.join(".")))
}

#[test]
fn checks_walk_the_answer() {
    let house = House::new();
    let one = house.operation(
        r#"mutation M($id: UUID!) @auth(level: USER) @transaction { query @redact { moviePermission(key: {movieId: $id, userId_expr: "auth.uid"}) @check(message: "no access") { role @check(expr: "this == 'editor'", message: "no editor") note } } movie_delete(id: $id) }"#,
    );
    let answer = |permission: Json| json!({"moviePermission": permission});
    let is = |message: &str, path: &str| Some((message.to_owned(), path.to_owned()));
    assert_eq!(refused(&one, &answer(Json::Null)), is("no access", "query.moviePermission"));
    assert_eq!(refused(&one, &answer(json!({"role": "x"}))), is("no editor", "query.moviePermission.role"));
    assert_eq!(refused(&one, &answer(json!({"role": null}))), is("no editor", "query.moviePermission.role"));
    assert_eq!(refused(&one, &answer(json!({"role": "editor"}))), None);

    let inner = house.operation(
        r#"mutation M($id: UUID!) @auth(level: USER) { query { moviePermission(key: {movieId: $id, userId_expr: "auth.uid"}) { role @check(expr: "this == 'editor'", message: "no editor") note @check(optional: true, expr: "this == 'x'") } } }"#,
    );
    // A parent that is null is not reached: nothing is evaluated, which fails unless it is optional.
    assert_eq!(refused(&inner, &answer(Json::Null)), is("no editor", "query.moviePermission.role"));
    assert_eq!(refused(&inner, &answer(json!({"role": "editor", "note": "x"}))), None);
    assert!(refused(&inner, &answer(json!({"role": "editor", "note": "y"}))).is_some());

    let list = house.operation(
        r#"mutation M @auth(level: USER) { query { moviePermissions @check(expr: "this.exists(p, p.role == 'editor')", message: "none") { role } } }"#,
    );
    let answer = |permissions: Json| json!({"moviePermissions": permissions});
    assert_eq!(refused(&list, &answer(json!([]))), is("none", "query.moviePermissions"));
    assert_eq!(refused(&list, &answer(json!([{"role": "x"}, {"role": "editor"}]))), None);

    let each = house.operation(
        r#"query Q @auth(level: USER) { moviePermissions { role @check(expr: "this == 'editor'", message: "each") } }"#,
    );
    let refused_rows = |rows: Json| {
        let root = each.selection.first().unwrap();
        first_refused(root, &rows, &|_| true).map(|refused| refused.this.is_none())
    };
    assert_eq!(refused_rows(json!([{"role": "editor"}, {"role": "editor"}])), None);
    assert_eq!(refused_rows(json!([{"role": "editor"}, {"role": "x"}])), Some(false));
    assert_eq!(refused_rows(json!([])), Some(true), "an empty list reaches nothing");
    let root = each.selection.first().unwrap();
    assert!(first_refused(root, &json!([]), &|field| field.key != "role").is_none(), "skipped");
}

#[test]
fn spreads_check_the_object_and_redact_their_fields() {
    let house = House::new();
    let operation = house.operation(
        r#"query Q @auth(level: USER) { moviePermissions { ...Roles @redact @check(expr: "this.role != ''", message: "spread") note } }
        fragment Roles on MoviePermission { role movie { title } }"#,
    );
    let root = operation.selection.first().unwrap();
    let mut answer = json!([{"role": "a", "movie": {"title": "t"}, "note": "n"}]);
    let evaluations = root.evaluations(&stored(&answer), &|_| true);
    assert!(evaluations.iter().all(|one| matches!(one.this, Some(Stored::Map(_)))), "{evaluations:?}");
    assert!(first_refused(root, &answer, &|_| true).is_none());
    assert!(first_refused(root, &json!([{"role": ""}]), &|_| true).is_some());
    root.redact(&mut answer);
    assert_eq!(answer, json!([{"note": "n"}]));
}

#[test]
fn variables_are_checked_before_anything_runs() {
    let house = House::new();
    let operation = house.operation(
        r#"mutation M($id: UUID!, $n: Int = 3, $f: Movie_Filter, $rows: [MoviePermission_Data!]! = [] @allow(fields: "movieId role", maxCount: 2)) @auth(level: NO_ACCESS) {
          movie_delete(id: $id) movie_deleteMany(where: $f) moviePermission_insertMany(data: $rows) query { movies(limit: $n) { id } } }"#,
    );
    let faults = |variables: Json| -> Vec<String> {
        let given: Map<String, Json> = variables.as_object().unwrap().clone();
        let faults = house.api.variables(&operation, given).err().unwrap_or_default();
        faults.iter().map(ToString::to_string).collect()
    };
    let id = "0".repeat(32);
    assert_eq!(faults(json!({"id": id, "f": {"title": {"eq": "x"}}})), [""; 0]);
    assert_eq!(faults(json!({})), ["the variable `$id` is missing"]);
    assert_eq!(faults(json!({"id": null})), ["the variable `$id` is null"]);
    assert_eq!(faults(json!({"id": id, "x": 1})), ["the variable `$x` is not one of the operation's"]);
    for (variables, part) in [
        (json!({"id": 1}), "$id` is invalid"),
        (json!({"id": id, "n": 1.5}), "$n` is invalid"),
        (json!({"id": id, "f": {"title": {"eq_expr": "auth.uid"}}}), "f.title.eq_expr"),
        (json!({"id": id, "f": {"nothing": {}}}), "f.nothing"),
        (json!({"id": id, "rows": [{"userId": "x"}]}), "rows.userId"),
        (json!({"id": id, "rows": [{"role": "x", "movieId": 1}]}), "rows[0].movieId"),
        (json!({"id": id, "rows": [{}, {}, {}]}), "admits 2"),
    ] {
        let faults = faults(variables.clone());
        assert!(faults.iter().any(|fault| fault.contains(part)), "{variables}: {faults:?}");
    }
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!({"_not": deep});
    }
    assert!(faults(json!({"id": id, "f": deep})).iter().any(|fault| fault.contains("deeper")));
    let read = house.api.variables(&operation, json!({"id": id}).as_object().unwrap().clone()).unwrap();
    assert_eq!(read.get("n"), Some(&json!(3)));
}

#[test]
fn numbers_of_64_bits_are_numbers_to_expressions() {
    let text = Text::new("schema.gql", "type Account @table { cents: Int64! history: [Int64!] }");
    let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
    assert_eq!(diagnostics, []);
    let api = Api::new(schema, &[text]).unwrap_or_else(|said| panic!("{said:#?}"));
    let query = r#"query Q($least: Int64!) @auth(expr: "vars.least > 0") { accounts(where: {cents: {ge: $least}}) { cents @check(expr: "this - 1 > 9007199254740992", message: "no") history } }"#;
    let (mut operations, diagnostics) = api.compile(&[Text::new("o.gql", query)]);
    let operation = operations.pop().unwrap_or_else(|| panic!("{diagnostics:#?}")).1;
    let given = json!({"least": "9007199254740993"});
    let variables = api.variables(&operation, given.as_object().cloned().unwrap()).unwrap();
    assert_eq!(variables.get("least"), Some(&json!(9_007_199_254_740_993_i64)));
    let root = operation.selection.first().unwrap();
    let answer = json!([{"cents": "9007199254740994", "history": ["1", "2"]}]);
    let seen = root.stored(&answer);
    assert_eq!(stored(&json!([{"cents": 9_007_199_254_740_994_i64, "history": [1, 2]}])), seen);
    let evaluations = root.evaluations(&seen, &|_| true);
    assert!(evaluations.iter().all(|one| holds(one.check, one.this.as_ref().unwrap())));
}
