//! The evaluator: runs lowered expressions of any language over borrowed values.
//!
//! - An error is an [`Outcome`], not a panic and not an abort; `&&` and `||` absorb it as the language's
//!   real service does.
//! - A document that is not known yet is a fault too ([`FaultKind::Pending`]): evaluation goes on where the
//!   answer may not need it, so that one pass names as many missing documents as possible.
//! - Recursion is bounded by `Limits::nesting_max` and `Limits::call_depth_max`.
//! - Whether it is observed is a type ([`Observer`]): unobserved, it makes no value that nobody looks at, and counts
//!   the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use smallvec::SmallVec;

use crate::ir::{Entry, Expr, Function, Kind, Language};
use crate::meter::Meter;
use crate::recording::{Ended, Observer, Recorded};
use crate::source::Span;
use crate::trace::{Detail, Ending, Node, Shape};
use crate::value::{Fault, FaultKind, Map, Outcome, Str, Val, report, show};

mod calls;

pub use crate::dialect::{Computed, Dialect};

/// Parameters and `let`s, of all calls that run, for which an evaluation allocates nothing.
const LOCALS_USUAL: usize = 2;

enum Local<'v, L: Language> {
    Ready(Outcome<'v>),
    Lazy(&'v Expr<L>),
}

/// One evaluation.
pub struct Machine<'v, 'm, D: Dialect<'v>, O: Observer<Outcome<'v>>> {
    /// The language's side.
    pub dialect: D,
    /// What was used.
    pub meter: Meter<'m>,
    /// Who watches.
    pub observer: O,
    functions: &'v [Function<D::Language>],
    locals: SmallVec<[Local<'v, D::Language>; LOCALS_USUAL]>,
    base: usize,
    calls: u32,
    nesting: u32,
}

fn fault<'v, L: Language>(expr: &Expr<L>, kind: FaultKind<'v>) -> Rc<Fault<'v>> {
    let at = match kind {
        // Of what does not exist the services tell where the whole expression begins.
        FaultKind::FunctionNotFound(_) => Span { end: expr.at.end, ..expr.span },
        _ => expr.at,
    };
    Rc::new(Fault { kind, span: expr.span, at })
}

fn place<'v, L: Language>(expr: &Expr<L>, computed: Computed<'v>) -> Outcome<'v> {
    computed.map_err(|kind| fault(expr, kind))
}

/// What stands for many values cannot become part of one.
fn storable<'v, L: Language>(expr: &Expr<L>, value: &Val<'v>) -> Result<(), Rc<Fault<'v>>> {
    if value.is_abstract() {
        let text = format!("The query does not determine {}.", show(value));
        return Err(fault(expr, FaultKind::Undetermined(text)));
    }
    Ok(())
}

impl Ended for Outcome<'_> {
    fn ending(&self) -> Ending {
        match self {
            Ok(Val::Bool(true)) => Ending::True,
            Ok(Val::Bool(false)) => Ending::False,
            Ok(_) => Ending::Value,
            Err(fault) if fault.kind.is_pending() => Ending::Pending,
            Err(_) => Ending::Error,
        }
    }

    fn kind(&self) -> &'static str {
        self.as_ref().map_or("error", Val::type_name)
    }
}

/// Appends an outcome as people read it.
fn push_outcome<'v, D: Dialect<'v>>(dialect: &D, out: &mut String, outcome: &Outcome<'v>) {
    match outcome {
        Ok(value) => dialect.show(out, value),
        Err(fault) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{}", fault.kind);
        }
    }
}

/// Whether to go on with a sibling: its documents are wanted too.
fn goes_on(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(fault) => fault.kind.is_pending(),
    }
}

impl<'v, 'm, D: Dialect<'v>, O: Observer<Outcome<'v>>> Machine<'v, 'm, D, O> {
    /// A machine for one decision.
    #[inline]
    pub fn new(dialect: D, functions: &'v [Function<D::Language>], meter: Meter<'m>, observer: O) -> Self {
        Self { dialect, meter, observer, functions, locals: SmallVec::new(), base: 0, calls: 0, nesting: 0 }
    }

    /// Reads the outermost expression that was recorded.
    pub fn read_recorded<R>(
        &mut self,
        read: impl FnOnce(Recorded<'_, Outcome<'v>>, &Outcome<'v>) -> R,
    ) -> Option<R> {
        let dialect = &self.dialect;
        let show = |out: &mut String, outcome: &Outcome<'v>| push_outcome(dialect, out, outcome);
        let root = self.observer.recording()?.root(&show)?;
        Some(read(root, root.outcome()?))
    }

    /// What was recorded, as a trace has it: a tree, or one ending for each expression.
    pub fn traced(&mut self, detail: Detail, endings: &mut Vec<(Span, Ending)>) -> Option<Node> {
        if detail == Detail::Endings {
            endings.extend(self.observer.recording()?.endings());
            return None;
        }
        let dialect = &self.dialect;
        let recorded = self.observer.recording()?.root(&|_, _| ())?;
        Some(recorded.node(&mut |outcome| {
            let mut text = String::new();
            push_outcome(dialect, &mut text, outcome);
            let value = outcome.as_ref().ok().filter(|_| detail == Detail::Whole);
            let reported = value.map(|value| Box::new(report::report(value, &text)));
            (text, reported)
        }))
    }

    /// Evaluates an expression.
    #[inline]
    pub fn eval(&mut self, expr: &'v Expr<D::Language>) -> Outcome<'v> {
        // Constants are free, observed or not.
        match &expr.kind {
            Kind::Constant(value) if !O::OBSERVES => Ok(Val::from_value(value)),
            Kind::Constant(_) => self.recorded(expr),
            _ => self.counted(expr),
        }
    }

    fn counted(&mut self, expr: &'v Expr<D::Language>) -> Outcome<'v> {
        self.begin(expr)?;
        let outcome = if O::OBSERVES { self.recorded(expr) } else { self.node(expr) };
        self.nesting -= 1;
        outcome
    }

    /// Counts an expression, which is within those that have begun until `nesting` is lowered again.
    #[inline]
    fn begin(&mut self, expr: &'v Expr<D::Language>) -> Result<(), Rc<Fault<'v>>> {
        if !self.meter.take_expression() {
            return Err(fault(expr, FaultKind::Expressions(self.meter.limits.expressions_max)));
        }
        if self.nesting >= self.meter.limits.nesting_max {
            return Err(fault(expr, FaultKind::Depth));
        }
        self.nesting += 1;
        Ok(())
    }

    #[inline(never)]
    fn recorded(&mut self, expr: &'v Expr<D::Language>) -> Outcome<'v> {
        let number = self.observer.enter();
        let outcome = self.node(expr);
        let shape = match &expr.kind {
            Kind::And(_) => Shape::And,
            Kind::Or(_) => Shape::Or,
            Kind::Condition(..) => Shape::Condition,
            Kind::Call(..) => Shape::Call,
            Kind::Member(..) | Kind::Global(_) | Kind::Local(_) | Kind::Capture(_) | Kind::Constant(_) => {
                Shape::Name
            }
            _ => Shape::Other,
        };
        self.observer.exit(number, expr.span, shape, &outcome);
        outcome
    }

    fn node(&mut self, expr: &'v Expr<D::Language>) -> Outcome<'v> {
        match &expr.kind {
            Kind::Constant(value) => Ok(Val::from_value(value)),
            Kind::Global(global) => place(expr, self.dialect.global(*global)),
            Kind::Local(slot) => self.local(expr, *slot),
            Kind::Capture(index) => place(expr, self.dialect.capture(*index)),
            Kind::Member(object, name) => {
                if let Some(reading) = Self::reading(object) {
                    return self.read_member(expr, object, &reading, name);
                }
                let object = self.eval(object)?;
                place(expr, self.dialect.member(&object, name))
            }
            Kind::Index(object, index) => {
                let (object, index) = self.pair(object, index)?;
                place(expr, self.dialect.index(&object, &index))
            }
            Kind::Slice(object, start, end) => {
                let object = self.eval(object)?;
                let start = start.as_ref().map(|start| self.eval(start)).transpose()?;
                let end = end.as_ref().map(|end| self.eval(end)).transpose()?;
                place(expr, self.dialect.slice(&object, [start.as_ref(), end.as_ref()], &mut self.meter))
            }
            Kind::Not(operand) => match self.eval(operand)? {
                Val::Bool(value) => Ok(Val::Bool(!value)),
                other => Err(fault(expr, self.dialect.not_boolean("!", &other))),
            },
            Kind::Negate(operand) => {
                let value = self.eval(operand)?;
                place(expr, self.dialect.negate(&value))
            }
            Kind::Binary(op, left, right) => {
                let (left, right) = self.pair(left, right)?;
                place(expr, self.dialect.binary(*op, &left, &right, &mut self.meter))
            }
            Kind::And(operands) => self.logic(expr, operands, false),
            Kind::Or(operands) => self.logic(expr, operands, true),
            Kind::Condition(test, yes, no) => match self.eval(test)? {
                Val::Bool(true) => self.eval(yes),
                Val::Bool(false) => self.eval(no),
                other => Err(fault(expr, self.dialect.not_boolean("?:", &other))),
            },
            Kind::Is(value, name) => {
                let value = self.eval(value)?;
                place(expr, self.dialect.is(&value, *name))
            }
            Kind::List(items) => {
                let values = self.all(items)?;
                self.meter.work(values.len()).map_err(|kind| fault(expr, kind))?;
                values.iter().try_for_each(|value| storable(expr, value))?;
                Ok(Val::list(values))
            }
            Kind::Map(entries) => self.map(expr, entries),
            Kind::Path(parts) => self.path(expr, parts),
            Kind::Call(function, arguments) => self.call(expr, *function, arguments),
            Kind::Function(function, arguments) => self.function(expr, *function, arguments),
            Kind::Method(receiver, method, arguments, regex) => {
                self.method(expr, receiver, *method, arguments, regex.as_deref())
            }
            Kind::UnknownFunction(name, arguments) => self.unknown(expr, None, name, arguments),
            Kind::UnknownMethod(receiver, name, arguments) => {
                self.unknown(expr, Some(receiver), name, arguments)
            }
            Kind::UnknownVariable(_) => Err(fault(expr, FaultKind::NullValue)),
        }
    }

    /// A call of what does not exist.
    #[inline(never)]
    fn unknown(
        &mut self,
        expr: &'v Expr<D::Language>,
        receiver: Option<&'v Expr<D::Language>>,
        name: &'v str,
        arguments: &'v [Expr<D::Language>],
    ) -> Outcome<'v> {
        let receiver = receiver.map(|receiver| self.eval(receiver)).transpose()?;
        self.all(arguments)?;
        let kind = match receiver {
            Some(Val::Null) => FaultKind::NullValue,
            _ => FaultKind::FunctionNotFound(Str::Borrowed(name)),
        };
        Err(fault(expr, kind))
    }

    /// Both operands; the second also while the first waits for a document.
    fn pair(
        &mut self,
        left: &'v Expr<D::Language>,
        right: &'v Expr<D::Language>,
    ) -> Result<(Val<'v>, Val<'v>), Rc<Fault<'v>>> {
        let left = self.eval(left);
        match left {
            Ok(left) => Ok((left, self.eval(right)?)),
            Err(fault) => {
                if fault.kind.is_pending() {
                    // Only for the documents it needs.
                    let _ = self.eval(right);
                }
                Err(fault)
            }
        }
    }

    #[inline(never)]
    fn local(&mut self, expr: &'v Expr<D::Language>, slot: usize) -> Outcome<'v> {
        let place = self.base + slot;
        let lazy = match self.locals.get(place) {
            Some(Local::Ready(outcome)) => return outcome.clone(),
            Some(Local::Lazy(value)) => *value,
            None => return Err(fault(expr, FaultKind::NullValue)),
        };
        let outcome = self.eval(lazy);
        if let Some(local) = self.locals.get_mut(place) {
            *local = Local::Ready(outcome.clone());
        }
        outcome
    }

    /// `&&` (decided by false) and `||` (decided by true). A fault does not decide: a later operand may.
    fn logic(
        &mut self,
        expr: &'v Expr<D::Language>,
        operands: &'v [Expr<D::Language>],
        decides: bool,
    ) -> Outcome<'v> {
        let mut kept: Option<Rc<Fault<'v>>> = None;
        for operand in operands {
            let this = match self.eval(operand) {
                Ok(Val::Bool(value)) if value == decides => return Ok(Val::Bool(decides)),
                Ok(Val::Bool(_)) => continue,
                Ok(other) => {
                    let op = if decides { "||" } else { "&&" };
                    fault(expr, self.dialect.not_boolean(op, &other))
                }
                Err(fault) => fault,
            };
            if !D::ABSORBS {
                return Err(this);
            }
            let out_of_budget = matches!(this.kind, FaultKind::Expressions(_) | FaultKind::Memory);
            // The first error is told, but a missing document outranks it: with it, the answer may differ.
            if kept.as_ref().is_none_or(|kept| this.kind.is_pending() && !kept.kind.is_pending()) {
                kept = Some(this);
            }
            if out_of_budget {
                break;
            }
        }
        match kept {
            Some(fault) => Err(fault),
            None => Ok(Val::Bool(!decides)),
        }
    }

    /// All of them, or the first fault.
    fn all(&mut self, exprs: &'v [Expr<D::Language>]) -> Result<Vec<Val<'v>>, Rc<Fault<'v>>> {
        let mut values = Vec::with_capacity(exprs.len());
        let mut first = None;
        for expr in exprs {
            let outcome = self.eval(expr);
            let more = goes_on(&outcome);
            match outcome {
                Ok(value) => values.push(value),
                Err(fault) => {
                    first.get_or_insert(fault);
                }
            }
            if !more {
                break;
            }
        }
        match first {
            Some(fault) => Err(fault),
            None => Ok(values),
        }
    }

    #[inline(never)]
    fn map(&mut self, expr: &'v Expr<D::Language>, entries: &'v [Entry<D::Language>]) -> Outcome<'v> {
        self.meter.work(entries.len()).map_err(|kind| fault(expr, kind))?;
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let (key, value) = self.pair(key, value)?;
            storable(expr, &value)?;
            let key = match key {
                Val::Str(key) => key,
                Val::Null => return Err(fault(expr, FaultKind::NullValue)),
                other if other.is_abstract() => {
                    return Err(storable(expr, &other)
                        .err()
                        .unwrap_or_else(|| fault(expr, FaultKind::NullValue)));
                }
                other => {
                    return Err(fault(
                        expr,
                        FaultKind::Type { received: other.type_name(), expected: "string" },
                    ));
                }
            };
            map.insert(key, value);
        }
        Ok(Val::Map(Map::Shared(Rc::new(map))))
    }
}
