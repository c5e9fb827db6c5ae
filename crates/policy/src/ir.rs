//! The one tree that every language is lowered to and the evaluator runs.
//!
//! Names are gone: variables are slots, functions are numbers, a language's own functions are values
//! of its own enum. Every node knows its place in the text and the token the real service points at.

pub mod walk;

use std::fmt::Debug;

use base::Value;

use crate::re2::Regex;
use crate::source::Span;

/// What a language adds to the shared tree.
pub trait Language: 'static {
    /// Its predefined variables.
    type Global: Copy + Debug;
    /// Its functions.
    type Function: Copy + Debug;
    /// Its methods.
    type Method: Copy + Debug;
    /// The types `is` can ask for.
    type Type: Copy + Debug;
}

/// A key of a map and its value.
pub type Entry<L> = (Expr<L>, Expr<L>);

/// An expression.
#[derive(Debug)]
pub struct Expr<L: Language> {
    /// What it computes.
    pub kind: Kind<L>,
    /// Its text.
    pub span: Span,
    /// The token that errors point at: the operator, the function's name, or the first token.
    pub at: Span,
}

/// Operators on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    In,
}

impl Binary {
    /// The operator's text.
    pub fn text(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::In => "in",
        }
    }
}

/// What an expression computes.
#[derive(Debug)]
pub enum Kind<L: Language> {
    /// A constant, folded where possible.
    Constant(Value),
    /// A predefined variable.
    Global(L::Global),
    /// A parameter or a `let` of the function that runs.
    Local(usize),
    /// A variable of the matched path.
    Capture(usize),
    /// `object.name`
    Member(Box<Expr<L>>, Box<str>),
    /// `object[index]`
    Index(Box<Expr<L>>, Box<Expr<L>>),
    /// `object[start:end]`; without a bound, from the beginning or to the end.
    Slice(Box<Expr<L>>, Option<Box<Expr<L>>>, Option<Box<Expr<L>>>),
    /// `!value`
    Not(Box<Expr<L>>),
    /// `-value`
    Negate(Box<Expr<L>>),
    /// `left op right`
    Binary(Binary, Box<Expr<L>>, Box<Expr<L>>),
    /// `a && b && …`
    And(Vec<Expr<L>>),
    /// `a || b || …`
    Or(Vec<Expr<L>>),
    /// `test ? yes : no`
    Condition(Box<Expr<L>>, Box<Expr<L>>, Box<Expr<L>>),
    /// `value is type`
    Is(Box<Expr<L>>, L::Type),
    /// `[a, b]`
    List(Vec<Expr<L>>),
    /// `{'k': a}`; a key is an expression.
    Map(Vec<Entry<L>>),
    /// `/a/$(b)`
    Path(Vec<Part<L>>),
    /// A call of a function of the policy.
    Call(usize, Vec<Expr<L>>),
    /// A call of a function of the language.
    Function(L::Function, Vec<Expr<L>>),
    /// A call of a method, with its regular expression compiled when it is constant.
    Method(Box<Expr<L>>, L::Method, Vec<Expr<L>>, Option<Box<Regex>>),
    /// A call of something that does not exist; the arguments are evaluated all the same.
    UnknownFunction(Box<str>, Vec<Expr<L>>),
    /// A call of a method that does not exist.
    UnknownMethod(Box<Expr<L>>, Box<str>, Vec<Expr<L>>),
    /// A variable that does not exist.
    UnknownVariable(Box<str>),
}

/// A segment of a path.
#[derive(Debug)]
pub enum Part<L: Language> {
    /// Text, decoded.
    Text(Box<str>),
    /// `$(value)`: one segment, or all segments of a path.
    Value(Expr<L>),
}

/// A function of the policy.
#[derive(Debug)]
pub struct Function<L: Language> {
    /// Its name.
    pub name: Box<str>,
    /// The number of parameters: the first local slots.
    pub parameters: usize,
    /// The `let`s: the next slots, evaluated when first used.
    pub lets: Vec<Expr<L>>,
    /// What it returns.
    pub body: Expr<L>,
}
