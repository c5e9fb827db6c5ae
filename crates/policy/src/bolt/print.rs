//! Prints expressions exactly as `firebase-bolt` does, down to its parentheses.

use super::ast::{Exp, Kind, Operator, Type, TypeKind};
use crate::source::Span;

/// Text printed for one file.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Text of one type: a generic type that feeds itself grows without end.
const TYPE_BYTES_MAX: usize = 4096;

/// The text would be too long.
#[derive(Debug)]
pub struct TooLong;

/// Where in a printed text an expression is, and where it was written. Outer ones come before inner ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub printed: Span,
    /// `None` for what the compiler adds by itself around what was written.
    pub written: Option<Span>,
}

/// An expression as text.
pub fn expression(exp: &Exp) -> Result<String, TooLong> {
    Ok(with_pieces(exp)?.0)
}

/// An expression as text, and where all its parts were written.
pub fn with_pieces(exp: &Exp) -> Result<(String, Vec<Piece>), TooLong> {
    let mut printer = Printer { out: String::new(), pieces: Vec::new() };
    printer.print(exp, 0)?;
    Ok((printer.out, printer.pieces))
}

struct Printer {
    out: String,
    pieces: Vec<Piece>,
}

impl Printer {
    fn print(&mut self, exp: &Exp, outer: usize) -> Result<(), TooLong> {
        if self.out.len() > TEXT_BYTES_MAX {
            return Err(TooLong);
        }
        let index = self.pieces.len();
        let start = self.out.len();
        self.pieces.push(Piece { printed: Span::default(), written: written(exp) });
        let inner = precedence(exp);
        let is_junction = matches!(&exp.kind, Kind::Operation { operator: Operator::And | Operator::Or, .. });
        let parentheses = inner < outer || is_junction;
        if parentheses {
            self.out.push('(');
        }
        self.print_bare(exp, inner)?;
        if parentheses {
            self.out.push(')');
        }
        let end = self.out.len();
        if let Some(piece) = self.pieces.get_mut(index) {
            piece.printed = Span::new(start, end);
        }
        Ok(())
    }

    fn print_bare(&mut self, exp: &Exp, inner: usize) -> Result<(), TooLong> {
        match &exp.kind {
            Kind::Null => self.out.push_str("null"),
            Kind::Boolean(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Kind::Number(value) => self.out.push_str(&number(*value)),
            Kind::Text(text) => quote(text, &mut self.out),
            Kind::Regexp { pattern, modifiers } => {
                self.out.push('/');
                self.out.push_str(pattern);
                self.out.push('/');
                self.out.push_str(modifiers);
            }
            Kind::Array(elements) => {
                self.out.push('[');
                self.list(elements)?;
                self.out.push(']');
            }
            Kind::Variable(name) | Kind::Literal(name) => self.out.push_str(name),
            Kind::Member { base, accessor } => {
                self.print(base, inner)?;
                match accessor.as_text().filter(|name| is_plain_name(name)) {
                    Some(name) => {
                        self.out.push('.');
                        self.out.push_str(name);
                    }
                    None => {
                        self.out.push('[');
                        self.print(accessor, 0)?;
                        self.out.push(']');
                    }
                }
            }
            Kind::Call { function, arguments } => {
                self.print(function, 0)?;
                self.out.push('(');
                self.list(arguments)?;
                self.out.push(')');
            }
            Kind::Operation { operator, operands } => match &**operands {
                [operand] => {
                    self.out.push_str(operator.sign());
                    self.print(operand, inner)?;
                }
                [left, right] => {
                    self.print(left, inner)?;
                    self.out.push(' ');
                    self.out.push_str(operator.sign());
                    self.out.push(' ');
                    self.print(right, inner + 1)?;
                }
                [condition, yes, no] => {
                    self.print(condition, inner)?;
                    self.out.push_str(" ? ");
                    self.print(yes, inner)?;
                    self.out.push_str(" : ");
                    self.print(no, inner)?;
                }
                _ => {}
            },
        }
        Ok(())
    }

    /// The original passes each element's index where the surrounding precedence belongs; so do we.
    fn list(&mut self, elements: &[Exp]) -> Result<(), TooLong> {
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.print(element, index)?;
        }
        Ok(())
    }
}

/// Where an expression was written. A constant that nobody wrote is nowhere: at an empty place.
fn written(exp: &Exp) -> Option<Span> {
    let is_constant = matches!(exp.kind, Kind::Null | Kind::Boolean(_));
    (exp.span != Span::default() || is_constant).then_some(exp.span)
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
