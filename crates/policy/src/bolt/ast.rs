//! The syntax tree of a Bolt file. Expressions are shared and never changed: expansion builds new ones.
//!
//! Every expression knows how deep it is, so that whoever builds one can refuse it before anything recurses into it.

use std::collections::HashMap;
use std::rc::Rc;

use indexmap::IndexMap;

use crate::source::Span;

/// A shared expression.
pub type Exp = Rc<Node>;

/// An expression.
#[derive(Debug)]
pub struct Node {
    pub kind: Kind,
    /// Whether it stands for a place in the database rather than for the value there.
    pub snapshot: bool,
    /// Where it was written; empty when nobody wrote it.
    pub span: Span,
    /// The longest way down from here.
    pub depth: usize,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Rc<str>),
    Regexp {
        pattern: Rc<str>,
        modifiers: Rc<str>,
    },
    Array(Vec<Exp>),
    /// A name that may still be bound.
    Variable(Rc<str>),
    /// A name that stays as it is.
    Literal(Rc<str>),
    Member {
        base: Exp,
        accessor: Exp,
    },
    Call {
        function: Exp,
        arguments: Vec<Exp>,
    },
    Operation {
        operator: Operator,
        operands: Vec<Exp>,
    },
}

/// An operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Nothing to see: marks its operand as a value on which no method of `String` is looked up again.
    Value,
    Negate,
    Not,
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Conditional,
}

impl Operator {
    /// How it is printed.
    pub fn sign(self) -> &'static str {
        match self {
            Operator::Value => "",
            Operator::Negate | Operator::Subtract => "-",
            Operator::Not => "!",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Add => "+",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Equal => "==",
            Operator::NotEqual => "!=",
            Operator::And => "&&",
            Operator::Or => "||",
            Operator::Conditional => "?:",
        }
    }

    /// How tightly it binds when printed.
    pub fn precedence(self) -> usize {
        match self {
            Operator::Value => 18,
            Operator::Negate | Operator::Not => 15,
            Operator::Multiply | Operator::Divide | Operator::Remainder => 14,
            Operator::Add | Operator::Subtract => 13,
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => 11,
            Operator::Equal | Operator::NotEqual => 10,
            Operator::And => 6,
            Operator::Or => 5,
            Operator::Conditional => 4,
        }
    }
}

impl Node {
    /// A new expression that is a value.
    pub fn value(kind: Kind, span: Span) -> Exp {
        Self::with(kind, span, false)
    }

    /// A new expression.
    pub fn with(kind: Kind, span: Span, snapshot: bool) -> Exp {
        let deepest = |list: &[Exp]| list.iter().map(|exp| exp.depth).max().unwrap_or(0);
        let depth = 1 + match &kind {
            Kind::Array(elements) => deepest(elements),
            Kind::Member { base, accessor } => base.depth.max(accessor.depth),
            Kind::Call { function, arguments } => function.depth.max(deepest(arguments)),
            Kind::Operation { operands, .. } => deepest(operands),
            _ => 0,
        };
        Rc::new(Node { kind, snapshot, span, depth })
    }

    /// The same, seen as a place or as a value.
    pub fn cast(self: &Rc<Self>, snapshot: bool) -> Exp {
        Self::with(self.kind.clone(), self.span, snapshot)
    }

    /// `null` that nobody wrote.
    pub fn null() -> Exp {
        Self::value(Kind::Null, Span::default())
    }

    /// A boolean that nobody wrote.
    pub fn boolean(value: bool) -> Exp {
        Self::value(Kind::Boolean(value), Span::default())
    }

    pub fn text(value: impl Into<Rc<str>>, span: Span) -> Exp {
        Self::value(Kind::Text(value.into()), span)
    }

    pub fn variable(name: impl Into<Rc<str>>, span: Span) -> Exp {
        Self::value(Kind::Variable(name.into()), span)
    }

    pub fn literal(name: impl Into<Rc<str>>, span: Span) -> Exp {
        Self::value(Kind::Literal(name.into()), span)
    }

    pub fn member(base: Exp, accessor: Exp, span: Span) -> Exp {
        Self::value(Kind::Member { base, accessor }, span)
    }

    pub fn call(function: Exp, arguments: Vec<Exp>, span: Span) -> Exp {
        Self::value(Kind::Call { function, arguments }, span)
    }

    /// `base.name(arguments)`
    pub fn method(base: Exp, name: &str, arguments: Vec<Exp>, span: Span) -> Exp {
        Self::call(Self::member(base, Self::text(name, span), span), arguments, span)
    }

    pub fn operation(operator: Operator, operands: Vec<Exp>, span: Span) -> Exp {
        Self::value(Kind::Operation { operator, operands }, span)
    }

    /// The same with other parts, at another place.
    pub fn map(&self, part: &mut impl FnMut(&Exp) -> Exp, span: Span) -> Exp {
        let kind = match &self.kind {
            Kind::Array(elements) => Kind::Array(elements.iter().map(part).collect()),
            Kind::Member { base, accessor } => Kind::Member { base: part(base), accessor: part(accessor) },
            Kind::Call { function, arguments } => {
                Kind::Call { function: part(function), arguments: arguments.iter().map(part).collect() }
            }
            Kind::Operation { operator, operands } => {
                Kind::Operation { operator: *operator, operands: operands.iter().map(part).collect() }
            }
            other => other.clone(),
        };
        Self::with(kind, span, self.snapshot)
    }

    /// The value at the place, if it is one.
    pub fn ensure_value(self: &Rc<Self>) -> Exp {
        if self.snapshot {
            Self::method(self.cast(false), "val", Vec::new(), self.span)
        } else {
            self.clone()
        }
    }

    /// Something that can be true: a value from the database is compared with `true`.
    pub fn ensure_boolean(self: &Rc<Self>) -> Exp {
        let value = self.ensure_value();
        if value.method_on_member() == Some("val") {
            let span = value.span;
            Self::operation(Operator::Equal, vec![value, Self::boolean(true)], span)
        } else {
            value
        }
    }

    /// The name in `base.name`, if this is that.
    pub fn member_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Member { accessor, .. } => accessor.as_text(),
            _ => None,
        }
    }

    /// The name in `base.name(…)`, if this is that.
    pub fn method_on_member(&self) -> Option<&str> {
        match &self.kind {
            Kind::Call { function, .. } => function.member_name(),
            _ => None,
        }
    }

    /// The name in `name(…)` or `base.name(…)`, if this is one of them.
    pub fn called_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Call { function, .. } => match &function.kind {
                Kind::Variable(name) => Some(name),
                _ => function.member_name(),
            },
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_boolean(&self, wanted: bool) -> bool {
        matches!(self.kind, Kind::Boolean(value) if value == wanted)
    }

    /// Bolt's own name of this kind, for its messages.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "Null",
            Kind::Boolean(_) => "Boolean",
            Kind::Number(_) => "Number",
            Kind::Text(_) => "String",
            Kind::Regexp { .. } => "RegExp",
            Kind::Array(_) => "Array",
            Kind::Variable(_) => "var",
            Kind::Literal(_) => "literal",
            Kind::Member { .. } => "ref",
            Kind::Call { .. } => "call",
            Kind::Operation { .. } => "op",
        }
    }
}

/// A shared type expression.
pub type Type = Rc<TypeNode>;

/// A type expression.
#[derive(Debug)]
pub struct TypeNode {
    pub kind: TypeKind,
    pub span: Span,
}

/// What a type expression is.
#[derive(Debug)]
pub enum TypeKind {
    Name(Rc<str>),
    Union(Vec<Type>),
    Generic(Rc<str>, Vec<Type>),
}

impl TypeNode {
    pub fn name(name: impl Into<Rc<str>>, span: Span) -> Type {
        Rc::new(Self { kind: TypeKind::Name(name.into()), span })
    }

    pub fn is_named(&self, wanted: &str) -> bool {
        matches!(&self.kind, TypeKind::Name(name) if &**name == wanted)
    }
}

/// A function, or a method of a type or a path.
#[derive(Clone, Debug)]
pub struct Function {
    pub parameters: Vec<Rc<str>>,
    pub body: Exp,
    /// Its name.
    pub span: Span,
    /// All of it.
    pub whole: Span,
}

/// Methods by name, in the order of the text.
pub type Methods = ByName<Function>;

/// What has names, in the order of its file.
pub type ByName<V> = IndexMap<Rc<str>, V, foldhash::fast::RandomState>;

/// A `type` statement.
#[derive(Clone, Debug)]
pub struct Schema {
    pub derived_from: Type,
    pub properties: ByName<Type>,
    pub methods: Methods,
    pub parameters: Vec<Rc<str>>,
    pub span: Span,
}

/// One part of a path.
#[derive(Clone, Debug)]
pub struct Part {
    /// As it stands in the rules: `name` or `$name`.
    pub label: Rc<str>,
    /// The name that is bound to it, if it is a capture.
    pub variable: Option<Rc<str>>,
    pub span: Span,
}

/// A `path` statement with the whole way from the root.
#[derive(Clone, Debug)]
pub struct PathStatement {
    pub parts: Vec<Part>,
    pub is: Type,
    pub methods: Methods,
    /// From `path` to the end of the template.
    pub span: Span,
}

/// Everything a file says.
#[derive(Debug, Default)]
pub struct File {
    pub functions: HashMap<Rc<str>, Function>,
    pub schemas: ByName<Rc<Schema>>,
    pub paths: Vec<PathStatement>,
}

/// Puts an entry where JavaScript would list it: keys that are array indices come first, in their order.
pub fn insert_ordered<V>(map: &mut ByName<V>, key: Rc<str>, value: V) {
    match array_index(&key) {
        Some(index) if !map.contains_key(&key) => {
            let place = map.keys().take_while(|other| array_index(other).is_some_and(|i| i < index)).count();
            map.shift_insert(place, key, value);
        }
        _ => {
            map.insert(key, value);
        }
    }
}

fn array_index(key: &str) -> Option<u32> {
    if !key.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let index: u32 = key.parse().ok()?;
    (index != u32::MAX && index.to_string() == key).then_some(index)
}
