//! What a CEL text says, before names and types mean anything.

use crate::source::Span;

use super::value::Constant;

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Its text.
    pub span: Span,
    /// Where messages point: the operator, the dot, the opening bracket.
    pub at: u32,
    /// Levels of expressions within it, itself included.
    pub levels: u32,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of expressions.
#[derive(Clone, Debug)]
pub enum Kind {
    /// What could not be read; a diagnostic says why.
    Broken,
    /// A literal.
    Literal(Constant),
    /// A name; `true` with a leading dot.
    Name(String, bool),
    /// `object.name`, `object.?name`
    Field {
        /// Before the dot.
        object: Box<Expr>,
        /// After it.
        name: String,
        /// Whether with `?`.
        optional: bool,
    },
    /// `object[index]`, `object[?index]`
    Index {
        /// Before the bracket.
        object: Box<Expr>,
        /// Within.
        index: Box<Expr>,
        /// Whether with `?`.
        optional: bool,
    },
    /// `name(…)`, `receiver.name(…)`
    Call {
        /// Before the dot.
        receiver: Option<Box<Expr>>,
        /// The function's name; `.f` for one with a leading dot.
        name: String,
        /// Its arguments.
        arguments: Vec<Expr>,
    },
    /// An operator, by the name CEL gives its function.
    Operator(&'static str, Vec<Expr>),
    /// `a && b && …`
    And(Vec<Expr>),
    /// `a || b || …`
    Or(Vec<Expr>),
    /// `[a, ?b]`
    List(Vec<Item>),
    /// `{a: b, ?c: d}`
    Map(Vec<(Item, Expr)>),
}

/// An item of a list or a key of a map.
#[derive(Clone, Debug)]
pub struct Item {
    /// Whether with `?`.
    pub optional: bool,
    /// The expression.
    pub expr: Expr,
}
