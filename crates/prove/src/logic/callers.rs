//! Whom a condition lets in: those who are signed in, and those who are not.

use super::{Facts, Formula, Solver, Term, Test, Truth, Types};

/// What is so when somebody is signed in, and when nobody is.
pub struct Callers {
    /// Somebody is signed in.
    pub signed_in: Facts,
    /// Nobody is.
    pub signed_out: Facts,
    auth: Term,
}

impl Callers {
    /// `auth` is the value that is null when nobody is signed in.
    pub fn new(solver: &Solver<'_>, auth: Term) -> Self {
        let know = |types| solver.with(&Facts::default(), auth, &Test::Is(types), true).unwrap_or_default();
        Self { signed_in: know(Types::MAP), signed_out: know(Types::NULL), auth }
    }

    /// Whether nobody who is signed in can meet a condition.
    pub fn shuts_out_signed_in(&self, solver: &Solver<'_>, condition: &Formula) -> bool {
        solver.refutes(&[condition], &self.signed_in)
    }

    /// Whether only those who are not signed in can meet a condition.
    pub fn only_signed_out(&self, solver: &Solver<'_>, condition: &Formula) -> bool {
        self.shuts_out_signed_in(solver, condition) && !solver.refutes(&[condition], &self.signed_out)
    }

    /// Whether a condition is true when nobody is signed in, without asking for that.
    pub fn forgets_signed_out(&self, solver: &Solver<'_>, condition: &Formula) -> bool {
        !condition.asks_for_null(self.auth, true) && solver.truth(condition, &self.signed_out) == Truth::True
    }
}
