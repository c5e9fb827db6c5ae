//! A field of which only a query's constraints are known: what a list query proves about every
//! document it can return.
//!
//! Everything here is sound: an answer is given only when it holds for *every* document that the
//! constraints admit. Anything else is `None`.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use base::Value;
use base::limits::INDEXED_VALUE_BYTES_MAX;

use super::compare::{equal, order};
use super::{Str, Val};

/// How a query compares a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal (and present, and not null).
    Neq,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Equal to one of the array's values.
    In,
    /// Equal to none of the array's values (and present, and not null).
    NotIn,
    /// An array that has the value.
    Contains,
    /// An array that has one of the array's values.
    ContainsAny,
}

/// One condition of a query. For `In`, `NotIn` and `ContainsAny` the value is an array of the alternatives.
///
/// The document id is the field `__name__` with a reference as its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// The field's path.
    pub field: Vec<String>,
    /// The comparison.
    pub op: Operator,
    /// What it is compared with.
    pub value: Value,
}

/// What is known of every document of one alternative of a query. `In`, `NotIn` and `ContainsAny` are gone:
/// they were split into alternatives or into several facts.
#[derive(Clone, Debug, Default)]
pub struct Facts<'v> {
    /// The conditions that all hold.
    pub facts: Vec<Fact<'v>>,
    /// Fields the result is ordered by; they are present.
    pub present: Vec<&'v [String]>,
    /// The document's name, where a condition fixes it: a reference.
    pub name: Option<&'v Value>,
}

/// One condition that holds.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'v> {
    /// The field's path.
    pub field: &'v [String],
    /// `Eq`, `Neq`, `Lt`, `Lte`, `Gt`, `Gte` or `Contains`.
    pub op: Operator,
    /// The other side.
    pub value: &'v Value,
}

/// A place in a document that is known only through [`Facts`].
#[derive(Clone)]
pub struct Field<'v> {
    facts: &'v Facts<'v>,
    path: Rc<[Str<'v>]>,
}

/// What a member of a [`Field`] is.
pub enum Child<'v> {
    /// The constraints fix its value.
    Known(&'v Value),
    /// It exists, and something is known of it.
    Field(Field<'v>),
    /// Nothing is known of it, not even whether it exists.
    Undetermined,
}

/// Types as far as a constraint fixes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Null.
    Null,
    /// A boolean.
    Bool,
    /// An integer or a double.
    Number,
    /// A point in time.
    Timestamp,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A reference.
    Path,
    /// A point on the earth.
    LatLng,
    /// An array.
    List,
    /// A map.
    Map,
}

/// A comparison a policy makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparison {
    /// The comparison with its sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Comparison::Lt => Comparison::Gt,
            Comparison::Le => Comparison::Ge,
            Comparison::Gt => Comparison::Lt,
            Comparison::Ge => Comparison::Le,
            same => same,
        }
    }

    /// Whether it holds for an order.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Eq => order.is_eq(),
            Comparison::Ne => order.is_ne(),
            Comparison::Lt => order.is_lt(),
            Comparison::Le => order.is_le(),
            Comparison::Gt => order.is_gt(),
            Comparison::Ge => order.is_ge(),
        }
    }
}

fn class_of(value: &Value) -> Class {
    match value {
        Value::Null => Class::Null,
        Value::Bool(_) => Class::Bool,
        Value::Integer(_) | Value::Double(_) => Class::Number,
        Value::Timestamp(_) => Class::Timestamp,
        Value::String(_) => Class::String,
        Value::Bytes(_) => Class::Bytes,
        Value::Reference(_) => Class::Path,
        Value::GeoPoint(_) => Class::LatLng,
        Value::Array(_) => Class::List,
        Value::Map(_) => Class::Map,
    }
}

fn class_of_val(value: &Val<'_>) -> Option<Class> {
    Some(match value {
        Val::Null => Class::Null,
        Val::Bool(_) => Class::Bool,
        Val::Int(_) | Val::Float(_) => Class::Number,
        Val::Timestamp(_) => Class::Timestamp,
        Val::Str(_) => Class::String,
        Val::Bytes(_) => Class::Bytes,
        Val::Path(_) => Class::Path,
        Val::LatLng(_) => Class::LatLng,
        Val::List(_) => Class::List,
        Val::Map(_) => Class::Map,
        Val::Duration(_) | Val::Set(_) | Val::Diff(_) | Val::Field(_) | Val::Handle(_) => return None,
    })
}

/// Whether a query that compares equal to the value fixes it exactly. Numbers do not: 1 also finds 1.0, which a
/// policy can tell apart (`is int`, membership of a list).
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Integer(_) | Value::Double(_) | Value::GeoPoint(_) => false,
        Value::Array(items) => items.iter().all(is_exact),
        Value::Map(fields) => fields.values().all(is_exact),
        _ => true,
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Map(_))
}

/// Null and NaN have query operators of their own, of which only "is not null" tells that a value is not null.
fn is_null_or_nan(value: &Value) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Double(number) if number.is_nan())
}

fn path_is(field: &[String], path: &[Str<'_>]) -> bool {
    field.len() == path.len() && field.iter().zip(path).all(|(a, b)| a == b.as_str())
}

fn path_is_below(field: &[String], path: &[Str<'_>]) -> bool {
    field.len() > path.len() && field.iter().zip(path).all(|(a, b)| a == b.as_str())
}

impl<'v> Field<'v> {
    /// The whole document.
    pub fn root(facts: &'v Facts<'v>) -> Self {
        Self { facts, path: Rc::new([]) }
    }

    /// Something of the document that is no field and that no constraint speaks of, such as its id.
    pub fn unknown(facts: &'v Facts<'v>, name: &'static str) -> Self {
        // No field path has an empty segment, so no fact is about this place.
        Self { facts, path: Rc::new([Str::Borrowed(name), Str::Borrowed("")]) }
    }

    /// The dotted path, empty for the whole document.
    pub fn path(&self) -> String {
        let named = self.path.iter().map(Str::as_str).filter(|segment| !segment.is_empty());
        named.collect::<Vec<_>>().join(".")
    }

    /// What is known of this very place.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Fact<'v>> + '_ {
        self.facts.facts.iter().filter(|fact| path_is(fact.field, &self.path))
    }

    fn has_children(&self) -> bool {
        self.path.is_empty()
            || self.facts.facts.iter().any(|fact| path_is_below(fact.field, &self.path))
            || self.facts.present.iter().any(|field| path_is_below(field, &self.path))
    }

    fn is_present(&self) -> bool {
        self.has_children()
            || self.own().next().is_some()
            || self.facts.present.iter().any(|field| path_is(field, &self.path))
    }

    /// A member of this place.
    pub fn child(&self, name: Str<'v>) -> Child<'v> {
        let path: Rc<[Str<'v>]> = self.path.iter().cloned().chain([name]).collect();
        let child = Field { facts: self.facts, path };
        let known =
            child.own().find(|fact| fact.op == Operator::Eq && is_exact(fact.value)).map(|fact| fact.value);
        match known {
            Some(value) => Child::Known(value),
            None if child.is_present() => Child::Field(child),
            None => Child::Undetermined,
        }
    }

    /// The names of the members that the constraints speak of, each once.
    pub fn child_names(&self) -> Vec<&'v str> {
        let depth = self.path.len();
        let fields = self.facts.facts.iter().map(|fact| fact.field).chain(self.facts.present.iter().copied());
        let below = fields.filter(|field| path_is_below(field, &self.path));
        let mut names: Vec<&'v str> =
            below.filter_map(|field| field.get(depth).map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The type, as far as it is fixed.
    pub fn class(&self) -> Option<Class> {
        if self.has_children() {
            return Some(Class::Map);
        }
        self.own().find_map(|fact| match fact.op {
            Operator::Eq | Operator::Lt | Operator::Lte | Operator::Gt | Operator::Gte => {
                Some(class_of(fact.value))
            }
            Operator::Contains => Some(Class::List),
            _ => None,
        })
    }

    /// `field <comparison> other`, when all documents agree.
    pub fn compare(&self, comparison: Comparison, other: &Val<'_>) -> Option<bool> {
        let other_class = class_of_val(other)?;
        if matches!(comparison, Comparison::Eq | Comparison::Ne) {
            let differs = comparison == Comparison::Ne;
            // A field of another type is never equal. That it is not null is also known from `!=`.
            let not_null = self.own().any(|fact| {
                !is_null_or_nan(fact.value) || fact.op == Operator::Neq && fact.value == &Value::Null
            });
            if self.class().is_some_and(|class| class != other_class)
                || (other_class == Class::Null && not_null)
            {
                return Some(differs);
            }
        }
        self.own().find_map(|fact| decide(fact, comparison, other))
    }

    /// `item in field`, when all documents agree. Never false: more items may be there.
    pub fn contains(&self, item: &Val<'_>) -> Option<bool> {
        self.own()
            .any(|fact| {
                fact.op == Operator::Contains
                    && is_exact(fact.value)
                    && equal(&Val::from_value(fact.value), item)
            })
            .then_some(true)
    }
}

/// What one fact says about a comparison.
fn decide(fact: &Fact<'_>, comparison: Comparison, other: &Val<'_>) -> Option<bool> {
    use Comparison as C;
    let known = Val::from_value(fact.value);
    let is_range = matches!(fact.op, Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte);
    if is_range && matches!(fact.value, Value::String(text) if text.len() > INDEXED_VALUE_BYTES_MAX) {
        // Queries order long text by its beginning only: what they find may be on either side of the whole.
        return None;
    }
    match fact.op {
        Operator::Eq if matches!(comparison, C::Eq | C::Ne) => {
            let nan = matches!(known, Val::Float(number) if number.is_nan());
            (is_scalar(fact.value) && !nan).then(|| equal(&known, other) == (comparison == C::Eq))
        }
        Operator::Eq => order(&known, other).map(|order| comparison.holds(order)),
        Operator::Neq => {
            let same = is_scalar(fact.value) && equal(&known, other);
            match comparison {
                C::Eq if same => Some(false),
                C::Ne if same => Some(true),
                _ => None,
            }
        }
        Operator::Gt | Operator::Gte => {
            let bound = order(&known, other)?;
            // Above the bound, and the bound at or above the other side (strictly so where the bound itself is in).
            let above = if fact.op == Operator::Gt { bound.is_ge() } else { bound.is_gt() };
            match comparison {
                C::Gt | C::Ne if above => Some(true),
                C::Le | C::Eq if above => Some(false),
                C::Ge if bound.is_ge() => Some(true),
                C::Lt if bound.is_ge() => Some(false),
                _ => None,
            }
        }
        Operator::Lt | Operator::Lte => {
            let bound = order(&known, other)?;
            let below = if fact.op == Operator::Lt { bound.is_le() } else { bound.is_lt() };
            match comparison {
                C::Lt | C::Ne if below => Some(true),
                C::Ge | C::Eq if below => Some(false),
                C::Le if bound.is_le() => Some(true),
                C::Gt if bound.is_le() => Some(false),
                _ => None,
            }
        }
        Operator::In | Operator::NotIn | Operator::Contains | Operator::ContainsAny => None,
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if path.is_empty() {
            return f.write_str("any document of the query");
        }
        write!(f, "any `{path}`")?;
        for (count, fact) in self.own().enumerate() {
            let word = match fact.op {
                Operator::Eq => "==",
                Operator::Neq => "!=",
                Operator::Lt => "<",
                Operator::Lte => "<=",
                Operator::Gt => ">",
                Operator::Gte => ">=",
                Operator::Contains => "containing",
                Operator::In | Operator::NotIn | Operator::ContainsAny => "?",
            };
            let joint = if count == 0 { "" } else { " and" };
            write!(f, "{joint} {word} {}", super::show(&Val::from_value(fact.value)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
