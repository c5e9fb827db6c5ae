//! Paths, calls, and chains of calls that make no value on the way.

use std::rc::Rc;

use smallvec::SmallVec;

use super::{Local, Machine, fault, place};
use crate::dialect::Dialect;
use crate::ir::{Expr, Kind, Language, Part};
use crate::re2::Regex;
use crate::recording::Observer;
use crate::value::{Fault, FaultKind, Outcome, Str, Val};

/// Segments of a path that is read without an allocation.
const SEGMENTS_USUAL: usize = 8;

/// Where a chain of steps has come to.
enum Walked<'v, P> {
    Place(P),
    Value(Val<'v>),
}

/// A path before it is a value.
type Path<'v> = SmallVec<[Str<'v>; SEGMENTS_USUAL]>;

/// A call of a function that reads what a written path names.
pub(super) struct Reading<'v, L: Language> {
    function: L::Function,
    path: &'v Expr<L>,
    parts: &'v [Part<L>],
}

impl<'v, D: Dialect<'v>, O: Observer<Outcome<'v>>> Machine<'v, '_, D, O> {
    #[inline(never)]
    pub(super) fn path(
        &mut self,
        expr: &'v Expr<D::Language>,
        parts: &'v [Part<D::Language>],
    ) -> Outcome<'v> {
        let mut path = Path::new();
        self.segments(expr, parts, &mut path)?;
        Ok(Val::Path(path.into_iter().collect()))
    }

    fn segments(
        &mut self,
        expr: &'v Expr<D::Language>,
        parts: &'v [Part<D::Language>],
        path: &mut Path<'v>,
    ) -> Result<(), Rc<Fault<'v>>> {
        for part in parts {
            match part {
                Part::Text(text) => path.push(Str::Borrowed(text)),
                Part::Value(value) => match self.eval(value)? {
                    Val::Str(text) => path.push(text),
                    Val::Path(inner) => {
                        self.meter.work(inner.len()).map_err(|kind| fault(expr, kind))?;
                        path.extend(inner.iter().cloned());
                    }
                    other => {
                        let text = self.dialect.segment(&other, &mut self.meter);
                        path.push(text.map_err(|kind| fault(expr, kind))?);
                    }
                },
            }
        }
        Ok(())
    }

    /// A call that reads what a written path names. Observed, the path is a value to be seen like any other.
    pub(super) fn reading(expr: &'v Expr<D::Language>) -> Option<Reading<'v, D::Language>> {
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
    #[inline]
    fn read_path(
        &mut self,
        reading: &Reading<'v, D::Language>,
        path: &mut Path<'v>,
    ) -> Result<(), Rc<Fault<'v>>> {
        self.begin(reading.path)?;
        let done = self.segments(reading.path, reading.parts, path);
        self.nesting -= 1;
        done
    }

    #[inline(never)]
    fn read(&mut self, expr: &'v Expr<D::Language>, reading: &Reading<'v, D::Language>) -> Outcome<'v> {
        let mut path = Path::new();
        self.read_path(reading, &mut path)?;
        place(expr, self.dialect.read(reading.function, &path, &mut self.meter))
    }

    /// `get(path).name`
    #[inline(never)]
    pub(super) fn read_member(
        &mut self,
        expr: &'v Expr<D::Language>,
        call: &'v Expr<D::Language>,
        reading: &Reading<'v, D::Language>,
        name: &'v str,
    ) -> Outcome<'v> {
        let mut path = Path::new();
        self.begin(call)?;
        let done = self.read_path(reading, &mut path);
        self.nesting -= 1;
        done?;
        match self.dialect.read_member(reading.function, &path, name, &mut self.meter) {
            Ok(member) => place(expr, member),
            Err(kind) => Err(fault(call, kind)),
        }
    }

    #[inline(never)]
    pub(super) fn call(
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
    pub(super) fn function(
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
    pub(super) fn method(
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
