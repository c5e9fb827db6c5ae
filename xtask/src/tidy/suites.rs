//! No dead files in `suites/`: every one is named by something else there, or its runner finds it.

use super::breach::Breach;
use super::repository::Repository;

/// Names that a tool looks for by itself.
const LOOKED_FOR: [&str; 5] =
    ["package.json", "package-lock.json", "pytest.ini", "conftest.py", "requirements.in"];

/// Every file of the suites that nothing names.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let script = repository.texts.get("x").map_or("", String::as_str);
    repository
        .files
        .iter()
        .filter(|path| path.starts_with("suites/"))
        .filter(|path| !is_run(path, script) && !is_named(path, repository))
        .map(|path| {
            Breach::new(path, 1, "nothing in `x` or the suites names this file: use it, or delete it")
        })
        .collect()
}

/// Whether a runner finds the file by its place: the tests of Node.js and pytest, the attacks, and what `x` calls
/// `PART/PART.py`.
fn is_run(path: &str, script: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., name] if LOOKED_FOR.contains(name) => true,
        ["suites", _, "test", name] => name.ends_with(".test.js"),
        ["suites", "python", name] if name.starts_with("test_") => name.ends_with(".py"),
        ["suites", "attack", name] if has_word(script, "attack") => name.ends_with(".py"),
        ["suites", part, name] => name.strip_suffix(".py") == Some(part) && has_word(script, part),
        _ => false,
    }
}

/// Whether `x` or another file of the suites names the file, or imports it as a Python module.
fn is_named(path: &str, repository: &Repository) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or(path);
    // A package goes by its folder's name.
    let module = if name == "__init__.py" { parts.next() } else { name.strip_suffix(".py") };
    let texts = repository.texts.iter().filter(|(other, _)| {
        *other != path && (*other == "x" || other.starts_with("suites/")) && !other.ends_with("-lock.json")
    });
    texts.into_iter().any(|(other, text)| {
        text.contains(name)
            || module.is_some_and(|module| {
                other.ends_with(".py") && text.lines().any(|line| imports(line, module))
            })
    })
}

fn imports(line: &str, module: &str) -> bool {
    let mut words = line.split([' ', ',', '.']).filter(|word| !word.is_empty());
    match words.next() {
        Some("import") => words.any(|word| word == module),
        Some("from") => words.next() == Some(module),
        _ => false,
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric()).any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nothing_names_is_dead() {
        let repository = Repository::of(&[
            ("x", "scripts=(crash oracle)\nexpected suites/expected.json"),
            ("suites/expected.json", ""),
            ("suites/crash/crash.py", "import os, servers\nfrom words import a"),
            ("suites/crash/words.py", ""),
            ("suites/servers.py", ""),
            ("suites/gone/gone.py", "gone.py is itself"),
            ("suites/node/package.json", ""),
            ("suites/node/clients.js", ""),
            ("suites/node/lost.js", ""),
            ("suites/node/test/a.test.js", "require('../clients.js')"),
            ("suites/node/test/b.js", ""),
            ("suites/python/test_a.py", ""),
            ("suites/python/old.py", ""),
        ]);
        let found: Vec<_> = check(&repository).iter().map(|breach| breach.file.clone()).collect();
        let expected =
            ["suites/gone/gone.py", "suites/node/lost.js", "suites/node/test/b.js", "suites/python/old.py"];
        assert_eq!(found, expected);
    }
}
