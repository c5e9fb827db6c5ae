//! What the checks claim is so: claims about random rules are held against decisions about random requests.
//!
//! A rule said to be open must allow every request; a part said never to be true can be `false` instead; a rule said
//! never to matter can be left out; and so on. A claim that one request contradicts is a bug of the checks.

use std::cell::Cell;

use base::{Fields, Timestamp, Value};
use policy::rtdb::{self, Change, Memory, Operation};
use policy::{
    Auth, Diagnostic, Document, Limits, Method, NoDocuments, Request, Ruleset, Service, Setting, Source,
    Span, Step,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use prove::Language;
use prove::check::check;

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn scalars() -> impl Strategy<Value = Value> {
    let map = Value::Map(Fields::from([("x".to_owned(), Value::Integer(1))]));
    select(vec![
        Value::Null,
        Value::Bool(true),
        Value::Bool(false),
        Value::Integer(1),
        Value::Integer(2),
        Value::Double(1.0),
        Value::Double(2.5),
        Value::Double(f64::NAN),
        text("a"),
        text("u"),
        Value::Array(vec![text("a"), Value::Integer(1)]),
        map,
        Value::Timestamp(Timestamp { seconds: 1, nanos: 0 }),
    ])
}

fn field_maps() -> impl Strategy<Value = Fields> {
    prop::collection::btree_map(select(vec!["a", "b"]).prop_map(str::to_owned), scalars(), 0..3)
}

/// Who asks for what, and the document before and after.
#[derive(Clone, Debug)]
struct Case {
    claims: Option<Fields>,
    method: Method,
    id: &'static str,
    before: Option<Fields>,
    after: Fields,
}

fn requests() -> impl Strategy<Value = Case> {
    let claims = prop::option::weighted(
        0.7,
        prop::collection::btree_map(select(vec!["role", "admin"]).prop_map(str::to_owned), scalars(), 0..3),
    );
    let methods = select(vec![Method::Get, Method::Create, Method::Update, Method::Delete]);
    let ids = select(vec!["u", "v"]);
    (claims, methods, ids, prop::option::of(field_maps()), field_maps())
        .prop_map(|(claims, method, id, before, after)| Case { claims, method, id, before, after })
}

fn firestore_conditions() -> impl Strategy<Value = String> {
    let fields = || {
        select(vec![
            "resource.data.a",
            "resource.data.b",
            "request.resource.data.a",
            "request.auth.token.role",
            "request.auth.token.admin",
            "request.auth.uid",
            "id",
            "request.method",
            "request.resource.data",
        ])
    };
    let constants =
        || select(vec!["1", "2", "1.0", "2.5", "'a'", "'u'", "true", "false", "null", "'create'"]);
    let op = || select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let types = select(vec!["string", "int", "float", "number", "bool", "map", "list", "timestamp"]);
    let lists = select(vec!["['a', 'u']", "[1, 2]", "[true]", "['create', 'update']", "[]"]);
    let leaf = prop_oneof![
        6 => (fields(), op(), constants()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => (fields(), select(vec!["==", "!="]), fields()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (fields(), types).prop_map(|(a, kind)| format!("{a} is {kind}")),
        2 => (fields(), lists).prop_map(|(a, list)| format!("{a} in {list}")),
        3 => select(vec!["==", "!="]).prop_map(|op| format!("request.auth {op} null")),
        1 => select(vec!["==", "!="]).prop_map(|op| format!("resource {op} null")),
        1 => fields().prop_map(str::to_owned),
        1 => fields().prop_map(|a| format!("{a}.size() > 1")),
        2 => (fields(), op(), constants(), op(), constants())
            .prop_map(|(a, one, b, two, c)| format!("!({a} {one} {b}) && !({a} {two} {c})")),
        1 => (fields(), fields()).prop_map(|(a, b)| format!("{a} + {b} == 'au'")),
        1 => (fields(), select(vec!["lower", "trim", "toUtf8", "keys", "toSet"]))
            .prop_map(|(a, method)| format!("{a}.{method}().size() == 1")),
        1 => (fields(), select(vec!["matches('a')", "hasAny(['a'])", "hasOnly(['a', 'u'])"]))
            .prop_map(|(a, call)| format!("{a}.{call}")),
        1 => (fields(), select(vec!["[0]", "['x']", ".x", "[0:1]"])).prop_map(|(a, at)| format!("{a}{at} == 'a'")),
        1 => select(vec!["'a' in resource.data", "request.auth.token.get('role', 'a') == 'a'", "debugged(id)"])
            .prop_map(str::to_owned),
        1 => constants().prop_map(str::to_owned),
    ];
    combined(leaf)
}

fn combined(leaf: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" && "))),
            4 => prop::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" || "))),
            1 => inner.clone().prop_map(|one| format!("!({one})")),
            1 => (inner.clone(), inner.clone(), inner)
                .prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
        ]
    })
}

const VERBS: [&str; 6] = ["read, write", "read", "write", "create, update", "update, delete", "get"];

fn allowed(ruleset: &Ruleset, case: &Case) -> bool {
    let empty = Fields::new();
    let path = ["c".to_owned(), case.id.to_owned()];
    // A create needs the document not to be there, a change that it is.
    let before = match case.method {
        Method::Create => None,
        Method::Update | Method::Delete => Some(case.before.as_ref().unwrap_or(&empty)),
        _ => case.before.as_ref(),
    };
    let after = matches!(case.method, Method::Create | Method::Update).then_some(&case.after);
    let request = Request {
        method: case.method,
        database: "(default)",
        path: &path,
        auth: case.claims.as_ref().map(|token| Auth { uid: "u", token }),
        time: Timestamp { seconds: 5, nanos: 0 },
        resource: before.map(|fields| Document { fields }),
        new_resource: after.map(|fields| Document { fields }),
        query: None,
        in_transaction: false,
        setting: Setting::Live,
    };
    match ruleset.decide(&request, &NoDocuments, &Limits::default(), None) {
        Step::Decided(decision) => decision.allowed,
        Step::Needs(_) => false,
    }
}

fn ruleset(rules: &str) -> Ruleset {
    let compiled = policy::compile(Source::new("rules", rules), Service::Firestore);
    compiled.ruleset.unwrap_or_else(|| panic!("{rules}\n{:?}", compiled.diagnostics))
}

/// The text with another in place of a part.
fn replaced(text: &str, span: Span, by: &str) -> String {
    format!("{}{by}{}", &text[..span.start as usize], &text[span.end as usize..])
}

fn holds(rules: &str, found: &Diagnostic, cases: &[Case]) -> bool {
    let original = ruleset(rules);
    let same = |other: &str| {
        let other = ruleset(other);
        cases.iter().all(|case| allowed(&original, case) == allowed(&other, case))
    };
    match found.code {
        "never-holds" => same(&replaced(rules, found.span, "false")),
        "shadowed-grant" => same(&replaced(rules, found.span, "allow get: if false")),
        // A failing value is as good as one that fails in another way.
        "no-such-field" | "operands-do-not-fit" => same(&replaced(rules, found.span, "{}.missing")),
        "not-a-boolean" => same(&replaced(rules, found.span, "({}.missing)")),
        "open-access" | "open-read" => {
            let alone = format!("{HEAD}{}{TAIL}", &rules[found.span.range()]);
            let verbs = rules[found.span.range()].split(':').next().unwrap();
            let wanted = |method: Method| {
                let group = if method == Method::Get { "read" } else { "write" };
                verbs.contains(method.name()) || verbs.contains(group)
            };
            let alone = ruleset(&alone);
            cases.iter().filter(|case| wanted(case.method)).all(|case| allowed(&alone, case))
        }
        "only-when-signed-out" => {
            let alone = format!("{HEAD}allow read, write: if {};{TAIL}", &rules[found.span.range()]);
            let alone = ruleset(&alone);
            !cases.iter().filter(|case| case.claims.is_some()).any(|case| {
                // The claim is about the methods of the rule: one of the others may well be allowed.
                allowed(&alone, case) && allowed(&original, case) && rules.matches("allow").count() == 1
            })
        }
        "true-when-signed-out" => {
            let alone = format!("{HEAD}allow read, write: if {};{TAIL}", &rules[found.span.range()]);
            let alone = ruleset(&alone);
            cases.iter().filter(|case| case.claims.is_none()).all(|case| allowed(&alone, case))
        }
        _ => true,
    }
}

const HEAD: &str = "rules_version = '2'; service cloud.firestore { match /databases/{db}/documents { function debugged(x) { return x == 'u' && x != 'v'; } match /c/{id} {\n";
const TAIL: &str = "\n}}}";

#[test]
fn claims_about_firestore_rules_hold() {
    let claims = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 2500, failure_persistence: None, ..Config::default() });
    let rules = prop::collection::vec((select(VERBS.to_vec()), firestore_conditions()), 1..3);
    let requests = prop::collection::vec(requests(), 60);
    let outcome = runner.run(&(rules, requests), |(rules, requests)| {
        let body: Vec<String> =
            rules.iter().map(|(verbs, condition)| format!("allow {verbs}: if {condition};")).collect();
        let rules = format!("{HEAD}{}{TAIL}", body.join("\n"));
        for found in check(Source::new("rules", rules.as_str()), Language::Firestore).diagnostics {
            claims.set(claims.get() + 1);
            prop_assert!(holds(&rules, &found, &requests), "{}: {}\n{rules}", found.code, found.message);
        }
        Ok(())
    });
    println!("{} claims", claims.get());
    outcome.unwrap();
    assert!(claims.get() > 1000, "{} claims", claims.get());
}

fn realtime_conditions() -> impl Strategy<Value = String> {
    let values = || {
        select(vec![
            "data.val()",
            "newData.val()",
            "data.child('a').val()",
            "newData.child('a').val()",
            "root.child('c/u/a').val()",
            "auth.uid",
            "auth.token.role",
            "auth.token.role.x",
            "auth.token['role'][0]",
            "$id",
        ])
    };
    // What has a length, and methods of text.
    let texts = || {
        select(vec![
            "auth.uid",
            "auth.token.role",
            "auth.token.role.x",
            "auth.provider",
            "data.val()",
            "newData.child('a').val()",
            "$id",
            "auth.uid.toLowerCase()",
            "(auth.uid + $id)",
            "(auth == null ? $id : auth.token.role)",
        ])
    };
    let constants = || select(vec!["1", "2.5", "'a'", "'u'", "true", "null"]);
    let equality = || select(vec!["==", "!="]);
    let leaf = prop_oneof![
        5 => (values(), equality(), constants()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (values(), equality(), values()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (values(), select(vec!["<", "<=", ">", ">="]), select(vec!["1", "2.5", "'a'"]))
            .prop_filter("types are known", |(a, _, b)| *a != "$id" || b.starts_with('\''))
            .prop_filter("types are known", |(a, _, b)| *a != "auth.uid" || b.starts_with('\''))
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => equality().prop_map(|op| format!("auth {op} null")),
        2 => (select(vec!["data", "newData"]), select(vec!["exists", "isString", "isNumber", "isBoolean", "hasChildren"]))
            .prop_map(|(place, method)| format!("{place}.{method}()")),
        4 => (texts(), select(vec!["<", "<=", ">", ">=", "==", "!="]), select(vec!["0", "1", "2", "100"]))
            .prop_map(|(text, op, length)| format!("{text}.length {op} {length}")),
        2 => (texts(), select(vec!["contains('u')", "beginsWith('a')", "endsWith($id)", "matches(/^u$/)"]))
            .prop_map(|(text, call)| format!("{text}.{call}")),
        1 => (texts(), select(vec!["replace('u', 'a')", "toUpperCase()"]))
            .prop_map(|(text, call)| format!("{text}.{call} == 'A'")),
        2 => (values(), select(vec!["+", "-", "*", "/", "%"]), select(vec!["1", "0", "now"]))
            .prop_filter("types are known", |(a, op, _)| !["auth.uid", "$id"].contains(a) || *op == "+")
            .prop_map(|(a, op, b)| format!("{a} {op} {b} != 2")),
        1 => (values(), equality(), values()).prop_map(|(a, op, b)| format!("({a} {op} {b} ? {a} : null) {op} {b}")),
        1 => select(vec!["now > 1600000000000", "now < 1600000000000", "-now < 0"]).prop_map(str::to_owned),
        1 => select(vec!["data.hasChildren(['a', 'b'])", "newData.hasChild('a')", "data.parent().child($id).exists()"])
            .prop_map(str::to_owned),
        1 => select(vec!["true", "false"]).prop_map(str::to_owned),
    ];
    combined(leaf)
}

fn stored() -> impl Strategy<Value = Value> {
    let leaf = select(vec![
        Value::Null,
        Value::Bool(true),
        Value::Double(1.0),
        Value::Double(2.5),
        text("a"),
        text("u"),
    ]);
    let map = prop::collection::btree_map(
        select(vec!["a", "b", "length"]).prop_map(str::to_owned),
        leaf.clone(),
        0..3,
    );
    prop_oneof![leaf, map.prop_map(Value::Map)]
}

#[derive(Clone, Debug)]
struct Write {
    role: Option<Value>,
    id: &'static str,
    before: Value,
    after: Value,
}

fn writes() -> impl Strategy<Value = Write> {
    let map = |name: &str, value: Value| Value::Map(Fields::from([(name.to_owned(), value)]));
    let role = prop::option::weighted(
        0.7,
        select(vec![
            Value::Null,
            text("a"),
            Value::Bool(true),
            Value::Integer(1),
            Value::Array(vec![text("u"), Value::Null]),
            map("x", text("a")),
            map("length", text("a")),
            map("length", Value::Integer(2)),
        ]),
    );
    (role, select(vec!["u", "v"]), stored(), stored()).prop_map(|(role, id, before, after)| Write {
        role,
        id,
        before,
        after,
    })
}

fn write_allowed(ruleset: &rtdb::Ruleset, write: &Write) -> bool {
    let auth = write.role.as_ref().map(|role| {
        let token = Value::Map(Fields::from([("role".to_owned(), role.clone())]));
        Fields::from([("uid".to_owned(), text("u")), ("token".to_owned(), token)])
    });
    let inner = Value::Map(Fields::from([(write.id.to_owned(), write.before.clone())]));
    let data = Memory::new(&Value::Map(Fields::from([("c".to_owned(), inner)])));
    let after = Memory::new(&write.after);
    let path = ["c", write.id];
    let value = after.as_ref().map(|tree| tree as &(dyn rtdb::Tree + Sync));
    let operation = Operation::Write(Change { path: &path, value });
    let request = rtdb::Request { operation, auth: auth.as_ref(), now_ms: 1_700_000_000_000 };
    let data = data.as_ref().map(|tree| tree as &dyn rtdb::Tree);
    ruleset.decide(&request, data, &rtdb::limits(), rtdb::Observe::default()).allowed
}

fn realtime_holds(rules: &str, found: &Diagnostic, writes: &[Write]) -> bool {
    let compile = |rules: &str| rtdb::compile(Source::new("rules", rules)).ruleset.unwrap();
    let original = compile(rules);
    let same = |other: &str| {
        let other = compile(other);
        writes.iter().all(|write| write_allowed(&original, write) == write_allowed(&other, write))
    };
    let signed = |signed_in: bool| writes.iter().filter(move |write| write.role.is_some() == signed_in);
    match found.code {
        "never-holds" | "constant-condition"
            if found.message.contains("never") || found.code == "never-holds" =>
        {
            // The first error ends a rule: what is never true may be an error, and `false` in its place lets others decide.
            // What a claim says holds only "where" something else does is about the writes for which that is so.
            let where_auth = |what: &str| found.message.contains(&format!("where `auth {what} null`"));
            let (only_out, only_in) = (where_auth("=="), where_auth("!="));
            let is_meant = |write: &Write| if write.role.is_some() { !only_out } else { !only_in };
            let other = compile(&replaced(rules, found.span, "false"));
            let mut meant = writes.iter().filter(|write| is_meant(write));
            meant.all(|write| !write_allowed(&original, write) || write_allowed(&other, write))
        }
        "constant-condition" => same(&replaced(rules, found.span, "true")),
        "shadowed-grant" => same(&replaced(rules, found.span, "\".indexOn\": []")),
        "open-access" if rules.matches(".validate").count() == 0 => {
            writes.iter().all(|write| write_allowed(&original, write))
        }
        "only-when-signed-out" if rules.matches(".write").count() == 1 => {
            !signed(true).any(|write| write_allowed(&original, write))
        }
        _ => true,
    }
}

#[test]
fn claims_about_realtime_database_rules_hold() {
    let claims = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 2500, failure_persistence: None, ..Config::default() });
    let rules = (
        realtime_conditions(),
        prop::option::of(realtime_conditions()),
        prop::option::of(realtime_conditions()),
    );
    let outcome =
        runner.run(&(rules, prop::collection::vec(writes(), 60)), |((below, above, validate), writes)| {
            // Conditions above must do without the capture.
            let above = above
                .filter(|above| !above.contains("$id"))
                .map(|above| format!("\".write\": \"{above}\", "));
            let above = above.unwrap_or_default();
            let validate =
                validate.map(|validate| format!(", \".validate\": \"{validate}\"")).unwrap_or_default();
            let rules = format!(
                "{{\"rules\": {{\"c\": {{{above}\"$id\": {{\".write\": \"{below}\"{validate}}}}}}}}}"
            );
            let source = Source::new("rules", rules.as_str());
            if rtdb::compile(source.clone()).ruleset.is_none() {
                return Ok(());
            }
            for found in check(source, Language::Realtime).diagnostics {
                claims.set(claims.get() + 1);
                prop_assert!(
                    realtime_holds(&rules, &found, &writes),
                    "{}: {}\n{rules}",
                    found.code,
                    found.message
                );
            }
            Ok(())
        });
    println!("{} claims", claims.get());
    outcome.unwrap();
    assert!(claims.get() > 1000, "{} claims", claims.get());
}
