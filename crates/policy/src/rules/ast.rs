//! The syntax tree of a rules file: what was written, with its places, before any meaning.

use base::Value;

use crate::ir::Binary;
use crate::source::Span;

/// A name and where it is.
#[derive(Clone, Debug)]
pub struct Name {
    /// The text.
    pub text: String,
    /// The place.
    pub span: Span,
}

/// A whole file.
#[derive(Debug, Default)]
pub struct File {
    /// What `rules_version` says; `None` when it is absent.
    pub version: Option<(Version, Span)>,
    /// Functions outside of services.
    pub functions: Vec<Function>,
    /// The services.
    pub services: Vec<ServiceBlock>,
}

/// The version of the language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// `'1'`, also when nothing is said.
    #[default]
    One,
    /// `'2'`
    Two,
}

/// `service name { … }`
#[derive(Debug)]
pub struct ServiceBlock {
    /// The name, dots included.
    pub name: Name,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Its matches.
    pub matches: Vec<Match>,
}

/// `match /pattern { … }`
#[derive(Debug)]
pub struct Match {
    /// The pattern.
    pub pattern: Vec<Segment>,
    /// The pattern's text.
    pub pattern_span: Span,
    /// `match`.
    pub keyword: Span,
    /// Its functions.
    pub functions: Vec<Function>,
    /// Matches within.
    pub matches: Vec<Match>,
    /// Its rules.
    pub allows: Vec<Allow>,
}

/// A segment of a pattern.
#[derive(Debug)]
pub enum Segment {
    /// Text, decoded.
    Text(String),
    /// `{name}` or `{name=*}`
    One(Name),
    /// `{name=**}`
    Glob(Name),
}

/// `allow verbs: if condition;`
#[derive(Debug)]
pub struct Allow {
    /// The verbs, as written.
    pub verbs: Vec<Name>,
    /// The condition.
    pub condition: Option<Expr>,
    /// The whole statement.
    pub span: Span,
}

/// `function name(parameters) { let …; return body; }`
#[derive(Debug)]
pub struct Function {
    /// The name.
    pub name: Name,
    /// The parameters.
    pub parameters: Vec<Name>,
    /// The variables.
    pub lets: Vec<(Name, Expr)>,
    /// What it returns; `None` when the text has no usable `return`, which is an error already told.
    pub body: Option<Expr>,
}

/// An expression.
#[derive(Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// The whole expression.
    pub span: Span,
    /// The token that errors point at.
    pub at: Span,
    /// How deep the tree below is, itself included.
    pub depth: u16,
    /// The levels below that the language counts, itself included.
    pub levels: u16,
    /// Whether parentheses are around it.
    pub in_parens: bool,
}

/// Kinds of expressions.
#[derive(Debug)]
pub enum Kind {
    /// A number, text, boolean or null.
    Literal(Value),
    /// A variable.
    Variable(String),
    /// `object.name`
    Member(Box<Expr>, Name),
    /// `object[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `object[start:end]`; both bounds may be left out.
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    /// `callee(arguments)`: the callee is a variable or a member.
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
    /// `operand is type`
    Is(Box<Expr>, Name),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{'k': a}`; a key is an expression.
    Map(Vec<(Expr, Expr)>),
    /// `/a/$(b)/{c}`
    Path(Vec<PathPart>),
    /// Text that is no expression, an error already told.
    Broken,
}

/// A segment of a path.
#[derive(Debug)]
pub enum PathPart {
    /// Text, decoded.
    Text(String),
    /// `$(value)`
    Value(Expr),
    /// `{name}` or `{name=**}`: what `bind()` puts something for.
    Variable {
        /// The name.
        name: String,
        /// Whether it stands for several segments.
        glob: bool,
    },
}
