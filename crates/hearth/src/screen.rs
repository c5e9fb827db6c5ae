//! What people see when Hearth starts, reloads and stops. On standard error, so that standard output stays for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use policy::Severity;
use serde_json::json;

use crate::paint::{self, Look, stderr_has_color};
use crate::services::Addresses;
use crate::watch::{Guarded, Loaded};

/// Where words to people go.
#[derive(Clone, Copy)]
pub struct Screen {
    colour: bool,
    json: bool,
    quiet: bool,
}

/// What runs.
pub struct Running<'a> {
    /// `dev` or `serve`.
    pub verb: &'a str,
    /// What other machines may do, and where they find it; `None` where they reach nothing.
    pub shared: Option<&'a str>,
    /// The project's id.
    pub project: &'a str,
    /// Service → address.
    pub services: &'a Addresses,
    /// Whether they are spoken to over TLS.
    pub tls: bool,
    /// Where data lives; `None` in memory.
    pub data: Option<&'a str>,
    /// The rules of the services that have some.
    pub rules: &'a [Guarded],
    /// Milliseconds from start to ready.
    pub took_ms: f64,
    /// Further things to know.
    pub notes: &'a [String],
    /// What to try next.
    pub hints: &'a [String],
}

impl Running<'_> {
    fn loaded(&self) -> impl Iterator<Item = &Loaded> {
        self.rules.iter().filter_map(|guarded| guarded.loaded.as_ref())
    }

    /// Whether these are the rules of a service all of whose rules are for parts of it.
    fn is_of_parts(&self, of: &Guarded) -> bool {
        let is_part = |other: &Guarded| other.rules.kind == of.rules.kind && other.part.is_some();
        of.part.is_none() && of.file.is_none() && self.rules.iter().any(is_part)
    }

    fn json(&self) -> serde_json::Value {
        let ports: BTreeMap<_, _> = self.services.iter().map(|(name, at)| (name, at.port())).collect();
        let names: Vec<_> = self.loaded().map(|loaded| loaded.source.name.to_string()).collect();
        let of = |severity: Severity| -> Vec<_> {
            let found =
                self.loaded().flat_map(|loaded| loaded.diagnostics.iter().map(move |found| (found, loaded)));
            let found = found.filter(|(found, _)| found.severity == severity);
            found.map(|(found, loaded)| found.report(&loaded.source)).collect()
        };
        json!({
            // It answers; with errors in the rules it denies everything.
            "ready": true,
            "verb": self.verb,
            "project": self.project,
            "ports": ports,
            "shared": self.shared,
            "data": self.data,
            "rules": Some(names.join(", ")).filter(|names| !names.is_empty()),
            "errors": of(Severity::Error),
            "warnings": of(Severity::Warning),
            "notes": self.notes,
            "tookMs": self.took_ms,
        })
    }

    fn text(&self, colour: bool) -> String {
        let (bold, dim, off) = if colour { ("\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m") } else { ("", "", "") };
        let mut text = format!(
            "\n  {bold}Hearth {}{off}  {} {}  {dim}ready in {:.0} ms{off}\n\n",
            env!("CARGO_PKG_VERSION"),
            self.verb,
            self.project,
            self.took_ms
        );
        for loaded in self.loaded().filter(|loaded| loaded.refused) {
            text.push_str(&format!(
                "  {bold}{} HAS ERRORS{off}, so everything is denied until they are fixed.\n\n",
                loaded.source.name
            ));
        }
        if let Some(shared) = self.shared {
            text.push_str(&format!("  {bold}SHARED:{off} {shared}\n\n"));
        }
        let scheme = if self.tls { "https" } else { "http" };
        for (name, address) in self.services {
            text.push_str(&format!("  {name:<10} {scheme}://{address}\n"));
        }
        text.push_str(&format!(
            "  {:<10} {}\n",
            "data",
            self.data.unwrap_or("in memory: gone when Hearth stops")
        ));
        for Guarded { rules, loaded, .. } in self.rules.iter().filter(|of| !self.is_of_parts(of)) {
            let usual = rules.kind.usual_name();
            text.push_str(&match loaded {
                Some(loaded) => {
                    format!("  {:<10} {} ({})\n", "rules", loaded.source.name, loaded.summary())
                }
                None if self.verb == "dev" => format!(
                    "\n  {bold}NO RULES:{off} there is no {usual}, so everyone may read and write everything.\n"
                ),
                None => format!("\n  NO RULES: there is no {usual}, so every client is denied.\n"),
            });
        }
        for note in self.notes {
            text.push_str(&format!("  {dim}{note}{off}\n"));
        }
        for hint in self.hints {
            text.push_str(&format!("\n  {hint}"));
        }
        text
    }
}

impl Screen {
    /// A screen; colour only on a terminal.
    pub fn new(json: bool) -> Self {
        Self { colour: stderr_has_color(), json, quiet: paint::is_quiet() }
    }

    /// A line.
    pub fn say(self, text: &str) {
        if self.quiet {
            return;
        }
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
            let mut output = io::stdout().lock();
            let _ = writeln!(output, "{}", running.json()).and_then(|()| output.flush());
            return;
        }
        self.say(&running.text(self.colour));
        for loaded in running.loaded() {
            self.diagnostics(loaded);
        }
        // Once more, where people look: after all that was said since.
        for loaded in running.loaded().filter(|loaded| loaded.refused) {
            let mark = if self.colour { "\u{1b}[31merror\u{1b}[0m" } else { "error" };
            self.say(&format!(
                "{mark}: {} has {}: everything is denied until they are fixed; saving the file loads it again",
                loaded.source.name,
                loaded.summary()
            ));
        }
    }

    /// The findings of a load, as a compiler shows them.
    pub fn diagnostics(self, loaded: &Loaded) {
        if !loaded.diagnostics.is_empty() {
            let look = Look { colour: self.colour, ..Look::stderr() };
            self.say(&paint::findings(&loaded.source, &loaded.diagnostics, look));
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
