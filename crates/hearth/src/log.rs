//! `hearth log`: asks the access log.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use access::log::{Event, Filter, Reader, Verdict};
use base::{Clock, SystemClock, Timestamp};

use crate::cli::{Log, Span, VerdictName};

/// How often a followed log is looked at.
const FOLLOW_MILLIS: u64 = 100;

/// Prints the events asked for, oldest first.
pub fn run(ask: &Log) -> Result<(), String> {
    let filter = Filter {
        who: ask.who.clone(),
        service: ask.service.clone(),
        path: ask.path.clone(),
        verdict: ask.verdict.map(verdict),
        since: ask.since.as_deref().map(|text| since(text, SystemClock.now())).transpose()?,
    };
    let mut reader = Reader::open(&ask.data).map_err(|error| error.to_string())?;
    let mut output = io::stdout().lock();
    let colour = output.is_terminal();
    loop {
        match reader.next_event().map_err(|error| format!("the access log cannot be read: {error}"))? {
            Some(event) if filter.matches(&event) => {
                let line = if ask.json {
                    serde_json::to_string(&event).unwrap_or_default()
                } else {
                    sentence(&shown(&event), colour)
                };
                match writeln!(output, "{line}") {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                    written => written.map_err(|error| error.to_string())?,
                }
            }
            Some(_) => {}
            None if ask.follow => {
                output.flush().map_err(|error| error.to_string())?;
                std::thread::sleep(Duration::from_millis(FOLLOW_MILLIS));
            }
            None => return Ok(()),
        }
    }
}

fn verdict(name: VerdictName) -> Verdict {
    match name {
        VerdictName::Allow => Verdict::Allow,
        VerdictName::Deny => Verdict::Deny,
        VerdictName::Error => Verdict::Error,
        VerdictName::Admin => Verdict::Admin,
    }
}

/// A duration back from now, or a time.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("`{text}` is neither a duration (90s, 10m, 24h, 7d) nor a time (2026-11-24T15:00:00Z)");
    if let Ok(time) = Timestamp::parse(text) {
        return Ok(time);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    Ok(Timestamp { seconds: now.seconds - i64::from(span.seconds()), nanos: now.nanos })
}

/// The event with control characters written out: ids and paths are what clients chose, and a terminal obeys them.
fn shown(event: &Event) -> Event {
    let plain = |text: &str| -> String {
        let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        text.chars().map(escape).collect()
    };
    let mut shown = event.clone();
    shown.path = plain(&event.path);
    shown.who = event.who.as_deref().map(plain);
    for cause in &mut shown.causes {
        for text in [&mut cause.expression, &mut cause.observed, &mut cause.text] {
            *text = plain(text);
        }
    }
    shown
}

/// One event as a line for people.
fn sentence(event: &Event, colour: bool) -> String {
    let who =
        event.who.as_deref().map_or_else(|| event.caller.clone(), |who| format!("{} {who}", event.caller));
    let (on, off) = match (colour, event.verdict) {
        (false, _) => ("", ""),
        (true, Verdict::Allow) => ("\u{1b}[32m", "\u{1b}[0m"),
        (true, Verdict::Deny) => ("\u{1b}[31m", "\u{1b}[0m"),
        (true, Verdict::Error) => ("\u{1b}[33m", "\u{1b}[0m"),
        (true, Verdict::Admin) => ("\u{1b}[36m", "\u{1b}[0m"),
    };
    let mut line = format!(
        "{} {on}{:5}{off} {who}  {}.{} {} {}",
        event.time,
        event.verdict.word(),
        event.service,
        event.verb,
        event.method,
        event.path
    );
    if let Some(count) = event.count {
        line.push_str(&format!("  {count} times"));
    }
    if let Some(rule) = &event.rule {
        line.push_str(&format!("  by {rule}"));
    }
    if !event.details.is_empty() {
        line.push_str(&format!("  {}", serde_json::Value::Object(event.details.clone())));
    }
    for cause in &event.causes {
        line.push_str("\n    ");
        if !cause.at.is_empty() {
            line.push_str(&format!("{} ", cause.at));
        }
        if !cause.expression.is_empty() {
            line.push_str(&format!("`{}` ", cause.expression));
        }
        if !cause.observed.is_empty() {
            line.push_str(&format!("was {} ", cause.observed));
        }
        line.push_str(&format!("— {}", cause.text));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_an_id() {
        let event: Event = serde_json::from_str(
            r#"{"time": "", "request": 1, "service": "firestore", "verb": "Get", "path": "/a/\u001b[2J",
                "caller": "user", "who": "\u0007x", "verdict": "deny",
                "causes": [{"observed": "\n\u001b]0;t", "text": "false"}]}"#,
        )
        .unwrap();
        let line = sentence(&shown(&event), false);
        assert!(!line.contains('\u{1b}') && !line.contains('\u{7}'), "{line:?}");
        assert!(line.contains("/a/\\u{1b}[2J"), "{line:?}");
        assert_eq!(line.lines().count(), 2, "{line:?}");
    }

    #[test]
    fn since_reads_durations_and_times() {
        let now = Timestamp { seconds: 1_000_000, nanos: 5 };
        assert_eq!(since("10m", now), Ok(Timestamp { seconds: 999_400, nanos: 5 }));
        assert_eq!(since("1970-01-01T00:00:00Z", now), Ok(Timestamp::EPOCH));
        for text in ["", "m", "10", "tenm", "-5m", "5é"] {
            assert!(since(text, now).is_err(), "{text}");
        }
    }
}
