//! What variables, operators and methods give.
//!
//! Numbers are doubles; values of different types are never equal and never ordered; null has no members but every
//! member of it is null. Text joins with text and with numbers. Everything else is an error, and the first error ends
//! the rule.

mod number;
mod place;

use std::cmp::Ordering;

use smallvec::SmallVec;

use self::number::{number_str, number_text};
use self::place::{FRAMES_USUAL, Frame, NONE};
use super::language::{Global, Method, Nothing, Rtdb};
use super::request::{Order, Query};
use super::tree::{Leaf, Tree};
use crate::eval::{Computed, Dialect};
use crate::ir::Binary;
use crate::meter::Meter;
use crate::re2::Regex;
use crate::value::{FaultKind, Handle, Map, Str, Val, compare, push_shown};

/// What the rules see.
pub struct Context<'v> {
    /// `auth`
    pub auth: Option<Map<'v>>,
    /// `now`
    pub now: f64,
    /// `query`
    pub query: Query<'v>,
    /// Places, by number. The first is `root`; they are dropped where nobody can hold them any more.
    pub frames: SmallVec<[Frame<'v>; FRAMES_USUAL]>,
    /// The place of `data`.
    pub data: u32,
    /// The place of `newData`.
    pub new_data: u32,
    /// The way from the root to the rule.
    pub way: RulePath<'v>,
    /// The places whose contents were looked at, when that is asked for.
    pub looked_at: Option<Vec<u32>>,
}

pub use self::place::RulePath;

fn message<'v>(text: impl Into<String>) -> FaultKind<'v> {
    FaultKind::Message(text.into())
}

/// The name of a value's type in this language.
pub fn type_name(value: &Val<'_>) -> &'static str {
    match value {
        Val::Bool(_) => "boolean",
        Val::Int(_) | Val::Float(_) => "number",
        Val::Map(_) => "object",
        other => other.type_name(),
    }
}

fn leaf(leaf: Leaf<'_>) -> Val<'_> {
    match leaf {
        Leaf::Bool(value) => Val::Bool(value),
        Leaf::Number(value) => Val::Float(value),
        Leaf::Text(text) => Val::Str(Str::Borrowed(text)),
    }
}

/// A claim: its numbers become doubles.
fn claim<'v>(value: Option<Val<'v>>) -> Val<'v> {
    match value {
        None => Val::Null,
        #[expect(clippy::cast_precision_loss, reason = "the language has doubles only")]
        Some(Val::Int(value)) => Val::Float(value as f64),
        Some(other) => other,
    }
}

impl<'v> Context<'v> {
    fn snapshot(
        &mut self,
        frame: u32,
        method: Method,
        arguments: &[Val<'v>],
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        Ok(match method {
            Method::Child => {
                Val::Handle(Handle::Snapshot(self.follow(frame, text(method, arguments, 0)?, meter)?))
            }
            Method::Parent => match self.frame(frame).map(|frame| frame.parent) {
                Some(parent) if parent != NONE => Val::Handle(Handle::Snapshot(parent)),
                _ => return Err(message("parent(): this is the root of the database")),
            },
            Method::Val => match self.look(frame) {
                None => Val::Null,
                Some(tree) => tree.leaf().map_or(Val::Handle(Handle::Object(frame)), leaf),
            },
            Method::HasChild => {
                let child = self.follow(frame, text(method, arguments, 0)?, meter)?;
                Val::Bool(self.look(child).is_some_and(Tree::exists))
            }
            Method::HasChildren if !arguments.is_empty() => {
                let mut all = true;
                for index in 0..arguments.len() {
                    let child = self.follow(frame, text(method, arguments, index)?, meter)?;
                    all &= self.look(child).is_some_and(Tree::exists);
                }
                Val::Bool(all)
            }
            _ if Self::is_look(method) => {
                let tree = self.look(frame);
                told(tree, method)
            }
            _ => return Err(message(format!("{}() of a snapshot", method.name()))),
        })
    }

    fn query(&self, name: &str) -> Val<'v> {
        let query = &self.query;
        let value = |leaf: Option<Leaf<'v>>| leaf.map_or(Val::Null, self::leaf);
        let limit = |limit: Option<u32>| limit.map_or(Val::Null, |limit| Val::Float(f64::from(limit)));
        match name {
            "orderByKey" => Val::Bool(query.order == Order::Key),
            "orderByValue" => Val::Bool(query.order == Order::Value),
            "orderByPriority" => Val::Bool(query.order == Order::Priority),
            "orderByChild" => match query.order {
                Order::Child(child) => Val::Str(Str::Borrowed(child)),
                _ => Val::Null,
            },
            "startAt" => value(query.start_at.or(query.equal_to)),
            "endAt" => value(query.end_at.or(query.equal_to)),
            "equalTo" => value(query.equal_to),
            "limitToFirst" => limit(query.limit_to_first),
            "limitToLast" => limit(query.limit_to_last),
            _ => Val::Null,
        }
    }

    fn get(&mut self, object: &Val<'v>, name: &str) -> Computed<'v> {
        match object {
            Val::Map(map) => Ok(claim(map.get(name))),
            Val::Str(text) if name == "length" => {
                let units = text.as_str().encode_utf16().count();
                Ok(Val::Float(f64::from(u32::try_from(units).unwrap_or(u32::MAX))))
            }
            Val::List(list) if name == "length" => {
                Ok(Val::Float(f64::from(u32::try_from(list.len()).unwrap_or(u32::MAX))))
            }
            Val::List(list) => Ok(claim(name.parse().ok().and_then(|index| list.get(index)))),
            Val::Handle(Handle::Query) => Ok(self.query(name)),
            // A value of the database has no members: only `length` gets here, of what may be text.
            other if name == "length" => Err(message(format!("length: {} has no length", type_name(other)))),
            _ => Ok(Val::Null),
        }
    }
}

/// What a method without arguments tells of a place, `val()` aside.
fn told<'v>(tree: Option<&'v dyn Tree>, method: Method) -> Val<'v> {
    let is = |wanted: fn(Leaf<'_>) -> bool| Val::Bool(tree.and_then(Tree::leaf).is_some_and(wanted));
    match method {
        Method::Exists => Val::Bool(tree.is_some_and(Tree::exists)),
        Method::HasChildren => Val::Bool(tree.is_some_and(|tree| tree.leaf().is_none())),
        Method::GetPriority => tree.and_then(Tree::priority).map_or(Val::Null, leaf),
        Method::IsNumber => is(|leaf| matches!(leaf, Leaf::Number(_))),
        Method::IsString => is(|leaf| matches!(leaf, Leaf::Text(_))),
        Method::IsBoolean => is(|leaf| matches!(leaf, Leaf::Bool(_))),
        _ => Val::Null,
    }
}

/// An argument that must be text.
fn text<'a, 'v>(
    method: Method,
    arguments: &'a [Val<'v>],
    index: usize,
) -> Result<&'a Str<'v>, FaultKind<'v>> {
    match arguments.get(index) {
        Some(Val::Str(text)) => Ok(text),
        other => {
            let found = other.map_or("nothing", type_name);
            Err(message(format!("{}(): the argument is a {found}, not a string", method.name())))
        }
    }
}

fn string<'v>(
    subject: &Str<'v>,
    method: Method,
    arguments: &[Val<'v>],
    regex: Option<&Regex>,
    meter: &mut Meter<'_>,
) -> Computed<'v> {
    let this = subject.as_str();
    meter.work(this.len())?;
    let argument = |index| text(method, arguments, index).map(Str::as_str);
    Ok(match method {
        Method::Contains => Val::Bool(this.contains(argument(0)?)),
        Method::BeginsWith => Val::Bool(this.starts_with(argument(0)?)),
        Method::EndsWith => Val::Bool(this.ends_with(argument(0)?)),
        Method::ToLowerCase => Val::Str(this.to_lowercase().into()),
        Method::ToUpperCase => Val::Str(this.to_uppercase().into()),
        Method::Replace => {
            let (from, to) = (argument(0)?, argument(1)?);
            // The most it can become, before it is made.
            meter.work(this.len().saturating_add(1).saturating_mul(to.len()))?;
            Val::Str(this.replace(from, to).into())
        }
        Method::Matches => Val::Bool(regex.is_some_and(|regex| regex.is_match(this))),
        _ => return Err(message(format!("{}() of text", method.name()))),
    })
}

/// Text that is joined with nothing stays what it is.
fn joined<'v>(left: &Str<'v>, right: &Str<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
    let (a, b) = (left.as_str(), right.as_str());
    meter.work(a.len() + b.len())?;
    if b.is_empty() {
        return Ok(Val::Str(left.clone()));
    }
    if a.is_empty() {
        return Ok(Val::Str(right.clone()));
    }
    Ok(Val::Str(Str::from([a, b].concat())))
}

fn order(op: Binary, left: &Val<'_>, right: &Val<'_>) -> Option<bool> {
    let order = match (left, right) {
        (Val::Float(a), Val::Float(b)) => a.partial_cmp(b),
        (Val::Str(a), Val::Str(b)) => Some(a.as_str().encode_utf16().cmp(b.as_str().encode_utf16())),
        _ => return None,
    };
    // Nothing is before or after what is not a number.
    Some(order.is_some_and(|order| match op {
        Binary::Less => order == Ordering::Less,
        Binary::LessOrEqual => order != Ordering::Greater,
        Binary::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

impl<'v> Dialect<'v> for Context<'v> {
    type Language = Rtdb;
    type Place = Option<&'v dyn Tree>;

    const ABSORBS: bool = false;

    fn place(&mut self, value: &Val<'v>) -> Option<Self::Place> {
        match value {
            // Whoever notes what is looked at needs every place.
            Val::Handle(Handle::Snapshot(frame)) if self.looked_at.is_none() => Some(self.tree(*frame)),
            _ => None,
        }
    }

    fn is_step(method: Method) -> bool {
        method == Method::Child
    }

    fn is_look(method: Method) -> bool {
        matches!(
            method,
            Method::Val
                | Method::Exists
                | Method::HasChildren
                | Method::GetPriority
                | Method::IsNumber
                | Method::IsString
                | Method::IsBoolean
        )
    }

    fn step(
        &mut self,
        from: Self::Place,
        method: Method,
        argument: &Val<'v>,
        meter: &mut Meter<'_>,
    ) -> Result<Self::Place, FaultKind<'v>> {
        let path = text(method, std::slice::from_ref(argument), 0)?.as_str();
        meter.work(path.len())?;
        Ok(if path.contains('/') {
            let keys = path.split('/').filter(|key| !key.is_empty());
            keys.fold(from, |at, key| at.and_then(|at| at.child(key)))
        } else if path.is_empty() {
            from
        } else {
            from.and_then(|from| from.child(path))
        })
    }

    fn look(&mut self, place: Self::Place, method: Method) -> Computed<'v> {
        Ok(match (method, place) {
            (Method::Val, Some(tree)) => match tree.leaf() {
                Some(value) => leaf(value),
                // Only what has children needs its place as a value.
                None => Val::Handle(Handle::Object(self.push_root(place))),
            },
            _ => told(place, method),
        })
    }

    fn not_boolean(&self, op: &'static str, operand: &Val<'v>) -> FaultKind<'v> {
        message(format!("{op}: the operand is a {}, not a boolean", type_name(operand)))
    }

    fn show(&self, out: &mut String, value: &Val<'v>) {
        match value {
            Val::Float(number) => out.push_str(&number_text(*number)),
            Val::Handle(Handle::Snapshot(frame)) => self.push_shown(out, *frame),
            other => push_shown(out, other),
        }
    }

    fn global(&mut self, global: Global) -> Computed<'v> {
        Ok(match global {
            Global::Auth => self.auth.clone().map_or(Val::Null, Val::Map),
            Global::Now => Val::Float(self.now),
            Global::Root => Val::Handle(Handle::Snapshot(0)),
            Global::Data => Val::Handle(Handle::Snapshot(self.data)),
            Global::NewData => Val::Handle(Handle::Snapshot(self.new_data)),
            Global::Query => Val::Handle(Handle::Query),
        })
    }

    fn capture(&mut self, index: usize) -> Computed<'v> {
        match self.way.get(index) {
            Some(key) => Ok(Val::Str(Str::Borrowed(key))),
            None => Err(message("there is no such key in the path")),
        }
    }

    fn member(&mut self, object: &Val<'v>, name: &'v str) -> Computed<'v> {
        self.get(object, name)
    }

    fn index(&mut self, object: &Val<'v>, index: &Val<'v>) -> Computed<'v> {
        match (object, index) {
            (_, Val::Str(name)) => self.get(object, name.as_str()),
            (Val::List(_) | Val::Null, Val::Float(number)) => self.get(object, &number_text(*number)),
            (_, other) => Err(message(format!("[]: the name is a {}, not a string", type_name(other)))),
        }
    }

    fn segment(&mut self, _: &Val<'v>, _: &mut Meter<'_>) -> Result<Str<'v>, FaultKind<'v>> {
        Err(message("there are no paths"))
    }

    fn slice(&mut self, _: &Val<'v>, _: [Option<&Val<'v>>; 2], _: &mut Meter<'_>) -> Computed<'v> {
        Err(message("there are no slices"))
    }

    fn negate(&mut self, value: &Val<'v>) -> Computed<'v> {
        match value {
            Val::Float(number) => Ok(Val::Float(-number)),
            other => Err(message(format!("-: the operand is a {}, not a number", type_name(other)))),
        }
    }

    fn binary(&mut self, op: Binary, left: &Val<'v>, right: &Val<'v>, meter: &mut Meter<'_>) -> Computed<'v> {
        let refused = |wanted: &str| {
            let (left, right) = (type_name(left), type_name(right));
            message(format!("{}: the operands are a {left} and a {right}, not {wanted}", op.text()))
        };
        match op {
            Binary::Equal | Binary::NotEqual => {
                if let (Val::Handle(Handle::Object(_)), Val::Handle(Handle::Object(_))) = (left, right) {
                    return Err(message(format!("{}: values with children cannot be compared", op.text())));
                }
                if let (Val::Str(a), Val::Str(_)) = (left, right) {
                    meter.work(a.as_str().len())?;
                }
                Ok(Val::Bool(compare::equal(left, right) == (op == Binary::Equal)))
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                order(op, left, right).map(Val::Bool).ok_or_else(|| refused("two numbers or two strings"))
            }
            Binary::Add => match (left, right) {
                (Val::Float(a), Val::Float(b)) => Ok(Val::Float(a + b)),
                (Val::Str(a), Val::Str(b)) => joined(a, b, meter),
                (Val::Str(a), Val::Float(b)) => joined(a, &number_str(*b), meter),
                (Val::Float(a), Val::Str(b)) => joined(&number_str(*a), b, meter),
                _ => Err(refused("numbers or strings")),
            },
            _ => match (left, right) {
                (Val::Float(a), Val::Float(b)) => Ok(Val::Float(match op {
                    Binary::Subtract => a - b,
                    Binary::Multiply => a * b,
                    // The service has no infinities: what cannot be divided is not a number.
                    Binary::Divide if *b == 0.0 => f64::NAN,
                    Binary::Divide => a / b,
                    _ => a % b,
                })),
                _ => Err(refused("two numbers")),
            },
        }
    }

    fn is(&mut self, _: &Val<'v>, name: Nothing) -> Computed<'v> {
        match name {}
    }

    fn function(&mut self, function: Nothing, _: &[Val<'v>], _: &mut Meter<'_>) -> Computed<'v> {
        match function {}
    }

    fn method(
        &mut self,
        receiver: &Val<'v>,
        method: Method,
        arguments: &[Val<'v>],
        regex: Option<&'v Regex>,
        meter: &mut Meter<'_>,
    ) -> Computed<'v> {
        match receiver {
            Val::Handle(Handle::Snapshot(frame)) => self.snapshot(*frame, method, arguments, meter),
            Val::Str(subject) => string(subject, method, arguments, regex, meter),
            other => Err(message(format!("{}() of a {}", method.name(), type_name(other)))),
        }
    }
}
