//! Whatever the text, the checks end soon and do not panic.

use std::path::Path;
use std::time::{Duration, Instant};

use policy::Source;
use proptest::prelude::*;
use prove::Language;
use prove::check::check;

/// Far more than any check takes, also without optimization on a busy machine.
const CHECK_TIME_MAX: Duration = Duration::from_secs(20);

fn firestore(body: &str) -> String {
    format!(
        "rules_version = '2'; service cloud.firestore {{ match /databases/{{d}}/documents {{\n{body}\n}}}}"
    )
}

fn timed(language: Language, text: &str) -> usize {
    let start = Instant::now();
    let checked = check(Source::new("hostile", text), language);
    assert!(start.elapsed() < CHECK_TIME_MAX, "{:?} for {} bytes", start.elapsed(), text.len());
    checked.diagnostics.len()
}

#[test]
fn what_grows_without_end_is_left() {
    // Every variable uses the one before twice: written out, the last one is a million expressions.
    let lets: String = (1..10).map(|n| format!("let v{n} = v{} + v{};", n - 1, n - 1)).collect();
    let function = format!("function grow(v0) {{ {lets} return v9 > 1; }}");
    let calls = (0..8).map(|n| format!("grow(grow(resource.data.a{n}))")).collect::<Vec<_>>().join(" && ");
    timed(
        Language::Firestore,
        &firestore(&format!("{function} match /a/{{b}} {{ allow read: if {calls}; }}")),
    );
    // Functions that call the next one twice.
    let twice: String = (0..200)
        .map(|n| format!("function f{n}(x) {{ return f{}(x) && f{}(x); }}\n", n + 1, n + 1))
        .collect();
    let text =
        format!("{twice} function f200(x) {{ return x == 1; }} match /a/{{b}} {{ allow read: if f0(b); }}");
    timed(Language::Firestore, &firestore(&text));
    // As many alternatives as ways through them.
    let either = |n: usize| format!("(resource.data.a{n} == 1 || resource.data.b{n} == 2)");
    let ways = (0..60).map(either).collect::<Vec<_>>().join(" && ");
    timed(Language::Firestore, &firestore(&format!("match /a/{{b}} {{ allow read: if {ways}; }}")));
    let ways = ways.replace("resource.data.", "data.child('").replace(" ==", "').val() ==");
    timed(Language::Realtime, &format!(r#"{{"rules": {{".read": "{ways}"}}}}"#));
}

#[test]
fn large_texts_are_checked_in_time() {
    let rules: String = (0..1500)
        .map(|n| {
            format!(
                "match /c{n}/{{id}} {{ allow read: if request.auth.uid == id && resource.data.a == {n}; }}\n"
            )
        })
        .collect();
    timed(Language::Firestore, &firestore(&rules));
    let same =
        "match /c/{id} { allow read: if request.auth.uid == id && resource.data.a == 1; }\n".repeat(400);
    assert!(timed(Language::Firestore, &firestore(&same)) > 300);
    let wide: Vec<String> = (0..1500)
        .map(|n| format!(r#""c{n}": {{"$id": {{".read": "auth.uid === $id && data.val() === {n}"}}}}"#))
        .collect();
    timed(Language::Realtime, &format!(r#"{{"rules": {{{}}}}}"#, wide.join(",\n")));
}

/// All texts of the cases, as they are and cut into pieces.
fn pieces() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut found = Vec::new();
    for file in ["check/rules.md", "check/realtime.md", "check/storage.md", "check/bolt.md", "check/cel.md"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        found.extend(text.lines().map(str::to_owned));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn mixed_lines_do_not_panic(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..12), cut in any::<prop::sample::Index>()) {
        let pieces = pieces();
        let mut text: String = picks.iter().map(|pick| pick.get(&pieces).clone() + "\n").collect();
        prove::fuzz::checks(&text);
        prove::fuzz::checks(&firestore(&text));
        prove::fuzz::checks(&format!("{{\"rules\": {{{text}}}}}"));
        text.truncate(text.floor_char_boundary(cut.index(text.len())));
        prove::fuzz::checks(&text);
    }
}
