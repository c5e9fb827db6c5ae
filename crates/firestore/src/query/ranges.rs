//! What conditions leave of an order: ranges of names, and of the encodings of values.

use base::key::tag;
use base::{ResourcePath, Value, order};

use super::filter::{Condition, Disjunct, Test, is_null_or_nan};
use super::position::{self, Edge, Interval, is_exact, value_bytes};
use super::shape::Scope;

/// Whether a condition leaves a range of names.
pub fn is_name_range(condition: &Condition) -> bool {
    condition.field.is_document_id()
        && matches!(
            condition.test,
            Test::Less(_) | Test::LessOrEqual(_) | Test::Greater(_) | Test::GreaterOrEqual(_)
        )
}

/// The names a conjunction's range conditions on `__name__` leave, as an interval of path bytes. An empty interval
/// is written as one that holds nothing.
pub fn name_interval(disjunct: &Disjunct) -> Interval {
    let nothing = || Interval { start: None, end: Some(Edge::before(Vec::new())) };
    disjunct.iter().filter(|condition| is_name_range(condition)).fold(
        Interval::default(),
        |all, condition| {
            let interval = match &condition.test {
                Test::Less(value) => (None, Some(Edge::before(position::reference_bytes(value)))),
                Test::LessOrEqual(value) => (None, Some(Edge::after(position::reference_bytes(value)))),
                Test::Greater(value) => (Some(Edge::after(position::reference_bytes(value))), None),
                Test::GreaterOrEqual(value) => (Some(Edge::before(position::reference_bytes(value))), None),
                _ => (None, None),
            };
            all.intersect(&Interval { start: interval.0, end: interval.1 }).unwrap_or_else(nothing)
        },
    )
}

/// The positions of a group's documents below a parent, when they are ordered by name.
pub fn below_parent(scope: &Scope) -> Interval {
    match scope {
        Scope::Group { parent, .. } if *parent != ResourcePath::ROOT => {
            // Without its end, a path is what its descendants start with; the document itself lies before them.
            let own = position::path_bytes(parent.segments());
            let mut descendants = own.clone();
            descendants.pop();
            Interval { start: Some(Edge::after(own)), end: Some(Edge::after(descendants)) }
        }
        _ => Interval::default(),
    }
}

/// The encodings of the values that pass a test, ascending; whether nothing else is among them. `None` when the test
/// says nothing about them.
pub fn value_intervals(test: &Test) -> Option<(Vec<Interval>, bool)> {
    let class = |value: &Value| vec![order::class(value)];
    let between = |start: Edge, end: Edge| Interval { start: Some(start), end: Some(end) };
    let nothing = Some((Vec::new(), true));
    let one = |interval: Interval, exact: bool| Some((vec![interval], exact));
    // Everything but null, without the values with these encodings.
    let all_but = |values: &[&Value]| {
        let mut cuts: Vec<_> = values.iter().map(|value| value_bytes(value)).collect();
        cuts.sort();
        let mut intervals = Vec::new();
        let mut start = Edge::after(vec![tag::NULL]);
        for cut in cuts {
            intervals.push(between(start, Edge::before(cut.clone())));
            start = Edge::after(cut);
        }
        intervals.push(between(start, Edge::after(vec![tag::MAP])));
        intervals
    };
    match test {
        Test::Equal(value)
        | Test::Less(value)
        | Test::LessOrEqual(value)
        | Test::Greater(value)
        | Test::GreaterOrEqual(value)
            if is_null_or_nan(value) =>
        {
            nothing
        }
        Test::Less(value) | Test::LessOrEqual(value) => {
            let inclusive = matches!(test, Test::LessOrEqual(_)) || !is_exact(value);
            let end = Edge { prefix: value_bytes(value), after: inclusive };
            one(between(Edge::before(class(value)), end), is_exact(value))
        }
        Test::Greater(value) | Test::GreaterOrEqual(value) => {
            let inclusive = matches!(test, Test::GreaterOrEqual(_)) || !is_exact(value);
            let start = Edge { prefix: value_bytes(value), after: !inclusive };
            one(between(start, Edge::after(class(value))), is_exact(value))
        }
        Test::Equal(_) | Test::IsNull | Test::IsNan => {
            let value = test.point()?;
            let bytes = value_bytes(&value);
            one(between(Edge::before(bytes.clone()), Edge::after(bytes)), is_exact(&value))
        }
        Test::NotEqual(Value::Null) => nothing,
        Test::NotEqual(value) => {
            Some(if is_exact(value) { (all_but(&[value]), true) } else { (all_but(&[]), false) })
        }
        Test::NotIn(values) if values.iter().any(|value| matches!(value, Value::Null)) => nothing,
        Test::NotIn(values) => {
            let exact: Vec<_> = values.iter().filter(|value| is_exact(value)).collect();
            Some((all_but(&exact), exact.len() == values.len()))
        }
        Test::IsNotNull => Some((all_but(&[]), true)),
        Test::IsNotNan => Some((all_but(&[&Value::Double(f64::NAN)]), true)),
        Test::In(_) | Test::ArrayContains(_) | Test::ArrayContainsAny(_) | Test::Present => None,
    }
}
