//! A file has one job: it has a bounded number of lines, tests included.

use super::breach::Breach;
use super::repository::Repository;

/// In lines.
const LINES_MAX: usize = 500;

/// Every file that is too long: Rust, and the scripts of the suites and benches.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let sources = repository.sources.iter().map(|source| (&source.path, &source.text));
    let scripts =
        repository.texts.iter().filter(|(path, _)| [".py", ".js"].iter().any(|end| path.ends_with(end)));
    sources
        .chain(scripts)
        .filter_map(|(path, text)| {
            let lines = text.lines().count();
            (lines > LINES_MAX).then(|| Breach {
                file: path.clone(),
                line: 1,
                message: format!("the file has {lines} lines, at most {LINES_MAX}: split it by its jobs"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_lines_are_enough() {
        let (enough, more) = ("//\n".repeat(500), "//\n".repeat(501));
        let repository = Repository::of(&[
            ("crates/x/src/a.rs", &enough),
            ("crates/x/src/b.rs", &more),
            ("suites/s.py", &more),
            ("suites/s.json", &more),
        ]);
        let found: Vec<_> = check(&repository).iter().map(ToString::to_string).collect();
        let expected = [
            "crates/x/src/b.rs:1: the file has 501 lines, at most 500: split it by its jobs",
            "suites/s.py:1: the file has 501 lines, at most 500: split it by its jobs",
        ];
        assert_eq!(found, expected);
    }
}
