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
use std::rc::Rc;

use smallvec::SmallVec;

use crate::coverage;
use crate::ir::{Expr, Function, Kind, Language, Part};
use crate::meter::Meter;
use crate::re2::Regex;
use crate::trace::{Detail, Ending, Observer, Shape};
use crate::value::{Fault, FaultKind, Map, Outcome, Str, Val, show};

pub use crate::dialect::{Computed, Dialect};

/// Segments of a path that is read without an allocation.
const SEGMENTS_USUAL: usize = 8;
/// Parameters and `let`s, of all calls that run, for which an evaluation allocates nothing.
const LOCALS_USUAL: usize = 4;

enum Local<'v, L: Language> {
    Ready(Outcome<'v>),
    Lazy(&'v Expr<L>),
}

/// Where a chain of steps has come to.
enum Walked<'v, P> {
    Place(P),
    Value(Val<'v>),
}

/// A call of a function that reads what a written path names.
struct Reading<'v, L: Language> {
    function: L::Function,
    path: &'v Expr<L>,
    parts: &'v [Part<L>],
}

/// One evaluation.
pub struct Machine<'v, 'm, D: Dialect<'v>, O: Observer> {
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
    Rc::new(Fault { kind, span: expr.span, at: expr.at })
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

/// Whether to go on with a sibling: its documents are wanted too.
fn goes_on(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(fault) => fault.kind.is_pending(),
    }
}

impl<'v, 'm, D: Dialect<'v>, O: Observer> Machine<'v, 'm, D, O> {
    /// A machine for one decision.
    #[inline]
    pub fn new(dialect: D, functions: &'v [Function<D::Language>], meter: Meter<'m>, observer: O) -> Self {
        Self { dialect, meter, observer, functions, locals: SmallVec::new(), base: 0, calls: 0, nesting: 0 }
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
        self.observer.enter();
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
        let detail = self.observer.detail();
        let (ending, text) = match &outcome {
            Ok(Val::Bool(true)) => (Ending::True, "true".to_owned()),
            Ok(Val::Bool(false)) => (Ending::False, "false".to_owned()),
            Ok(_) if detail == Detail::Endings => (Ending::Value, String::new()),
            Ok(value) => (Ending::Value, self.dialect.show(value)),
            Err(fault) if fault.kind.is_pending() => (Ending::Pending, fault.kind.to_string()),
            Err(fault) => (Ending::Error, fault.kind.to_string()),
        };
        let kind = outcome.as_ref().map_or("error", Val::type_name);
        let reported = match &outcome {
            Ok(value) if detail == Detail::Whole => Some(Box::new(coverage::report(value, &text))),
            _ => None,
        };
        self.observer.exit(expr.span, shape, ending, kind, text, reported);
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
                let (object, start) = self.pair(object, start)?;
                let end = self.eval(end)?;
                place(expr, self.dialect.slice(&object, &start, &end, &mut self.meter))
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
            Kind::UnknownFunction(name, arguments) => {
                self.all(arguments)?;
                Err(fault(expr, FaultKind::FunctionNotFound(Str::Borrowed(name))))
            }
            Kind::UnknownMethod(receiver, name, arguments) => {
                let receiver = self.eval(receiver)?;
                self.all(arguments)?;
                let kind = match receiver {
                    Val::Null => FaultKind::NullValue,
                    _ => FaultKind::FunctionNotFound(Str::Borrowed(name)),
                };
                Err(fault(expr, kind))
            }
            Kind::UnknownVariable(name) => {
                Err(fault(expr, FaultKind::UndefinedProperty(Str::Borrowed(name))))
            }
        }
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
    fn map(
        &mut self,
        expr: &'v Expr<D::Language>,
        entries: &'v [(Box<str>, Expr<D::Language>)],
    ) -> Outcome<'v> {
        self.meter.work(entries.len()).map_err(|kind| fault(expr, kind))?;
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let value = self.eval(value)?;
            storable(expr, &value)?;
            map.insert(Str::Borrowed(key), value);
        }
        Ok(Val::Map(Map::Shared(Rc::new(map))))
    }

    #[inline(never)]
    fn path(&mut self, expr: &'v Expr<D::Language>, parts: &'v [Part<D::Language>]) -> Outcome<'v> {
        Ok(Val::Path(self.segments(expr, parts)?.into_iter().collect()))
    }

    fn segments(
        &mut self,
        expr: &'v Expr<D::Language>,
        parts: &'v [Part<D::Language>],
    ) -> Result<SmallVec<[Str<'v>; SEGMENTS_USUAL]>, Rc<Fault<'v>>> {
        let mut segments = SmallVec::new();
        for part in parts {
            match part {
                Part::Text(text) => segments.push(Str::Borrowed(text)),
                Part::Value(value) => match self.eval(value)? {
                    Val::Str(text) => segments.push(text),
                    Val::Path(inner) => {
                        self.meter.work(inner.len()).map_err(|kind| fault(expr, kind))?;
                        segments.extend(inner.iter().cloned());
                    }
                    Val::Null => return Err(fault(expr, FaultKind::NullValue)),
                    other => {
                        let received = format!("path({})", other.type_name());
                        let expected = "path(string), path(path)".to_owned();
                        return Err(fault(expr, FaultKind::Unsupported { received, expected }));
                    }
                },
            }
        }
        Ok(segments)
    }

    /// A call that reads what a written path names. Observed, the path is a value to be seen like any other.
    fn reading(expr: &'v Expr<D::Language>) -> Option<Reading<'v, D::Language>> {
        match &expr.kind {
            Kind::Function(function, arguments) if !O::OBSERVES && D::reads(*function) => {
                match &**arguments {
                    [path @ Expr { kind: Kind::Path(parts), .. }] => {
                        Some(Reading { function: *function, path, parts })
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What the path of a call that reads names. It counts like a value.
    fn read_path(
        &mut self,
        reading: &Reading<'v, D::Language>,
    ) -> Result<SmallVec<[Str<'v>; SEGMENTS_USUAL]>, Rc<Fault<'v>>> {
        self.begin(reading.path)?;
        let segments = self.segments(reading.path, reading.parts);
        self.nesting -= 1;
        segments
    }

    #[inline(never)]
    fn read(&mut self, expr: &'v Expr<D::Language>, reading: &Reading<'v, D::Language>) -> Outcome<'v> {
        let path = self.read_path(reading)?;
        place(expr, self.dialect.read(reading.function, &path, &mut self.meter))
    }

    /// `get(path).name`
    #[inline(never)]
    fn read_member(
        &mut self,
        expr: &'v Expr<D::Language>,
        call: &'v Expr<D::Language>,
        reading: &Reading<'v, D::Language>,
        name: &'v str,
    ) -> Outcome<'v> {
        self.begin(call)?;
        let path = self.read_path(reading);
        self.nesting -= 1;
        match self.dialect.read_member(reading.function, &path?, name, &mut self.meter) {
            Ok(member) => place(expr, member),
            Err(kind) => Err(fault(call, kind)),
        }
    }

    #[inline(never)]
    fn call(
        &mut self,
        expr: &'v Expr<D::Language>,
        index: usize,
        arguments: &'v [Expr<D::Language>],
    ) -> Outcome<'v> {
        let functions = self.functions;
        let Some(function) = functions.get(index) else { return Err(fault(expr, FaultKind::NullValue)) };
        if self.calls >= self.meter.limits.call_depth_max {
            return Err(fault(expr, FaultKind::Depth));
        }
        // Arguments are evaluated in the caller's frame and only then pushed.
        let new_base = match arguments {
            [] => self.locals.len(),
            [only] => {
                let value = self.eval(only);
                let new_base = self.locals.len();
                self.locals.push(Local::Ready(value));
                new_base
            }
            several => {
                let values: Vec<_> = several.iter().map(|argument| self.eval(argument)).collect();
                let new_base = self.locals.len();
                self.locals.extend(values.into_iter().map(Local::Ready));
                new_base
            }
        };
        self.locals.extend(function.lets.iter().map(Local::Lazy));
        let caller = std::mem::replace(&mut self.base, new_base);
        self.calls += 1;
        let outcome = self.eval(&function.body);
        self.calls -= 1;
        self.base = caller;
        self.locals.truncate(new_base);
        outcome
    }

    #[inline(never)]
    fn function(
        &mut self,
        expr: &'v Expr<D::Language>,
        function: <D::Language as Language>::Function,
        arguments: &'v [Expr<D::Language>],
    ) -> Outcome<'v> {
        if let Some(reading) = Self::reading(expr) {
            return self.read(expr, &reading);
        }
        let computed = if let [only] = arguments {
            let argument = [self.eval(only)?];
            self.dialect.function(function, &argument, &mut self.meter)
        } else {
            let arguments = self.all(arguments)?;
            self.dialect.function(function, &arguments, &mut self.meter)
        };
        place(expr, computed)
    }

    #[inline(never)]
    fn method(
        &mut self,
        expr: &'v Expr<D::Language>,
        receiver: &'v Expr<D::Language>,
        method: <D::Language as Language>::Method,
        arguments: &'v [Expr<D::Language>],
        regex: Option<&'v Regex>,
    ) -> Outcome<'v> {
        if !O::OBSERVES && D::is_look(method) && arguments.is_empty() {
            let computed = match self.walk(receiver)? {
                Walked::Place(place) => self.dialect.look(place, method),
                Walked::Value(value) => self.dialect.method(&value, method, &[], regex, &mut self.meter),
            };
            return place(expr, computed);
        }
        let receiver = self.eval(receiver)?;
        let computed = match arguments {
            [] => self.dialect.method(&receiver, method, &[], regex, &mut self.meter),
            [only] => {
                let argument = [self.eval(only)?];
                self.dialect.method(&receiver, method, &argument, regex, &mut self.meter)
            }
            several => {
                let arguments = self.all(several)?;
                self.dialect.method(&receiver, method, &arguments, regex, &mut self.meter)
            }
        };
        place(expr, computed)
    }

    /// Evaluates a chain of steps without a value for each. What is no step is evaluated as ever.
    fn walk(&mut self, expr: &'v Expr<D::Language>) -> Result<Walked<'v, D::Place>, Rc<Fault<'v>>> {
        let Kind::Method(receiver, method, arguments, _) = &expr.kind else { return self.walk_begins(expr) };
        let ([argument], true) = (&**arguments, D::is_step(*method)) else { return self.walk_begins(expr) };
        self.begin(expr)?;
        let walked = self.step(expr, receiver, *method, argument);
        self.nesting -= 1;
        walked
    }

    fn step(
        &mut self,
        expr: &'v Expr<D::Language>,
        receiver: &'v Expr<D::Language>,
        method: <D::Language as Language>::Method,
        argument: &'v Expr<D::Language>,
    ) -> Result<Walked<'v, D::Place>, Rc<Fault<'v>>> {
        let from = self.walk(receiver)?;
        let argument = self.eval(argument)?;
        let walked = match from {
            Walked::Place(from) => {
                self.dialect.step(from, method, &argument, &mut self.meter).map(Walked::Place)
            }
            Walked::Value(value) => {
                self.dialect.method(&value, method, &[argument], None, &mut self.meter).map(Walked::Value)
            }
        };
        walked.map_err(|kind| fault(expr, kind))
    }

    fn walk_begins(&mut self, expr: &'v Expr<D::Language>) -> Result<Walked<'v, D::Place>, Rc<Fault<'v>>> {
        let value = self.eval(expr)?;
        Ok(self.dialect.place(&value).map_or(Walked::Value(value), Walked::Place))
    }
}
