//! `hearth bolt compile`: the rules that a Bolt file means, byte for byte as `firebase-bolt` prints them.

use std::io::Write;
use std::process::ExitCode;

use policy::bolt;

use crate::cli::CompileBolt;
use crate::paint;
use crate::texts;

/// Compiles; the code is 1 when the rules are not usable. They are written only when they are.
pub fn compile(ask: &CompileBolt) -> Result<ExitCode, String> {
    let source = texts::read_named(&ask.file).map_err(|error| error.to_string())?;
    let compiled = bolt::compile(source.clone());
    if !compiled.diagnostics.is_empty() {
        let shown = paint::findings(&source, &compiled.diagnostics, paint::Look::stderr());
        let _ = std::io::stderr().lock().write_all(shown.as_bytes());
    }
    let json = match (&compiled.json, ask.force) {
        (Some(json), true) => json.as_str(),
        _ => match compiled.usable() {
            Some(json) => json,
            None => {
                if compiled.json.is_some() {
                    let _ = writeln!(
                        std::io::stderr().lock(),
                        "nothing is written: Firebase would refuse these rules or they cannot do what they say (--force writes them)"
                    );
                }
                return Ok(ExitCode::FAILURE);
            }
        },
    };
    if ask.check {
        return Ok(ExitCode::SUCCESS);
    }
    match &ask.output {
        Some(path) => std::fs::write(path, json)
            .map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?,
        None => {
            let _ = std::io::stdout().lock().write_all(json.as_bytes());
        }
    }
    Ok(ExitCode::SUCCESS)
}
