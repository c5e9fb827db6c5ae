use super::super::repository::Package;
use super::*;

/// Paths below `src`, and their texts.
type Files<'a> = &'a [(&'a str, &'a str)];

/// The circles of a made-up crate with this name.
fn found(name: &str, files: Files) -> Vec<String> {
    let files: Vec<_> = files.iter().map(|(path, text)| (format!("crates/x/src/{path}"), *text)).collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let mut repository = Repository::of(&files);
    repository.packages =
        repository.packages.into_iter().map(|package| Package { name: name.to_owned(), ..package }).collect();
    check(&repository).iter().map(ToString::to_string).collect()
}

#[test]
fn a_circle_between_top_level_modules_is_shown_with_its_lines() {
    let found = found(
        "policy",
        &[
            ("lib.rs", "mod eval; mod coverage; mod trace;"),
            ("eval.rs", "use crate::coverage::Site;\nuse crate::trace;\n"),
            ("coverage.rs", "mod inner;"),
            ("coverage/inner.rs", "\nuse super::super::trace::{self, Step};\n"),
            ("trace.rs", "fn f() {\n    crate::eval::run()\n}\n"),
        ],
    );
    let expected = [
        "crates/x/src/trace.rs:2: 2 modules in a circle: trace → eval → trace: \
         cut one of the arrows, the last of the list costs least\n    \
         trace → eval: crates/x/src/trace.rs:2: crate::eval::run()\n    \
         eval → trace: crates/x/src/eval.rs:2: use crate::trace;",
        "crates/x/src/eval.rs:1: 3 modules in a circle: eval → coverage → trace → eval: \
         cut one of the arrows, the last of the list costs least\n    \
         eval → coverage: crates/x/src/eval.rs:1: use crate::coverage::Site;\n    \
         coverage → trace: crates/x/src/coverage/inner.rs:2: use super::super::trace::{self, Step}; (and 1 more)\n    \
         trace → eval: crates/x/src/trace.rs:2: crate::eval::run()",
    ];
    assert_eq!(found, expected);
}

/// Each text draws the arrow `a` → `b`, which another arrow makes a circle.
#[test]
fn arrows_are_drawn_by_every_kind_of_path() {
    let cases = [
        ("use crate::b::Thing;", true),
        ("use super::b;", true),
        ("use super::{b::{Thing, Other}};", true),
        ("use crate::b as c;", true),
        ("use crate::b::*;", true),
        ("use crate::Thing;", true),
        ("use crate::Renamed;", true),
        ("fn f(thing: &crate::b::Thing) {}", true),
        ("fn f() { match x { super::b::Thing::A => {} } }", true),
        ("fn f() { assert!(matches!(x, crate::b::Thing)); }", true),
        ("macro_rules! m { () => { $crate::b::f() } }", true),
        ("mod inner { use super::super::b; }", true),
        ("impl crate::b::Trait for S {}", true),
        ("#[cfg(test)] mod tests { use crate::b; }", false),
        ("#[test] fn f() { crate::b::f(); }", false),
        ("impl S { #[cfg(test)] fn f() { crate::b::f(); } }", false),
        ("mod inner { use super::b; }", false),
        ("use b::Thing; use ::b; use other::crate_b;", false),
        ("use self::b::Thing; fn f() { x.b(); }", false),
        ("pub(in crate::b) fn f() {}", false),
        ("// use crate::b;\nconst T: &str = \"crate::b\";", false),
        ("use crate::a::Thing;", false),
        ("use crate::Root;", false),
    ];
    for (text, expected) in cases {
        let found = found(
            "policy",
            &[
                ("lib.rs", "mod a; mod b; pub use b::{Thing, Other as Renamed}; pub struct Root;"),
                ("a.rs", text),
                ("b.rs", "use crate::a;"),
            ],
        );
        assert_eq!(!found.is_empty(), expected, "{text}: {found:?}");
    }
}

#[test]
fn elsewhere_files_of_one_folder_may_know_one_another() {
    let lib = ("lib.rs", "mod api; mod ops;");
    let cases: [(&str, Files, bool); 6] = [
        (
            "a circle inside a folder",
            &[
                ("api.rs", "mod a; mod b;"),
                ("api/a.rs", "use super::b::B;"),
                ("api/b.rs", "use super::a::A;"),
                ("ops.rs", ""),
            ],
            false,
        ),
        (
            "a circle through two folders",
            &[
                ("api.rs", "mod a;"),
                ("api/a.rs", "use crate::ops::b::B;"),
                ("ops.rs", "mod b;"),
                ("ops/b.rs", "use crate::api::a::A;"),
            ],
            true,
        ),
        (
            "the same through what faces re-export",
            &[
                ("api.rs", "mod a; pub use a::A;"),
                ("api/a.rs", "use crate::ops::B;"),
                ("ops.rs", "mod b; pub use b::B;"),
                ("ops/b.rs", "use crate::api::A;"),
            ],
            true,
        ),
        (
            "folders that lean on one another without a circle of files",
            &[
                ("api.rs", "mod a; mod c;"),
                ("api/a.rs", "use crate::ops::b::B;"),
                ("api/c.rs", ""),
                ("ops.rs", "mod b;"),
                ("ops/b.rs", "use crate::api::c::C;"),
            ],
            false,
        ),
        (
            "a face and what lies below it",
            &[
                ("api.rs", "mod a; fn f() { a::A }"),
                ("api/a.rs", "mod deep; use super::f;"),
                ("api/a/deep.rs", "use super::super::f;"),
                ("ops.rs", ""),
            ],
            false,
        ),
        (
            "a face that re-exports what leans on another folder",
            &[
                ("api.rs", "mod a; pub use a::A; pub fn f() {}"),
                ("api/a.rs", "use crate::ops::b::B;"),
                ("ops.rs", "mod b;"),
                ("ops/b.rs", "use crate::api::f;"),
            ],
            false,
        ),
    ];
    for (name, files, expected) in cases {
        let found = found("x", &[&[lib], files].concat());
        assert_eq!(!found.is_empty(), expected, "{name}: {found:?}");
    }
}
