//! What a condition comes to when little is known: the database is not, and `auth` is not or is null.
//!
//! It is right or says that it does not know; it decides nothing but warnings.

use base::Value;

use super::language::{Condition, Global, Method};
use crate::ir::{Binary, Kind};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Anybody.
    Any,
    /// Nobody: `auth` is null.
    SignedOut,
}

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Abstract {
    /// The value.
    Known(Value),
    /// It is an error, or it is not worth telling apart from one: it never grants.
    Error,
    /// Nothing.
    Unknown,
}

use Abstract::{Error, Known, Unknown};

impl Abstract {
    /// Whether a rule with this outcome grants nothing.
    pub fn never_grants(&self) -> bool {
        !matches!(self, Unknown | Known(Value::Bool(true)))
    }

    /// Whether it is surely true.
    pub fn is_true(&self) -> bool {
        matches!(self, Known(Value::Bool(true)))
    }
}

/// Evaluates. Recursion is bounded by the parser.
pub fn evaluate(expr: &Condition, caller: Caller) -> Abstract {
    let value = |expr: &Condition| evaluate(expr, caller);
    match &expr.kind {
        Kind::Constant(value) => Known(value.clone()),
        Kind::Global(Global::Auth) if caller == Caller::SignedOut => Known(Value::Null),
        Kind::Member(object, name) => match value(object) {
            Known(Value::Null) if **name == *"length" => Error,
            Known(Value::Null) => Known(Value::Null),
            Error => Error,
            _ => Unknown,
        },
        Kind::Index(object, index) => match (value(object), value(index)) {
            (Error, _) | (_, Error) => Error,
            (Known(Value::Null), Known(Value::String(_))) => Known(Value::Null),
            _ => Unknown,
        },
        Kind::Not(operand) => match value(operand) {
            Known(Value::Bool(value)) => Known(Value::Bool(!value)),
            Unknown => Unknown,
            _ => Error,
        },
        Kind::Negate(operand) => match value(operand) {
            Known(Value::Double(number)) => Known(Value::Double(-number)),
            Unknown => Unknown,
            _ => Error,
        },
        Kind::Binary(op, left, right) => match (&left.kind, value(left), &right.kind, value(right)) {
            // A key of the path is text: it equals nothing else.
            (Kind::Capture(_), _, _, Known(other)) | (_, Known(other), Kind::Capture(_), _)
                if matches!(op, Binary::Equal | Binary::NotEqual) && !matches!(other, Value::String(_)) =>
            {
                Known(Value::Bool(*op == Binary::NotEqual))
            }
            (_, left, _, right) => binary(*op, left, right),
        },
        Kind::And(operands) => all(operands, caller),
        Kind::Or(operands) => any(operands, caller),
        Kind::Condition(test, yes, no) => match value(test) {
            Known(Value::Bool(true)) => value(yes),
            Known(Value::Bool(false)) => value(no),
            Unknown => {
                if (value(yes), value(no)) == (Error, Error) {
                    Error
                } else {
                    Unknown
                }
            }
            _ => Error,
        },
        Kind::Method(receiver, method, arguments, _) => {
            let no_parent = *method == Method::Parent && matches!(receiver.kind, Kind::Global(Global::Root));
            let receiver = value(receiver);
            let fails = |argument: &Condition| !matches!(value(argument), Unknown | Known(Value::String(_)));
            match receiver {
                Unknown | Known(Value::String(_)) if !no_parent && !arguments.iter().any(fails) => Unknown,
                _ => Error,
            }
        }
        _ => Unknown,
    }
}

fn all(operands: &[Condition], caller: Caller) -> Abstract {
    let mut known = true;
    for operand in operands {
        match evaluate(operand, caller) {
            Known(Value::Bool(true)) => {}
            Known(Value::Bool(false)) if known => return Known(Value::Bool(false)),
            Unknown => known = false,
            // What comes before may be an error, or it is false.
            _ if !known => return Unknown,
            _ => return Error,
        }
    }
    if known { Known(Value::Bool(true)) } else { Unknown }
}

fn any(operands: &[Condition], caller: Caller) -> Abstract {
    for operand in operands {
        match evaluate(operand, caller) {
            Known(Value::Bool(false)) => {}
            Known(Value::Bool(true)) => return Known(Value::Bool(true)),
            Unknown => return Unknown,
            _ => return Error,
        }
    }
    Known(Value::Bool(false))
}

fn binary(op: Binary, left: Abstract, right: Abstract) -> Abstract {
    let (left, right) = match (left, right) {
        (Error, _) | (_, Error) => return Error,
        (Known(left), Known(right)) => (left, right),
        // One null or boolean is enough for everything but equality to fail.
        (Known(one), Unknown) | (Unknown, Known(one))
            if !matches!(op, Binary::Equal | Binary::NotEqual)
                && !matches!(one, Value::Double(_) | Value::String(_)) =>
        {
            return Error;
        }
        _ => return Unknown,
    };
    let order = match (&left, &right) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    };
    match op {
        Binary::Equal => Known(Value::Bool(left == right)),
        Binary::NotEqual => Known(Value::Bool(left != right)),
        Binary::Less => order.map_or(Error, |order| Known(Value::Bool(order.is_lt()))),
        Binary::LessOrEqual => order.map_or(Error, |order| Known(Value::Bool(order.is_le()))),
        Binary::Greater => order.map_or(Error, |order| Known(Value::Bool(order.is_gt()))),
        Binary::GreaterOrEqual => order.map_or(Error, |order| Known(Value::Bool(order.is_ge()))),
        // What arithmetic gives is not worth knowing here; whether it fails is.
        _ => match (&left, &right) {
            (Value::Double(_), Value::Double(_)) => Unknown,
            (Value::Double(_) | Value::String(_), Value::Double(_) | Value::String(_))
                if op == Binary::Add =>
            {
                Unknown
            }
            _ => Error,
        },
    }
}
