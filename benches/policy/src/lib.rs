//! What is measured: the same decisions made by the policy core and by its peers.
//!
//! Invariants:
//! - Every subject of a case is asked the same question, and its answer is asserted before anything is timed.
//! - A peer runs in its quickest documented form: compiled once, its data in its own types, its context reused.
//!   What a subject includes beyond that is said in [`Subject::includes`].

pub mod cases;
pub mod measure;
pub mod node;

/// One implementation's way of answering a case.
pub struct Subject {
    /// Who: `hearth`, or a peer with its version.
    pub who: &'static str,
    /// What one round includes.
    pub includes: &'static str,
    /// Does so many rounds; how many allowed.
    pub batch: Box<dyn FnMut(u32) -> u32>,
    /// What every round must answer.
    pub allowed: bool,
}

/// One question.
pub struct Case {
    /// The group it is printed in.
    pub group: &'static str,
    /// The question.
    pub name: &'static str,
    /// What Hearth should take at most, in nanoseconds, where there is an aim.
    pub aim_ns: Option<u32>,
    /// How many times the fastest peer should take, where there is an aim.
    pub aim_ratio: Option<f64>,
    /// Allocations that Hearth should make at most, where there is an aim.
    pub aim_allocations: Option<u64>,
    /// Who answers; the first is Hearth.
    pub subjects: Vec<Subject>,
    /// The case of `targaryen/measure.js` that is the same question.
    pub targaryen: Option<&'static str>,
}

impl Subject {
    /// A subject that answers by a function.
    pub fn new(
        who: &'static str,
        includes: &'static str,
        allowed: bool,
        mut decide: impl FnMut() -> bool + 'static,
    ) -> Self {
        let batch = move |rounds| (0..rounds).map(|_| u32::from(std::hint::black_box(decide()))).sum();
        Self { who, includes, batch: Box::new(batch), allowed }
    }
}

impl Case {
    /// A case without aims.
    pub fn new(group: &'static str, name: &'static str, subjects: Vec<Subject>) -> Self {
        Self { group, name, aim_ns: None, aim_ratio: None, aim_allocations: None, subjects, targaryen: None }
    }
}

/// Data that lives as long as the program: measuring needs no tidying up.
pub fn keep<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}
