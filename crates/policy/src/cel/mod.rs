//! CEL, the expression language of Data Connect's policies: `@auth(expr:)`, `@check(expr:)`, `…_expr` values.
//!
//! A text is parsed ([`parser`]), checked against an [`Environment`] ([`check`]) and becomes a [`Program`] that is
//! evaluated often. It shares source, diagnostics, meter, trace and regular expressions with the other languages. It
//! has values and operations of its own, because CEL's unsigned numbers, types, optionals and keyed maps, and its
//! macros, are nothing the other languages have.
//!
//! Invariants:
//! - An expression whose types do not fit gives no program.
//! - Nothing panics; text, nesting, work and steps are bounded by constants and [`Limits`].
//! - No clock, no randomness, no I/O: what an expression needs of them comes from [`Inputs`].
//!
//! Source: cel-spec's language definition and its conformance cases; cel-go for the wording of messages.

pub mod ast;
mod check;
mod environment;
mod eval;
mod fault;
mod format;
mod functions;
pub mod fuzz;
mod guard;
mod lexer;
mod library;
mod literal;
mod macros;
mod math;
mod network;
mod number;
mod operators;
mod parser;
mod program;
mod requirement;
mod show;
mod text;
mod time;
mod types;
mod value;
mod verdict;

use smallvec::SmallVec;

use crate::diagnostic::Diagnostic;
use crate::meter::{Limits, Meter};
use crate::recording::{Recording, Unobserved};
use crate::source::Source;
use crate::trace::Node as Traced;

pub use check::compile;
pub use environment::{DeclarationError, Environment, Place};
pub use fault::{Fault, FaultKind, Outcome};
pub use guard::{Call, Guard, Level, Supply};
pub use parser::{EXPR_LEVELS_MAX, SOURCE_BYTES_MAX, parse};
pub use program::Program;
pub use requirement::{HttpCall, NoNeed, Requirement};
pub use show::show;
pub use types::{Record, Type};
pub use value::{Constant, Key, List, Map, Value, equal};

/// Steps of one evaluation.
pub const STEPS_MAX: u32 = 10_000;

/// What came of a text.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program, unless there is a diagnostic.
    pub program: Option<Program>,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Calls a function that the environment declares, by its name. `None` when it cannot.
pub type Supplied<'v, 's> = &'s dyn Fn(&str, &[Value<'v>]) -> Option<Value<'v>>;

/// What an evaluation is about.
pub struct Inputs<'v, 's> {
    /// The variables in the order they were declared in; `None` has no value.
    pub variables: &'s [Option<Value<'v>>],
    /// The functions.
    pub supplied: Option<Supplied<'v, 's>>,
}

/// What an evaluation gave and took.
#[derive(Debug)]
pub struct Evaluation<'v> {
    /// The value or the error.
    pub outcome: Outcome<'v>,
    /// Expressions evaluated.
    pub steps: u32,
}

/// The limits of one evaluation.
pub fn limits() -> Limits {
    Limits { expressions_max: STEPS_MAX, ..Limits::default() }
}

fn limit(within: bool) -> Result<(), FaultKind> {
    if within { Ok(()) } else { Err(FaultKind::Limit) }
}

impl Program {
    /// Evaluates, and records every expression when `trace` is there.
    pub fn evaluate<'v>(
        &'v self,
        inputs: &Inputs<'v, '_>,
        limits: &Limits,
        trace: Option<&mut Option<Traced>>,
    ) -> Evaluation<'v> {
        let Some(trace) = trace else {
            let mut machine = self.machine(inputs, limits, Unobserved);
            return Evaluation { outcome: machine.eval(&self.root), steps: machine.meter.expressions };
        };
        let mut machine = self.machine(inputs, limits, Recording::default());
        let outcome = machine.eval(&self.root);
        let recorded = machine.observer.root(&|_, _| ());
        *trace = recorded.map(|root| {
            root.node(&mut |outcome| match outcome {
                Ok(value) => (show(value), None),
                Err(fault) => (fault.kind.to_string(), None),
            })
        });
        Evaluation { outcome, steps: machine.meter.expressions }
    }

    /// Whether the value is exactly `true`. An error is not.
    pub fn allows<'v>(&'v self, inputs: &Inputs<'v, '_>, limits: &Limits) -> bool {
        matches!(self.machine(inputs, limits, Unobserved).eval(&self.root), Ok(Value::Bool(true)))
    }

    fn machine<'v, 'm, O>(
        &'v self,
        inputs: &'m Inputs<'v, 'm>,
        limits: &'m Limits,
        observer: O,
    ) -> eval::Machine<'v, 'm, O> {
        let meter = Meter::new(limits);
        eval::Machine { program: self, inputs, meter, observer, locals: SmallVec::new(), nesting: 0 }
    }
}

/// Diagnostics as cel-go prints them: `ERROR: <input>:1:5: …`, the line, and a caret.
pub fn report(source: &Source, diagnostics: &[Diagnostic]) -> String {
    let told = diagnostics.iter().map(|diagnostic| {
        let (line, column) = source.line_column(diagnostic.span.start);
        let text = source.text.lines().nth(line as usize - 1).unwrap_or_default();
        let dots = ".".repeat(column as usize - 1);
        let message = &diagnostic.message;
        let mut told = format!("ERROR: {}:{line}:{column}: {message}\n | {text}\n | {dots}^", source.name);
        if let Some(help) = &diagnostic.help {
            told.push_str(&format!("\n | {help}"));
        }
        told
    });
    told.collect::<Vec<_>>().join("\n")
}
