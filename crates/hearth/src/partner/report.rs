//! What a partner did, of the access log: the periodic audit of somebody else's access.
//!
//! An event is the partner's when the partner's account asked, or when a function asked for it within the trace of one of the
//! partner's calls. What it may do and never did is what its access can do without.

use std::collections::{BTreeMap, BTreeSet};

use access::log::{Event, Verdict};
use base::Timestamp;
use functions::model::partner::{CLAIM, Partner};
use serde_json::{Value as Json, json};

/// Reasons for denials that are told apart.
const REASONS_MAX: usize = 100;
/// Traces of calls whose events are the partner's; the oldest are forgotten.
const TRACES_MAX: usize = 1_000_000;

/// What was done, added up.
pub struct Report<'a> {
    partner: &'a Partner,
    since: Timestamp,
    traces: BTreeSet<String>,
    calls: BTreeMap<String, Counts>,
    collections: BTreeMap<String, Counts>,
    denials: BTreeMap<(String, String), u64>,
    days: BTreeMap<String, u64>,
    addresses: u64,
}

/// How often, and when first and last.
#[derive(Clone, Debug, Default)]
struct Counts {
    read: u64,
    written: u64,
    denied: u64,
    first: String,
    last: String,
}

impl Counts {
    fn add(&mut self, event: &Event, is_write: bool) {
        let times = event.count.unwrap_or(1);
        match (event.verdict, is_write) {
            (Verdict::Deny, _) => self.denied += times,
            (Verdict::Error, _) => {}
            (_, true) => self.written += times,
            (_, false) => self.read += times,
        }
        if self.first.is_empty() {
            self.first.clone_from(&event.time);
        }
        self.last.clone_from(&event.time);
    }
}

impl<'a> Report<'a> {
    /// Nothing yet, of what happened since a time.
    pub fn new(partner: &'a Partner, since: Timestamp) -> Self {
        Self {
            partner,
            since,
            traces: BTreeSet::new(),
            calls: BTreeMap::new(),
            collections: BTreeMap::new(),
            denials: BTreeMap::new(),
            days: BTreeMap::new(),
            addresses: 0,
        }
    }

    /// Takes in an event, oldest first.
    pub fn take(&mut self, event: &Event) {
        if !Timestamp::parse(&event.time).is_ok_and(|time| time >= self.since) {
            return;
        }
        let is_own = event.who.as_deref() == Some(&self.partner.uid)
            || event.details.get(CLAIM).and_then(Json::as_str) == Some(&self.partner.name);
        let is_of_call = event.trace().is_some_and(|trace| self.traces.contains(trace));
        if !is_own && !is_of_call {
            return;
        }
        match event.service.as_str() {
            "functions" if is_own => self.take_call(event),
            "firestore" | "database" | "storage" => self.take_access(event),
            "identity" if is_own => self.addresses += 1,
            _ => {}
        }
        if event.verdict == Verdict::Deny {
            self.take_denial(event);
        }
    }

    fn take_call(&mut self, event: &Event) {
        let name = event.path.rsplit('/').next().unwrap_or_default();
        self.calls.entry(name.to_owned()).or_default().add(event, false);
        let day = event.time.split('T').next().unwrap_or_default();
        *self.days.entry(day.to_owned()).or_default() += event.count.unwrap_or(1);
        if let Some(trace) = event.trace() {
            if self.traces.len() >= TRACES_MAX {
                self.traces.pop_first();
            }
            self.traces.insert(trace.to_owned());
        }
    }

    fn take_access(&mut self, event: &Event) {
        let is_write = !matches!(event.method.as_str(), "get" | "list" | "read" | "");
        self.collections.entry(collection_of(event)).or_default().add(event, is_write);
    }

    fn take_denial(&mut self, event: &Event) {
        let why = event.causes.first().map_or_else(String::new, |cause| match cause.at.as_str() {
            "" => cause.text.clone(),
            at => format!(
                "{} [{at}]",
                if cause.expression.is_empty() { &cause.text } else { &cause.expression }
            ),
        });
        let what = match event.service.as_str() {
            "functions" => event.path.rsplit('/').next().unwrap_or_default().to_owned(),
            _ => format!("{} {}", event.method, collection_of(event)),
        };
        let key = (what, why);
        if self.denials.len() < REASONS_MAX || self.denials.contains_key(&key) {
            *self.denials.entry(key).or_default() += event.count.unwrap_or(1);
        }
    }

    /// What it may do and has not done.
    fn unused(&self) -> Vec<String> {
        let has = |counts: Option<&Counts>| counts.is_some_and(|counts| counts.read + counts.written > 0);
        let Partner { functions, collections, .. } = self.partner;
        let functions = functions.iter().filter(|name| !has(self.calls.get(*name)));
        let functions = functions.map(|name| format!("the function {name}: never called"));
        let collections = collections.iter().filter_map(|name| match self.collections.get(name) {
            counts if !has(counts) => Some(format!("the collection {name}: neither read nor written")),
            Some(counts) if counts.written == 0 => Some(format!("the collection {name}: never written")),
            _ => None,
        });
        functions.chain(collections).collect()
    }

    /// What it got at that is none of its collections.
    fn beyond(&self) -> Vec<&String> {
        let own = |name: &&String| self.partner.collections.contains(name);
        let used = self.collections.iter().filter(|(_, counts)| counts.read + counts.written > 0);
        used.map(|(name, _)| name).filter(|name| !own(name)).collect()
    }

    /// For programs.
    pub fn json(&self) -> Json {
        let call = |(name, counts): (&String, &Counts)| {
            let Counts { read, denied, first, last, .. } = counts;
            (name.clone(), json!({ "allowed": read, "denied": denied, "first": first, "last": last }))
        };
        let collection = |(name, counts): (&String, &Counts)| {
            let Counts { read, written, denied, first, last } = counts;
            let row =
                json!({ "read": read, "written": written, "denied": denied, "first": first, "last": last });
            (name.clone(), row)
        };
        let denials = self
            .denials
            .iter()
            .map(|((what, why), count)| json!({ "what": what, "why": why, "count": count }));
        json!({
            "partner": self.partner.name,
            "since": self.since.to_string(),
            "calls": self.calls.iter().map(call).collect::<serde_json::Map<_, _>>(),
            "callsByDay": self.days,
            "collections": self.collections.iter().map(collection).collect::<serde_json::Map<_, _>>(),
            "denials": denials.collect::<Vec<_>>(),
            "neverUsed": self.unused(),
            "beyondItsCollections": self.beyond(),
            "signIns": self.addresses,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let Partner { name, email, .. } = self.partner;
        let mut text = format!("{name} ({email}), since {}\n", minute(&self.since.to_string()));
        let mut section = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}\n  {}\n", lines.join("\n  ")));
            }
        };
        let of = |(name, counts): (&String, &Counts)| {
            let Counts { read, denied, first, last, .. } = counts;
            format!("{name}: {read} allowed, {denied} denied, {} to {}", minute(first), minute(last))
        };
        section("Calls", self.calls.iter().map(of).collect());
        section("Calls by day", self.days.iter().map(|(day, calls)| format!("{day}: {calls}")).collect());
        let of = |(name, counts): (&String, &Counts)| {
            let Counts { read, written, denied, last, .. } = counts;
            format!("{name}: {read} read, {written} written, {denied} denied, last {}", minute(last))
        };
        section("Data", self.collections.iter().map(of).collect());
        let denials = self.denials.iter().map(|((what, why), count)| format!("{count} × {what}: {why}"));
        section("Denied", denials.collect());
        section("Could and never did: its access can do without", self.unused());
        let beyond = self.beyond().into_iter().map(|name| format!("the collection {name}")).collect();
        section("Got at, and none of its collections", beyond);
        if self.calls.is_empty() && self.collections.is_empty() {
            section("Nothing", vec!["it has neither called a function nor asked for data".to_owned()]);
        }
        text.trim_end().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
    }
}

/// The collection of a document, or the place itself where it is none.
fn collection_of(event: &Event) -> String {
    let path = event.path.trim_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    match (event.service.as_str(), segments.split_last()) {
        ("firestore", Some((_, parent))) if segments.len().is_multiple_of(2) => parent.join("/"),
        ("firestore", _) => path.to_owned(),
        (service, _) => format!("{service}:/{}", segments.first().unwrap_or(&"")),
    }
}

/// A time to the minute.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner() -> Partner {
        let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect();
        Partner {
            name: "acme".to_owned(),
            uid: "U".to_owned(),
            email: "acme@example.com".to_owned(),
            role: "partner".to_owned(),
            functions: texts(&["fetchData", "exportAll"]),
            collections: texts(&["demo", "orders", "invoices"]),
            keys: Vec::new(),
            created_s: 0,
            expires_s: None,
            suspended: false,
        }
    }

    /// An event of a day of November 2026, of a call (its trace is the day and the hour).
    fn event(day: u32, hour: u32, fields: Json) -> Event {
        let mut event = json!({"time": format!("2026-11-{day:02}T{hour:02}:00:00Z"), "request": 1, "verb": "x", "caller": "user",
            "verdict": "allow", "details": {"trace": format!("{day}-{hour}")}});
        event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    /// A week: a call each hour of the working day, which reads a collection as the function and writes another as the partner; a
    /// denied attempt each night; on Sunday something that is none of its collections.
    #[test]
    fn a_week_of_traffic_is_added_up() {
        let (partner, path) = (partner(), "/functions/us-central1/fetchData");
        let mut report = Report::new(&partner, Timestamp::parse("2026-11-16T00:00:00Z").unwrap());
        let denied = json!([{"at": "firestore.rules:9:5", "expression": "false", "text": "false"}]);
        for day in 15..23 {
            for hour in 8..18 {
                let mut take = |fields: Json| report.take(&event(day, hour, fields));
                take(json!({"service": "functions", "path": path, "who": "U"}));
                take(
                    json!({"service": "firestore", "method": "list", "path": "/demo", "who": "function:fetchData", "verdict": "admin"}),
                );
                take(json!({"service": "firestore", "method": "create", "path": "/orders/1", "who": "U"}));
                take(json!({"service": "functions", "path": path, "who": "somebody else"}));
            }
            report.take(&event(
                day,
                23,
                json!({"service": "firestore", "method": "delete", "path": "/orders/1", "who": "U",
                "verdict": "deny", "count": 3, "causes": denied}),
            ));
            // Of another call: not the partner's.
            report.take(&event(
                day,
                4,
                json!({"service": "firestore", "method": "get", "path": "/secrets/1", "who": "function:f"}),
            ));
        }
        report.take(&event(
            22,
            12,
            json!({"service": "firestore", "method": "get", "path": "/a/b/other/c", "who": "U"}),
        ));
        let found = report.json();
        assert_eq!(found["calls"]["fetchData"]["allowed"], 70);
        assert_eq!(found["callsByDay"].as_object().unwrap().len(), 7);
        assert_eq!(found["callsByDay"]["2026-11-16"], 10);
        assert_eq!(
            (&found["collections"]["demo"]["read"], &found["collections"]["orders"]["written"]),
            (&json!(70), &json!(70))
        );
        assert_eq!(
            found["denials"],
            json!([{"what": "delete orders", "why": "false [firestore.rules:9:5]", "count": 21}])
        );
        assert_eq!(found["beyondItsCollections"], json!(["a/b/other"]));
        assert_eq!(
            found["neverUsed"],
            json!([
                "the function exportAll: never called",
                "the collection demo: never written",
                "the collection invoices: neither read nor written"
            ])
        );
        let text = report.text();
        for line in
            ["fetchData: 70 allowed, 0 denied, 2026-11-16 08:00 to 2026-11-22 17:00", "21 × delete orders"]
        {
            assert!(text.contains(line), "{text}");
        }
    }
}
