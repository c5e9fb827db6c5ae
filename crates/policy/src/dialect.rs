//! What a language decides by itself: the side of it that the evaluator asks.

use crate::ir::{Binary, Language};
use crate::meter::Meter;
use crate::re2::Regex;
use crate::value::{FaultKind, Str, Val, push_shown};

/// What an operation gives before its place is attached.
pub type Computed<'v> = Result<Val<'v>, FaultKind<'v>>;

/// What a language decides: its variables, its value tables, its functions. Operands are values, never faults.
pub trait Dialect<'v> {
    /// The language.
    type Language: Language;

    /// A place that values of the language can stand for, where steps lead from one place to another
    /// (`root.child('a').child('b')`). Unobserved, a chain of steps makes no value on the way.
    type Place: Copy;

    /// Whether `&&` and `||` go on after an error and may absorb it. Where not, the first error ends the whole rule.
    const ABSORBS: bool = true;

    /// What an operator that wants a boolean says about anything else.
    fn not_boolean(&self, op: &'static str, operand: &Val<'v>) -> FaultKind<'v> {
        let received = format!("{op}({})", operand.type_name());
        FaultKind::Unsupported { received, expected: format!("{op}(bool)") }
    }

    /// Appends a value as people read it in a trace.
    fn show(&self, out: &mut String, value: &Val<'v>) {
        push_shown(out, value);
    }

    /// The place a value stands for, if nobody needs to know of the steps from it.
    fn place(&mut self, _value: &Val<'v>) -> Option<Self::Place> {
        None
    }
    /// Whether a method with one argument is a step.
    fn is_step(_method: <Self::Language as Language>::Method) -> bool {
        false
    }
    /// Whether a method without arguments looks at a place.
    fn is_look(_method: <Self::Language as Language>::Method) -> bool {
        false
    }
    /// A step.
    fn step(
        &mut self,
        _from: Self::Place,
        _method: <Self::Language as Language>::Method,
        _argument: &Val<'v>,
        _meter: &mut Meter<'_>,
    ) -> Result<Self::Place, FaultKind<'v>> {
        Err(FaultKind::NullValue)
    }
    /// What a look at a place gives.
    fn look(&mut self, _place: Self::Place, _method: <Self::Language as Language>::Method) -> Computed<'v> {
        Err(FaultKind::NullValue)
    }

    /// A predefined variable.
    fn global(&mut self, global: <Self::Language as Language>::Global) -> Computed<'v>;
    /// A variable of the matched path.
    fn capture(&mut self, index: usize) -> Computed<'v>;
    /// `object.name`
    fn member(&mut self, object: &Val<'v>, name: &'v str) -> Computed<'v>;
    /// `object[index]`
    fn index(&mut self, object: &Val<'v>, index: &Val<'v>) -> Computed<'v>;
    /// What another value than text or a path is in a path, as `$(value)` has it.
    fn segment(&mut self, value: &Val<'v>, meter: &mut Meter<'_>) -> Result<Str<'v>, FaultKind<'v>>;
    /// `object[start:end]`; both bounds may be left out.
    fn slice(
        &mut self,
        object: &Val<'v>,
        bounds: [Option<&Val<'v>>; 2],
        meter: &mut Meter<'_>,
    ) -> Computed<'v>;
    /// `-value`
    fn negate(&mut self, value: &Val<'v>) -> Computed<'v>;
    /// `left op right`
    fn binary(&mut self, op: Binary, left: &Val<'v>, right: &Val<'v>, meter: &mut Meter<'_>) -> Computed<'v>;
    /// `value is type`
    fn is(&mut self, value: &Val<'v>, name: <Self::Language as Language>::Type) -> Computed<'v>;
    /// A call of a function.
    fn function(
        &mut self,
        function: <Self::Language as Language>::Function,
        arguments: &[Val<'v>],
        meter: &mut Meter<'_>,
    ) -> Computed<'v>;
    /// Whether a function reads what the path that it is called with names.
    fn reads(_function: <Self::Language as Language>::Function) -> bool {
        false
    }
    /// A call of a function that reads, with a path that is no value of its own.
    fn read(
        &mut self,
        _function: <Self::Language as Language>::Function,
        _path: &[Str<'v>],
        _meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        Err(FaultKind::NullValue)
    }
    /// A member of what such a call gives. The outer error is the call's, the inner one the member's.
    fn read_member(
        &mut self,
        _function: <Self::Language as Language>::Function,
        _path: &[Str<'v>],
        _name: &'v str,
        _meter: &mut Meter<'_>,
    ) -> Result<Computed<'v>, FaultKind<'v>> {
        Err(FaultKind::NullValue)
    }
    /// A call of a method.
    fn method(
        &mut self,
        receiver: &Val<'v>,
        method: <Self::Language as Language>::Method,
        arguments: &[Val<'v>],
        regex: Option<&'v Regex>,
        meter: &mut Meter<'_>,
    ) -> Computed<'v>;
}

/// A machine may borrow its side of the language: one that is large is not moved then.
impl<'v, D: Dialect<'v>> Dialect<'v> for &mut D {
    type Language = D::Language;
    type Place = D::Place;

    const ABSORBS: bool = D::ABSORBS;

    fn not_boolean(&self, op: &'static str, operand: &Val<'v>) -> FaultKind<'v> {
        (**self).not_boolean(op, operand)
    }
    fn show(&self, out: &mut String, value: &Val<'v>) {
        (**self).show(out, value);
    }
    fn place(&mut self, value: &Val<'v>) -> Option<Self::Place> {
        (**self).place(value)
    }
    fn is_step(method: <Self::Language as Language>::Method) -> bool {
        D::is_step(method)
    }
    fn is_look(method: <Self::Language as Language>::Method) -> bool {
        D::is_look(method)
    }
    fn step(
        &mut self,
        from: Self::Place,
        method: <Self::Language as Language>::Method,
        argument: &Val<'v>,
        meter: &mut Meter<'_>,
    ) -> Result<Self::Place, FaultKind<'v>> {
        (**self).step(from, method, argument, meter)
    }
    fn look(&mut self, place: Self::Place, method: <Self::Language as Language>::Method) -> Computed<'v> {
        (**self).look(place, method)
    }
    fn global(&mut self, global: <Self::Language as Language>::Global) -> Computed<'v> {
        (**self).global(global)
    }
    fn capture(&mut self, index: usize) -> Computed<'v> {
        (**self).capture(index)
    }
    fn member(&mut self, object: &Val<'v>, name: &'v str) -> Computed<'v> {
        (**self).member(object, name)
    }
    fn index(&mut self, object: &Val<'v>, index: &Val<'v>) -> Computed<'v> {
        (**self).index(object, index)
    }
    fn segment(&mut self, value: &Val<'v>, meter: &mut Meter<'_>) -> Result<Str<'v>, FaultKind<'v>> {
        (**self).segment(value, meter)
    }
    fn slice(
        &mut self,
        object: &Val<'v>,
        bounds: [Option<&Val<'v>>; 2],
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        (**self).slice(object, bounds, meter)
    }
    fn negate(&mut self, value: &Val<'v>) -> Computed<'v> {
        (**self).negate(value)
    }
    fn binary(&mut self, op: Binary, left: &Val<'v>, right: &Val<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
        (**self).binary(op, left, right, meter)
    }
    fn is(&mut self, value: &Val<'v>, name: <Self::Language as Language>::Type) -> Computed<'v> {
        (**self).is(value, name)
    }
    fn function(
        &mut self,
        function: <Self::Language as Language>::Function,
        arguments: &[Val<'v>],
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        (**self).function(function, arguments, meter)
    }
    fn reads(function: <Self::Language as Language>::Function) -> bool {
        D::reads(function)
    }
    fn read(
        &mut self,
        function: <Self::Language as Language>::Function,
        path: &[Str<'v>],
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        (**self).read(function, path, meter)
    }
    fn read_member(
        &mut self,
        function: <Self::Language as Language>::Function,
        path: &[Str<'v>],
        name: &'v str,
        meter: &mut Meter<'_>,
    ) -> Result<Computed<'v>, FaultKind<'v>> {
        (**self).read_member(function, path, name, meter)
    }
    fn method(
        &mut self,
        receiver: &Val<'v>,
        method: <Self::Language as Language>::Method,
        arguments: &[Val<'v>],
        regex: Option<&'v Regex>,
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        (**self).method(receiver, method, arguments, regex, meter)
    }
}
