//! Static checks of Bolt tell Bolt lines. The files are those that `policy` compiles.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::path::{Path, PathBuf};

use policy::Source;
use policy::bolt::compile;
use prove::Language;
use prove::check::check;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/cases/bolt")
}

fn source(file: &Path) -> Source {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    Source::new(name, std::fs::read_to_string(file).unwrap())
}

/// A published file as it stands, repaired, and as it was meant: the comment that ends too early, then three further
/// defects, each at its line.
#[test]
fn the_projects_example_and_its_defects() {
    let directory = cases();
    let found = |name: &str| {
        let source = source(&directory.join(name));
        let checked = check(source.clone(), Language::Bolt);
        let places: Vec<(u32, u32, &str)> = checked
            .diagnostics
            .iter()
            .map(|found| {
                let (line, column) = source.line_column(found.span.start);
                (line, column, found.code)
            })
            .collect();
        (compile(source), checked.diagnostics, places)
    };
    for (name, places_expected, comment) in [
        ("projects-in-full.bolt", [(58, 4, "bolt-parse")], (53, 58)),
        ("projects-unclosed.bolt", [(37, 4, "bolt-parse")], (35, 37)),
    ] {
        let (compiled, diagnostics, places) = found(name);
        assert_eq!(places, places_expected);
        assert_eq!(diagnostics[0].message, "Missing body of path statement.");
        let expected =
            format!("begins on line {} is already closed by the `*/` on line {}", comment.0, comment.1);
        let help = diagnostics[0].help.as_deref().unwrap();
        assert!(help.contains(&expected), "{help}");
        assert!(compiled.json.is_none());
    }
    for (name, [uid, role, siblings]) in [
        ("projects-in-full-repaired.bolt", [(11, 19), (12, 3), (49, 1)]),
        ("projects-repaired.bolt", [(4, 6), (5, 6), (31, 1)]),
    ] {
        let (compiled, diagnostics, places) = found(name);
        let expected = [
            (uid.0, uid.1, "bolt-not-boolean"),
            (role.0, role.1, "bolt-text-as-boolean"),
            (siblings.0, siblings.1, "bolt-sibling-captures"),
        ];
        assert_eq!(places, expected, "{name}");
        assert!(diagnostics.iter().all(|found| found.help.is_some()));
        assert!(compiled.json.is_some() && compiled.usable().is_none());
    }
    let (compiled, _, places) = found("projects-usable.bolt");
    assert_eq!(places, []);
    assert!(compiled.usable().is_some());
}

/// Static checks of the rules tell Bolt lines, those they mention too.
#[test]
fn static_checks_tell_bolt_lines() {
    let path = cases().join("path-nested.bolt");
    let checked = check(source(&path), Language::Bolt);
    let shadowed = checked.diagnostics.iter().find(|found| found.code == "shadowed-grant").unwrap();
    assert_eq!(checked.source.line_column(shadowed.span.start), (5, 14));
    assert!(shadowed.message.contains("(line 7)"), "{}", shadowed.message);
    assert_eq!(checked.source.line_column(shadowed.labels[0].0.start), (7, 3));
}

/// The blocks of the documentation are one file, and a usable one.
#[test]
fn the_documentation_compiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bolt.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = prove::cases::blocks(&text);
    let bolt: String =
        blocks.iter().filter(|block| block.info == "bolt").map(|block| block.text(&text)).collect();
    let checked = check(Source::new("docs/bolt.md", bolt.as_str()), Language::Bolt);
    assert_eq!(
        checked.diagnostics,
        [],
        "{}",
        policy::diagnostic::render(&checked.source, &checked.diagnostics, false)
    );
    assert!(compile(checked.source).usable().is_some_and(|json| json.contains("$room")));
}
