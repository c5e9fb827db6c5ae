//! How often somebody calls a function: a bucket for each caller, or for each network of those who are not known.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Buckets that are kept. Beyond it those that are full again go; where none is, all do.
const BUCKETS_MAX: usize = 50_000;

/// So many calls in so much time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    calls: u32,
    within: Duration,
}

/// A rate that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a rate such as 10/s, 60/m, 1000/h or 5000/d")]
pub struct RateError(String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let wrong = || RateError(text.to_owned());
        let (calls, unit) = text.split_once('/').ok_or_else(wrong)?;
        let calls = calls.trim().parse().ok().filter(|calls| *calls > 0).ok_or_else(wrong)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        Ok(Self { calls, within: Duration::from_secs(seconds) })
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} calls in {} s", self.calls, self.within.as_secs())
    }
}

/// The buckets of all functions.
#[derive(Debug, Default)]
pub struct Buckets(Mutex<HashMap<(String, String), Bucket>>);

#[derive(Debug)]
struct Bucket {
    /// Calls that may come at once.
    left: f64,
    seen: Instant,
}

impl Bucket {
    fn fill(&mut self, rate: Rate, now: Instant) {
        let share = now.duration_since(self.seen).as_secs_f64() / rate.within.as_secs_f64();
        self.left = (self.left + share * f64::from(rate.calls)).min(f64::from(rate.calls));
        self.seen = now;
    }
}

impl Buckets {
    /// Takes a call of somebody. `Err`: when the next one may come.
    pub fn take(&self, function: &str, who: &str, rate: Rate) -> Result<(), Duration> {
        let (now, mut all) = (Instant::now(), self.0.lock());
        if all.len() >= BUCKETS_MAX {
            all.retain(|_, bucket| now.duration_since(bucket.seen) < rate.within);
            if all.len() >= BUCKETS_MAX {
                all.clear();
            }
        }
        let fresh = || Bucket { left: f64::from(rate.calls), seen: now };
        let bucket = all.entry((function.to_owned(), who.to_owned())).or_insert_with(fresh);
        bucket.fill(rate, now);
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            return Ok(());
        }
        Err(rate.within.mul_f64((1.0 - bucket.left) / f64::from(rate.calls)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("60/m".parse(), Ok(Rate { calls: 60, within: Duration::from_secs(60) }));
        for text in ["", "60", "0/m", "-1/s", "x/m", "60/week"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_caller_has_a_bucket_that_fills_again() {
        let (buckets, rate) = (Buckets::default(), "2/s".parse().unwrap());
        let take = |who: &str| buckets.take("f", who, rate);
        assert!(take("a").is_ok() && take("a").is_ok());
        assert_eq!(take("a").unwrap_err().as_millis(), 500);
        assert!(take("b").is_ok(), "somebody else's calls do not count");
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(take("a").is_ok() && take("a").is_err());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(
            take("a").is_ok() && take("a").is_ok() && take("a").is_err(),
            "no more than the rate at once"
        );
    }
}
