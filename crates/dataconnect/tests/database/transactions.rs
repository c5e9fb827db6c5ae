//! Calls as a whole: what is answered and what is written when a step fails, with and without a transaction.

use base::{Fields, Timestamp, Value as Stored};
use dataconnect::execution::{Answer, Caller, Execution, SqlFault, Step};
use dataconnect::operation::{Kind, stored};
use policy::cel::Call;
use policy::{Auth, Known, Policy as _, Step as Decided, Who};
use serde_json::{Map, Value as Json, json};

use crate::harness::{House, NOW};
use crate::server::Session;

pub const SCHEMA: &str = r#"
type Movie @table { id: Int! title: String! @unique }
type MoviePermission @table(key: ["movie", "userId"]) { movie: Movie! userId: String! role: String }
"#;

pub const OPERATIONS: &str = r#"
mutation UpdateMovieTitle($movieId: Int!, $newTitle: String!) @auth(level: USER) @transaction {
  query @redact {
    moviePermission(key: {movieId: $movieId, userId_expr: "auth.uid"})
      @check(expr: "this != null", message: "You do not have access to this movie") {
      role @check(expr: "this == 'editor'", message: "You must be an editor of this movie to update title")
    }
  }
  movie_update(id: $movieId, data: { title: $newTitle })
}
mutation UpdateMovieTitle2($movieId: Int!, $newTitle: String!) @auth(level: USER) @transaction {
  query {
    moviePermissions(where: {movieId: {eq: $movieId}, userId: {eq_expr: "auth.uid"}})
      @check(expr: "this.exists(p, p.role == 'editor')", message: "no editor") { role }
  }
  movie_update(id: $movieId, data: { title: $newTitle })
}
mutation Whole($fail: Int!) @auth(level: USER) @transaction {
  a: movie_insert(data: {id: 101, title: "a"}) @check(expr: "vars.fail != 1", message: "first")
  b: movie_insert(data: {id: 102, title_expr: "response.a.id == 101 ? 'b' : 'wrong'"}) @check(expr: "vars.fail != 2", message: "second")
  c: movie_insert(data: {id: 103, title: "c"}) @check(expr: "vars.fail != 3", message: "third")
}
mutation Parts($fail: Int!, $title: String!) @auth(level: USER) {
  a: movie_insert(data: {id: 201, title: $title}) @check(expr: "vars.fail != 1", message: "first")
  b: movie_insert(data: {id: 202, title: "part b"}) @check(expr: "vars.fail != 2", message: "second")
  c: movie_insert(data: {id: 203, title: "part c"})
}
mutation After @auth(level: USER) @transaction @check(expr: "this.a.id == 302", message: "the whole") {
  a: movie_insert(data: {id: 301, title: "after"})
}
query Both($show: Boolean!) @auth(level: USER) {
  hidden: movies(where: {id: {eq: 1}}) @check(expr: "this.size() == 7", message: "not seven") { id }
  movies(where: {id: {eq: 1}}) @include(if: $show) { id title @redact }
}
"#;

struct Driver<'h> {
    house: &'h House<'h>,
    session: Session,
}

impl Driver<'_> {
    fn call(&mut self, name: &str, uid: &str, variables: Json) -> Answer {
        let operation = self.house.operations.get(name).unwrap();
        let variables: Map<String, Json> = variables.as_object().unwrap().clone();
        let variables = self.house.api.variables(operation, variables).unwrap();
        let Stored::Map(vars) = stored(&Json::Object(variables.clone())) else { unreachable!() };
        let token = Fields::new();
        let who =
            Who { auth: Some(Auth { uid, token: &token }), app: None, time: Timestamp::parse(NOW).unwrap() };
        let no_default = |_: &str| unreachable!("no defaults");
        let uuid = || "0".repeat(32);
        let caller = Caller {
            who,
            now: NOW.to_owned(),
            variables: &variables,
            stored: &vars,
            default: &no_default,
            uuid: &uuid,
        };
        let mut execution = Execution::new(self.house.api.tables(), operation, caller);
        loop {
            match execution.step() {
                Step::Begin { serializable } => {
                    let level = if serializable { " ISOLATION LEVEL SERIALIZABLE" } else { "" };
                    self.session.run(&format!("BEGIN{level}")).unwrap();
                }
                Step::Run(statement) => {
                    let alone = operation.kind == Kind::Mutation && !operation.transaction;
                    if alone {
                        self.session.run("SAVEPOINT one").unwrap();
                    }
                    let outcome = self.session.execute(&statement);
                    if alone && outcome.is_err() {
                        self.session.run("ROLLBACK TO SAVEPOINT one").unwrap();
                    }
                    execution.ran(outcome.map_err(|(state, message)| SqlFault { state, message }));
                }
                Step::Decide { evaluation, .. } if evaluation.this.is_none() => {
                    execution.decided(&evaluation, false);
                }
                Step::Decide { evaluation, response } => {
                    let call = Call {
                        operation_name: operation.kind.name(),
                        operation_type: operation.kind.name(),
                        variables: &vars,
                        this: evaluation.this.as_ref(),
                        response: Some(&response),
                        uuid: &uuid,
                    };
                    let decided = evaluation.check.guard.decide(&who, &call, &Known::default(), None);
                    let Decided::Decided(decision) = decided else { panic!("it needs something") };
                    execution.decided(&evaluation, decision.allowed);
                }
                Step::Commit => drop(self.session.run("COMMIT").unwrap()),
                Step::Rollback => drop(self.session.run("ROLLBACK").unwrap()),
                Step::Done(answer) => return answer,
            }
        }
    }

    fn titles(&mut self, condition: &str) -> String {
        self.session
            .run(&format!("SELECT string_agg(title, ',' ORDER BY id) FROM movie WHERE {condition}"))
            .unwrap()
    }
}

fn faults(answer: &Answer) -> Vec<(String, String)> {
    answer.faults.iter().map(|fault| (fault.path.join("."), fault.message.clone())).collect()
}

fn is(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, message)| ((*path).to_owned(), (*message).to_owned())).collect()
}

pub fn run(house: &House<'_>) {
    let mut driver = Driver { house, session: Session::new(house.server, &house.database) };
    driver
        .session
        .run("INSERT INTO movie VALUES (1, 'old'); INSERT INTO movie_permission (movie_id, user_id, role) VALUES (1, 'ed', 'editor'), (1, 'viewer', 'viewer'), (1, 'none', NULL)")
        .unwrap();
    looked_up(&mut driver);
    whole(&mut driver);
    parts(&mut driver);
    queries(&mut driver);
}

/// S15, S24, S26 of the seed.
fn looked_up(driver: &mut Driver<'_>) {
    let change = json!({"movieId": 1, "newTitle": "new"});
    let editor = "You must be an editor of this movie to update title";
    for (uid, path, message) in [
        ("stranger", "query.moviePermission", "You do not have access to this movie"),
        ("viewer", "query.moviePermission.role", editor),
        ("none", "query.moviePermission.role", editor),
    ] {
        let answer = driver.call("UpdateMovieTitle", uid, change.clone());
        assert_eq!(faults(&answer), is(&[(path, message), ("movie_update", "(aborted)")]));
        assert_eq!(Json::Object(answer.data), json!({"movie_update": null}), "what is redacted is not there");
        assert_eq!(driver.titles("id = 1"), "old");
    }
    let answer = driver.call("UpdateMovieTitle", "ed", change);
    assert_eq!(answer.json(false), json!({"data": {"movie_update": {"id": 1}}}));
    assert_eq!(driver.titles("id = 1"), "new");
    let answer = driver.call("UpdateMovieTitle2", "ed", json!({"movieId": 1, "newTitle": "newer"}));
    assert_eq!(
        answer.json(false),
        json!({"data": {"query": {"moviePermissions": [{"role": "editor"}]}, "movie_update": {"id": 1}}})
    );
    let answer = driver.call("UpdateMovieTitle2", "stranger", json!({"movieId": 1, "newTitle": "x"}));
    assert_eq!(
        faults(&answer),
        is(&[("query.moviePermissions", "no editor"), ("movie_update", "(aborted)")])
    );
    assert_eq!(driver.titles("id = 1"), "newer");
}

/// All or nothing, whichever check fails.
fn whole(driver: &mut Driver<'_>) {
    let (rolled, aborted) = ("(rolled back)", "(aborted)");
    for (fail, expected) in [
        (1, [("a", "first"), ("b", aborted), ("c", aborted)]),
        (2, [("a", rolled), ("b", "second"), ("c", aborted)]),
        (3, [("a", rolled), ("b", rolled), ("c", "third")]),
    ] {
        let answer = driver.call("Whole", "ed", json!({"fail": fail}));
        assert_eq!(faults(&answer), is(&expected));
        assert_eq!(Json::Object(answer.data), json!({"a": null, "b": null, "c": null}));
        assert_eq!(driver.titles("id > 100"), "", "nothing is written");
    }
    let answer = driver.call("After", "ed", json!({}));
    assert_eq!(faults(&answer), is(&[("", "the whole"), ("a", rolled)]));
    assert_eq!(driver.titles("id > 100"), "");
    let answer = driver.call("Whole", "ed", json!({"fail": 0}));
    assert_eq!(answer.json(false), json!({"data": {"a": {"id": 101}, "b": {"id": 102}, "c": {"id": 103}}}));
    assert_eq!(driver.titles("id > 100"), "a,b,c");
    // A failure of the database undoes the same.
    let answer = driver.call("Whole", "ed", json!({"fail": 0}));
    assert_eq!(answer.faults.first().unwrap().code, "ALREADY_EXISTS");
    assert_eq!(answer.faults.len(), 3);
}

/// Without a transaction earlier writes stay.
fn parts(driver: &mut Driver<'_>) {
    let answer = driver.call("Parts", "ed", json!({"fail": 2, "title": "part a"}));
    assert_eq!(faults(&answer), is(&[("b", "second"), ("c", "(aborted)")]));
    assert_eq!(Json::Object(answer.data), json!({"a": {"id": 201}, "b": null, "c": null}));
    assert_eq!(driver.titles("id > 200"), "part a,part b", "what ran stays");
    driver.session.run("DELETE FROM movie WHERE id > 200").unwrap();
    // A failure of the database does not keep later fields from running.
    let answer = driver.call("Parts", "ed", json!({"fail": 0, "title": "a"}));
    let data = answer.clone().json(false);
    assert_eq!(data["data"], json!({"a": null, "b": {"id": 202}, "c": {"id": 203}}));
    let error = &data["errors"][0];
    assert_eq!((&error["path"], &error["extensions"]["code"]), (&json!(["a"]), &json!("ALREADY_EXISTS")));
    assert!(!data.to_string().contains("uidx"), "constraints are not for clients: {data}");
    assert!(answer.json(true).to_string().contains("movie_title_uidx"));
    assert_eq!(driver.titles("id > 200"), "part b,part c");
}

fn queries(driver: &mut Driver<'_>) {
    let answer = driver.call("Both", "ed", json!({"show": true}));
    assert_eq!(faults(&answer), is(&[("hidden", "not seven")]));
    assert_eq!(Json::Object(answer.data), json!({"hidden": null, "movies": [{"id": 1}]}));
    let answer = driver.call("Both", "ed", json!({"show": false}));
    assert_eq!(Json::Object(answer.data), json!({"hidden": null}));
}
