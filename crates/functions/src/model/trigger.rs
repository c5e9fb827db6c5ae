//! What calls a function that clients do not call.
//!
//! Source: the functions reference, A3, the table of triggers.

use std::collections::BTreeMap;

use access::events::Interest;
use serde_json::Value as Json;

/// A trigger that is no client.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Events.
    Event(EventTrigger),
    /// Times.
    Schedule(Json),
    /// Tasks of its queue.
    TaskQueue(Json),
    /// The identity service, which waits for the answer.
    Blocking(Json),
}

/// Events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventTrigger {
    /// Their type.
    pub event: String,
    /// Attributes that they must have.
    pub filters: BTreeMap<String, String>,
    /// Attributes whose values must have these forms.
    pub patterns: BTreeMap<String, String>,
    /// Whether what fails is tried again.
    pub retries: bool,
}

impl Trigger {
    /// Of an endpoint of the manifest; `filled` puts parameters into a text.
    pub fn of(endpoint: &Json, filled: &dyn Fn(&str) -> String) -> Option<Self> {
        let some = |key: &str| endpoint.get(key).filter(|value| value.is_object()).cloned();
        if let Some(trigger) = some("eventTrigger") {
            return Some(Trigger::Event(EventTrigger::of(&trigger, filled)));
        }
        let with_params = |value: Json| with_params(value, filled);
        some("scheduleTrigger")
            .map(|schedule| Trigger::Schedule(with_params(schedule)))
            .or_else(|| some("taskQueueTrigger").map(|queue| Trigger::TaskQueue(with_params(queue))))
            .or_else(|| some("blockingTrigger").map(|blocking| Trigger::Blocking(with_params(blocking))))
    }
}

/// A value with parameters put into all of its texts.
fn with_params(value: Json, filled: &dyn Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => Json::String(filled(&text)),
        Json::Array(items) => items.into_iter().map(|item| with_params(item, filled)).collect(),
        Json::Object(members) => {
            members.into_iter().map(|(key, value)| (key, with_params(value, filled))).collect()
        }
        other => other,
    }
}

impl EventTrigger {
    fn of(trigger: &Json, filled: &dyn Fn(&str) -> String) -> Self {
        let texts = |key: &str| -> BTreeMap<String, String> {
            let members = trigger.get(key).and_then(Json::as_object);
            let text = |(name, value): (&String, &Json)| Some((name.clone(), filled(value.as_str()?)));
            members.map(|members| members.iter().filter_map(text).collect()).unwrap_or_default()
        };
        let (mut filters, mut patterns) = (texts("eventFilters"), texts("eventFilterPathPatterns"));
        // The first generation's only filter has wildcards, too.
        if let Some(resource) = filters.remove("resource") {
            patterns.insert("resource".to_owned(), resource);
        }
        // Paths begin and end with or without a slash.
        for (name, value) in &mut filters {
            if name == "document" {
                *value = value.trim_matches('/').to_owned();
            }
        }
        if let Some(channel) = trigger.get("channel").and_then(Json::as_str) {
            // Whether the project is named does not matter.
            let channel = filled(channel);
            let channel = channel.find("locations/").and_then(|at| channel.get(at..)).map(str::to_owned);
            filters.extend(channel.map(|channel| ("channel".to_owned(), channel)));
        }
        let event = trigger.get("eventType").and_then(Json::as_str).map(filled).unwrap_or_default();
        let retries = trigger.get("retry").and_then(Json::as_bool).unwrap_or(false);
        Self { event, filters, patterns, retries }
    }

    /// What the gate is asked for.
    pub fn interest(&self, target: String) -> Interest {
        let Self { event, filters, patterns, .. } = self.clone();
        Interest { target, event, filters, patterns }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_generations_are_filters_and_patterns() {
        let filled = |text: &str| text.replace("{{ params.PROJECT_ID }}", "p");
        let first = json!({ "eventTrigger": {
            "eventType": "providers/cloud.firestore/eventTypes/document.write",
            "eventFilters": { "resource": "projects/{{ params.PROJECT_ID }}/databases/(default)/documents/demo/{id}" },
            "retry": true } });
        let Some(Trigger::Event(first)) = Trigger::of(&first, &filled) else { panic!("no event") };
        let resource = "projects/p/databases/(default)/documents/demo/{id}";
        assert_eq!((first.patterns["resource"].as_str(), first.retries), (resource, true));
        assert!(first.filters.is_empty());
        let second = json!({ "eventTrigger": { "eventType": "e", "eventFilters": { "database": "(default)", "document": "/a/b/" } } });
        let Some(Trigger::Event(second)) = Trigger::of(&second, &filled) else { panic!("no event") };
        assert_eq!((second.filters["document"].as_str(), second.retries), ("a/b", false));
        let schedule = json!({ "scheduleTrigger": { "schedule": "{{ params.PROJECT_ID }}" } });
        assert_eq!(Trigger::of(&schedule, &filled), Some(Trigger::Schedule(json!({ "schedule": "p" }))));
        assert_eq!(Trigger::of(&json!({ "httpsTrigger": {} }), &filled), None);
    }
}
