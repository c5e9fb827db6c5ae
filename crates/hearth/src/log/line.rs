//! One event of the access log as one line: when, verdict, who, what, why.

use access::log::{Cause, Event, Verdict};
use base::Timestamp;
use jiff::tz::TimeZone;

use crate::paint::{Look, cut};

/// Writes lines for a terminal or a file.
pub struct Lines {
    look: Look,
    zone: TimeZone,
    today: jiff::civil::Date,
    /// The project that needs no mention.
    project: Option<String>,
}

impl Lines {
    /// Lines with times of a zone, and dates unless they are today's.
    pub fn new(look: Look, zone: TimeZone, now: Timestamp) -> Self {
        let today = civil(now, &zone).date();
        Self { look, zone, today, project: None }
    }

    /// The same, without the name of this project in its lines.
    pub fn without_project(self, project: Option<&str>) -> Self {
        Self { project: project.map(str::to_owned), ..self }
    }

    /// The line of an event.
    pub fn line(&self, event: &Event) -> String {
        let mut line = format!("{}  ", self.time(event));
        let verdict = format!("{:<5}", event.verdict.word());
        let colour = match event.verdict {
            Verdict::Allow => "32",
            Verdict::Deny => "31",
            Verdict::Error => "33",
            Verdict::Admin => "36",
        };
        let project = match event.project.as_str() {
            "" => String::new(),
            project if self.project.as_deref() == Some(project) => String::new(),
            project => format!("  {}", plain(project)),
        };
        let rest = format!("{project}  {}", said(event));
        // Never cut: it is there to be copied.
        let number = number(event);
        let rest = match self.look.columns {
            Some(columns) => {
                let others = line.chars().count() + verdict.chars().count() + number.chars().count();
                cut(&rest, columns.saturating_sub(others))
            }
            None => rest,
        };
        line.push_str(&self.look.paint(colour, &verdict));
        line.push_str(&rest);
        line.push_str(&number);
        line
    }

    fn time(&self, event: &Event) -> String {
        let Ok(time) = Timestamp::parse(&event.time) else { return event.time.clone() };
        let at = civil(time, &self.zone);
        let form = if at.date() == self.today { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" };
        at.strftime(form).to_string()
    }
}

fn civil(time: Timestamp, zone: &TimeZone) -> jiff::civil::DateTime {
    let nanos = i32::try_from(time.nanos).unwrap_or(0);
    let stamp = jiff::Timestamp::new(time.seconds, nanos).unwrap_or_default();
    zone.to_datetime(stamp)
}

/// Who, what and why. Control characters are written out: ids and paths are what clients chose, and a terminal obeys them.
fn said(event: &Event) -> String {
    let who = match (&event.who, event.caller.as_str()) {
        (Some(who), "user") => who.clone(),
        (Some(who), caller) => format!("{caller} {who}"),
        (None, "unauthenticated") => "(signed out)".to_owned(),
        (None, caller) => caller.to_owned(),
    };
    // What rules call it says more than the protocol's name, where there is a rule.
    let is_for_rules = matches!(event.method.as_str(), "get" | "list" | "create" | "update" | "delete");
    let verb = if is_for_rules { &event.method } else { &event.verb };
    let mut text = format!("{who}  {verb} {}", event.path);
    if let Some(count) = event.count {
        text.push_str(&format!("  ({count} times)"));
    }
    match (&event.rule, event.causes.is_empty()) {
        (_, false) => text.push_str(&format!(": {}", why(&event.causes))),
        (Some(rule), true) => text.push_str(&format!("  by {rule}")),
        (None, true) => {}
    }
    let mut details = event.details.clone();
    details.shift_remove("link");
    if !details.is_empty() {
        text.push_str(&format!("  {}", serde_json::Value::Object(details)));
    }
    plain(&text)
}

fn plain(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// The end of the request's number, for `hearth explain --request`; nothing where no rules decided.
fn number(event: &Event) -> String {
    if event.basis.is_none() {
        return String::new();
    }
    format!("  #{:06}", event.request % 1_000_000)
}

fn why(causes: &[Cause]) -> String {
    let reasons: Vec<String> = causes.iter().map(reason).collect();
    reasons.join("; or ")
}

/// One reason: what was seen, else what was said, and where.
fn reason(cause: &Cause) -> String {
    if let Some(day) = expired(&cause.expression).filter(|_| cause.text == "false") {
        let reason = format!("test rules that expired on {day}: `{}`", cause.expression);
        return if cause.at.is_empty() { reason } else { format!("{reason} [{}]", cause.at) };
    }
    let observed = without_literals(&cause.observed);
    let is_verdict = matches!(cause.text.as_str(), "false" | "true");
    let reason = match (is_verdict, observed.is_empty()) {
        (true, true) if !cause.expression.is_empty() => format!("the rule says `{}`", cause.expression),
        (true, false) => observed,
        (false, false) => format!("{} ({observed})", short(&cause.text)),
        (_, true) => short(&cause.text).to_owned(),
    };
    if cause.at.is_empty() { reason } else { format!("{reason} [{}]", cause.at) }
}

/// The day until which the rules of a new project let everybody in: `request.time < timestamp.date(2024, 12, 1)`.
fn expired(expression: &str) -> Option<String> {
    let condition: String = expression.split_whitespace().collect();
    let date =
        condition.strip_prefix("request.time<")?.trim_start_matches('=').strip_prefix("timestamp.date(")?;
    let numbers: Option<Vec<u32>> =
        date.strip_suffix(')')?.split(',').map(|part| part.parse().ok()).collect();
    match numbers?[..] {
        [year, month, day] => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

/// What was seen without what was written as it is: `null is null` says nothing.
fn without_literals(observed: &str) -> String {
    let says = |part: &&str| part.split_once(" is ").is_none_or(|(written, value)| written != value);
    observed.split(", ").filter(says).collect::<Vec<_>>().join(", ")
}

/// The service's words without the protocol buffer that they print.
fn short(text: &str) -> &str {
    if text.starts_with("Service call error.") { "the document is not there" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(event: serde_json::Value, columns: Option<usize>) -> String {
        let event: Event = serde_json::from_value(event).unwrap();
        let now = Timestamp::parse("2026-11-30T12:00:00Z").unwrap();
        Lines::new(Look { colour: false, columns }, TimeZone::UTC, now).line(&event)
    }

    fn denied(who: Option<&str>, expression: &str, observed: &str, text: &str) -> serde_json::Value {
        serde_json::json!({"time": "2026-11-30T10:38:12.082308Z", "request": 1, "service": "firestore", "verb": "GetDocument",
            "method": "get", "path": "/b/2", "caller": if who.is_some() { "user" } else { "unauthenticated" }, "who": who,
            "verdict": "deny",
            "causes": [{"at": "firestore.rules:4:33", "expression": expression, "observed": observed, "text": text}]})
    }

    #[test]
    fn a_line_says_when_who_what_and_why() {
        assert_eq!(
            line(
                denied(
                    Some("maria"),
                    "request.auth.uid == x",
                    "request.auth.uid is 'maria', x is '2'",
                    "false"
                ),
                None
            ),
            "10:38:12.082  deny   maria  get /b/2: request.auth.uid is 'maria', x is '2' [firestore.rules:4:33]"
        );
        assert_eq!(
            line(denied(None, "request.auth != null", "request.auth is null, null is null", "false"), None),
            "10:38:12.082  deny   (signed out)  get /b/2: request.auth is null [firestore.rules:4:33]"
        );
        assert_eq!(
            line(denied(None, "false", "false is false", "false"), None),
            "10:38:12.082  deny   (signed out)  get /b/2: the rule says `false` [firestore.rules:4:33]"
        );
        assert_eq!(
            line(
                denied(None, "request.time < timestamp.date(2024, 2, 1)", "request.time is x", "false"),
                None
            ),
            "10:38:12.082  deny   (signed out)  get /b/2: test rules that expired on 2024-02-01: `request.time < timestamp.date(2024, \
             2, 1)` [firestore.rules:4:33]"
        );
        assert_eq!(
            line(denied(None, "get(/a)", "", "Service call error. Function: [get]"), None),
            "10:38:12.082  deny   (signed out)  get /b/2: the document is not there [firestore.rules:4:33]"
        );
    }

    #[test]
    fn other_days_have_a_date_and_what_no_rule_decides_its_verb() {
        let event = serde_json::json!({"time": "2026-11-29T10:38:12.082308Z", "request": 1, "service": "identity", "verb": "signUp",
            "method": "password", "path": "/users/U", "caller": "user", "who": "U", "verdict": "allow", "version": 3});
        assert_eq!(line(event, None), "2026-11-29 10:38:12.082  allow  U  signUp /users/U");
    }

    #[test]
    fn a_line_fits_and_does_not_tell_a_terminal_what_to_do() {
        let event = denied(
            Some("\u{7}x"),
            "a",
            "\u{1b}]0;t is long, and longer, and still longer than that",
            "false",
        );
        let line = line(event, Some(60));
        assert_eq!(line.chars().count(), 60, "{line:?}");
        assert!(line.ends_with('…') && !line.contains(['\u{1b}', '\u{7}']), "{line:?}");
    }
}
