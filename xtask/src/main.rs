//! Chores of this repository: `cargo xtask codegen` writes the generated files anew,
//! `cargo xtask floors` checks that dependencies between the rooms only run downward,
//! `cargo xtask tidy` checks what the house forbids in its files.

mod cargo;
mod codegen;
mod floors;
mod json;
mod tidy;
mod weight;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1);
    let outcome = match verb.as_deref() {
        Some("codegen") => codegen::write(&repository()).map_err(|error| error.to_string()),
        Some("floors") => floors::check(&repository()).map_err(|error| error.to_string()),
        Some("tidy") => tidy::check(&repository()).map_err(|error| error.to_string()),
        _ => Err("the verbs are `codegen`, `floors` and `tidy`".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace.
fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
