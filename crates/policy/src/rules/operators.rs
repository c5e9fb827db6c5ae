//! The operators of the rules language on values: arithmetic, order, equality, membership, types, indexing.
//!
//! Source: verdicts and texts of the production service.

use crate::builtin::{Duration, number};
use crate::eval::Computed;
use crate::ir::Binary;
use crate::meter::Meter;
use crate::value::compare::{comparable, contains, equal, order, same_member};
use crate::value::{Child, Class, Comparison, FaultKind, Field, List, Str, Val};

use super::names::Type;
use super::paths::unbound;
use super::text;

fn comparison(op: Binary) -> Option<Comparison> {
    Some(match op {
        Binary::Less => Comparison::Lt,
        Binary::LessOrEqual => Comparison::Le,
        Binary::Greater => Comparison::Gt,
        Binary::GreaterOrEqual => Comparison::Ge,
        Binary::Equal => Comparison::Eq,
        Binary::NotEqual => Comparison::Ne,
        _ => return None,
    })
}

/// A query does not say enough about a field.
pub fn undetermined<'v>(field: &Field<'_>) -> FaultKind<'v> {
    let path = field.path();
    if path.is_empty() {
        return FaultKind::Undetermined(
            "The query does not determine which fields its documents have.".to_owned(),
        );
    }
    if field.is_container() {
        return FaultKind::Undetermined(format!("The query does not determine which fields {path} has."));
    }
    if field.is_equal_number() {
        return FaultKind::Undetermined(format!(
            "The query does not tell whether {path} has integers or doubles."
        ));
    }
    FaultKind::Undetermined(format!("The query does not constrain {path} enough."))
}

/// `left op right`
pub fn binary<'v>(
    op: Binary,
    left: &Val<'v>,
    right: &Val<'v>,
    meter: &mut Meter<'_>,
    absent_keys: bool,
) -> Computed<'v> {
    if op == Binary::In {
        return is_in(left, right, meter, absent_keys);
    }
    if let Some(comparison) = comparison(op) {
        return compare(op, comparison, left, right, meter);
    }
    let unsupported = || FaultKind::Unsupported {
        received: format!("{} {} {}", left.type_name(), op.text(), right.type_name()),
        expected: String::new(),
    };
    match (left, right) {
        (Val::Int(a), Val::Int(b)) => integers(op, *a, *b),
        (Val::Float(a), Val::Float(b)) => Ok(Val::Float(floats(op, *a, *b))),
        (Val::Int(a), Val::Float(b)) => Ok(Val::Float(floats(op, number::float_from_int(*a), *b))),
        (Val::Float(a), Val::Int(b)) => Ok(Val::Float(floats(op, *a, number::float_from_int(*b)))),
        (Val::Str(a), Val::Str(b)) if op == Binary::Add => {
            meter.work(a.as_str().len() + b.as_str().len())?;
            Ok(Val::text([a.as_str(), b.as_str()].concat()))
        }
        (Val::Timestamp(at), Val::Duration(length)) | (Val::Duration(length), Val::Timestamp(at))
            if op == Binary::Add =>
        {
            length.after(*at).map(Val::Timestamp).ok_or(FaultKind::Overflow)
        }
        (Val::Timestamp(at), Val::Duration(length)) if op == Binary::Subtract => {
            length.before(*at).map(Val::Timestamp).ok_or(FaultKind::Overflow)
        }
        (Val::Timestamp(a), Val::Timestamp(b)) if op == Binary::Subtract => {
            Duration::between(*a, *b).map(Val::Duration).ok_or(FaultKind::Overflow)
        }
        (Val::Duration(a), Val::Duration(b)) => match op {
            Binary::Add => a.checked_add(*b).map(Val::Duration).ok_or(FaultKind::Overflow),
            Binary::Subtract => a.checked_sub(*b).map(Val::Duration).ok_or(FaultKind::Overflow),
            _ => Err(unsupported()),
        },
        _ => Err(unsupported()),
    }
}

fn integers<'v>(op: Binary, a: i64, b: i64) -> Computed<'v> {
    let result = match op {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide | Binary::Remainder if b == 0 => return Err(FaultKind::DivideByZero),
        Binary::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map(Val::Int).ok_or(FaultKind::Overflow)
}

fn floats(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        // From zero on: minus zero and minus zero are zero.
        Binary::Add => 0.0 + a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        _ => a % b,
    }
}

fn compare<'v>(
    op: Binary,
    comparison: Comparison,
    left: &Val<'v>,
    right: &Val<'v>,
    meter: &mut Meter<'_>,
) -> Computed<'v> {
    match (left, right) {
        (Val::Field(field), Val::Field(_)) => return Err(undetermined(field)),
        (Val::Field(field), other) => {
            return field.compare(comparison, other).map(Val::Bool).ok_or_else(|| undetermined(field));
        }
        (other, Val::Field(field)) => {
            return field
                .compare(comparison.mirrored(), other)
                .map(Val::Bool)
                .ok_or_else(|| undetermined(field));
        }
        _ => {}
    }
    if matches!(comparison, Comparison::Eq | Comparison::Ne) {
        // What most comparisons are about; nothing of the other side matters.
        if matches!(left, Val::Null) || matches!(right, Val::Null) {
            return Ok(Val::Bool(equal(left, right) == (comparison == Comparison::Eq)));
        }
        if left.is_abstract() || right.is_abstract() {
            return Err(FaultKind::Undetermined("The query does not determine resource.".to_owned()));
        }
        if let (Val::List(List::Borrowed(_) | List::Shared(_)) | Val::Map(_) | Val::Set(_), _) = (left, right)
        {
            meter.work(weight(left))?;
        }
        return Ok(Val::Bool(equal(left, right) == (comparison == Comparison::Eq)));
    }
    if !comparable(left, right) {
        return Err(FaultKind::Unsupported {
            received: format!("{} {} {}", left.type_name(), op.text(), right.type_name()),
            expected: String::new(),
        });
    }
    // Numbers without an order (NaN) compare false, as in every IEEE language.
    Ok(Val::Bool(order(left, right).is_some_and(|order| comparison.holds(order))))
}

/// Items to look at when a value is compared. Sets are compared with each other item by item.
fn weight(value: &Val<'_>) -> usize {
    match value {
        Val::List(list) => list.len(),
        Val::Map(map) => map.len(),
        Val::Set(items) => items.len().saturating_mul(items.len()),
        _ => 1,
    }
}

fn is_in<'v>(left: &Val<'v>, right: &Val<'v>, meter: &mut Meter<'_>, absent_keys: bool) -> Computed<'v> {
    match (left, right) {
        (_, Val::Null) => Err(FaultKind::NullValue),
        (Val::Str(key), Val::Map(map)) => match map.get(key.as_str()) {
            // A document's identity, which a list does not have.
            Some(Val::Field(field)) if field.is_unknown() => Err(undetermined_key(key)),
            found => Ok(Val::Bool(found.is_some())),
        },
        (Val::Str(key), Val::Field(field)) if field.class() == Some(Class::Map) => {
            match field.child(key.clone()) {
                Child::Known(_) | Child::Field(_) => Ok(Val::Bool(true)),
                Child::Undetermined if absent_keys => Ok(Val::Bool(false)),
                Child::Undetermined => Err(undetermined_key(key)),
            }
        }
        (_, Val::Field(field)) => field.contains(left).map(Val::Bool).ok_or_else(|| undetermined(field)),
        (Val::Field(field), Val::List(_) | Val::Set(_)) => field_in(field, right),
        (left, Val::List(_) | Val::Set(_)) if left.is_abstract() => {
            Err(FaultKind::Undetermined("The query does not determine resource.".to_owned()))
        }
        (_, Val::List(list)) => {
            meter.work(list.len())?;
            Ok(Val::Bool(list.iter().any(|item| same_member(&item, left))))
        }
        (_, Val::Set(items)) => {
            meter.work(items.len())?;
            Ok(Val::Bool(contains(items, left)))
        }
        (key, Val::Map(_)) => Err(FaultKind::Unsupported {
            received: format!("map.in({})", key.type_name()),
            expected: "map.in(string)".to_owned(),
        }),
        _ => Err(FaultKind::FunctionNotFound(Str::Borrowed("in"))),
    }
}

/// A key of which the query does not say whether it is there.
pub fn undetermined_key<'v>(key: &Str<'_>) -> FaultKind<'v> {
    FaultKind::Undetermined(format!("The query does not determine whether {} is present.", key.as_str()))
}

/// Membership of a constrained field: certain only when no item can be equal to it. A number that equals an item may
/// still be of its other type and then is no member.
fn field_in<'v>(field: &Field<'v>, right: &Val<'v>) -> Computed<'v> {
    let none = match right {
        Val::List(list) => list.iter().all(|item| field.never_equals(&item)),
        // Of sets the official service knows no membership of what is constrained.
        _ => false,
    };
    if none { Ok(Val::Bool(false)) } else { Err(undetermined(field)) }
}

/// `-value`
pub fn negate<'v>(value: &Val<'v>) -> Computed<'v> {
    match value {
        Val::Int(value) => value.checked_neg().map(Val::Int).ok_or(FaultKind::Overflow),
        Val::Float(value) => Ok(Val::Float(-value)),
        Val::Duration(length) => Ok(Val::Duration(length.negated())),
        other => Err(FaultKind::Unsupported {
            received: format!("-{}", other.type_name()),
            expected: "-int, -float, -duration".to_owned(),
        }),
    }
}

/// `value is type`
pub fn is<'v>(value: &Val<'v>, name: Type) -> Computed<'v> {
    if let Val::Field(field) = value {
        let unknown = || {
            let text = format!("The query does not determine whether {} is {}.", field.path(), name.name());
            FaultKind::Undetermined(text)
        };
        let class = field.class().ok_or_else(unknown)?;
        let same = matches!(
            (class, name),
            (Class::Number, Type::Int | Type::Float | Type::Number)
                | (Class::Bool, Type::Bool)
                | (Class::Timestamp, Type::Timestamp)
                | (Class::String, Type::String)
                | (Class::Bytes, Type::Bytes)
                | (Class::Path, Type::Path)
                | (Class::LatLng, Type::LatLng)
                | (Class::List, Type::List)
                | (Class::Map, Type::Map)
        );
        // A range says which type it is, but the official emulator does not see it.
        return if same && !field.is_container() { Err(unknown()) } else { Ok(Val::Bool(same)) };
    }
    Ok(Val::Bool(matches!(
        (value, name),
        (Val::Bool(_), Type::Bool)
            | (Val::Int(_), Type::Int | Type::Number)
            | (Val::Float(_), Type::Float | Type::Number)
            | (Val::Str(_), Type::String)
            | (Val::List(_), Type::List)
            | (Val::Map(_), Type::Map)
            | (Val::Timestamp(_), Type::Timestamp)
            | (Val::Duration(_), Type::Duration)
            | (Val::Path(_) | Val::Template(_), Type::Path)
            | (Val::LatLng(_), Type::LatLng)
            | (Val::Bytes(_), Type::Bytes)
            | (Val::Diff(_), Type::MapDiff)
    )))
}

/// `object.name`
pub fn member<'v>(object: &Val<'v>, name: Str<'v>) -> Computed<'v> {
    match object {
        Val::Map(map) => map.get(name.as_str()).ok_or(FaultKind::UndefinedProperty(name)),
        Val::Null => Err(FaultKind::NullValue),
        Val::Field(field) => match field.child(name.clone()) {
            Child::Known(value) => Ok(Val::from_value(value)),
            Child::Field(field) => Ok(Val::Field(field)),
            Child::Undetermined => {
                Err(FaultKind::Undetermined(FaultKind::UndefinedProperty(name).to_string()))
            }
        },
        Val::Path(_) | Val::Template(_) => Err(FaultKind::UndefinedProperty(name)),
        other => Err(FaultKind::Type { received: other.type_name(), expected: "map,path" }),
    }
}

/// `object[index]`
pub fn index<'v>(object: &Val<'v>, index: &Val<'v>) -> Computed<'v> {
    match (object, index) {
        (Val::Null, _) => Err(FaultKind::NullValue),
        (Val::Map(_) | Val::Field(_), Val::Str(key)) => member(object, key.clone()),
        (Val::List(list), Val::Int(at)) => {
            let item = usize::try_from(*at).ok().and_then(|at| list.get(at));
            item.ok_or(FaultKind::Index { index: *at, size: list.len() })
        }
        (Val::Str(text), Val::Int(at)) => {
            let size = text::units(text.as_str());
            match usize::try_from(*at) {
                Ok(at) if at < size => Ok(Val::text(text::slice(text.as_str(), at, 1))),
                _ => Err(FaultKind::Index { index: *at, size }),
            }
        }
        (Val::Path(segments), Val::Int(at)) => {
            let segment = usize::try_from(*at).ok().and_then(|at| segments.get(at));
            segment.cloned().map(Val::Str).ok_or(FaultKind::Index { index: *at, size: segments.len() })
        }
        (Val::Template(steps), Val::Int(_)) => Err(unbound(steps)),
        (Val::Path(_) | Val::Template(_), Val::Str(name)) => Err(FaultKind::UndefinedProperty(name.clone())),
        (object, index) => Err(FaultKind::Unsupported {
            received: format!("{}[{}]", object.type_name(), index.type_name()),
            expected: match object {
                Val::Map(_) => "map[string]".to_owned(),
                Val::List(_) | Val::Str(_) | Val::Path(_) | Val::Template(_) => {
                    format!("{}[int]", object.type_name())
                }
                _ => String::new(),
            },
        }),
    }
}

/// `object[start:end]`: both `start` and `end - 1` must be indexes, except that an empty range in bounds is fine.
pub fn slice<'v>(
    object: &Val<'v>,
    [start, end]: [Option<&Val<'v>>; 2],
    meter: &mut Meter<'_>,
) -> Computed<'v> {
    let unsupported = || {
        let name = |bound: Option<&Val<'v>>| bound.map_or("int", Val::type_name);
        FaultKind::Unsupported {
            received: format!("{}[{}:{}]", object.type_name(), name(start), name(end)),
            expected: format!("{}[int:int]", object.type_name()),
        }
    };
    let bound = |value: Option<&Val<'v>>| match value {
        None | Some(Val::Null) => Ok(None),
        Some(Val::Int(at)) => Ok(Some(*at)),
        Some(_) => Err(unsupported()),
    };
    let (first, past) = (bound(start)?, bound(end)?);
    let size = match object {
        Val::List(list) => list.len(),
        Val::Str(text) => text::units(text.as_str()),
        Val::Path(segments) => segments.len(),
        Val::Template(_) if first.is_none() && past.is_none() => return Ok(object.clone()),
        Val::Template(steps) => return Err(unbound(steps)),
        Val::Null => return Err(FaultKind::NullValue),
        Val::Map(_) => return Err(unsupported()),
        Val::Field(field) => return Err(undetermined(field)),
        _ => return Err(FaultKind::FunctionNotFound(Str::Borrowed("@range"))),
    };
    let checked = |at: i64| match usize::try_from(at) {
        Ok(position) if position < size => Ok(position),
        _ => Err(FaultKind::Index { index: at, size }),
    };
    let (from, count) = match (first, past) {
        (None, None) => (0, size),
        (first, past) => {
            let from = checked(first.unwrap_or(0))?;
            let past = past.map_or(Ok(size), |past| checked(past.saturating_sub(1)).map(|last| last + 1))?;
            let illegal = || {
                FaultKind::Message(format!("Illegal range error. From index: [{from}] , To index: [{past}]."))
            };
            (from, past.checked_sub(from).ok_or_else(illegal)?)
        }
    };
    meter.work(count)?;
    match object {
        Val::List(List::Borrowed(items)) => {
            Ok(Val::List(List::Borrowed(items.get(from..from + count).unwrap_or_default())))
        }
        Val::List(list) => Ok(Val::list(list.iter().skip(from).take(count).collect())),
        Val::Str(text) => Ok(Val::text(text::slice(text.as_str(), from, count))),
        Val::Path(segments) => Ok(Val::Path(segments.iter().skip(from).take(count).cloned().collect())),
        _ => Err(FaultKind::NullValue),
    }
}
