//! Timing: rounds over all subjects of a case in turn, in CPU time of this thread, so that other work on the machine
//! counts as little as it can.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// CPU time that one batch should take.
pub const BATCH_NS: u64 = 4_000_000;
/// Rounds that are timed and thrown away.
pub const WARM_UP_ROUNDS: usize = 2;

/// CPU time of this thread in nanoseconds.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// Keeps this thread on the last of the CPUs it may use. Whether that worked.
pub fn pin() -> bool {
    let Ok(allowed) = sched_getaffinity(None) else { return false };
    let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu)) else { return false };
    let mut only = CpuSet::new();
    only.set(last);
    sched_setaffinity(None, &only).is_ok()
}

/// How many rounds take about [`BATCH_NS`].
pub fn calibrate(mut batch: impl FnMut(u32) -> u64) -> u32 {
    let mut rounds = 1;
    loop {
        let taken = batch(rounds).max(1);
        if taken >= BATCH_NS / 4 || rounds >= 1 << 28 {
            return u32::try_from((u64::from(rounds) * BATCH_NS / taken).max(1)).unwrap_or(u32::MAX);
        }
        rounds *= 4;
    }
}

/// What many batches took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The middle one, in nanoseconds for one answer.
    pub median: f64,
    /// The best one.
    pub best: f64,
    /// Half the distance between the quartiles, in percent of the median.
    pub spread: f64,
}

impl Times {
    /// Of samples in nanoseconds.
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |part: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let index = (part * (samples.len().max(1) - 1) as f64).round() as usize;
            samples.get(index).copied().unwrap_or(f64::NAN)
        };
        let median = at(0.5);
        Self { median, best: at(0.0), spread: (at(0.75) - at(0.25)) / 2.0 / median * 100.0 }
    }
}
