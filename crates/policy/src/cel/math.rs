//! `math.*`

use std::cmp::Ordering;

use super::fault::{Computed, FaultKind};
use super::functions::extreme;
use super::library::Function;
use super::number::{int_to_double, uint_to_double};
use super::value::Value;

/// Calls one of them.
pub fn call<'v>(function: Function, arguments: &[Value<'v>]) -> Computed<'v> {
    if let Function::Greatest | Function::Least = function {
        let wanted = if function == Function::Greatest { Ordering::Greater } else { Ordering::Less };
        return match arguments {
            [Value::List(list)] => extreme(list.iter(), wanted),
            many => extreme(many.iter().cloned(), wanted),
        };
    }
    match arguments {
        [Value::Double(value)] => double(function, *value),
        [Value::Int(value)] => int(function, *value),
        [Value::Uint(value)] => uint(function, *value),
        [Value::Int(a), Value::Int(b)] => match function {
            Function::BitAnd => Ok(Value::Int(a & b)),
            Function::BitOr => Ok(Value::Int(a | b)),
            Function::BitXor => Ok(Value::Int(a ^ b)),
            // The sign is a bit like the others.
            _ => shift(function, a.cast_unsigned(), *b).map(|bits| Value::Int(bits.cast_signed())),
        },
        [Value::Uint(a), Value::Uint(b)] => match function {
            Function::BitAnd => Ok(Value::Uint(a & b)),
            Function::BitOr => Ok(Value::Uint(a | b)),
            Function::BitXor => Ok(Value::Uint(a ^ b)),
            _ => Err(FaultKind::NoOverload),
        },
        [Value::Uint(a), Value::Int(b)] => shift(function, *a, *b).map(Value::Uint),
        _ => Err(FaultKind::NoOverload),
    }
}

fn shift(function: Function, bits: u64, by: i64) -> Result<u64, FaultKind> {
    let by = u32::try_from(by).or_else(|_| {
        if by < 0 { Err(FaultKind::Invalid("negative offset".to_owned())) } else { Ok(u32::MAX) }
    })?;
    match function {
        Function::BitShiftLeft => Ok(bits.checked_shl(by).unwrap_or(0)),
        Function::BitShiftRight => Ok(bits.checked_shr(by).unwrap_or(0)),
        _ => Err(FaultKind::NoOverload),
    }
}

fn double<'v>(function: Function, value: f64) -> Computed<'v> {
    Ok(Value::Double(match function {
        Function::Ceil => value.ceil(),
        Function::Floor => value.floor(),
        Function::Round => value.round(),
        Function::Trunc => value.trunc(),
        Function::Abs => value.abs(),
        Function::Sign if value == 0.0 || value.is_nan() => value,
        Function::Sign => value.signum(),
        Function::Sqrt => value.sqrt(),
        Function::IsNan => return Ok(Value::Bool(value.is_nan())),
        Function::IsInf => return Ok(Value::Bool(value.is_infinite())),
        Function::IsFinite => return Ok(Value::Bool(value.is_finite())),
        _ => return Err(FaultKind::NoOverload),
    }))
}

fn int<'v>(function: Function, value: i64) -> Computed<'v> {
    match function {
        Function::Abs => value.checked_abs().map(Value::Int).ok_or(FaultKind::Overflow),
        Function::Sign => Ok(Value::Int(value.signum())),
        Function::Sqrt => Ok(Value::Double(int_to_double(value).sqrt())),
        Function::BitNot => Ok(Value::Int(!value)),
        _ => Err(FaultKind::NoOverload),
    }
}

fn uint<'v>(function: Function, value: u64) -> Computed<'v> {
    match function {
        Function::Abs => Ok(Value::Uint(value)),
        Function::Sign => Ok(Value::Uint(value.min(1))),
        Function::Sqrt => Ok(Value::Double(uint_to_double(value).sqrt())),
        Function::BitNot => Ok(Value::Uint(!value)),
        _ => Err(FaultKind::NoOverload),
    }
}
