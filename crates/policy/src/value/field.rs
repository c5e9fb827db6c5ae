//! A field of which only a query's constraints are known: what a list query proves about every
//! document it can return.
//!
//! Everything here is sound: an answer is given only when it holds for *every* document that the
//! constraints admit. Anything else is `None`. Where the official emulator proves less, so does this: a
//! constrained field never compares false, it only fails to compare true.

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
/// they were split into alternatives or into several facts. What the query is ordered by proves nothing.
#[derive(Clone, Debug, Default)]
pub struct Facts<'v> {
    /// The conditions that all hold; of equalities with one value each field has one.
    pub facts: Vec<Fact<'v>>,
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
    /// Whether it is an equality that fixes its value with the type of its numbers: `n == 1` also finds 1.0, and so is
    /// exact only in a reading of it.
    pub exact: bool,
}

/// A place in a document that is known only through [`Facts`].
#[derive(Clone)]
pub struct Field<'v> {
    facts: &'v Facts<'v>,
    path: Rc<[Str<'v>]>,
    /// Whether this is the list of the map's keys instead of the map.
    keys: bool,
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
        Val::Duration(_) | Val::Template(_) | Val::Set(_) | Val::Diff(_) | Val::Field(_) | Val::Handle(_) => {
            return None;
        }
    })
}

/// Whether a query that compares equal to the value fixes it exactly. Numbers do not: 1 also finds 1.0, which a
/// policy can tell apart (`is int`, membership of a list).
pub fn is_exact(value: &Value) -> bool {
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

fn path_is(field: &[String], path: &[Str<'_>]) -> bool {
    field.len() == path.len() && field.iter().zip(path).all(|(a, b)| a == b.as_str())
}

fn path_is_below(field: &[String], path: &[Str<'_>]) -> bool {
    field.len() > path.len() && field.iter().zip(path).all(|(a, b)| a == b.as_str())
}

impl<'v> Field<'v> {
    /// The whole document.
    pub fn root(facts: &'v Facts<'v>) -> Self {
        Self { facts, path: Rc::new([]), keys: false }
    }

    /// Something of the document that is no field and that no constraint speaks of, such as its id.
    pub fn unknown(facts: &'v Facts<'v>, name: &'static str) -> Self {
        // No field path has an empty segment, so no fact is about this place.
        Self { facts, path: Rc::new([Str::Borrowed(name), Str::Borrowed("")]), keys: false }
    }

    /// Whether it is such a thing.
    pub fn is_unknown(&self) -> bool {
        self.path.last().is_some_and(|segment| segment.as_str().is_empty())
    }

    /// The keys of this map: at least those that the constraints speak of.
    pub fn keys(&self) -> Self {
        Self { keys: true, ..self.clone() }
    }

    /// Whether it is a map's keys.
    pub fn is_keys(&self) -> bool {
        self.keys
    }

    /// The dotted path, empty for the whole document.
    pub fn path(&self) -> String {
        let named = self.path.iter().map(Str::as_str).filter(|segment| !segment.is_empty());
        named.collect::<Vec<_>>().join(".")
    }

    /// What is known of this very place.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Fact<'v>> + '_ {
        self.facts.facts.iter().filter(|fact| !self.keys && path_is(fact.field, &self.path))
    }

    fn has_children(&self) -> bool {
        !self.keys
            && (self.path.is_empty()
                || self.facts.facts.iter().any(|fact| path_is_below(fact.field, &self.path)))
    }

    /// The value, where one equality and nothing else is known of this place.
    fn fixed(&self) -> Option<&'v Value> {
        let mut own = self.own();
        let first = own.next()?;
        let alone = own.next().is_none() && !self.has_children();
        (alone && first.exact).then_some(first.value)
    }

    /// A member of this place.
    pub fn child(&self, name: Str<'v>) -> Child<'v> {
        let path: Rc<[Str<'v>]> = self.path.iter().cloned().chain([name]).collect();
        let child = Field { facts: self.facts, path, keys: false };
        match child.fixed() {
            Some(value) => Child::Known(value),
            None if child.has_children() || child.own().next().is_some() => Child::Field(child),
            None => self.member_of_fixed(&child).map_or(Child::Undetermined, Child::Known),
        }
    }

    /// The member's value, where an equality fixes this map beside constraints on other members of it.
    fn member_of_fixed(&self, child: &Self) -> Option<&'v Value> {
        if !self.has_children() {
            return None;
        }
        let name = child.path.last()?;
        match self.own().find(|fact| fact.exact)?.value {
            Value::Map(fields) => fields.get(name.as_str()),
            _ => None,
        }
    }

    /// The names of the members that the constraints speak of, each once.
    pub fn child_names(&self) -> Vec<&'v str> {
        let depth = self.path.len();
        let below = self.facts.facts.iter().map(|fact| fact.field);
        let below = below.filter(|field| path_is_below(field, &self.path));
        let mut names: Vec<&'v str> =
            below.filter_map(|field| field.get(depth).map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether only the type of a number is not certain: the query says `== 1`, or that the list has a 1.
    pub fn is_equal_number(&self) -> bool {
        self.own().any(|fact| matches!(fact.op, Operator::Eq | Operator::Contains) && !is_exact(fact.value))
    }

    /// The type, as far as it is fixed.
    pub fn class(&self) -> Option<Class> {
        if self.keys {
            return Some(Class::List);
        }
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

    /// Whether the type is one that the emulator sees too: a map of which the query names members, or its keys. A
    /// field that is itself constrained has no type there, only what it is compared with.
    pub fn is_container(&self) -> bool {
        self.keys || self.has_children()
    }

    /// `field <comparison> other`, where it is proven. As in the official emulator, a constrained field is never proven
    /// to compare false (a map of which the query names members can be), a value of another type says nothing, and
    /// neither does a double in a query of an integer in a rule.
    pub fn compare(&self, comparison: Comparison, other: &Val<'_>) -> Option<bool> {
        let holds = self.holds(comparison, other, true)?;
        (holds || self.has_children()).then_some(holds)
    }

    /// `field == other` is false for all documents.
    pub fn never_equals(&self, other: &Val<'_>) -> bool {
        self.holds(Comparison::Eq, other, false) == Some(false)
    }

    /// `field <comparison> other`, when all documents agree; `as_official` leaves out what the emulator does not see.
    fn holds(&self, comparison: Comparison, other: &Val<'_>, as_official: bool) -> Option<bool> {
        if self.keys {
            return None;
        }
        let other_class = class_of_val(other)?;
        // Facts may contradict each other, of an empty result: then whatever one of them proves holds.
        let seen = |fact: &Fact<'_>| {
            let is_double_for_integer = matches!((fact.value, other), (Value::Double(_), Val::Int(_)));
            !as_official || class_of(fact.value) == other_class && !is_double_for_integer
        };
        let answers =
            || self.own().filter(|fact| seen(fact)).filter_map(|fact| decide(fact, comparison, other));
        if answers().any(|answer| answer) {
            return Some(true);
        }
        if matches!(comparison, Comparison::Eq | Comparison::Ne) {
            // A field of another type is never equal. Every comparison but the one with null says that it is not null.
            let not_null =
                self.own().any(|fact| fact.op == Operator::Neq || !matches!(fact.value, Value::Null));
            let is_typed = !as_official || self.has_children();
            if (is_typed && self.class().is_some_and(|class| class != other_class))
                || (other_class == Class::Null && not_null)
                || self.differs_from_map(other)
            {
                return Some(comparison == Comparison::Ne);
            }
        }
        answers().next()
    }

    /// Whether one of the known members makes this another map.
    fn differs_from_map(&self, other: &Val<'_>) -> bool {
        let Val::Map(other) = other else { return false };
        self.has_children()
            && self.child_names().into_iter().any(|name| {
                let Some(theirs) = other.get(name) else { return true };
                match self.child(Str::Borrowed(name)) {
                    Child::Known(own) => !equal(&Val::from_value(own), &theirs),
                    Child::Field(own) => own.never_equals(&theirs),
                    Child::Undetermined => false,
                }
            })
    }

    /// `item in field`, when all documents agree. Never false: more items may be there.
    pub fn contains(&self, item: &Val<'_>) -> Option<bool> {
        if self.keys {
            return matches!(item, Val::Str(key) if self.child_names().contains(&key.as_str()))
                .then_some(true);
        }
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
            ((is_scalar(fact.value) || fact.exact) && !nan)
                .then(|| equal(&known, other) == (comparison == C::Eq))
        }
        Operator::Eq => order(&known, other).map(|order| comparison.holds(order)),
        Operator::Neq => {
            // What a policy finds equal, a query does too.
            let same = equal(&known, other);
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
        if self.keys {
            return write!(f, "the keys of any `{path}`");
        }
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
