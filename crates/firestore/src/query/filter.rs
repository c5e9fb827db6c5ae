//! What a query demands of a document: conditions on fields joined by AND and OR, and their normal form.
//!
//! Invariants: a condition on an absent field is never met; range operators compare within one type class;
//! [`Filter::disjuncts`] never gives more than [`QUERY_DISJUNCTIONS_MAX`] conjunctions.
//!
//! Source: Firestore's documented query semantics (equality 1 == 1.0, NaN only by IS_NAN, null only by IS_NULL).

use base::limits::QUERY_DISJUNCTIONS_MAX;
use base::{FieldPath, Fields, Status, Value, order};

/// Conditions joined by AND and OR. An empty `All` is met by everything, an empty `Any` by nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Every part must hold.
    All(Vec<Filter>),
    /// One part must hold.
    Any(Vec<Filter>),
    /// One field must pass one test.
    One(Condition),
}

/// A test on one field, or on the document's name (a reference value) when the field is `__name__`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Which field.
    pub field: FieldPath,
    /// What of it.
    pub test: Test,
}

/// The operators of the protocol.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub enum Test {
    Equal(Value),
    NotEqual(Value),
    Less(Value),
    LessOrEqual(Value),
    Greater(Value),
    GreaterOrEqual(Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    ArrayContains(Value),
    ArrayContainsAny(Vec<Value>),
    IsNull,
    IsNan,
    IsNotNull,
    IsNotNan,
    /// The field exists. No operator of the protocol: what an aggregation over a field asks.
    Present,
}

/// One conjunction of the normal form: no `In`, no `ArrayContainsAny`.
pub type Disjunct = Vec<Condition>;

/// Null and NaN are found by their own operators only.
pub fn is_null_or_nan(value: &Value) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Double(double) if double.is_nan())
}

impl Test {
    /// Whether it makes its field part of the implicit order.
    pub fn is_inequality(&self) -> bool {
        matches!(
            self,
            Test::NotEqual(_)
                | Test::Less(_)
                | Test::LessOrEqual(_)
                | Test::Greater(_)
                | Test::GreaterOrEqual(_)
                | Test::NotIn(_)
                | Test::IsNotNull
                | Test::IsNotNan
        )
    }

    /// Whether it is a comparison that nothing passes: with null or NaN. It adds nothing to the implicit order.
    pub fn is_impossible(&self) -> bool {
        match self {
            Test::Less(value)
            | Test::LessOrEqual(value)
            | Test::Greater(value)
            | Test::GreaterOrEqual(value) => is_null_or_nan(value),
            Test::NotEqual(value) => matches!(value, Value::Null),
            _ => false,
        }
    }

    /// The one value the field must have.
    pub fn point(&self) -> Option<Value> {
        match self {
            Test::Equal(value) if !is_null_or_nan(value) => Some(value.clone()),
            Test::IsNull => Some(Value::Null),
            Test::IsNan => Some(Value::Double(f64::NAN)),
            _ => None,
        }
    }

    /// Whether a present value that passes is the one asked for in every way, the type of its numbers included.
    fn passes_literally(&self, value: &Value) -> bool {
        match self {
            Test::Equal(operand) => order::identical(value, operand),
            Test::In(operands) => operands.iter().any(|operand| order::identical(value, operand)),
            _ => true,
        }
    }

    /// Whether a present value passes.
    pub fn passes(&self, value: &Value) -> bool {
        let same = |operand: &Value| !is_null_or_nan(operand) && order::equal(value, operand);
        let compared = |operand: &Value| {
            (!is_null_or_nan(operand) && order::class(value) == order::class(operand))
                .then(|| order::compare(value, operand))
        };
        let contains = |operand: &Value| match value {
            Value::Array(items) => {
                !is_null_or_nan(operand) && items.iter().any(|item| order::equal(item, operand))
            }
            _ => false,
        };
        let is_null = matches!(value, Value::Null);
        match self {
            Test::Equal(operand) => same(operand),
            Test::NotEqual(operand) => {
                !is_null && !matches!(operand, Value::Null) && !order::equal(value, operand)
            }
            Test::Less(operand) => compared(operand).is_some_and(|order| order.is_lt()),
            Test::LessOrEqual(operand) => compared(operand).is_some_and(|order| order.is_le()),
            Test::Greater(operand) => compared(operand).is_some_and(|order| order.is_gt()),
            Test::GreaterOrEqual(operand) => compared(operand).is_some_and(|order| order.is_ge()),
            Test::In(operands) => operands.iter().any(same),
            Test::NotIn(operands) => {
                !is_null
                    && !operands
                        .iter()
                        .any(|operand| matches!(operand, Value::Null) || order::equal(value, operand))
            }
            Test::ArrayContains(operand) => contains(operand),
            Test::ArrayContainsAny(operands) => operands.iter().any(contains),
            Test::IsNull => is_null,
            Test::IsNan => order::class(value) == base::key::tag::NAN,
            Test::IsNotNull => !is_null,
            Test::IsNotNan => !is_null && order::class(value) != base::key::tag::NAN,
            Test::Present => true,
        }
    }
}

impl Condition {
    /// Whether a document with this full name and these fields meets it.
    pub fn matches(&self, name: &Value, fields: &Fields) -> bool {
        if self.field.is_document_id() {
            return self.test.passes(name);
        }
        self.field.get(fields).is_some_and(|value| self.test.passes(value))
    }

    fn matches_literally(&self, name: &Value, fields: &Fields) -> bool {
        let literally = || self.field.get(fields).is_some_and(|value| self.test.passes_literally(value));
        self.matches(name, fields) && (self.field.is_document_id() || literally())
    }
}

impl Filter {
    /// Whether a document with this full name (a reference value) and these fields passes.
    pub fn matches(&self, name: &Value, fields: &Fields) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches(name, fields)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches(name, fields)),
            Filter::One(condition) => condition.matches(name, fields),
        }
    }

    /// Whether it passes also where 1 is asked for and 1.0 does not count: as the rules have taken the query that they
    /// allow [literally](policy::Decision::exact_match_only).
    pub fn matches_literally(&self, name: &Value, fields: &Fields) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.matches_literally(name, fields)),
            Filter::Any(parts) => parts.iter().any(|part| part.matches_literally(name, fields)),
            Filter::One(condition) => condition.matches_literally(name, fields),
        }
    }

    /// Every condition, in the order written.
    pub fn conditions(&self) -> Vec<&Condition> {
        match self {
            Filter::All(parts) | Filter::Any(parts) => parts.iter().flat_map(Filter::conditions).collect(),
            Filter::One(condition) => vec![condition],
        }
    }

    /// The disjunctive normal form: a document passes exactly if it meets every condition of one of these.
    pub fn disjuncts(&self) -> Result<Vec<Disjunct>, Status> {
        match self {
            Filter::One(condition) => {
                let each = |values: &[Value], test: fn(Value) -> Test| {
                    values
                        .iter()
                        .filter(|value| !is_null_or_nan(value))
                        .map(|value| {
                            vec![Condition { field: condition.field.clone(), test: test(value.clone()) }]
                        })
                        .collect::<Vec<_>>()
                };
                bounded(match &condition.test {
                    Test::In(values) => each(values, Test::Equal),
                    Test::ArrayContainsAny(values) => each(values, Test::ArrayContains),
                    _ => vec![vec![condition.clone()]],
                })
            }
            Filter::Any(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(part.disjuncts()?);
                    all = bounded(all)?;
                }
                Ok(all)
            }
            Filter::All(parts) => {
                let mut product: Vec<Disjunct> = vec![Vec::new()];
                for part in parts {
                    let factors = part.disjuncts()?;
                    // Checked before the product is made: it is what may be large.
                    check_count(product.len().saturating_mul(factors.len()))?;
                    product = product
                        .iter()
                        .flat_map(|left| factors.iter().map(move |right| [left.as_slice(), right].concat()))
                        .collect();
                }
                Ok(product)
            }
        }
    }
}

fn bounded(disjuncts: Vec<Disjunct>) -> Result<Vec<Disjunct>, Status> {
    check_count(disjuncts.len())?;
    Ok(disjuncts)
}

fn check_count(count: usize) -> Result<(), Status> {
    if count > QUERY_DISJUNCTIONS_MAX {
        return Err(Status::invalid(format!(
            "Too many disjunctions after normalization. Result had {count} disjunctions which is more than the \
             maximum of {QUERY_DISJUNCTIONS_MAX}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(field: &str, test: Test) -> Filter {
        Filter::One(Condition { field: FieldPath::parse(field).unwrap(), test })
    }

    #[test]
    fn null_and_nan_pass_only_their_own_operators() {
        let (null, nan) = (Value::Null, Value::Double(f64::NAN));
        for (test, passes_null, passes_nan) in [
            (Test::Equal(null.clone()), false, false),
            (Test::Equal(nan.clone()), false, false),
            (Test::IsNull, true, false),
            (Test::IsNan, false, true),
            (Test::IsNotNull, false, true),
            (Test::IsNotNan, false, false),
            (Test::NotEqual(Value::Integer(1)), false, true),
            (Test::NotEqual(nan.clone()), false, false),
            (Test::NotIn(vec![Value::Integer(1)]), false, true),
            (Test::NotIn(vec![null.clone()]), false, false),
            (Test::In(vec![null.clone(), nan.clone()]), false, false),
            (Test::LessOrEqual(Value::Integer(2)), false, false),
            (Test::GreaterOrEqual(null.clone()), false, false),
            (Test::GreaterOrEqual(nan.clone()), false, false),
            (Test::NotEqual(null.clone()), false, false),
        ] {
            assert_eq!((test.passes(&null), test.passes(&nan)), (passes_null, passes_nan), "{test:?}");
        }
    }

    #[test]
    fn ranges_stay_in_their_class() {
        let test = Test::GreaterOrEqual(Value::Integer(2));
        assert!(test.passes(&Value::Double(2.0)));
        assert!(!test.passes(&Value::String("z".into())));
    }

    #[test]
    fn normal_form_multiplies_and_is_bounded() {
        let five = |field| one(field, Test::In((0..5).map(Value::Integer).collect()));
        assert_eq!(Filter::All(vec![five("a"), five("b")]).disjuncts().unwrap().len(), 25);
        assert!(Filter::All(vec![five("a"), five("b"), five("c")]).disjuncts().is_err());
        assert_eq!(one("a", Test::In(vec![Value::Null])).disjuncts().unwrap(), Vec::<Disjunct>::new());
        assert_eq!(Filter::All(vec![]).disjuncts().unwrap(), vec![Vec::new()]);
        // Twenty ORs of two: a million conjunctions must be refused before they are made.
        let two = one("a", Test::In(vec![Value::Integer(1), Value::Integer(2)]));
        assert!(Filter::All(vec![two; 20]).disjuncts().is_err());
    }
}
