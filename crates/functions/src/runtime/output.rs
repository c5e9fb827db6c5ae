//! What code writes: lines of JSON from the package's logger, other lines as text.
//!
//! Source: the functions reference, A7: `{severity, message, "logging.googleapis.com/trace", …}`.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Child;

/// Bytes of a line; what is longer becomes several.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Lines of standard error that are kept for the account of a failure.
const LAST_LINES_MAX: usize = 12;

/// The last lines of standard error.
#[derive(Clone, Debug, Default)]
pub struct LastWords(Arc<Mutex<VecDeque<String>>>);

impl LastWords {
    fn add(&self, line: &str) {
        let mut lines = self.0.lock();
        if lines.len() == LAST_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    /// As one text.
    pub fn text(&self) -> String {
        self.0.lock().iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Follows both outputs of a process until it ends.
pub fn follow(codebase: &str, child: &mut Child, words: &LastWords) {
    if let Some(out) = child.stdout.take() {
        tokio::spawn(lines(codebase.to_owned(), BufReader::new(out), None));
    }
    if let Some(err) = child.stderr.take() {
        tokio::spawn(lines(codebase.to_owned(), BufReader::new(err), Some(words.clone())));
    }
}

async fn lines(codebase: String, mut from: impl AsyncBufRead + Unpin, words: Option<LastWords>) {
    let usual = if words.is_some() { "ERROR" } else { "INFO" };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        if let Some(words) = &words {
            words.add(text);
        }
        write(&codebase, &Line::read(text, usual));
    }
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    severity: String,
    message: String,
    trace: Option<String>,
    details: String,
}

impl Line {
    fn read(text: &str, usual: &str) -> Self {
        let plain = || Self {
            severity: usual.to_owned(),
            message: text.to_owned(),
            trace: None,
            details: String::new(),
        };
        let Ok(Json::Object(mut entry)) = serde_json::from_str(text) else { return plain() };
        let Some(severity) = entry.get("severity").and_then(Json::as_str).map(str::to_owned) else {
            return plain();
        };
        entry.remove("severity");
        let mut text_of = |key: &str| match entry.remove(key) {
            Some(Json::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
            None => None,
        };
        let message = text_of("message").unwrap_or_default();
        let trace = text_of("logging.googleapis.com/trace");
        let trace = trace.map(|trace| trace.rsplit('/').next().unwrap_or_default().to_owned());
        let details = if entry.is_empty() { String::new() } else { Json::Object(entry).to_string() };
        Self { severity, message, trace, details }
    }
}

fn write(codebase: &str, line: &Line) {
    let Line { severity, message, trace, details } = line;
    let trace = trace.as_deref().map(tracing::field::display);
    let details = Some(details).filter(|details| !details.is_empty()).map(tracing::field::display);
    match severity.as_str() {
        "DEBUG" => tracing::debug!(target: "function", codebase, trace, details, "{message}"),
        "DEFAULT" | "INFO" | "NOTICE" => {
            tracing::info!(target: "function", codebase, trace, details, "{message}")
        }
        "WARNING" => tracing::warn!(target: "function", codebase, trace, details, "{message}"),
        _ => tracing::error!(target: "function", codebase, severity, trace, details, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_logger_are_taken_apart_and_others_are_text() {
        let read = Line::read(
            r#"{"severity":"WARNING","message":"m","a":1,"logging.googleapis.com/trace":"projects/p/traces/abc"}"#,
            "INFO",
        );
        let expected = ("WARNING", "m", Some("abc"), r#"{"a":1}"#);
        assert_eq!(
            (read.severity.as_str(), read.message.as_str(), read.trace.as_deref(), read.details.as_str()),
            expected
        );
        for text in ["plain", r#"{"message":"no severity"}"#, "{", "[1]"] {
            let read = Line::read(text, "ERROR");
            assert_eq!((read.severity.as_str(), read.message.as_str()), ("ERROR", text));
        }
    }
}
