//! The documentation's snippets, broken ones included: each builds, or gets the error or the finding that saves its
//! author. Source: the reference, §16.

#![expect(clippy::panic, reason = "what fails here fails the test")]

use dataconnect::diagnostic::{Diagnostic, Severity, Text};
use dataconnect::operation::{Api, Operations};
use dataconnect::schema::Schema;

const BLOG: &str = r#"
type User @table(key: "uid") {
uid: String!
name: String
birthday: Date
createdAt: Timestamp! @default(expr: "request.time")
}
type Post @table {
author: User!
text: String!
# "one of 'draft', 'public', or 'pro'"
visibility: String! @default(value: "draft")
publishedAt: Timestamp! @default(expr: "request.time")
createdAt: Timestamp! @default(expr: "request.time")
updatedAt: Timestamp! @default(expr: "request.time")
}
type Movie @table { title: String! }
type MoviePermission @table(key: ["movie", "userId"]) {
movie: Movie!
userId: String!
role: String!
}
fragment
"#;

fn schema(text: &str) -> (Schema, Text, Vec<Diagnostic>) {
    let text = Text::new("schema.gql", text);
    let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
    (schema, text, diagnostics)
}

fn compiled(operations: &str) -> (Operations, Vec<Diagnostic>) {
    let (schema, text, diagnostics) = schema(BLOG.trim_end().trim_end_matches("fragment"));
    assert_eq!(diagnostics, []);
    let api = Api::new(schema, &[text]).unwrap_or_else(|said| panic!("{said:#?}"));
    let shared = "fragment DisplayPost on Post { id, text, createdAt, updatedAt author { uid, name } }";
    api.compile(&[Text::new("shared.gql", shared), Text::new("operations.gql", operations)])
}

/// What is said, with what is left of it.
fn said(diagnostics: &[Diagnostic], severity: Severity) -> Vec<String> {
    diagnostics.iter().filter(|said| said.severity == severity).map(ToString::to_string).collect()
}

fn is_error(operations: &str, parts: &[&str]) {
    let (compiled, diagnostics) = compiled(operations);
    let errors = said(&diagnostics, Severity::Error);
    let fits = |error: &String| parts.iter().all(|part| error.contains(part));
    assert!(errors.iter().any(fits), "{parts:?} in {errors:#?}");
    assert!(compiled.is_empty(), "{compiled:?}");
}

fn is_finding(operations: &str, parts: &[&str]) {
    let (compiled, diagnostics) = compiled(operations);
    assert_eq!(said(&diagnostics, Severity::Error), [""; 0]);
    let warnings = said(&diagnostics, Severity::Warning);
    let fits = |warning: &String| parts.iter().all(|part| warning.contains(part));
    assert!(warnings.iter().any(fits), "{parts:?} in {warnings:#?}");
    assert_eq!(compiled.len(), 1);
}

fn is_fine(operations: &str) {
    let (compiled, diagnostics) = compiled(operations);
    assert_eq!(said(&diagnostics, Severity::Error), [""; 0]);
    assert_eq!(said(&diagnostics, Severity::Warning), [""; 0]);
    assert!(!compiled.is_empty());
}

#[test]
fn s2_to_s5_build_without_a_remark() {
    is_fine(
        r#"mutation CreatePost($text: String!, $visibility: String) @auth(level: USER) {
post_insert(data: {
# set the author's uid to the current user uid
authorUid_expr: "auth.uid"
text: $text
visibility: $visibility
})
}
mutation UpdatePost($id: UUID!, $text: String, $visibility: String) @auth(level:USER) {
post_update(
first: { where: {
id: {eq: $id}
authorUid: {eq_expr: "auth.uid"}
}}
data: {
text: $text
visibility: $visibility
updatedAt_expr: "request.time"
}
)
}
mutation DeletePost($id: UUID!) @auth(level: USER) {
post_delete(
first: { where: {
id: {eq: $id}
authorUid: {eq_expr: "auth.uid"}
}}
)
}"#,
    );
}

#[test]
fn s6_a_field_that_is_not_there_is_named_with_the_one_that_is_meant() {
    is_error(
        "query ListMyPosts @auth(level: USER) {\nposts(where: {\nuserUid: {eq_expr: \"auth.uid\"}\n}) {\n...DisplayPost\nvisibility\n}\n}",
        &["operations.gql:3:", "userUid", "`authorUid`"],
    );
}

#[test]
fn s7_braces_and_two_ways_to_one_row() {
    is_error(
        "query GetMyPost($id: UUID!) @auth(level: USER) {\npost(key: {id: $id},\nfirst: {where: {\nid: {eq: $id}\nauthorUid: {eq_expr: \"auth.uid\"}}\n}}, {\n...DisplayPost\nvisibility\n}\n}",
        &["operations.gql:6:", "syntax"],
    );
    is_error(
        "query GetMyPost($id: UUID!) @auth(level: USER) { post(key: {id: $id}, first: {where: {authorUid: {eq_expr: \"auth.uid\"}}}) { id } }",
        &["operations.gql:1:", "`key` and `first`", "alternatives"],
    );
    is_fine(
        "query GetMyPost($id: UUID!) @auth(level: USER) { post(first: {where: {id: {eq: $id} authorUid: {eq_expr: \"auth.uid\"}}}) { ...DisplayPost visibility } }",
    );
    is_error("query None @auth(level: USER) { post { id } }", &["does not say which row"]);
}

#[test]
fn s8_filters_are_fine_with_public_and_an_expression_is_not() {
    is_fine(
        r#"query ListPublicPosts @auth(level: PUBLIC) { posts(where: {visibility: {eq: "public"} publishedAt: {lt_expr: "request.time"}}) { ...DisplayPost } }"#,
    );
    is_error(
        r#"query Both @auth(level: PUBLIC, expr: "true") { posts { id } }"#,
        &["operations.gql:1:", "both a level and an expression"],
    );
}

#[test]
fn s9_single_quotes_are_no_graphql() {
    is_error(
        "query ProListPosts @auth(expr: \"auth.token.plan == 'pro'\") {\nposts(where: {\nvisibility: {in: ['public', 'pro']},\n}) {\n...DisplayPost\n}\n}",
        &["operations.gql:3:", "double quotes"],
    );
    is_fine(
        r#"query ProListPosts @auth(expr: "auth.token.plan == 'pro'") { posts(where: { visibility: {in: ["public", "pro"]}, publishedAt: {lt_expr: "request.time"}, }) { ...DisplayPost visibility } }"#,
    );
}

#[test]
fn s10_and_s11_build() {
    is_fine(r#"query AdminListPosts @auth(expr: "auth.token.admin == true") { posts { ...DisplayPost } }"#);
    let teaser = r#"query ProTeaser @auth(level: USER) { posts(where: { visibility: {eq: "pro"} publishedAt: {lt_time: {now: true, sub: {days: 30}}} }, orderBy: [{publishedAt: DESC}], limit: 2) { ...DisplayPost } }"#;
    is_fine(teaser);
}

#[test]
fn s14_a_key_of_a_field_that_is_not_there() {
    let text = "type Movie @table { title: String! }\ntype MoviePermission @table(key: [\"doc\", \"userId\"]) {\nmovie: Movie!\nuserId: String!\nrole: String!\n}";
    let (_, _, diagnostics) = schema(text);
    let errors = said(&diagnostics, Severity::Error);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(
        errors.iter().all(|error| error.contains("schema.gql:2:") && error.contains("`doc`")),
        "{errors:?}"
    );
}

#[test]
fn s15_and_s26_checks_build_with_their_expressions() {
    is_fine(
        r#"mutation UpdateMovieTitle($movieId: UUID!, $newTitle: String!) @auth(level: USER) @transaction {
query @redact {
moviePermission(
key: {movieId: $movieId, userId_expr: "auth.uid"}
) @check(expr: "this != null", message: "You do not have access to this movie") {
role @check(expr: "this == 'editor'", message: "You must be an editor of this movie to update title")
}
}
movie_update(id: $movieId, data: {
title: $newTitle
})
}
mutation UpdateMovieTitle2($movieId: UUID!, $newTitle: String!) @auth(level: USER) @transaction {
query {
moviePermissions(
where: {movieId: {eq: $movieId}, userId: {eq_expr: "auth.uid"}}
) @check(expr: "this.exists(p, p.role == 'editor')", message: "You must be an editor of this movie to update title") {
role
}
}
movie_update(id: $movieId, data: { title: $newTitle })
}"#,
    );
    let (operations, _) = compiled(
        r#"mutation M($id: UUID!) @auth(level: USER) @transaction { query @redact { moviePermission(key: {movieId: $id, userId_expr: "auth.uid"}) @check { role @check(expr: "this == 'editor'", message: "no") } } movie_delete(id: $id) }"#,
    );
    let operation = operations.get("M").unwrap();
    assert!(operation.transaction);
    let query = operation.selection.first().unwrap();
    assert!(query.redacted);
    let permission = query.selection.first().unwrap();
    assert_eq!(permission.checks.len(), 1);
    assert_eq!(permission.selection.first().unwrap().checks.first().unwrap().message, "no");
}

#[test]
fn s16_to_s18_build() {
    // What is doubtful about them `hearth check` finds.
    is_fine(
        "query AllMyPosts($userId: String!) @auth(level: USER) { posts(where: {authorUid: {eq: $userId}}) { id, text, createdAt } }",
    );
    is_error("query ListDocuments @auth(level: USER) { documents { id title text } }", &["documents"]);
    is_fine("query ListDocuments @auth(level: USER) { posts { id text } }");
    is_fine("mutation DeletePost($id: UUID!) @auth(level: PUBLIC) {\npost: post_delete(\nid: $id,\n)\n}");
    let twice = "mutation DeletePost($id: UUID!) @auth(level: NO_ACCESS) { post_delete(id: $id) }";
    is_error(&format!("{twice}\n{twice}"), &["operations.gql:2:", "DeletePost"]);
}

#[test]
fn s21_and_s23_are_errors() {
    is_error(
        "mutation Update($id: UUID!, $status: Any) @auth(expr: \"has(vars.status)\")",
        &["operations.gql:1:", "syntax"],
    );
    is_fine(r#"query Q($status: Any) @auth(expr: "has(vars.status)") { posts { id } }"#);
    is_error("query Q($a: Int) @auth(level: PUBLIC) { posts { id } }", &["`$a` is never used"]);
    is_fine(r#"query Q @auth(expr: "request.operationName == 'query'") { posts { id } }"#);
    is_error(
        r#"query Q @auth(expr: "request.operarationName == 'query'") { posts { id } }"#,
        &["operations.gql:1:", "operarationName"],
    );
}

#[test]
fn what_has_no_auth_is_found_and_what_lacks_a_condition_is_an_error() {
    is_finding("query Mine { posts { id } }", &["has no `@auth`"]);
    is_error("mutation All @auth(level: NO_ACCESS) { post_deleteMany }", &["does not say which rows"]);
    is_error(
        "mutation Any($data: Post_Data!) @auth(level: USER) { post_insert(data: $data) }",
        &["`$data`", "@allow"],
    );
    is_error(
        r#"query Two @auth(level: PUBLIC) { posts(where: {text: {eq: "a", eq_expr: "auth.uid"}}) { id } }"#,
        &["both `eq` and `eq_expr`"],
    );
    is_error(
        r#"query Expr($e: String_Expr) @auth(level: PUBLIC) { posts(where: {text: {eq_expr: $e}}) { id } }"#,
        &["which no variable may have"],
    );
}

#[test]
fn schemas_that_cannot_be_are_refused_with_their_place() {
    for (text, parts) in [
        ("type A { x: Int }", vec!["schema.gql:1:6", "neither a table nor a view", "@table"]),
        ("type A @table { x: Imt }", vec!["schema.gql:1:20", "`Imt`", "`Int`"]),
        (
            "type A @table { b: [B!]! }\ntype B @table { x: Int }",
            vec!["schema.gql:1:17", "list of references"],
        ),
        ("type A @table { _x: Int }", vec!["underscore"]),
        ("enum E_F { A }\ntype A @table { e: E_F }", vec!["schema.gql:1:6", "underscore"]),
        ("type A @table { v: Vector }", vec!["no size", "@col(size"]),
        ("type A @table { x: [[Int]] }", vec!["list of lists"]),
        ("type A @table { x: Int @default(value: \"a\") }", vec!["schema.gql:1:40", "integer"]),
        ("type A @table { x: Int @default(value: 1, expr: \"1\") }", vec!["exactly one"]),
        (
            "enum E { LOW HIGH }\ntype A @table { e: E @default(value: LOV) }",
            vec!["schema.gql:2:17", "`LOW`"],
        ),
        ("type A @table(key: \"x\") { x: Int }", vec!["neither null nor a list"]),
        ("type A @view(sql: \"SELECT 1\") { x: Int }\ntype B @table { a: A }", vec!["view `A`"]),
        (
            "type A @table(singular: \"x\") { y: Int }\ntype B @table(singular: \"x\") { y: Int }",
            vec!["same name in the API"],
        ),
        ("type A @table { x: Int x: Int }", vec!["declared twice"]),
        (
            "type A @table { a: B! @ref(fields: [\"p\", \"q\"]) }\ntype B @table { x: Int }",
            vec!["2 fields for 1"],
        ),
        ("type A @table { a: B! aId: Int! }\ntype B @table { x: Int }", vec!["`Int!`", "`UUID!`"]),
        ("type A @table @index(fields: [\"nmae\"]) { name: String }", vec!["`nmae`", "`name`"]),
        ("'''x''' type A @table { x: Int }", vec!["schema.gql:1:1", "double quotes"]),
    ] {
        let (_, _, diagnostics) = schema(text);
        let errors = said(&diagnostics, Severity::Error);
        let fits = |error: &String| parts.iter().all(|part| error.contains(part));
        assert!(errors.iter().any(fits), "{text}: {parts:?} in {errors:#?}");
    }
    let (read, text, diagnostics) = schema("type A @table { x: Int @default(expr: \"auth.uidd\") }");
    assert_eq!(diagnostics, []);
    let wrong = Api::new(read, &[text]).unwrap_err();
    assert!(
        said(&wrong, Severity::Error)
            .iter()
            .any(|error| error.contains("schema.gql:1:17") && error.contains("uidd"))
    );
}
