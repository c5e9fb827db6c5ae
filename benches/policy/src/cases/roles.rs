//! The same two policies in three languages: who has a role may read, and who owns a project may read what is in it.
//!
//! Cedar gets its entities and its request ready made; its policies are written in its own way. Rego runs on regorus'
//! virtual machine, kept between rounds; `interpreter` is its older evaluator. Both get their input ready made.

use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use policy::Method;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::vm::RegoVM;
use regorus::{Engine, Rc, Value};

use super::rules::{asked, hearth};
use crate::{Case, Subject};

const CEDAR: &str = r#"
@id("claim") permit(principal, action == Action::"readClaims", resource) when { principal.role == "moderator" };
@id("owner") permit(principal, action == Action::"readTask", resource) when { resource.project.owner == principal };
"#;

const ENTITIES: &str = r#"[
  {"uid": {"type": "User", "id": "alice"}, "parents": [], "attrs": {
    "role": "moderator", "email": "alice@example.com", "email_verified": true, "name": "Alice", "sub": "alice"}},
  {"uid": {"type": "Claims", "id": "x"}, "parents": [], "attrs": {}},
  {"uid": {"type": "Project", "id": "apollo"}, "parents": [], "attrs": {
    "owner": {"__entity": {"type": "User", "id": "alice"}}, "name": "Apollo"}},
  {"uid": {"type": "Task", "id": "t"}, "parents": [], "attrs": {
    "project": {"__entity": {"type": "Project", "id": "apollo"}}}}
]"#;

const REGO: &str = r#"
package bench
import rego.v1

default claim := false
claim if input.auth.token.role == "moderator"

default owner := false
owner if data.projects[input.project].owner == input.auth.uid
"#;

const DATA: &str = r#"{"projects": {"apollo": {"owner": "alice", "name": "Apollo"}}}"#;
const INPUT: &str = r#"{"project": "apollo", "auth": {"uid": "alice", "token": {"role": "moderator",
  "email": "alice@example.com", "email_verified": true, "name": "Alice", "sub": "alice"}}}"#;

fn cedar(action: &str, resource: &str) -> Subject {
    let policies = PolicySet::from_str(CEDAR).expect("Cedar's policies");
    let entities = Entities::from_json_str(ENTITIES, None).expect("Cedar's entities");
    let uid = |text: &str| EntityUid::from_str(text).expect("a name");
    let request = Request::new(
        uid(r#"User::"alice""#),
        uid(&format!("Action::\"{action}\"")),
        uid(resource),
        Context::empty(),
        None,
    )
    .expect("Cedar's request");
    let authorizer = Authorizer::new();
    Subject::new("cedar-policy 4.14", "request and entities ready", true, move || {
        authorizer.is_authorized(std::hint::black_box(&request), &policies, &entities).decision()
            == Decision::Allow
    })
}

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine.add_policy("bench.rego".to_owned(), REGO.to_owned()).expect("Rego's policy");
    engine.add_data_json(DATA).expect("Rego's data");
    engine
}

fn rego(rule: &'static str) -> Vec<Subject> {
    let entry: Rc<str> = rule.into();
    let compiled = engine().compile_with_entrypoint(&entry).expect("Rego compiles");
    let program = Compiler::compile_from_policy(&compiled, &[rule]).expect("Rego compiles for its machine");
    let input = Value::from_json_str(INPUT).expect("Rego's input");
    let mut machine = RegoVM::new();
    machine.load_program(program);
    machine.set_data(Value::from_json_str(DATA).expect("Rego's data")).expect("Rego's data");
    let ready = input.clone();
    let machine = Subject::new("regorus 0.14", "machine kept, input ready", true, move || {
        machine.set_input(std::hint::black_box(ready.clone()));
        machine.execute().is_ok_and(|value| value == Value::Bool(true))
    });
    let mut engine = engine();
    let interpreter = Subject::new("regorus interpreter", "engine kept, input ready", true, move || {
        engine.set_input(std::hint::black_box(input.clone()));
        engine.eval_rule(rule.to_owned()).is_ok_and(|value| value == Value::Bool(true))
    });
    vec![machine, interpreter]
}

pub fn cases() -> Vec<Case> {
    let subjects = |method, path, action, resource, rule| {
        let mut subjects = vec![hearth("match, decision, its position", true, asked(method, path))];
        subjects.push(cedar(action, resource));
        subjects.extend(rego(rule));
        subjects
    };
    let claim = subjects(Method::Get, &["claims", "x"], "readClaims", r#"Claims::"x""#, "data.bench.claim");
    let owner = subjects(
        Method::Get,
        &["projects", "apollo", "tasks", "t"],
        "readTask",
        r#"Task::"t""#,
        "data.bench.owner",
    );
    vec![
        Case {
            aim_ns: Some(1000),
            aim_allocations: Some(0),
            ..Case::new("one policy, three languages", "a role in a claim", claim)
        },
        Case {
            aim_ns: Some(1000),
            aim_allocations: Some(0),
            aim_ratio: Some(1.0),
            ..Case::new("one policy, three languages", "the owner, by a cached get()", owner)
        },
    ]
}
