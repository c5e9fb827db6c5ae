//! Compiles Firestore rules for a comparison: reads `[text, …]` and prints
//! `[{"errors": [[line, column, message, code], …], "warnings": […]}, …]`.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use policy::{Service, Severity, Source};
use serde_json::{Value, json};

fn main() -> Result<(), serde_json::Error> {
    let texts: Vec<String> = serde_json::from_reader(std::io::stdin())?;
    let answer = |text: &String| {
        let source = Source::new("firestore.rules", text.as_str());
        let compiled = policy::compile(source.clone(), Service::Firestore);
        let of = |severity: Severity| -> Vec<Value> {
            let told = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
            told.map(|diagnostic| diagnostic.report(&source))
                .map(|report| json!([report.line, report.column, report.message, report.code]))
                .collect()
        };
        json!({ "errors": of(Severity::Error), "warnings": of(Severity::Warning) })
    };
    println!("{}", Value::Array(texts.iter().map(answer).collect()));
    Ok(())
}
