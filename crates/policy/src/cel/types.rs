//! Types of CEL expressions, and which fit which.

use std::fmt;
use std::sync::Arc;

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Anything, known only when evaluated.
    Dyn,
    /// Of what has an error already: fits everywhere, so that nothing is told twice.
    Error,
    /// `null`
    Null,
    /// A boolean.
    Bool,
    /// A signed number.
    Int,
    /// An unsigned number.
    Uint,
    /// A floating-point number.
    Double,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A point in time.
    Timestamp,
    /// A length of time.
    Duration,
    /// A list of items of a type.
    List(Box<Type>),
    /// A map from keys of a type to values of a type.
    Map(Box<Type>, Box<Type>),
    /// A type as a value.
    Type(Box<Type>),
    /// Something that may be absent.
    Optional(Box<Type>),
    /// A value that may be `null`.
    Nullable(Box<Type>),
    /// A map whose names are declared.
    Record(Arc<Record>),
    /// Another type, by its name.
    Named(&'static str),
    /// A type to be found out.
    Param(usize),
}

/// A map whose names are declared.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// What messages call it.
    pub name: String,
    /// Names and types of what it may hold.
    pub fields: Vec<(String, Type)>,
}

impl Type {
    /// A list.
    pub fn list(item: Type) -> Self {
        Type::List(Box::new(item))
    }

    /// A map.
    pub fn map(key: Type, value: Type) -> Self {
        Type::Map(Box::new(key), Box::new(value))
    }

    /// The type, or `null`.
    pub fn nullable(inner: Type) -> Self {
        Type::Nullable(Box::new(inner))
    }

    /// Something that may be absent.
    pub fn optional(inner: Type) -> Self {
        Type::Optional(Box::new(inner))
    }

    /// A map whose names are declared.
    pub fn record(name: &str, fields: Vec<(String, Type)>) -> Self {
        Type::Record(Arc::new(Record { name: name.to_owned(), fields }))
    }

    /// The type of a GraphQL value as policies see it: `[String!]!`, `Int`. What has no counterpart, such as an input
    /// object, is [`Type::Dyn`]; enumerations and identifiers are text when `is_text` says so of their name.
    pub fn from_graphql(text: &str, is_text: impl Fn(&str) -> bool) -> Self {
        let mut rest = text.trim();
        // Levels from the outside in: whether null is excluded.
        let mut lists = Vec::new();
        let mut required = strip(&mut rest, "!");
        while rest.starts_with('[') && rest.ends_with(']') && lists.len() < GRAPHQL_LISTS_MAX {
            lists.push(required);
            rest = rest.get(1..rest.len() - 1).unwrap_or_default().trim();
            required = strip(&mut rest, "!");
        }
        let scalar = match rest {
            "String" | "ID" | "UUID" | "Date" | "Timestamp" => Type::String,
            "Int" | "Int64" => Type::Int,
            "Float" => Type::Double,
            "Boolean" => Type::Bool,
            name if is_text(name) => Type::String,
            _ => {
                return lists
                    .into_iter()
                    .rev()
                    .fold(Type::Dyn, |inner, required| or_null(Type::list(inner), required));
            }
        };
        lists
            .into_iter()
            .rev()
            .fold(or_null(scalar, required), |inner, required| or_null(Type::list(inner), required))
    }

    /// The types it is made of.
    pub fn parts(&self) -> Vec<&Type> {
        match self {
            Type::List(a) | Type::Type(a) | Type::Optional(a) | Type::Nullable(a) => vec![a],
            Type::Map(a, b) => vec![a, b],
            _ => Vec::new(),
        }
    }

    /// The same with its parts changed.
    pub fn map_parts(&self, change: &mut dyn FnMut(&Type) -> Type) -> Type {
        match self {
            Type::List(a) => Type::List(Box::new(change(a))),
            Type::Type(a) => Type::Type(Box::new(change(a))),
            Type::Optional(a) => Type::Optional(Box::new(change(a))),
            Type::Nullable(a) => Type::Nullable(Box::new(change(a))),
            Type::Map(a, b) => {
                let a = change(a);
                Type::map(a, change(b))
            }
            other => other.clone(),
        }
    }
}

/// Lists within lists in a GraphQL type.
const GRAPHQL_LISTS_MAX: usize = 16;

fn strip(text: &mut &str, suffix: &str) -> bool {
    match text.strip_suffix(suffix) {
        Some(rest) => {
            *text = rest.trim();
            true
        }
        None => false,
    }
}

fn or_null(inner: Type, required: bool) -> Type {
    if required { inner } else { Type::nullable(inner) }
}

/// As cel-go writes them.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn | Type::Param(_) => f.write_str("dyn"),
            Type::Error => f.write_str("!error!"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(item) => write!(f, "list({item})"),
            Type::Map(key, value) => write!(f, "map({key}, {value})"),
            Type::Type(inner) => write!(f, "type({inner})"),
            Type::Optional(inner) => write!(f, "optional_type({inner})"),
            Type::Nullable(inner) => write!(f, "wrapper({inner})"),
            Type::Record(record) => f.write_str(&record.name),
            Type::Named(name) => f.write_str(name),
        }
    }
}

/// What has been found out about [`Type::Param`]s.
#[derive(Debug, Default)]
pub struct Bindings {
    bound: Vec<Option<Type>>,
    trail: Vec<(usize, Option<Type>)>,
    /// What is left of [`STEPS_MAX`].
    steps: u32,
}

/// Parts of one type: parameters may stand for types that hold others twice, and those again. What is beyond is dyn.
const TYPE_PARTS_MAX: u32 = 250;
/// Parts of types looked at to compare two of them.
const STEPS_MAX: u32 = 2_000;

impl Bindings {
    /// A type to be found out.
    pub fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Param(self.bound.len() - 1)
    }

    /// The type with parameters of its own, numbered from `base`.
    pub fn instance(&mut self, declared: &Type, base: usize) -> Type {
        match declared {
            Type::Param(index) => {
                let index = base + index;
                while self.bound.len() <= index {
                    self.bound.push(None);
                }
                Type::Param(index)
            }
            other => other.map_parts(&mut |part| self.instance(part, base)),
        }
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.bound.len()
    }

    /// A place to come back to.
    pub fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Forgets what was found out since a mark.
    pub fn rewind(&mut self, mark: usize) {
        while self.trail.len() > mark {
            let Some((index, old)) = self.trail.pop() else { return };
            if let Some(bound) = self.bound.get_mut(index) {
                *bound = old;
            }
        }
    }

    fn bind(&mut self, index: usize, found: Type) {
        if let Some(bound) = self.bound.get_mut(index) {
            self.trail.push((index, bound.replace(found)));
        }
    }

    fn binding(&self, index: usize) -> Option<&Type> {
        self.bound.get(index).and_then(Option::as_ref)
    }

    /// The type with everything found out put in; what is not found out stays a parameter.
    pub fn resolve(&self, of: &Type) -> Type {
        self.resolve_within(of, &mut { TYPE_PARTS_MAX })
    }

    fn resolve_within(&self, of: &Type, parts: &mut u32) -> Type {
        if *parts == 0 {
            return Type::Dyn;
        }
        *parts -= 1;
        match of {
            Type::Param(index) => match self.binding(*index) {
                Some(bound) => self.resolve_within(bound, parts),
                None => of.clone(),
            },
            other => other.map_parts(&mut |part| self.resolve_within(part, parts)),
        }
    }

    fn occurs(&mut self, index: usize, within: &Type) -> bool {
        if self.steps == 0 {
            return true;
        }
        self.steps -= 1;
        match within {
            Type::Param(other) => {
                *other == index
                    || self.binding(*other).cloned().is_some_and(|bound| self.occurs(index, &bound))
            }
            other => other.parts().into_iter().any(|part| self.occurs(index, part)),
        }
    }

    /// Whether a value of the second type may stand where the first is wanted. What had to be found out for that
    /// stays when it may.
    pub fn assignable(&mut self, wanted: &Type, given: &Type) -> bool {
        let mark = self.mark();
        self.steps = STEPS_MAX;
        let fits = self.unify(wanted, given);
        if !fits {
            self.rewind(mark);
        }
        fits
    }

    fn unify(&mut self, wanted: &Type, given: &Type) -> bool {
        if self.steps == 0 {
            return false;
        }
        self.steps -= 1;
        match (wanted, given) {
            (Type::Param(a), Type::Param(b)) if a == b => true,
            (Type::Param(index), _) => match self.binding(*index).cloned() {
                Some(bound) => {
                    let fits = self.unify(&bound, given);
                    if fits && self.is_more_general(given, &bound) && !self.occurs(*index, given) {
                        self.bind(*index, given.clone());
                    }
                    fits
                }
                None => {
                    let given = self.resolve(given);
                    if given == Type::Param(*index) {
                        return true;
                    }
                    let free = !self.occurs(*index, &given);
                    if free {
                        self.bind(*index, given);
                    }
                    free
                }
            },
            (_, Type::Param(index)) => match self.binding(*index).cloned() {
                Some(bound) => self.unify(wanted, &bound),
                None => {
                    let free = !self.occurs(*index, wanted);
                    if free {
                        self.bind(*index, wanted.clone());
                    }
                    free
                }
            },
            (Type::Dyn | Type::Error, _) | (_, Type::Dyn | Type::Error) => true,
            (Type::Nullable(a), Type::Nullable(b)) => self.unify(a, b),
            (Type::Nullable(_), Type::Null) | (Type::Null, Type::Nullable(_) | Type::Null) => true,
            (Type::Nullable(a), b) => self.unify(a, b),
            (a, Type::Nullable(b)) => self.unify(a, b),
            (Type::Null, other) | (other, Type::Null) => matches!(
                other,
                Type::Timestamp | Type::Duration | Type::Record(_) | Type::Optional(_) | Type::Named(_)
            ),
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.unify(a, b),
            (Type::Map(a, b), Type::Map(c, d)) => self.unify(a, c) && self.unify(b, d),
            (Type::Map(a, b), Type::Record(_)) => self.unify(a, &Type::String) && self.unify(b, &Type::Dyn),
            (Type::Type(_), Type::Type(_)) => true,
            (a, b) => a == b,
        }
    }

    /// Whether the first type says less than the second, both fitting each other.
    pub fn is_more_general(&self, first: &Type, second: &Type) -> bool {
        is_more_general(&self.resolve(first), &self.resolve(second))
    }
}

fn is_more_general(first: &Type, second: &Type) -> bool {
    match (first, second) {
        (Type::Param(_), _) => false,
        (Type::Dyn, second) => *second != Type::Dyn,
        (Type::Nullable(_), second) => !matches!(second, Type::Nullable(_) | Type::Dyn),
        (first, second) => {
            let pairs = || first.parts().into_iter().zip(second.parts());
            !pairs().any(|(a, b)| holds_more_general(b, a)) && pairs().any(|(a, b)| is_more_general(a, b))
        }
    }
}

/// Whether anything in the first type says less than its counterpart.
fn holds_more_general(first: &Type, second: &Type) -> bool {
    match (first, second) {
        (Type::Dyn, second) => *second != Type::Dyn,
        (Type::Nullable(_), second) if !matches!(second, Type::Nullable(_) | Type::Dyn) => true,
        (first, second) => {
            first.parts().into_iter().zip(second.parts()).any(|(a, b)| holds_more_general(a, b))
        }
    }
}
