//! How a query is served: which stretches of which indexes hold its result, and which index would serve it best.
//!
//! Invariant: a plan finds every document of the result. What it finds besides is filtered out by the executor,
//! unless the plan is exact.
//!
//! - An index whose components are fields that the query fixes (by equality or array-contains), followed by the
//!   query's orders, holds a conjunction's result in order. Several of them intersect, since what follows the fixed
//!   components has the same form in all: a [`position`].
//! - If none is in order, one that starts with a fixed field gives candidates to sort; if there is none at all, the
//!   documents of the scope are.

use base::{DatabaseName, DocumentPath, FieldPath, ResourcePath, Value, key::tag, name, order};

use super::filter::{Condition, Disjunct, Test, is_null_or_nan};
use super::index::{self, Breadth, Component, Definition, Kind, Shape, Spec, State};
use super::position::{self, Edge, Interval, is_exact, value_bytes};
use super::shape::{Query, Scope};

/// How a query is served.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where documents are found; one source per disjunct, or one for all.
    pub sources: Vec<Source>,
    /// Whether every source gives its documents in the query's order, so that they merge. Otherwise they are sorted.
    pub ordered: bool,
    /// Whether sources give nothing but the result, so that nothing needs to be read to be counted.
    pub exact: bool,
}

impl Plan {
    /// The indexes that it reads, by id.
    pub fn indexes(&self) -> Vec<u32> {
        let stretches = self.sources.iter().flat_map(|source| match source {
            Source::Entries(stretches) => stretches.as_slice(),
            Source::Names(_) | Source::Scope(_) => &[],
        });
        stretches.map(|stretch| stretch.index).collect()
    }
}

/// Where documents are found.
#[derive(Clone, Debug)]
pub enum Source {
    /// Stretches of indexes; the documents that are in all of them.
    Entries(Vec<Stretch>),
    /// These documents, if they exist.
    Names(Vec<DocumentPath>),
    /// The documents of the query's scope whose names lie in an interval.
    Scope(Interval),
}

/// A stretch of an index: what its keys start with, and which positions behind that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The index's id.
    pub index: u32,
    /// The bytes all of its keys start with.
    pub prefix: Vec<u8>,
    /// The positions to look at, ascending and apart.
    pub intervals: Vec<Interval>,
}

/// The indexes that would serve a query at a cost that follows its result. None for what needs no index.
pub fn wanted(query: &Query) -> Vec<Shape> {
    let mut shapes: Vec<Shape> =
        query.disjuncts.iter().flat_map(|disjunct| wanted_by(query, disjunct)).collect();
    shapes.sort();
    shapes.dedup();
    shapes
}

/// The same for one of its disjuncts.
pub fn wanted_by(query: &Query, disjunct: &Disjunct) -> Vec<Shape> {
    let Some((group, breadth)) = group(&query.scope) else { return Vec::new() };
    let shape = |components: Vec<Component>| Shape { group: group.to_owned(), breadth, components };
    if fixed_names(disjunct).is_some() {
        return Vec::new();
    }
    let suffix = suffix(query);
    let mut fixed: Vec<_> = fixed(disjunct).into_iter().map(|fixed| fixed.component).collect();
    if suffix.is_empty() && !fixed.is_empty() {
        // By name: one index per fixed field, shared with every other combination of them.
        return fixed.into_iter().map(|component| shape(vec![component])).collect();
    }
    if suffix.is_empty() && breadth == Breadth::Collection {
        return Vec::new();
    }
    if let Some(first) = suffix.first() {
        // Fixed and ordered first: a single point of the order, no need to lead with it as well.
        fixed.retain(|component| component.kind == Kind::Contains || component.field != first.field);
    }
    vec![shape(fixed.into_iter().chain(suffix).collect())]
}

/// Whether an index serves a query's disjunct as well as the wanted one would.
pub fn is_as_good(query: &Query, wanted: &Shape, definition: &Definition) -> bool {
    let (suffix, own) = (suffix(query), &definition.shape);
    let lead = |shape: &'_ Shape| shape.components.strip_suffix(suffix.as_slice()).map(<[_]>::to_vec);
    let (Some(lead), Some(own_lead)) = (lead(wanted), lead(own)) else { return own == wanted };
    let is_in = |these: &[Component], one: &Component| these.iter().any(|other| other.is_at(one));
    own.breadth == wanted.breadth
        && own.group == wanted.group
        && own_lead.len() == lead.len()
        && own_lead.iter().all(|component| is_in(&lead, component))
        && lead.iter().all(|component| is_in(&own_lead, component))
}

/// Whether indexes hold a disjunct's documents in the query's order, one of them or several by intersection. An order by a
/// field that the disjunct fixes may be left out.
pub fn covers<'d>(
    query: &Query,
    disjunct: &Disjunct,
    definitions: impl Iterator<Item = &'d Definition> + Clone,
) -> bool {
    let Some((_, breadth)) = group(&query.scope) else { return true };
    let fixed: Vec<Component> = fixed(disjunct).into_iter().map(|fixed| fixed.component).collect();
    let is_fixed = |component: &Component| fixed.iter().any(|fixed| fixed.is_at(component));
    let whole = suffix(query);
    let reduced: Vec<Component> = whole.iter().filter(|component| !is_fixed(component)).cloned().collect();
    let by = |suffix: &[Component]| {
        let in_suffix = |component: &Component| suffix.iter().any(|ordered| ordered.is_at(component));
        let mut left: Vec<&Component> = fixed.iter().filter(|component| !in_suffix(component)).collect();
        let mut is_found = false;
        for definition in definitions.clone().filter(|definition| definition.shape.breadth == breadth) {
            let Some(lead) = definition.shape.components.strip_suffix(suffix) else { continue };
            if lead.iter().all(is_fixed) {
                is_found = true;
                left.retain(|component| !lead.iter().any(|own| own.is_at(component)));
            }
        }
        is_found && left.is_empty()
    };
    by(&whole) || by(&reduced)
}

/// The index that a disjunct needs as people write it: fixed fields first, orders as the query has them.
pub fn spec_of(query: &Query, disjunct: &Disjunct) -> Option<Spec> {
    let (group, breadth) = group(&query.scope)?;
    let mut fields: Vec<Component> = fixed(disjunct).into_iter().map(|fixed| fixed.component).collect();
    for order in query.field_orders() {
        let kind = if order.descending { Kind::Descending } else { Kind::Ascending };
        let component = Component { field: order.field.clone(), kind };
        if !fields.iter().any(|fixed| fixed.is_at(&component)) {
            fields.push(component);
        }
    }
    Some(Spec { group: group.to_owned(), breadth, fields, name_descends: query.is_reverse() })
}

fn group(scope: &Scope) -> Option<(&str, Breadth)> {
    match scope {
        Scope::Collection(collection) => Some((collection.id()?, Breadth::Collection)),
        Scope::Group { id, .. } => Some((id, Breadth::Group)),
        Scope::Children(_) | Scope::Descendants(_) => None,
    }
}

/// A field that a conjunction fixes to one value.
struct Fixed {
    component: Component,
    value: Value,
    /// Which condition does.
    at: usize,
}

/// The fields a conjunction fixes, in the order of their components.
fn fixed(disjunct: &Disjunct) -> Vec<Fixed> {
    let mut all: Vec<_> = disjunct
        .iter()
        .enumerate()
        .filter(|(_, condition)| !condition.field.is_document_id())
        .filter_map(|(at, condition)| {
            let (kind, value) = match &condition.test {
                Test::ArrayContains(value) if !is_null_or_nan(value) => (Kind::Contains, value.clone()),
                test => (Kind::Ascending, test.point()?),
            };
            Some(Fixed { component: Component { field: condition.field.clone(), kind }, value, at })
        })
        .collect();
    all.sort_by(|a, b| a.component.cmp(&b.component));
    // Two equalities on one field: the first is looked up, the other filtered.
    all.dedup_by(|b, a| a.component == b.component);
    all
}

/// The components that spell out a query's orders.
fn suffix(query: &Query) -> Vec<Component> {
    position::relative(query.field_orders(), query.is_reverse())
        .map(|(field, descending)| Component {
            field: field.clone(),
            kind: if descending { Kind::Descending } else { Kind::Ascending },
        })
        .collect()
}

/// The one document a conjunction names, if it does. Several different ones leave nothing, which filtering finds.
fn fixed_names(disjunct: &Disjunct) -> Option<DocumentPath> {
    disjunct.iter().find_map(|condition| match &condition.test {
        Test::Equal(Value::Reference(text)) if condition.field.is_document_id() => {
            name::parse_document(text).ok().map(|(_, path)| path)
        }
        _ => None,
    })
}

/// Chooses how to serve a query with the indexes there are.
pub fn plan(database: &DatabaseName, query: &Query, definitions: &[Definition]) -> Plan {
    let window = position::window(query);
    let by_name = query.field_orders().is_empty();
    let readable: Vec<_> =
        definitions.iter().filter(|definition| definition.state == State::Readable).collect();
    let mut plan = Plan { sources: Vec::new(), ordered: true, exact: true };
    for disjunct in &query.disjuncts {
        if let Some(path) = fixed_names(disjunct) {
            plan.sources.push(Source::Names(vec![path]));
            plan.ordered &= by_name;
            plan.exact = false;
        } else if let Some((stretches, exact)) = in_order(database, query, disjunct, &window, &readable) {
            plan.sources.push(Source::Entries(stretches));
            plan.exact &= exact;
        } else if let Some(stretch) = candidates(database, query, disjunct, &readable) {
            plan.sources.push(Source::Entries(vec![stretch]));
            plan.ordered = false;
            plan.exact = false;
        } else {
            return whole_scope(query, &window);
        }
    }
    plan
}

/// One walk over the scope serves all disjuncts.
fn whole_scope(query: &Query, window: &Interval) -> Plan {
    let by_name = query.field_orders().is_empty();
    let names = match query.disjuncts.as_slice() {
        _ if !by_name => Some(Interval::default()),
        [only] => name_interval(only).intersect(window),
        _ => Some(window.clone()),
    };
    // A group's collections are walked one after the other, which is not the order of names.
    let ordered = by_name && !matches!(query.scope, Scope::Group { .. });
    let exact = ordered && query.disjuncts.iter().all(|disjunct| disjunct.iter().all(is_name_range));
    Plan {
        sources: names.map(Source::Scope).into_iter().collect(),
        ordered,
        exact: exact && query.disjuncts.len() == 1,
    }
}

fn is_name_range(condition: &Condition) -> bool {
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

/// The stretches that give a conjunction's documents in the query's order; whether they give no other documents.
fn in_order(
    database: &DatabaseName,
    query: &Query,
    disjunct: &Disjunct,
    window: &Interval,
    readable: &[&Definition],
) -> Option<(Vec<Stretch>, bool)> {
    let (_, breadth) = group(&query.scope)?;
    let suffix = suffix(query);
    let fixed = fixed(disjunct);
    let mut usable: Vec<(&Definition, Vec<(&Fixed, Kind)>)> = readable
        .iter()
        .filter(|definition| definition.shape.breadth == breadth)
        .filter_map(|definition| {
            let lead = definition.shape.components.strip_suffix(suffix.as_slice())?;
            let lead = lead
                .iter()
                .map(|component| {
                    Some((fixed.iter().find(|fixed| fixed.component.is_at(component))?, component.kind))
                })
                .collect::<Option<Vec<_>>>()?;
            Some((*definition, lead))
        })
        .collect();
    usable.sort_by_key(|(definition, lead)| (std::cmp::Reverse(lead.len()), definition.id));

    let (intervals, mut used) = intervals(query, disjunct, window);
    let mut stretches = Vec::new();
    let mut exact = true;
    for (definition, lead) in usable {
        let news = lead.iter().any(|(fixed, _)| !used.contains(&fixed.at));
        if !(news || stretches.is_empty()) {
            continue;
        }
        let mut prefix = entry_prefix(database, query, definition);
        for (fixed, kind) in lead {
            index::push_component(&mut prefix, &fixed.value, kind);
            exact &= is_exact(&fixed.value);
            used.push(fixed.at);
        }
        stretches.push(Stretch { index: definition.id, prefix, intervals: intervals.clone() });
    }
    if stretches.is_empty() {
        return None;
    }
    Some((stretches, exact && (0..disjunct.len()).all(|at| used.contains(&at))))
}

/// The positions a conjunction leaves between the cursors, ascending; and which of its conditions that settles.
fn intervals(query: &Query, disjunct: &Disjunct, window: &Interval) -> (Vec<Interval>, Vec<usize>) {
    let mut used = Vec::new();
    let Some((first, descending)) = position::relative(query.field_orders(), query.is_reverse()).next()
    else {
        let names = name_interval(disjunct);
        used.extend(
            disjunct.iter().enumerate().filter(|(_, condition)| is_name_range(condition)).map(|(at, _)| at),
        );
        let left = names.intersect(window).and_then(|left| left.intersect(&below_parent(&query.scope)));
        return (left.into_iter().collect(), used);
    };
    let mut intervals = vec![Interval::default()];
    for (at, condition) in disjunct.iter().enumerate().filter(|(_, condition)| condition.field == *first) {
        let Some((allowed, exact)) = value_intervals(&condition.test) else { continue };
        intervals = intervals
            .iter()
            .flat_map(|left| allowed.iter().filter_map(move |right| left.intersect(right)))
            .collect();
        if exact {
            used.push(at);
        }
    }
    if descending {
        intervals = intervals.into_iter().rev().map(Interval::complemented).collect();
    }
    (intervals.iter().filter_map(|interval| interval.intersect(window)).collect(), used)
}

/// The positions of a group's documents below a parent, when they are ordered by name.
fn below_parent(scope: &Scope) -> Interval {
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

/// A stretch that holds all of a conjunction's documents, in whatever order.
fn candidates(
    database: &DatabaseName,
    query: &Query,
    disjunct: &Disjunct,
    readable: &[&Definition],
) -> Option<Stretch> {
    let (_, breadth) = group(&query.scope)?;
    let fixed = fixed(disjunct);
    // A document of the result has all of these, so it has an entry in an index that is on nothing else.
    let present = |field: &FieldPath| {
        disjunct.iter().any(|condition| condition.field == *field)
            || query.orders.iter().any(|order| order.field == *field)
    };
    readable
        .iter()
        .filter(|definition| definition.shape.breadth == breadth)
        .filter_map(|definition| {
            let components = &definition.shape.components;
            let lead: Vec<_> = components
                .iter()
                .map_while(|component| {
                    Some((fixed.iter().find(|fixed| fixed.component.is_at(component))?, component.kind))
                })
                .collect();
            let rest = components.get(lead.len()..)?;
            let complete = rest.iter().all(|rest| rest.kind != Kind::Contains && present(&rest.field));
            let first = components.first()?;
            let range = lead.is_empty().then(|| value_range(disjunct, first)).flatten();
            (complete && (!lead.is_empty() || range.is_some())).then_some((*definition, lead, range))
        })
        .max_by_key(|(definition, lead, _)| (lead.len(), std::cmp::Reverse(definition.id)))
        .map(|(definition, lead, range)| {
            let mut prefix = entry_prefix(database, query, definition);
            for (fixed, kind) in lead {
                index::push_component(&mut prefix, &fixed.value, kind);
            }
            let intervals = range.unwrap_or_else(|| vec![Interval::default()]);
            Stretch { index: definition.id, prefix, intervals }
        })
}

/// The stretch of an index's first component that a range condition leaves.
fn value_range(disjunct: &Disjunct, component: &Component) -> Option<Vec<Interval>> {
    let condition = disjunct.iter().find(|condition| {
        condition.field == component.field
            && component.kind != Kind::Contains
            && condition.test.is_inequality()
    })?;
    let (intervals, _) = value_intervals(&condition.test)?;
    Some(match component.kind {
        Kind::Descending => intervals.into_iter().rev().map(Interval::complemented).collect(),
        _ => intervals,
    })
}

fn entry_prefix(database: &DatabaseName, query: &Query, definition: &Definition) -> Vec<u8> {
    let collection = match &query.scope {
        Scope::Collection(collection) => collection.segments(),
        _ => &[],
    };
    index::entry_prefix(database, definition.id, definition.shape.breadth, collection)
}
