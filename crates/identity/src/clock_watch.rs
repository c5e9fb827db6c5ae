//! Notices when the machine's clock is wrong or jumps. Tokens and revocations are as good as the clock is, so an operator
//! must hear of it. Nothing is corrected here.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

/// What the clock may differ from the time that went by, and how far the newest commit may be ahead of it. Microseconds.
const TOLERATED_MICROS: i64 = 5_000_000;

/// What was last seen of the clock.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    since: Instant,
    /// The clock at `since`, as the clock of now shows it: it moves with every jump that was noticed.
    origin_micros: AtomicI64,
    is_behind: AtomicBool,
}

impl ClockWatch {
    pub fn new(now_micros: i64) -> Self {
        Self {
            since: Instant::now(),
            origin_micros: AtomicI64::new(now_micros),
            is_behind: AtomicBool::new(false),
        }
    }

    /// Compares the clock with the time that went by and with the newest commit, and warns of each difference once.
    pub fn compare(&self, now_micros: i64, newest_commit_micros: i64) {
        let passed = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
        if let Some(jump) = self.jump(now_micros, passed) {
            tracing::warn!(
                seconds = jump / 1_000_000,
                "the clock has jumped: tokens, codes and revocations are as good as the clock is"
            );
        }
        if let Some(behind) = self.newly_behind(now_micros, newest_commit_micros) {
            tracing::warn!(
                seconds = behind / 1_000_000,
                "the clock is behind the newest commit: it is wrong now, or was ahead when that was written"
            );
        }
    }

    /// How far the clock has jumped since the last look, if it has.
    fn jump(&self, now_micros: i64, passed_micros: i64) -> Option<i64> {
        let origin = now_micros.saturating_sub(passed_micros);
        let jump = origin.saturating_sub(self.origin_micros.load(Ordering::Relaxed));
        if jump.abs() <= TOLERATED_MICROS {
            return None;
        }
        self.origin_micros.store(origin, Ordering::Relaxed);
        Some(jump)
    }

    /// How far the clock is behind the newest commit, when that was not so at the last look.
    fn newly_behind(&self, now_micros: i64, newest_commit_micros: i64) -> Option<i64> {
        let behind = newest_commit_micros.saturating_sub(now_micros);
        let is_behind = behind > TOLERATED_MICROS;
        let was_behind = self.is_behind.swap(is_behind, Ordering::Relaxed);
        (is_behind && !was_behind).then_some(behind)
    }
}

/// How far the clock is behind a version of the store, in seconds, where that is more than clocks may differ.
pub fn behind_s(now_micros: i64, version_micros: i64) -> Option<i64> {
    let behind = version_micros.saturating_sub(now_micros);
    (behind > TOLERATED_MICROS).then_some(behind / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    #[test]
    fn a_jump_is_noticed_once_in_either_direction() {
        let watch = ClockWatch::new(DAY);
        assert_eq!(watch.jump(DAY + 100, 100), None);
        assert_eq!(watch.jump(2 * DAY, 0), Some(DAY));
        assert_eq!(watch.jump(2 * DAY + 50, 50), None);
        assert_eq!(watch.jump(DAY, 0), Some(-DAY));
    }

    #[test]
    fn a_clock_behind_the_store_is_noticed_once() {
        let watch = ClockWatch::new(0);
        assert_eq!(watch.newly_behind(0, 1_000_000), None);
        assert_eq!(watch.newly_behind(0, DAY), Some(DAY));
        assert_eq!(watch.newly_behind(0, DAY), None);
        assert_eq!(watch.newly_behind(DAY, DAY), None);
        assert_eq!(watch.newly_behind(0, DAY), Some(DAY));
        assert_eq!(behind_s(0, DAY), Some(86_400));
        assert_eq!(behind_s(DAY, DAY), None);
    }
}
