//! Asks every case of every subject, counts what an answer allocates, times it, and prints one JSON line for each.
//!
//! `policy-bench [rounds] [part of a case's name]`

mod allocator;

use policy_bench::measure::{self, Times};
use policy_bench::node::Targaryen;
use policy_bench::{Case, cases};
use serde_json::json;

use crate::allocator::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 15;
const ANSWERS_COUNTED: u32 = 100;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let wanted = arguments.next().unwrap_or_default();
    let mut targaryen = Targaryen::start();
    if targaryen.is_none() {
        eprintln!("skipped: targaryen (Node.js or its package is not installed)");
    }
    // After the start of Node.js, which needs its own CPU for its own threads.
    let pinned = measure::pin();
    println!("{}", json!({"pinned": pinned, "rounds": rounds, "batch_ms": measure::BATCH_NS / 1_000_000}));
    let mut all = cases::all();
    // Every answer of every case first: peers that disagree are not worth timing.
    for case in &mut all {
        check(case, targaryen.as_mut());
    }
    for mut case in all.into_iter().filter(|case| format!("{}: {}", case.group, case.name).contains(&wanted))
    {
        time(&mut case, targaryen.as_mut(), rounds);
    }
}

fn check(case: &mut Case, targaryen: Option<&mut Targaryen>) {
    let expected = case.subjects.first().is_some_and(|subject| subject.allowed);
    for subject in &mut case.subjects {
        assert_eq!(subject.allowed, expected, "{}: the subjects are asked different things", case.name);
        let allowed = (subject.batch)(3);
        assert_eq!(allowed, 3 * u32::from(expected), "{}: {} answers otherwise", case.name, subject.who);
    }
    if let (Some(name), Some(targaryen)) = (case.targaryen, targaryen) {
        let (_, allowed) = targaryen.batch(name, 3).expect("targaryen answers");
        assert_eq!(allowed, 3 * u32::from(expected), "{}: targaryen answers otherwise", case.name);
    }
}

/// A subject while it is timed.
struct Timed<'t> {
    who: String,
    includes: &'static str,
    /// Does so many rounds: the nanoseconds they took.
    batch: Box<dyn FnMut(u32) -> u64 + 't>,
    /// Allocations and their bytes of one answer.
    made: Option<(f64, f64)>,
}

fn time(case: &mut Case, targaryen: Option<&mut Targaryen>, rounds: usize) {
    let mut timed: Vec<Timed<'_>> = Vec::new();
    for subject in case.subjects.drain(..) {
        let (mut batch, expected) = (subject.batch, u32::from(subject.allowed));
        let (count, bytes) = allocator::count(|| batch(ANSWERS_COUNTED));
        let each = |total: u64| total as f64 / f64::from(ANSWERS_COUNTED);
        timed.push(Timed {
            who: subject.who.to_owned(),
            includes: subject.includes,
            batch: Box::new(move |count| {
                let begun = measure::cpu_ns();
                let allowed = batch(count);
                let taken = measure::cpu_ns() - begun;
                assert_eq!(allowed, expected * count, "an answer changed");
                taken
            }),
            made: Some((each(count), each(bytes))),
        });
    }
    if let (Some(targaryen), Some(name)) = (targaryen, case.targaryen) {
        timed.push(Timed {
            who: targaryen.name.clone(),
            includes: "data and user ready",
            batch: Box::new(|count| targaryen.batch(name, count).expect("targaryen answers").0),
            made: None,
        });
    }
    let counts: Vec<u32> = timed.iter_mut().map(|timed| measure::calibrate(&mut timed.batch)).collect();
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); timed.len()];
    for round in 0..measure::WARM_UP_ROUNDS + rounds {
        for turn in 0..timed.len() {
            // In another order each time.
            let index = (turn + round) % timed.len();
            let taken = (timed[index].batch)(counts[index]);
            if round >= measure::WARM_UP_ROUNDS {
                samples[index].push(taken as f64 / f64::from(counts[index]));
            }
        }
    }
    for (index, (timed, samples)) in timed.into_iter().zip(samples).enumerate() {
        let times = Times::of(samples);
        let aims = json!({"ns": case.aim_ns, "ratio": case.aim_ratio, "allocations": case.aim_allocations});
        println!(
            "{}",
            json!({
                "group": case.group, "case": case.name, "who": timed.who, "includes": timed.includes,
                "median_ns": times.median, "best_ns": times.best, "spread_percent": times.spread,
                "allocations": timed.made.map(|made| made.0), "bytes": timed.made.map(|made| made.1),
                "aims": (index == 0).then_some(aims),
            })
        );
    }
}
