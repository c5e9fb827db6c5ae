//! A checked expression, ready to be evaluated often: names are slots, patterns are compiled, functions are bound.

use crate::ir::Binary;
use crate::re2::Regex;
use crate::source::{Source, Span};

use super::library::Function;
use super::types::Type;
use super::value::Constant;

/// An expression with all that is known before it is evaluated. Shared between threads.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) source: Source,
    pub(super) root: Node,
    pub(super) result: Type,
    pub(super) supplied: Vec<String>,
    /// Positions of the environment's variables that it names, ascending.
    pub(super) named: Vec<usize>,
}

impl Program {
    /// The text.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The type of its value.
    pub fn result(&self) -> &Type {
        &self.result
    }
}

/// One operation and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub span: Span,
    pub op: Op,
}

/// Operations on values.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Constant(Constant),
    /// A variable of the environment.
    Variable(usize),
    /// A variable of a macro, counted from the outermost.
    Local(usize),
    Field(Box<Node>, Box<str>, Access),
    Index(Box<(Node, Node)>, Access),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    Condition(Box<(Node, Node, Node)>),
    Binary(Binary, Box<(Node, Node)>),
    Call(Function, Vec<Node>),
    /// A function of the environment.
    Supplied(usize, Vec<Node>),
    Matches(Box<Node>, Box<Regex>),
    /// Items, each with whether it is an optional to be left out when absent.
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Comprehension(Box<Comprehension>),
    /// Values for locals, then what uses them.
    Bind(Vec<Node>, Box<Node>),
    /// `optMap` and, with `true`, `optFlatMap`.
    Unwrap(Box<(Node, Node)>, bool),
    /// What is known to fail.
    Fail(String),
}

/// How a part of a value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// An error when there is none.
    Plain,
    /// An optional.
    Optional,
    /// Whether there is one.
    Test,
}

/// The operator with two operands of a function's name.
pub(super) fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "_+_" => Binary::Add,
        "_-_" => Binary::Subtract,
        "_*_" => Binary::Multiply,
        "_/_" => Binary::Divide,
        "_%_" => Binary::Remainder,
        "_==_" => Binary::Equal,
        "_!=_" => Binary::NotEqual,
        "_<_" => Binary::Less,
        "_<=_" => Binary::LessOrEqual,
        "_>_" => Binary::Greater,
        "_>=_" => Binary::GreaterOrEqual,
        "@in" => Binary::In,
        _ => return None,
    })
}

/// A macro over a list or a map.
#[derive(Clone, Debug)]
pub(super) struct Comprehension {
    pub kind: Over,
    pub range: Node,
    /// Whether it has a variable for the key or index and one for the value.
    pub two: bool,
    /// What selects, for those that may select before they make.
    pub filter: Option<Node>,
    pub body: Node,
}

/// The macros over lists and maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    All,
    Exists,
    ExistsOne,
    /// `filter`
    Filter,
    /// `map`, `transformList`
    List,
    /// `transformMap`
    Map,
    /// `transformMapEntry`
    Entries,
}
