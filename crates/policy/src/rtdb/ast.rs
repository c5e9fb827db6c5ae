//! A rule expression as it is written.

use crate::ir::Binary;
use crate::source::Span;

/// An expression. Spans are places in the file.
#[derive(Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub span: Span,
    /// The operator, the name of the method or the property, or the whole.
    pub at: Span,
}

/// What an expression is.
#[derive(Debug)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text in either quotes.
    Text(String),
    /// `/pattern/flags`
    Pattern(String, String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// A variable, `$captures` with their `$`.
    Variable(String),
    /// `object.name`
    Member(Box<Expr>, String),
    /// `object[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `callee(arguments)`
    Call(Box<Expr>, Vec<Expr>),
    /// `!operand`
    Not(Box<Expr>),
    /// `-operand`
    Negate(Box<Expr>),
    /// `left op right`
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `a && b && …`
    And(Vec<Expr>),
    /// `a || b || …`
    Or(Vec<Expr>),
    /// `test ? yes : no`
    Condition(Box<Expr>, Box<Expr>, Box<Expr>),
}
