//! Every command and every link on every page: the program takes the one, and the other leads somewhere.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pages() -> Vec<(PathBuf, String)> {
    let names = [
        "README.md",
        "COMPATIBILITY.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
    ];
    let mut pages: Vec<PathBuf> = names.iter().map(|name| root().join(name)).collect();
    let of =
        |folder: &str| std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(
        of("docs")
            .chain(of("docs/decisions"))
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    pages.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// The lines of code blocks that call this program, with their numbers.
fn commands(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut is_code) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("```") {
            is_code = !is_code;
        } else if let Some(command) =
            line.strip_prefix("$ ").or(Some(line)).filter(|line| line.starts_with("hearth "))
        {
            let command = command.split("  #").next().unwrap_or_default();
            let command = command.split([';', '|', '>']).next().unwrap_or_default();
            // A line of usage shows what may be left out.
            if is_code && !command.contains(['[', '…']) {
                found.push((number + 1, command.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_command_on_every_page_is_one() {
    let mut count = 0;
    for (page, text) in pages() {
        for (line, command) in commands(&text) {
            let words = shlex::split(&command).unwrap_or_default();
            let asked = Cli::try_parse_from(&words);
            let is_help = words.iter().any(|word| word == "--help" || word == "--version");
            let is_taken = match asked {
                Ok(_) => true,
                Err(error) => is_help && error.exit_code() == 0,
            };
            assert!(is_taken, "{}:{line}: `{command}` is not a command", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// Each row of the table of services says which suite shows it.
#[test]
fn every_row_of_the_compatibility_table_names_suites_that_are_there() {
    let text = std::fs::read_to_string(root().join("COMPATIBILITY.md")).unwrap();
    let services = text.split("## Services").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut rows = 0;
    for row in services.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| service")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, _, state, _, shown] = cells[..] else { panic!("{row}") };
        assert!(["works", "differs", "missing", "offline"].contains(&state), "{row}");
        let suites: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!suites.is_empty(), "{row}");
        for suite in suites {
            assert!(root().join(suite).exists(), "`{suite}` is not there: {row}");
        }
        rows += 1;
    }
    assert!(rows > 30, "{rows}");
}

#[test]
fn every_link_to_a_file_leads_somewhere() {
    let mut count = 0;
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {link} leads nowhere", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}
