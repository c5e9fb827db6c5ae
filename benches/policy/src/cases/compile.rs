//! Compiling: 64 KiB of rules in each language, each written in its own way, and one CEL expression.
//!
//! Cedar and regorus get 64 KiB of their own policies: alike in kind, not the same text. Hearth's time has its
//! warnings in it.

use std::fmt::Write;
use std::str::FromStr;

use cedar_policy::PolicySet;
use cel_core::CelType;
use policy::cel::{Environment, Place, Type};
use policy::{Service, Source};

use crate::{Case, Subject, keep};

const BYTES: usize = 64 * 1024;

fn filled(begin: &str, end: &str, mut part: impl FnMut(&mut String, usize)) -> &'static str {
    let mut text = begin.to_owned();
    let mut number = 0;
    loop {
        let before = text.len();
        part(&mut text, number);
        if text.len() + end.len() > BYTES {
            text.truncate(before);
            break;
        }
        number += 1;
    }
    text.push_str(end);
    keep(text)
}

fn write_part(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to text");
}

fn rules() -> &'static str {
    let begin = "rules_version = '2';\nservice cloud.firestore {\n  match /databases/{database}/documents {\n    \
                 function signedIn() { return request.auth != null; }\n";
    filled(begin, "  }\n}\n", |text, n| {
        write_part(
            text,
            format_args!(
                "    match /things{n}/{{id}} {{\n      \
                 allow read: if signedIn() && (resource.data.owner == request.auth.uid || request.auth.token.role == 'moderator');\n      \
                 allow create: if signedIn() && request.resource.data.keys().hasOnly(['owner', 'title']) && request.resource.data.title is string;\n      \
                 allow delete: if get(/databases/$(database)/documents/projects/$(id)).data.owner == request.auth.uid;\n    }}\n"
            ),
        );
    })
}

fn rtdb() -> &'static str {
    filled("{\n  \"rules\": {\n", "    \"end\": {}\n  }\n}\n", |text, n| {
        write_part(
            text,
            format_args!(
                "    \"things{n}\": {{\n      \"$thing\": {{\n        \
                 \".read\": \"auth != null && root.child('users').child(auth.uid).child('role').val() === 'moderator'\",\n        \
                 \".write\": \"auth != null && (!data.exists() || data.child('owner').val() === auth.uid)\",\n        \
                 \".validate\": \"newData.hasChildren(['owner', 'title']) && newData.child('title').isString()\"\n      }}\n    }},\n"
            ),
        );
    })
}

fn cedar() -> &'static str {
    filled("", "", |text, n| {
        write_part(
            text,
            format_args!(
                "@id(\"read{n}\") permit(principal, action == Action::\"read\", resource in Things::\"{n}\")\n  \
                 when {{ resource.owner == principal || principal.role == \"moderator\" }};\n\
                 @id(\"delete{n}\") permit(principal, action == Action::\"delete\", resource in Things::\"{n}\")\n  \
                 when {{ resource.project.owner == principal }};\n"
            ),
        );
    })
}

fn rego() -> &'static str {
    filled("package bench\nimport rego.v1\n\ndefault allow := false\n", "", |text, n| {
        write_part(
            text,
            format_args!(
                "allow if {{\n  input.path[0] == \"things{n}\"\n  input.resource.owner == input.auth.uid\n}}\n\
                 allow if {{\n  input.path[0] == \"things{n}\"\n  input.auth.token.role == \"moderator\"\n}}\n"
            ),
        );
    })
}

fn bolt() -> &'static str {
    filled("isSignedIn() { auth != null }\n", "", |text, n| {
        write_part(
            text,
            format_args!(
                "type Thing{n} {{ owner: String, title: String | Null, size: Number }}\n\
                 path /things{n}/{{id}} is Thing{n} {{\n  read() {{ isSignedIn() }}\n  \
                 write() {{ isSignedIn() && (prior(this) == null || prior(this.owner) == auth.uid) }}\n}}\n"
            ),
        );
    })
}

pub fn cases() -> Vec<Case> {
    let (rules, rtdb, cedar, rego, bolt) = (rules(), rtdb(), cedar(), rego(), bolt());
    let hearth_rules =
        move || policy::compile(Source::new("64k.rules", rules), Service::Firestore).ruleset.is_some();
    let hearth_rtdb = move || policy::rtdb::compile(Source::new("64k.json", rtdb)).ruleset.is_some();
    let hearth_bolt = move || policy::bolt::compile(Source::new("64k.bolt", bolt)).json.is_some();
    let cedar = move || PolicySet::from_str(cedar).is_ok();
    let rego = move || {
        let mut engine = regorus::Engine::new();
        let entry: regorus::Rc<str> = "data.bench.allow".into();
        engine.add_policy("bench.rego".to_owned(), rego.to_owned()).is_ok()
            && engine.compile_with_entrypoint(&entry).is_ok()
    };
    let declared =
        vec![("status".to_owned(), Type::nullable(Type::String)), ("owner".to_owned(), Type::String)];
    let environment = Environment::data_connect(Place::Check, declared);
    let expression = "auth.token.plan == 'pro' && has(vars.status) && vars.status in ['draft', 'published'] && vars.owner == auth.uid";
    let hearth_cel =
        move || policy::cel::compile(Source::new("expr", expression), &environment).program.is_some();
    let cel_environment = cel::Env::stdlib();
    let cel = move || cel_environment.compile(expression).is_ok();
    let core_environment = cel_core::Env::with_standard_library()
        .with_variable("auth", CelType::Dyn)
        .with_variable("vars", CelType::Dyn);
    let core =
        move || core_environment.compile(expression).is_ok_and(|ast| core_environment.program(&ast).is_ok());
    let checks = "with warnings";
    vec![
        Case {
            aim_ns: Some(5_000_000),
            ..Case::new(
                "compiling",
                "64 KiB of Firestore rules (peers: of their own)",
                vec![
                    Subject::new("hearth", checks, true, hearth_rules),
                    Subject::new("cedar-policy 4.14", "parsed", true, cedar),
                    Subject::new("regorus 0.14", "parsed, scheduled", true, rego),
                ],
            )
        },
        Case {
            aim_ns: Some(5_000_000),
            targaryen: Some("compile"),
            ..Case::new(
                "compiling",
                "64 KiB of Realtime Database rules",
                vec![Subject::new("hearth", checks, true, hearth_rtdb)],
            )
        },
        Case {
            aim_ns: Some(10_000_000),
            ..Case::new(
                "compiling",
                "64 KiB of Bolt",
                vec![Subject::new("hearth", "to JSON, with warnings", true, hearth_bolt)],
            )
        },
        Case::new(
            "compiling",
            "a CEL expression",
            vec![
                Subject::new("hearth", "types checked", true, hearth_cel),
                Subject::new("cel 0.15", "parsed", true, cel),
                Subject::new("cel-core 0.5", "types checked", true, core),
            ],
        ),
    ]
}
