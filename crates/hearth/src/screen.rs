//! What people see when Hearth starts, reloads and stops. On standard error, so that standard output stays for programs.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;

use serde_json::json;

use crate::watch::Loaded;

/// Where words to people go.
#[derive(Clone, Copy)]
pub struct Screen {
    colour: bool,
    json: bool,
}

/// What runs.
pub struct Running<'a> {
    /// `dev` or `serve`.
    pub verb: &'a str,
    /// The project's id.
    pub project: &'a str,
    /// Service → address.
    pub services: &'a BTreeMap<String, SocketAddr>,
    /// Whether they are spoken to over TLS.
    pub tls: bool,
    /// Where data lives; `None` in memory.
    pub data: Option<&'a str>,
    /// The rules file's name and what loading it said; `None` without one.
    pub rules: Option<&'a Loaded>,
    /// Milliseconds from start to ready.
    pub took_ms: f64,
    /// Further things to know.
    pub notes: &'a [String],
    /// What to try next.
    pub hints: &'a [String],
}

impl Screen {
    /// A screen; colour only on a terminal.
    pub fn new(json: bool) -> Self {
        Self { colour: io::stderr().is_terminal(), json }
    }

    fn say(self, text: &str) {
        // Nobody is left to hear of a failure to speak.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A warning in one line.
    pub fn warn(self, text: &str) {
        let mark = if self.colour { "\u{1b}[33mwarning\u{1b}[0m" } else { "warning" };
        self.say(&format!("{mark}: {text}"));
    }

    /// The start-up screen, or its line of JSON on standard output.
    pub fn ready(self, running: &Running<'_>) {
        if self.json {
            let ports: BTreeMap<_, _> = running.services.iter().map(|(name, at)| (name, at.port())).collect();
            let warnings: Vec<_> = running
                .rules
                .map(|loaded| loaded.diagnostics.iter().map(|found| found.report(&loaded.source)).collect())
                .unwrap_or_default();
            let line = json!({
                "ready": true,
                "verb": running.verb,
                "project": running.project,
                "ports": ports,
                "data": running.data,
                "rules": running.rules.map(|loaded| loaded.source.name.to_string()),
                "warnings": warnings,
                "tookMs": running.took_ms,
            });
            let mut output = io::stdout().lock();
            let _ = writeln!(output, "{line}").and_then(|()| output.flush());
            return;
        }
        let (bold, dim, off) =
            if self.colour { ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m") } else { ("", "", "") };
        let mut text = format!(
            "\n  {bold}Hearth {}{off}  {} {}  {dim}ready in {:.0} ms{off}\n\n",
            env!("CARGO_PKG_VERSION"),
            running.verb,
            running.project,
            running.took_ms
        );
        let scheme = if running.tls { "https" } else { "http" };
        for (name, address) in running.services {
            text.push_str(&format!("  {name:<10} {scheme}://{address}\n"));
        }
        text.push_str(&format!(
            "  {:<10} {}\n",
            "data",
            running.data.unwrap_or("in memory: gone when Hearth stops")
        ));
        match running.rules {
            Some(loaded) => {
                let warnings = match loaded.warnings() {
                    0 => "no warnings".to_owned(),
                    1 => "1 warning".to_owned(),
                    count => format!("{count} warnings"),
                };
                text.push_str(&format!("  {:<10} {} ({warnings})\n", "rules", loaded.source.name));
            }
            None if running.verb == "dev" => text.push_str(&format!(
                "\n  {bold}NO RULES:{off} there is no firestore.rules, so everyone may read and write everything.\n"
            )),
            None => text.push_str("\n  NO RULES: there is no firestore.rules, so every client is denied.\n"),
        }
        for note in running.notes {
            text.push_str(&format!("  {dim}{note}{off}\n"));
        }
        for hint in running.hints {
            text.push_str(&format!("\n  {hint}"));
        }
        self.say(&text);
        if let Some(loaded) = running.rules {
            self.diagnostics(loaded);
        }
    }

    /// The findings of a load, as a compiler shows them.
    pub fn diagnostics(self, loaded: &Loaded) {
        if !loaded.diagnostics.is_empty() {
            self.say(&policy::diagnostic::render(&loaded.source, &loaded.diagnostics, self.colour));
        }
    }

    /// After an edit of the rules.
    pub fn reloaded(self, loaded: &Loaded) {
        if loaded.refused {
            self.say(&format!("{} has errors: the last good rules stay in force", loaded.source.name));
        } else {
            self.say(&format!("{} reloaded", loaded.source.name));
        }
        self.diagnostics(loaded);
    }
}
