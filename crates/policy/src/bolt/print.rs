//! Prints expressions exactly as `firebase-bolt` does, down to its parentheses.

use super::ast::{Exp, Kind, Operator, Type, TypeKind};

/// Text printed for one file.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Text of one type: a generic type that feeds itself grows without end.
const TYPE_BYTES_MAX: usize = 4096;

/// The text would be too long.
#[derive(Debug)]
pub struct TooLong;

/// An expression as text.
pub fn expression(exp: &Exp) -> Result<String, TooLong> {
    let mut out = String::new();
    print(exp, 0, &mut out)?;
    Ok(out)
}

fn print(exp: &Exp, outer: usize, out: &mut String) -> Result<(), TooLong> {
    if out.len() > TEXT_BYTES_MAX {
        return Err(TooLong);
    }
    let inner = precedence(exp);
    let is_junction = matches!(&exp.kind, Kind::Operation { operator: Operator::And | Operator::Or, .. });
    let parentheses = inner < outer || is_junction;
    if parentheses {
        out.push('(');
    }
    match &exp.kind {
        Kind::Null => out.push_str("null"),
        Kind::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(value) => out.push_str(&number(*value)),
        Kind::Text(text) => quote(text, out),
        Kind::Regexp { pattern, modifiers } => {
            out.push('/');
            out.push_str(pattern);
            out.push('/');
            out.push_str(modifiers);
        }
        Kind::Array(elements) => {
            out.push('[');
            list(elements, out)?;
            out.push(']');
        }
        Kind::Variable(name) | Kind::Literal(name) => out.push_str(name),
        Kind::Member { base, accessor } => {
            print(base, inner, out)?;
            match accessor.as_text().filter(|name| is_plain_name(name)) {
                Some(name) => {
                    out.push('.');
                    out.push_str(name);
                }
                None => {
                    out.push('[');
                    print(accessor, 0, out)?;
                    out.push(']');
                }
            }
        }
        Kind::Call { function, arguments } => {
            print(function, 0, out)?;
            out.push('(');
            list(arguments, out)?;
            out.push(')');
        }
        Kind::Operation { operator, operands } => match &**operands {
            [operand] => {
                out.push_str(operator.sign());
                print(operand, inner, out)?;
            }
            [left, right] => {
                print(left, inner, out)?;
                out.push(' ');
                out.push_str(operator.sign());
                out.push(' ');
                print(right, inner + 1, out)?;
            }
            [condition, yes, no] => {
                print(condition, inner, out)?;
                out.push_str(" ? ");
                print(yes, inner, out)?;
                out.push_str(" : ");
                print(no, inner, out)?;
            }
            _ => {}
        },
    }
    if parentheses {
        out.push(')');
    }
    Ok(())
}

/// The original passes each element's index where the surrounding precedence belongs; so do we.
fn list(elements: &[Exp], out: &mut String) -> Result<(), TooLong> {
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        print(element, index, out)?;
    }
    Ok(())
}

fn precedence(exp: &Exp) -> usize {
    match &exp.kind {
        Kind::Operation { operator, .. } => operator.precedence(),
        Kind::Call { .. } | Kind::Member { .. } => 18,
        _ => 19,
    }
}

fn is_plain_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '_' | '$'))
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A text in single quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

fn quote(text: &str, out: &mut String) {
    out.push('\'');
    for character in text.chars() {
        match character {
            '\'' => out.push_str("\\'"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\\' | '\0'..='\u{1f}' | '\u{7f}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            plain => out.push(plain),
        }
    }
    out.push('\'');
}

/// A number as JavaScript writes it into JSON.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = mantissa.chars().filter(|character| *character != '.').collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // The place of the decimal point, counted from the first digit.
    let point = exponent + 1;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let text = if count <= point && point <= 21 {
        format!("{digits}{}", zeros(point - count))
    } else if 0 < point && point <= 21 {
        let (whole, fraction) =
            digits.split_at_checked(usize::try_from(point).unwrap_or(0)).unwrap_or((&digits, ""));
        format!("{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, others) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        let dot = if others.is_empty() { "" } else { "." };
        format!("{first}{dot}{others}e{:+}", point - 1)
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A type as text. It is also the type's identity.
pub fn type_name(kind: &Type) -> Result<String, TooLong> {
    let mut out = String::new();
    print_type(kind, &mut out)?;
    Ok(out)
}

fn print_type(kind: &Type, out: &mut String) -> Result<(), TooLong> {
    if out.len() > TYPE_BYTES_MAX {
        return Err(TooLong);
    }
    let join = |list: &[Type], separator: &str, out: &mut String| {
        for (index, part) in list.iter().enumerate() {
            if index > 0 {
                out.push_str(separator);
            }
            print_type(part, out)?;
        }
        Ok(())
    };
    match &kind.kind {
        TypeKind::Name(name) => out.push_str(name),
        TypeKind::Union(types) => join(types, " | ", out)?,
        TypeKind::Generic(name, types) => {
            out.push_str(name);
            out.push('<');
            join(types, ", ", out)?;
            out.push('>');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_javascript() {
        for (value, text) in [
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (1.5, "1.5"),
            (-0.0, "0"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (-1234.5678, "-1234.5678"),
            (f64::INFINITY, "null"),
            (0.1, "0.1"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
