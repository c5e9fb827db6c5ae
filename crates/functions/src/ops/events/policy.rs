//! How often what fails is tried again.
//!
//! Source: production's retries of events (a day; a week of the first generation), Cloud Scheduler's `retryConfig`, Cloud Tasks'
//! `retryConfig` and `rateLimits`.

use std::time::Duration;

use serde_json::Value as Json;

use crate::model::{Endpoint, Trigger};

const DAY_S: i64 = 24 * 3600;
/// Tries of a task of a queue that says nothing of them.
const USUAL_TASK_ATTEMPTS: u32 = 3;
/// Tasks of a queue that are begun in a second.
const USUAL_TASKS_PER_SECOND: f64 = 500.0;

/// A function's policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// Tries; `None`: until the event is too old.
    pub attempts_max: Option<u32>,
    /// When an event is too old, in seconds.
    pub age_s_max: i64,
    pause_min_s: f64,
    pause_max_s: f64,
    doublings: u32,
}

/// What a queue allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Tasks at once.
    pub running_max: usize,
    /// The pause between two.
    pub interval: Duration,
}

/// A number of a configuration, where it has one: also the first generation's `"5s"`.
fn number(config: &Json, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| match config.get(name)? {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim_end_matches('s').parse().ok(),
        _ => None,
    })
}

impl Policy {
    /// Of a function.
    pub fn of(endpoint: &Endpoint) -> Self {
        let of_events = |attempts_max| Self {
            attempts_max,
            age_s_max: if endpoint.is_first_generation { 7 * DAY_S } else { DAY_S },
            pause_min_s: 0.25,
            pause_max_s: 60.0,
            doublings: 16,
        };
        match &endpoint.trigger {
            Some(Trigger::Event(trigger)) if trigger.retries => of_events(None),
            Some(Trigger::Schedule(schedule)) => {
                let config = schedule.get("retryConfig").unwrap_or(&Json::Null);
                let retries = number(config, &["retryCount"]).unwrap_or(0.0);
                Self::configured(config, Some(1 + retries as u32), (5.0, 3600.0, 5))
            }
            Some(Trigger::TaskQueue(queue)) => {
                let config = queue.get("retryConfig").unwrap_or(&Json::Null);
                let attempts =
                    number(config, &["maxAttempts"]).map_or(USUAL_TASK_ATTEMPTS, |many| many as u32);
                Self::configured(config, Some(attempts.max(1)), (0.1, 3600.0, 16))
            }
            _ => of_events(Some(1)),
        }
    }

    fn configured(config: &Json, attempts_max: Option<u32>, usual: (f64, f64, u32)) -> Self {
        let (min, max, doublings) = usual;
        let of = |names: &[&str], usual: f64| number(config, names).filter(|it| *it >= 0.0).unwrap_or(usual);
        let age = of(&["maxRetrySeconds", "maxRetryDuration"], 0.0);
        Self {
            attempts_max,
            age_s_max: if age > 0.0 { age as i64 } else { 7 * DAY_S },
            pause_min_s: of(&["minBackoffSeconds", "minBackoffDuration"], min),
            pause_max_s: of(&["maxBackoffSeconds", "maxBackoffDuration"], max),
            doublings: of(&["maxDoublings"], f64::from(doublings)) as u32,
        }
    }

    /// The pause after so many tries: it doubles, and after the last doubling grows by the same step.
    pub fn pause(&self, attempts: u32) -> Duration {
        let tries = attempts.saturating_sub(1);
        let doubled = tries.min(self.doublings).min(62);
        let last = self.pause_min_s * (1u64 << doubled) as f64;
        let pause = last * f64::from(1 + tries.saturating_sub(doubled));
        Duration::from_secs_f64(pause.min(self.pause_max_s).clamp(0.0, 3600.0))
    }
}

impl Limits {
    /// Of a function with a queue.
    pub fn of(endpoint: &Endpoint, running_max: usize) -> Option<Self> {
        let Some(Trigger::TaskQueue(queue)) = &endpoint.trigger else { return None };
        let limits = queue.get("rateLimits").unwrap_or(&Json::Null);
        let at_once = number(limits, &["maxConcurrentDispatches"]).map_or(running_max, |many| many as usize);
        let per_second = number(limits, &["maxDispatchesPerSecond"]).filter(|rate| *rate > 0.0);
        let interval = Duration::from_secs_f64(1.0 / per_second.unwrap_or(USUAL_TASKS_PER_SECOND).max(0.001));
        Some(Self { running_max: at_once.clamp(1, running_max), interval })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Manifest;

    fn endpoint(trigger: Json) -> Endpoint {
        let manifest = json!({ "specVersion": "v1alpha1", "endpoints": { "f": trigger } });
        let manifest = Manifest::read(manifest.to_string().as_bytes()).unwrap();
        manifest.endpoints(&std::collections::BTreeMap::new()).unwrap().remove(0)
    }

    #[test]
    fn retries_are_what_the_function_asks_for() {
        let of = |trigger: Json| Policy::of(&endpoint(trigger));
        assert_eq!(of(json!({ "eventTrigger": { "eventType": "e", "retry": false } })).attempts_max, Some(1));
        let retried = of(json!({ "eventTrigger": { "eventType": "e", "retry": true } }));
        assert_eq!((retried.attempts_max, retried.age_s_max), (None, 7 * DAY_S));
        let schedule = of(
            json!({ "scheduleTrigger": { "retryConfig": { "retryCount": 2, "minBackoffDuration": "1s" } } }),
        );
        assert_eq!((schedule.attempts_max, schedule.pause(1)), (Some(3), Duration::from_secs(1)));
        let tasks = json!({ "taskQueueTrigger": { "rateLimits": { "maxConcurrentDispatches": 6, "maxDispatchesPerSecond": 10 },
            "retryConfig": { "maxAttempts": 5, "minBackoffSeconds": 1, "maxDoublings": 2, "maxBackoffSeconds": 10 } } });
        let policy = of(tasks.clone());
        let pauses: Vec<u64> = (1..=6).map(|attempts| policy.pause(attempts).as_secs()).collect();
        assert_eq!((policy.attempts_max, pauses), (Some(5), vec![1, 2, 4, 8, 10, 10]));
        let limits = Limits::of(&endpoint(tasks), 32).unwrap();
        assert_eq!(limits, Limits { running_max: 6, interval: Duration::from_millis(100) });
    }
}
