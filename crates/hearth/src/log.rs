//! `hearth log`: asks the access log.

pub mod line;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use access::log::{Event, Filter, Reader, Verdict};
use base::{Clock, SystemClock, Timestamp};
use jiff::tz::TimeZone;

use crate::cli::{Log, Span, VerdictName};
use crate::failure::Failure;
use crate::paint::Look;
use line::Lines;

/// How often a followed log is looked at.
const FOLLOW_MILLIS: u64 = 100;

/// Prints the events asked for, oldest first.
pub fn run(ask: &Log) -> Result<(), Failure> {
    let since = ask.since.as_deref().map(|text| since(text, SystemClock.now()));
    let filter = Filter {
        who: ask.who.clone(),
        project: ask.project.clone(),
        service: ask.service.clone(),
        path: ask.path.clone(),
        trace: ask.trace.clone(),
        verdict: ask.verdict.map(verdict),
        since: since.transpose().map_err(Failure::usage)?,
    };
    let mut reader = Reader::open(&ask.data).map_err(|error| Failure::usage(error.to_string()))?;
    let zone = if ask.utc { TimeZone::UTC } else { TimeZone::system() };
    let lines = Lines::new(Look::stdout(), zone, SystemClock.now()).without_project(ask.project.as_deref());
    let mut output = io::stdout().lock();
    let mut print = |event: &Event| -> Result<bool, String> {
        let line =
            if ask.json { serde_json::to_string(event).unwrap_or_default() } else { lines.line(event) };
        match writeln!(output, "{line}").and_then(|()| if ask.follow { output.flush() } else { Ok(()) }) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).map_err(|error| error.to_string()),
        }
    };
    // The last ones, until the end has been seen.
    let mut last = ask.lines.map(|lines| (lines, VecDeque::new()));
    loop {
        let event = reader.next_event().map_err(|error| format!("the access log cannot be read: {error}"))?;
        match (event, &mut last) {
            (Some(event), _) if !filter.matches(&event) => {}
            (Some(event), Some((lines, kept))) => {
                kept.push_back(event);
                if kept.len() > *lines {
                    kept.pop_front();
                }
            }
            (Some(event), None) => {
                if !print(&event)? {
                    return Ok(());
                }
            }
            (None, kept) => {
                for event in kept.take().map(|(_, kept)| kept).unwrap_or_default() {
                    if !print(&event)? {
                        return Ok(());
                    }
                }
                if !ask.follow {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(FOLLOW_MILLIS));
            }
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
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong =
        || format!("`{text}` is neither a duration (90s, 10m, 24h, 7d) nor a time (2026-11-24T15:00:00Z)");
    if let Ok(time) = Timestamp::parse(text) {
        return Ok(time);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    Ok(Timestamp { seconds: now.seconds - i64::from(span.seconds()), nanos: now.nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

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
