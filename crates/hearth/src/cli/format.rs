//! The forms of what the verbs about rules find.

use clap::{Args, ValueEnum};

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// Annotations of a GitHub workflow
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// The form that is asked for.
#[derive(Debug, Args)]
pub struct Format {
    /// The output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
    output_format: Form,
    /// The same as `--output-format json`
    #[arg(long, conflicts_with = "output_format")]
    json: bool,
}

impl Format {
    /// The form.
    pub fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output_format }
    }
}
