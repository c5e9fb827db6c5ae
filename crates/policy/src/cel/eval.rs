//! Evaluates a program.
//!
//! - `&&`, `||` and the macros made of them absorb errors: whatever order their operands are in, one that decides wins.
//! - Every operation counts against the meter; recursion is bounded by the parser and by `Limits::nesting_max`.

use std::collections::BTreeMap;
use std::rc::Rc;

use base::{Fields, Value as Stored};
use smallvec::SmallVec;

use crate::meter::Meter;
use crate::re2::Regex;
use crate::recording::{Ended, Observer};
use crate::source::Span;
use crate::trace::{Ending, Shape};
use crate::value::Str;

use super::fault::{Computed, Fault, FaultKind, Outcome};
use super::functions;
use super::operators;
use super::program::{Access, Comprehension, Node, Op, Over, Program};
use super::value::{Key, List, Map, Value};
use super::{Inputs, limit};
use crate::ir::Binary;

/// Levels of values that expressions may make: macros could otherwise nest them far deeper than any text is.
const VALUE_LEVELS_MAX: u32 = 500;

/// Variables of macros for which an evaluation allocates nothing.
const LOCALS_USUAL: usize = 4;

pub(super) struct Machine<'v, 'm, O> {
    pub program: &'v Program,
    pub inputs: &'m Inputs<'v, 'm>,
    pub meter: Meter<'m>,
    pub observer: O,
    pub locals: SmallVec<[Outcome<'v>; LOCALS_USUAL]>,
    pub nesting: u32,
}

fn fault<'v>(span: Span, kind: FaultKind) -> Outcome<'v> {
    Err(Box::new(Fault { kind, span }))
}

fn at<'v>(span: Span, computed: Computed<'v>) -> Outcome<'v> {
    computed.or_else(|kind| fault(span, kind))
}

impl Ended for Outcome<'_> {
    fn ending(&self) -> Ending {
        match self {
            Ok(Value::Bool(true)) => Ending::True,
            Ok(Value::Bool(false)) => Ending::False,
            Ok(_) => Ending::Value,
            Err(_) => Ending::Error,
        }
    }

    fn kind(&self) -> &'static str {
        self.as_ref().map_or("error", Value::type_name)
    }
}

impl<'v, O: Observer<Outcome<'v>>> Machine<'v, '_, O> {
    #[inline]
    pub fn eval(&mut self, node: &'v Node) -> Outcome<'v> {
        // Constants are free, observed or not.
        match &node.op {
            Op::Constant(constant) if !O::OBSERVES => Ok(constant.value()),
            Op::Constant(_) => self.recorded(node),
            _ => self.counted(node),
        }
    }

    fn counted(&mut self, node: &'v Node) -> Outcome<'v> {
        if !self.meter.take_expression() || self.nesting >= self.meter.limits.nesting_max {
            return fault(node.span, FaultKind::Limit);
        }
        self.nesting += 1;
        let outcome = if O::OBSERVES { self.recorded(node) } else { self.node(node) };
        self.nesting -= 1;
        outcome
    }

    #[inline(never)]
    fn recorded(&mut self, node: &'v Node) -> Outcome<'v> {
        let number = self.observer.enter();
        let outcome = self.node(node);
        let shape = match &node.op {
            Op::And(_) => Shape::And,
            Op::Or(_) => Shape::Or,
            Op::Condition(_) => Shape::Condition,
            Op::Constant(_) | Op::Variable(_) | Op::Local(_) | Op::Field(_, _, Access::Plain) => Shape::Name,
            _ => Shape::Other,
        };
        self.observer.exit(number, node.span, shape, &outcome);
        outcome
    }

    /// What most policies are made of; the rest is apart, so that this stays small.
    #[inline]
    fn node(&mut self, node: &'v Node) -> Outcome<'v> {
        let span = node.span;
        match &node.op {
            Op::Constant(constant) => Ok(constant.value()),
            Op::Variable(index) => match self.inputs.variables.get(*index) {
                Some(Some(value)) => Ok(value.clone()),
                _ => fault(span, FaultKind::NoAttribute(self.program.source.slice(span).to_owned())),
            },
            Op::Local(index) => match self.locals.get(*index) {
                Some(outcome) => outcome.clone(),
                None => fault(span, FaultKind::NoAttribute(self.program.source.slice(span).to_owned())),
            },
            Op::Field(object, name, access) => {
                if !O::OBSERVES
                    && *access != Access::Optional
                    && let Some((fields, steps)) = self.stored_fields(object)
                {
                    if !self.meter.take_expressions(steps) {
                        return fault(span, FaultKind::Limit);
                    }
                    return match (fields.get(&**name), access) {
                        (Some(stored), Access::Plain) => Ok(Value::from_stored(stored)),
                        (None, Access::Plain) => fault(span, FaultKind::NoKey(name.to_string())),
                        (found, _) => Ok(Value::Bool(found.is_some())),
                    };
                }
                self.field(span, object, name, *access)
            }
            Op::And(parts) => self.absorb(span, parts, false),
            Op::Or(parts) => self.absorb(span, parts, true),
            Op::Not(operand) => match self.eval(operand)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => fault(span, FaultKind::NoOverload),
            },
            Op::Condition(parts) => match self.eval(&parts.0)? {
                Value::Bool(true) => self.eval(&parts.1),
                Value::Bool(false) => self.eval(&parts.2),
                _ => fault(span, FaultKind::NoOverload),
            },
            Op::Binary(op, operands) => self.binary(span, *op, operands),
            Op::Matches(text, regex) => {
                let text = self.eval(text)?;
                at(span, self.matches(&text, regex))
            }
            _ => match self.further(node) {
                Ok(value) if value.levels() > VALUE_LEVELS_MAX => fault(span, FaultKind::Limit),
                outcome => outcome,
            },
        }
    }

    #[inline]
    fn binary(&mut self, span: Span, op: Binary, operands: &'v (Node, Node)) -> Outcome<'v> {
        // A variable is compared where it is.
        let inputs = self.inputs;
        let variable = match &operands.0.op {
            Op::Variable(index) if !O::OBSERVES => inputs.variables.get(*index).and_then(Option::as_ref),
            _ => None,
        };
        let evaluated;
        let left = match variable {
            Some(left) => {
                if !self.meter.take_expression() {
                    return fault(operands.0.span, FaultKind::Limit);
                }
                left
            }
            None => {
                evaluated = self.eval(&operands.0)?;
                &evaluated
            }
        };
        if !O::OBSERVES
            && let (Binary::Equal | Binary::NotEqual, Op::Constant(constant)) = (op, &operands.1.op)
            && let Some((same, work)) = constant.equals(left)
        {
            if !self.meter.take_work(work) {
                return fault(span, FaultKind::Limit);
            }
            return Ok(Value::Bool(same == (op == Binary::Equal)));
        }
        let right = self.eval(&operands.1)?;
        at(span, operators::binary(op, left, &right, &mut self.meter))
    }

    #[inline(never)]
    fn field(&mut self, span: Span, object: &'v Node, name: &'v str, access: Access) -> Outcome<'v> {
        let object = self.eval(object)?;
        match at(span, operators::field(object, name, access)) {
            Ok(value) if value.levels() > VALUE_LEVELS_MAX => fault(span, FaultKind::Limit),
            outcome => outcome,
        }
    }

    #[inline(never)]
    fn further(&mut self, node: &'v Node) -> Outcome<'v> {
        let span = node.span;
        match &node.op {
            Op::Index(parts, access) => {
                let object = self.eval(&parts.0)?;
                let index = self.eval(&parts.1)?;
                at(span, operators::index(object, &index, *access))
            }
            Op::Negate(operand) => {
                let operand = self.eval(operand)?;
                at(span, operators::negate(&operand))
            }
            Op::Call(function, arguments) => self.call(span, arguments, |arguments, machine| {
                functions::call(*function, arguments, &mut machine.meter)
            }),
            Op::Supplied(index, arguments) => self.call(span, arguments, |arguments, machine| {
                let name = machine.program.supplied.get(*index).map_or("", String::as_str);
                let supplied = machine.inputs.supplied.and_then(|supplied| supplied(name, arguments));
                supplied.ok_or_else(|| FaultKind::Invalid(format!("unbound function: {name}")))
            }),
            Op::List(items) => self.list(span, items),
            Op::Map(entries) => self.map(span, entries),
            Op::Comprehension(comprehension) => self.comprehension(span, comprehension),
            Op::Bind(values, body) => {
                let before = self.locals.len();
                for value in values {
                    let value = self.eval(value);
                    self.locals.push(value);
                }
                let outcome = self.eval(body);
                self.locals.truncate(before);
                outcome
            }
            Op::Unwrap(parts, flat) => match self.eval(&parts.0)? {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(inner)) => {
                    self.locals.push(Ok((*inner).clone()));
                    let outcome = self.eval(&parts.1);
                    self.locals.pop();
                    match (outcome?, flat) {
                        (value @ Value::Optional(_), true) => Ok(value),
                        (_, true) => fault(span, FaultKind::NoOverload),
                        (value, false) => Ok(Value::Optional(Some(Rc::new(value)))),
                    }
                }
                _ => fault(span, FaultKind::NoOverload),
            },
            Op::Fail(message) => fault(span, FaultKind::Invalid(message.clone())),
            // The others never get here.
            _ => fault(span, FaultKind::NoOverload),
        }
    }

    /// The caller's map that a chain of names leads to, and how many expressions the chain is: most policies are made
    /// of such chains, and this makes no value on the way. Whatever is not found so is evaluated as usual.
    fn stored_fields(&self, node: &Node) -> Option<(&'v Fields, u32)> {
        match &node.op {
            Op::Variable(index) => match self.inputs.variables.get(*index) {
                Some(Some(Value::Map(Map::Stored(fields)))) => Some((fields, 1)),
                _ => None,
            },
            Op::Local(index) => match self.locals.get(*index) {
                Some(Ok(Value::Map(Map::Stored(fields)))) => Some((fields, 1)),
                _ => None,
            },
            Op::Field(object, name, Access::Plain) => {
                let (fields, steps) = self.stored_fields(object)?;
                match fields.get(&**name) {
                    Some(Stored::Map(fields)) => Some((fields, steps + 1)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn matches(&mut self, text: &Value<'v>, regex: &Regex) -> Computed<'v> {
        let Value::Str(text) = text else { return Err(FaultKind::NoOverload) };
        limit(self.meter.take_work(text.as_str().len()))?;
        Ok(Value::Bool(regex.is_match(text.as_str())))
    }

    /// `&&` and `||`: `decisive` is the value that decides. Without one an error is the outcome.
    fn absorb(&mut self, span: Span, parts: &'v [Node], decisive: bool) -> Outcome<'v> {
        let mut error = None;
        for part in parts {
            match self.eval(part) {
                Ok(Value::Bool(value)) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => {
                    error.get_or_insert_with(|| Box::new(Fault { kind: FaultKind::NoOverload, span }));
                }
                Err(fault) if fault.kind == FaultKind::Limit => return Err(fault),
                Err(fault) => {
                    error.get_or_insert(fault);
                }
            }
        }
        error.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    /// Most functions have one or two arguments: those need no allocation.
    fn call(
        &mut self,
        span: Span,
        arguments: &'v [Node],
        function: impl FnOnce(&[Value<'v>], &mut Self) -> Computed<'v>,
    ) -> Outcome<'v> {
        match arguments {
            [a] => {
                let a = [self.eval(a)?];
                at(span, function(&a, self))
            }
            [a, b] => {
                let ab = [self.eval(a)?, self.eval(b)?];
                at(span, function(&ab, self))
            }
            many => {
                let mut values = Vec::with_capacity(many.len());
                for argument in many {
                    values.push(self.eval(argument)?);
                }
                at(span, function(&values, self))
            }
        }
    }

    fn list(&mut self, span: Span, items: &'v [(Node, bool)]) -> Outcome<'v> {
        at(span, limit(self.meter.take_work(items.len())).map(|()| Value::Null))?;
        let mut values = Vec::with_capacity(items.len());
        for (item, optional) in items {
            match (self.eval(item)?, optional) {
                (value, false) => values.push(value),
                (Value::Optional(None), true) => {}
                (Value::Optional(Some(inner)), true) => values.push((*inner).clone()),
                _ => return fault(item.span, FaultKind::NoOverload),
            }
        }
        Ok(Value::list(values))
    }

    fn map(&mut self, span: Span, entries: &'v [(Node, Node, bool)]) -> Outcome<'v> {
        at(span, limit(self.meter.take_work(entries.len())).map(|()| Value::Null))?;
        let mut map = BTreeMap::new();
        for (key, value, optional) in entries {
            let key = self.eval(key)?;
            let value = match (self.eval(value)?, optional) {
                (value, false) => value,
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(inner)), true) => (*inner).clone(),
                _ => return fault(span, FaultKind::NoOverload),
            };
            let literal_key = match &key {
                Value::Double(_) => None,
                other => Key::of(other),
            };
            let Some(key) = literal_key else { return fault(span, FaultKind::KeyType) };
            if map.insert(key, value).is_some() {
                return fault(span, FaultKind::RepeatedKey);
            }
        }
        Ok(Value::map(map))
    }

    fn comprehension(&mut self, span: Span, comprehension: &'v Comprehension) -> Outcome<'v> {
        let before = self.locals.len();
        let range = match self.eval(&comprehension.range)? {
            Value::List(list) => Range::List(list),
            Value::Map(map) => Range::Map(map.keys(), map),
            _ => return fault(comprehension.range.span, FaultKind::NoOverload),
        };
        at(span, limit(self.meter.take_work(range.len())).map(|()| Value::Null))?;
        let mut gathered = Gathered { truths: 0, error: None, list: Vec::new(), map: BTreeMap::new() };
        let mut outcome = Ok(false);
        for index in 0..range.len() {
            self.locals.truncate(before);
            let (first, second) = range.get(index, comprehension.two);
            self.locals.push(Ok(first));
            if let Some(second) = second {
                self.locals.push(Ok(second));
            }
            outcome = self.turn(span, comprehension, before, &mut gathered);
            if !matches!(outcome, Ok(false)) {
                break;
            }
        }
        self.locals.truncate(before);
        let decided = outcome?;
        match comprehension.kind {
            // A turn that decides leaves nothing else to look at.
            Over::All | Over::Exists if decided => Ok(Value::Bool(comprehension.kind == Over::Exists)),
            Over::All | Over::Exists => match gathered.error {
                Some(error) => Err(error),
                None => Ok(Value::Bool(comprehension.kind == Over::All)),
            },
            Over::ExistsOne => Ok(Value::Bool(gathered.truths == 1)),
            Over::Filter | Over::List => Ok(Value::list(gathered.list)),
            Over::Map | Over::Entries => Ok(Value::map(gathered.map)),
        }
    }

    /// One item, which is the value of a local; whether it decides the whole.
    fn turn(
        &mut self,
        span: Span,
        comprehension: &'v Comprehension,
        local: usize,
        gathered: &mut Gathered<'v>,
    ) -> Result<bool, Box<Fault>> {
        let place = |kind| Box::new(Fault { kind, span });
        if let Some(filter) = &comprehension.filter {
            match self.eval(filter)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Ok(false),
                _ => return Err(place(FaultKind::NoOverload)),
            }
        }
        let value = self.eval(&comprehension.body);
        if matches!(comprehension.kind, Over::All | Over::Exists) {
            let decisive = comprehension.kind == Over::Exists;
            return match value {
                Ok(Value::Bool(value)) => Ok(value == decisive),
                Err(fault) if fault.kind == FaultKind::Limit => Err(fault),
                other => {
                    let error = other.err().unwrap_or_else(|| place(FaultKind::NoOverload));
                    gathered.error.get_or_insert(error);
                    Ok(false)
                }
            };
        }
        let value = value?;
        limit(self.meter.take_work(1)).map_err(place)?;
        let item = match self.locals.get(local) {
            Some(Ok(item)) => item.clone(),
            _ => Value::Null,
        };
        match (comprehension.kind, value) {
            (Over::ExistsOne, Value::Bool(value)) => gathered.truths += u64::from(value),
            (Over::Filter, Value::Bool(value)) => gathered.list.extend(value.then_some(item)),
            (Over::ExistsOne | Over::Filter, _) => return Err(place(FaultKind::NoOverload)),
            (Over::Entries, Value::Map(entries)) => {
                for key in entries.keys() {
                    let value = entries.get(&key).unwrap_or(Value::Null);
                    if gathered.map.insert(key, value).is_some() {
                        return Err(place(FaultKind::RepeatedKey));
                    }
                }
            }
            (Over::Entries, _) => return Err(place(FaultKind::NoOverload)),
            (Over::Map, value) => {
                let key = Key::of(&item).ok_or_else(|| place(FaultKind::KeyType))?;
                gathered.map.insert(key, value);
            }
            (_, value) => gathered.list.push(value),
        }
        Ok(false)
    }
}

/// What a comprehension has so far.
struct Gathered<'v> {
    truths: u64,
    error: Option<Box<Fault>>,
    list: Vec<Value<'v>>,
    map: BTreeMap<Key<'v>, Value<'v>>,
}

enum Range<'v> {
    List(List<'v>),
    Map(Vec<Key<'v>>, Map<'v>),
}

impl<'v> Range<'v> {
    fn len(&self) -> usize {
        match self {
            Range::List(list) => list.len(),
            Range::Map(keys, _) => keys.len(),
        }
    }

    fn get(&self, index: usize, two: bool) -> (Value<'v>, Option<Value<'v>>) {
        match self {
            Range::List(list) => {
                let item = list.get(index).unwrap_or(Value::Null);
                if two {
                    (Value::Int(i64::try_from(index).unwrap_or(i64::MAX)), Some(item))
                } else {
                    (item, None)
                }
            }
            Range::Map(keys, map) => {
                let key = keys.get(index).cloned().unwrap_or(Key::Str(Str::Borrowed("")));
                let value = two.then(|| map.get(&key).unwrap_or(Value::Null));
                (key.value(), value)
            }
        }
    }
}
