//! The verbs about rules.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use prove::Language;

use super::Format;

#[derive(Debug, Args)]
#[command(after_help = examples!("hearth check", "hearth check --output-format sarif firestore.rules"))]
pub struct Check {
    /// Files (rules, Bolt, GraphQL operations, documents with snippets), project folders, or `-` for standard input
    #[arg(default_value = ".")]
    pub files: Vec<PathBuf>,
    /// The language, where file name and contents do not show it
    #[arg(long)]
    pub language: Option<LanguageName>,
    /// Exit with 1 on warnings, too
    #[arg(long)]
    pub deny_warnings: bool,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = examples!("hearth test", "hearth test --coverage tests/rooms.rules.md"))]
pub struct Test {
    /// Case files, or folders in which they are found (`*.rules.md`, and `*.md` in `tests` folders)
    #[arg(default_value = ".")]
    pub files: Vec<PathBuf>,
    /// Only cases whose line contains this text
    #[arg(long)]
    pub filter: Option<String>,
    /// Write a coverage report: HTML, JSON and lcov (default folder: `coverage`)
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "coverage")]
    pub coverage: Option<PathBuf>,
    #[command(flatten)]
    pub format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = examples!("hearth explain . \"alice get /rooms/1\" --documents '{\"/rooms/1\": {\"owner\": \"alice\"}}'", "hearth explain --request 507312 --data .hearth"))]
pub struct Explain {
    /// A file of rules or a project's folder; with `--language cel`, the expression
    #[arg(allow_hyphen_values = true, required_unless_present = "logged")]
    pub rules: Option<PathBuf>,
    /// The request, as in a case file: "alice get /rooms/1"; for an operation of Data Connect: "alice call ListMovies"
    #[arg(conflicts_with = "logged")]
    pub request: Option<String>,
    /// Replay a request of the access log with the rules and documents of its moment and with today's. Its number is at the end
    /// of a line of `hearth log`; the last digits are enough
    #[arg(long = "request", value_name = "ID")]
    pub logged: Option<String>,
    /// The language, where the file does not show it, or which of a project's rules to use
    #[arg(long)]
    pub language: Option<LanguageName>,
    /// Claims by user id, as JSON or a file of it
    #[arg(long)]
    pub users: Option<String>,
    /// Firestore documents by path: '{"/rooms/1": {"owner": "alice"}}', or a file
    #[arg(long)]
    pub documents: Option<String>,
    /// Storage objects by path, or a file
    #[arg(long)]
    pub objects: Option<String>,
    /// The Realtime Database, or a file; with `--request` the data folder (default: `.hearth`)
    #[arg(long)]
    pub data: Option<String>,
    /// The time of the request, such as 2026-01-02T03:04:05Z
    #[arg(long)]
    pub time: Option<String>,
    /// The user who evaluates an expression (default: signed out)
    #[arg(long)]
    pub user: Option<String>,
    /// The variables of an operation, or of an expression's, or a file
    #[arg(long)]
    pub vars: Option<String>,
    /// `this` of an expression, or a file
    #[arg(long)]
    pub this: Option<String>,
    /// `response` of an expression, or an operation's answer by root key, or a file
    #[arg(long)]
    pub response: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Bolt {
    /// Compile to rules for the Realtime Database
    Compile(CompileBolt),
}

#[derive(Debug, Args)]
pub struct CompileBolt {
    /// The Bolt file, or `-` for standard input
    pub file: PathBuf,
    /// The output file (default: standard output)
    #[arg(long, short)]
    pub output: Option<PathBuf>,
    /// Only report errors
    #[arg(long, conflicts_with = "output")]
    pub check: bool,
    /// Write the output of `firebase-bolt` even if Firebase would reject it
    #[arg(long)]
    pub force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LanguageName {
    Firestore,
    Storage,
    /// Rules for the Realtime Database
    #[value(alias = "database", alias = "rtdb")]
    Realtime,
    Bolt,
    /// An expression as in Data Connect's `@auth(expr:)`
    Cel,
}

impl LanguageName {
    pub fn language(self) -> Language {
        match self {
            LanguageName::Firestore => Language::Firestore,
            LanguageName::Storage => Language::Storage,
            LanguageName::Realtime => Language::Realtime,
            LanguageName::Bolt => Language::Bolt,
            LanguageName::Cel => Language::Cel,
        }
    }
}
