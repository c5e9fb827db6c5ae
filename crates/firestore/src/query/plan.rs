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

use base::{DatabaseName, DocumentPath, FieldPath, Value, name};

use super::filter::{Disjunct, Test, is_null_or_nan};
use super::index::{self, Breadth, Component, Definition, Kind, Shape, Spec, State};
use super::position::{self, Interval, is_exact};
use super::ranges::{below_parent, is_name_range, name_interval, value_intervals};
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
        let present = present_alone(query);
        let component = |field: &FieldPath| Component { field: field.clone(), kind: Kind::Ascending };
        return present.map(|field| shape(vec![component(field)])).into_iter().collect();
    }
    if let Some(first) = suffix.first() {
        // Fixed and ordered first: a single point of the order, no need to lead with it as well.
        fixed.retain(|component| component.kind == Kind::Contains || component.field != first.field);
    }
    vec![shape(fixed.into_iter().chain(suffix).collect())]
}

/// Whether there is a readable index that serves a query's disjunct as well as the wanted one would.
pub fn is_served(query: &Query, wanted: &Shape, definitions: &[Definition]) -> bool {
    let readable = |definition: &&Definition| definition.state == State::Readable;
    definitions.iter().filter(readable).any(|definition| is_as_good(query, wanted, definition))
}

/// Whether an index serves a query's disjunct as well as the wanted one would.
fn is_as_good(query: &Query, wanted: &Shape, definition: &Definition) -> bool {
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
    fields.extend(vectors(query));
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

/// The components that spell out a query's orders, and the vectors that it compares.
fn suffix(query: &Query) -> Vec<Component> {
    let ordered = position::relative(query.field_orders(), query.is_reverse()).map(|(field, descending)| {
        Component { field: field.clone(), kind: if descending { Kind::Descending } else { Kind::Ascending } }
    });
    ordered.chain(vectors(query)).collect()
}

fn vectors(query: &Query) -> Option<Component> {
    let nearest = query.nearest.as_ref()?;
    let dimension = u16::try_from(nearest.dimension()).ok()?;
    Some(Component { field: nearest.field.clone(), kind: Kind::Vector(dimension) })
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
    if let Some(plan) = all_with_a_field(database, query, &readable) {
        return plan;
    }
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

/// The field that all documents must have which a query is about, when it is about nothing else: a sum over a whole
/// collection, in whatever order.
fn present_alone(query: &Query) -> Option<&FieldPath> {
    let [disjunct] = query.disjuncts.as_slice() else { return None };
    let is_whole = matches!(query.scope, Scope::Collection(_))
        && query.field_orders().is_empty()
        && (query.limit, query.offset) == (None, 0)
        && (query.start.is_none() && query.end.is_none() && query.nearest.is_none());
    let is_alone = disjunct.iter().all(|condition| condition.test == Test::Present);
    disjunct.first().filter(|_| is_whole && is_alone).map(|condition| &condition.field)
}

/// The index on a field that is asked for alone: it has the documents with the field and no others.
fn all_with_a_field(database: &DatabaseName, query: &Query, readable: &[&Definition]) -> Option<Plan> {
    let field = present_alone(query)?;
    let on_field = |definition: &&&Definition| {
        let component = Component { field: field.clone(), kind: Kind::Ascending };
        let [only] = definition.shape.components.as_slice() else { return false };
        definition.shape.breadth == Breadth::Collection && only.is_at(&component)
    };
    let definition = readable.iter().find(on_field)?;
    let prefix = entry_prefix(database, query, definition);
    let stretch = Stretch { index: definition.id, prefix, intervals: vec![Interval::default()] };
    let exact = query.filter.conditions().iter().all(|condition| condition.field == *field);
    Some(Plan { sources: vec![Source::Entries(vec![stretch])], ordered: true, exact })
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
        .filter(|definition| definition.shape.breadth == breadth && !definition.shape.has_vectors())
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
