//! Denials of one caller that repeat: one line and a count, so that a flood of them cannot wash the log away.
//!
//! The first [`LINES_PER_KIND_MAX`] denials of a kind are lines at once. Those like them within the same second are counted,
//! and when the second is over one more line says how many there were. A caller has at most [`KINDS_PER_CALLER_MAX`] kinds in a second; the
//! rest is one kind. Nothing else is ever collapsed: administrators' acts, writes and faults are lines of their own.

use std::collections::HashMap;
use std::mem;

use super::event::{Event, Verdict};

/// Kinds of denials that one caller has lines for within a second.
pub const KINDS_PER_CALLER_MAX: usize = 16;
/// Denials of one kind that have lines of their own within a second.
pub const LINES_PER_KIND_MAX: u32 = 8;
/// Callers that are told apart within a second; the denials of all others are one caller's.
const CALLERS_MAX: usize = 4096;

/// What makes denials of a caller alike.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    service: String,
    verb: String,
    path: String,
    cause: String,
}

#[derive(Default)]
struct Denials {
    kinds: HashMap<Kind, Repeated>,
    /// Beyond the kinds that are told apart.
    others: Option<Repeated>,
}

/// The last of several like it, how many have lines, and how many came after those.
struct Repeated {
    last: Box<Event>,
    lines: u32,
    count: u64,
}

/// The denials of the second that runs.
#[derive(Default)]
pub(super) struct Collapse {
    second: String,
    callers: HashMap<Option<String>, Denials>,
}

impl Collapse {
    /// Takes an event in. Returns those to be written now, in their order.
    pub(super) fn take(&mut self, event: Event) -> Vec<Event> {
        let mut due = if second_of(&event) == self.second { Vec::new() } else { self.end(second_of(&event)) };
        if event.verdict != Verdict::Deny || event.version.is_some() {
            due.push(event);
            return due;
        }
        let is_crowded = self.callers.len() >= CALLERS_MAX && !self.callers.contains_key(&event.who);
        let who = if is_crowded { None } else { event.who.clone() };
        due.extend(self.callers.entry(who).or_default().take(event));
        due
    }

    /// Whether a second's counts are still to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// Ends the second. Returns the lines with its counts.
    pub(super) fn end(&mut self, next: &str) -> Vec<Event> {
        next.clone_into(&mut self.second);
        let mut lines = Vec::new();
        for denials in mem::take(&mut self.callers).into_values() {
            lines.extend(denials.kinds.into_values().filter_map(Repeated::line));
            lines.extend(denials.others.and_then(|mut others| {
                others.last.path = "(several)".to_owned();
                others.line()
            }));
        }
        lines.sort_by(|a, b| a.time.cmp(&b.time));
        lines
    }
}

impl Denials {
    /// The event, if it is one of the first of its kind.
    fn take(&mut self, event: Event) -> Option<Event> {
        let kind = Kind {
            service: event.service.clone(),
            verb: event.verb.clone(),
            path: event.path.clone(),
            cause: event
                .causes
                .first()
                .map(|cause| format!("{} {}", cause.at, cause.text))
                .unwrap_or_default(),
        };
        let is_known = self.kinds.contains_key(&kind);
        if !is_known && self.kinds.len() >= KINDS_PER_CALLER_MAX {
            let others = self.others.get_or_insert_with(|| Repeated {
                last: Box::new(event.clone()),
                lines: 0,
                count: 0,
            });
            others.add(event);
            return None;
        }
        match self.kinds.get_mut(&kind) {
            Some(repeated) if repeated.lines < LINES_PER_KIND_MAX => {
                repeated.lines += 1;
                Some(event)
            }
            Some(repeated) => {
                repeated.add(event);
                None
            }
            None => {
                self.kinds.insert(kind, Repeated { last: Box::new(event.clone()), lines: 1, count: 0 });
                Some(event)
            }
        }
    }
}

impl Repeated {
    fn add(&mut self, event: Event) {
        *self.last = event;
        self.count += 1;
    }

    /// The last event with the count of all that had no line.
    fn line(self) -> Option<Event> {
        let Self { mut last, count, .. } = self;
        last.count = Some(count).filter(|count| *count > 1);
        (count > 0).then_some(*last)
    }
}

/// The second of an event: its time without the fraction.
fn second_of(event: &Event) -> &str {
    event.time.split_once(['.', 'Z']).map_or(event.time.as_str(), |(second, _)| second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: u32, who: Option<&str>, verdict: Verdict, path: &str) -> Event {
        let json = serde_json::json!({
            "time": format!("2026-01-01T00:00:{second:02}.5Z"), "request": 1, "service": "firestore", "verb": "Get",
            "path": path, "caller": "user", "who": who, "verdict": verdict,
        });
        serde_json::from_value(json).unwrap()
    }

    fn shown(events: &[Event]) -> Vec<(&str, u64)> {
        events.iter().map(|event| (event.path.as_str(), event.count.unwrap_or(1))).collect()
    }

    #[test]
    fn denials_alike_are_some_lines_and_a_count() {
        let mut collapse = Collapse::default();
        let mut lines = Vec::new();
        for _ in 0..1000 {
            lines.extend(collapse.take(event(1, Some("mallory"), Verdict::Deny, "/a")));
            lines.extend(collapse.take(event(1, Some("ann"), Verdict::Allow, "/b")));
        }
        lines.extend(collapse.take(event(1, Some("bob"), Verdict::Deny, "/a")));
        assert_eq!(lines.iter().filter(|line| line.verdict == Verdict::Allow).count(), 1000);
        assert_eq!(lines.iter().filter(|line| line.verdict == Verdict::Deny).count(), 9);
        let later = collapse.take(event(2, Some("mallory"), Verdict::Deny, "/a"));
        assert_eq!(shown(&later), [("/a", 992), ("/a", 1)]);
    }

    #[test]
    fn one_caller_cannot_fill_the_log_with_many_kinds() {
        let mut collapse = Collapse::default();
        let mut lines = 0;
        for path in 0..10_000 {
            lines += collapse.take(event(1, None, Verdict::Deny, &format!("/{path}"))).len();
        }
        assert_eq!(lines, KINDS_PER_CALLER_MAX);
        let counts = collapse.end("");
        assert_eq!(shown(&counts), [("(several)", 10_000 - KINDS_PER_CALLER_MAX as u64)]);
        assert!(collapse.is_empty());
    }

    #[test]
    fn administrators_writes_and_faults_are_lines_of_their_own() {
        let mut collapse = Collapse::default();
        for verdict in [Verdict::Admin, Verdict::Error, Verdict::Allow] {
            for _ in 0..5 {
                assert_eq!(collapse.take(event(1, Some("x"), verdict, "/a")).len(), 1);
            }
        }
    }
}
