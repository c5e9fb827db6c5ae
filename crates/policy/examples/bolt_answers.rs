//! Compiles Bolt files for a comparison: reads `[text, …]` and prints
//! `[{"json": text or null, "messages": […], "limit": text or null, "usable": boolean}, …]`, with the messages as
//! `firebase-bolt` words them, the limit that was in the way, and whether Firebase would take the rules.

#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use policy::{Source, bolt};
use serde_json::{Value, json};

fn main() -> Result<(), serde_json::Error> {
    let texts: Vec<String> = serde_json::from_reader(std::io::stdin())?;
    let answer = |text: &String| {
        let source = Source::new("file.bolt", text.as_str());
        let compiled = bolt::compile(source.clone());
        let messages: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter_map(|diagnostic| bolt::original_line(&source, diagnostic))
            .collect();
        let mut limits = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.code == "bolt-limit");
        json!({
            "json": compiled.json,
            "messages": messages,
            "limit": limits.next().map(|limit| &limit.message),
            "usable": compiled.usable().is_some(),
        })
    };
    println!("{}", Value::Array(texts.iter().map(answer).collect()));
    Ok(())
}
