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
    /// The language, where name and text do not tell it
    #[arg(long)]
    pub language: Option<LanguageName>,
    /// Warnings fail, too
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
    /// Only cases whose line has this text
    #[arg(long)]
    pub filter: Option<String>,
    /// Write what the cases reached of the rules: HTML, JSON and lcov (default folder: `coverage`)
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
    /// The request as case files write it: "alice get /rooms/1"
    #[arg(conflicts_with = "logged")]
    pub request: Option<String>,
    /// Decide a request of the access log again, by the rules and on the documents of its moment and of today. Its number is at
    /// the end of a line of `hearth log`; the last digits are enough
    #[arg(long = "request", value_name = "ID")]
    pub logged: Option<String>,
    /// The language, where the file does not tell it, or which of a project's rules are meant
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
    /// Who evaluates an expression (default: signed out)
    #[arg(long)]
    pub user: Option<String>,
    /// The variables of an expression's operation, or a file
    #[arg(long)]
    pub vars: Option<String>,
    /// `this` of an expression, or a file
    #[arg(long)]
    pub this: Option<String>,
    /// `response` of an expression, or a file
    #[arg(long)]
    pub response: Option<String>,
    /// One JSON document instead of text
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
    /// Where the rules go (default: standard output)
    #[arg(long, short)]
    pub output: Option<PathBuf>,
    /// Only say what is wrong
    #[arg(long, conflicts_with = "output")]
    pub check: bool,
    /// Write what `firebase-bolt` would write even if Firebase would refuse it
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
