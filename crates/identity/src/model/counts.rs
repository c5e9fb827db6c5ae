//! What is counted of failed sign-ins and of new accounts, so that a restart forgets nothing.

use serde::{Deserialize, Serialize};

use crate::limits::{
    CLOCK_SKEW_S_MAX, FAILURE_DELAY_S, FAILURE_DELAY_S_MAX, FAILURES_KEPT_S, FAMILIAR_ADDRESSES_MAX,
    SIGN_UPS_WINDOW_S,
};

/// Failed sign-ins of an account, of an address, or of one account at one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// How many since there was peace.
    pub count: u32,
    /// When the last one was. Seconds.
    pub last_s: i64,
    /// Of an account: from where it has signed in, the last one last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub familiar: Vec<String>,
}

impl Failures {
    /// How many count still.
    fn current(&self, now_s: i64) -> u32 {
        if now_s.saturating_sub(self.last_s) >= FAILURES_KEPT_S { 0 } else { self.count }
    }

    /// Whether another attempt has to wait: from so many failures on, each one doubles the time. A time that has not come
    /// yet is one of a wrong clock, for which nobody waits.
    pub fn must_wait(&self, free: u32, now_s: i64) -> bool {
        let Some(beyond) = self.current(now_s).checked_sub(free) else { return false };
        if self.last_s > now_s.saturating_add(CLOCK_SKEW_S_MAX) {
            return false;
        }
        let delay_s =
            FAILURE_DELAY_S.checked_shl(beyond.min(20)).unwrap_or(i64::MAX).min(FAILURE_DELAY_S_MAX);
        now_s.saturating_sub(self.last_s) < delay_s
    }

    /// One more.
    pub fn add(&mut self, now_s: i64) {
        self.count = self.current(now_s).saturating_add(1);
        self.last_s = now_s;
    }

    /// Whether there is nothing left to remember.
    pub fn is_over(&self, now_s: i64) -> bool {
        self.familiar.is_empty() && self.current(now_s) == 0
    }

    /// Notes that the account has signed in from there; the one it has not come from for longest is forgotten.
    pub fn familiarise(&mut self, network: &str) {
        self.familiar.retain(|known| known != network);
        self.familiar.push(network.to_owned());
        if self.familiar.len() > FAMILIAR_ADDRESSES_MAX {
            self.familiar.remove(0);
        }
    }
}

/// Accounts that were made from one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignUps {
    /// How many since the hour began.
    pub count: u32,
    /// When that was. Seconds.
    pub since_s: i64,
}

impl SignUps {
    /// The count of the hour that runs; a new one when it is over, or never began by this clock.
    pub fn current(self, now_s: i64) -> Self {
        let runs = (0..SIGN_UPS_WINDOW_S).contains(&now_s.saturating_sub(self.since_s));
        if runs { self } else { Self { count: 0, since_s: now_s } }
    }

    /// Whether there is nothing left to remember.
    pub fn is_over(&self, now_s: i64) -> bool {
        self.clone().current(now_s).count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_beyond_the_free_ones_doubles_the_wait() {
        let mut failures = Failures::default();
        for _ in 0..4 {
            failures.add(1000);
        }
        assert!(!failures.must_wait(5, 1000));
        failures.add(1000);
        assert!(failures.must_wait(5, 1000) && failures.must_wait(5, 1000 + FAILURE_DELAY_S - 1));
        assert!(!failures.must_wait(5, 1000 + FAILURE_DELAY_S));
        failures.add(1000 + FAILURE_DELAY_S);
        assert!(failures.must_wait(5, 1000 + 3 * FAILURE_DELAY_S - 1));
        assert!(!failures.must_wait(5, 1000 + 3 * FAILURE_DELAY_S));
        failures.count = 1000;
        assert!(!failures.must_wait(5, failures.last_s + FAILURE_DELAY_S_MAX));
        // A clock that was set back makes nobody wait until it is there again.
        assert!(!failures.must_wait(5, 10));
        failures.last_s = 10;
        assert!(failures.is_over(10 + FAILURES_KEPT_S) && !failures.is_over(9 + FAILURES_KEPT_S));
    }

    #[test]
    fn an_hour_of_sign_ups_ends() {
        let hour = SignUps { count: 100, since_s: 1000 };
        assert_eq!(hour.clone().current(1000 + SIGN_UPS_WINDOW_S - 1).count, 100);
        assert_eq!(hour.clone().current(1000 + SIGN_UPS_WINDOW_S).count, 0);
        assert_eq!(hour.current(10).count, 0, "the clock was ahead");
    }

    #[test]
    fn the_addresses_last_used_are_remembered() {
        let mut failures = Failures::default();
        for n in 0..=FAMILIAR_ADDRESSES_MAX {
            failures.familiarise(&n.to_string());
        }
        failures.familiarise("1");
        assert_eq!(failures.familiar.len(), FAMILIAR_ADDRESSES_MAX);
        assert_eq!(failures.familiar.last().map(String::as_str), Some("1"));
        assert!(!failures.familiar.contains(&"0".to_owned()));
    }
}
