//! The index of interest: which views a changed document may concern.
//!
//! A view lies in the bucket of its collection or collection group, and there under what its query asks of one field, as
//! an index would have it: values, or stretches between them. Finding the views of a document costs a look for each of its
//! fields that some query of the bucket asks for, however many views there are. What is found may not match; what is not
//! found does not.

use std::collections::{BTreeSet, HashMap};

use base::field::DOCUMENT_ID;
use base::{DatabaseName, DocumentPath, FieldPath, Fields, Value};

use super::ranges::Ranges;
use crate::model::key;
use crate::query::position::{self, Edge, Interval, value_bytes};
use crate::query::{Condition, Cursor, Disjunct, Query, Scope, Test, filter, ranges};

/// Views that may share one value before another condition of theirs is looked at for a better place.
const VALUE_VIEWS_FEW: usize = 16;

/// A view's number.
pub type ViewId = u64;

/// Which views a changed document may concern.
#[derive(Default)]
pub struct Interest {
    collections: HashMap<Vec<u8>, Bucket>,
    groups: HashMap<DatabaseName, HashMap<String, Bucket>>,
}

/// Views of one collection or group.
#[derive(Default)]
struct Bucket {
    /// Views that may want every document.
    all: BTreeSet<ViewId>,
    /// By the first name of the field's path, so that a document's fields lead to them.
    fields: HashMap<String, HashMap<Component, Values>>,
}

/// What views ask of one field.
#[derive(Default)]
struct Values {
    points: HashMap<Vec<u8>, BTreeSet<ViewId>>,
    ranges: Ranges,
}

/// A field, or the elements of an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Component {
    field: FieldPath,
    elements: bool,
}

/// Where a view lies in its bucket: under every document, or in some places.
#[derive(Debug)]
pub struct Places(Option<Vec<Place>>);

#[derive(Debug, PartialEq)]
enum Place {
    Value(Component, Vec<u8>),
    Stretch(Component, Interval),
}

impl Places {
    /// One place for each part of a query, any of which may find a document.
    fn of(query: &Query, bucket: &Bucket) -> Self {
        let mut places = Vec::new();
        for disjunct in &query.disjuncts {
            match in_part(query, disjunct, bucket) {
                None => return Self(None),
                Some(found) => places.extend(found),
            }
        }
        Self(Some(places))
    }
}

/// Where the documents of one part lie: under the rarest value that it asks for, else in the stretches of a field. `None`:
/// anywhere.
fn in_part(query: &Query, disjunct: &Disjunct, bucket: &Bucket) -> Option<Vec<Place>> {
    let values = disjunct.iter().filter_map(value_asked);
    let rarest = values.map(|place| (bucket.views_at(&place), place)).min_by_key(|(views, _)| *views);
    match rarest {
        Some((views, place)) if views < VALUE_VIEWS_FEW => Some(vec![place]),
        Some((_, place)) => Some(stretches(query, disjunct).unwrap_or_else(|| vec![place])),
        None => stretches(query, disjunct),
    }
}

/// The value that a condition asks for.
fn value_asked(condition: &Condition) -> Option<Place> {
    let component = |elements| Component { field: condition.field.clone(), elements };
    match &condition.test {
        Test::Equal(value) if condition.field.is_document_id() => {
            Some(Place::Value(component(false), position::reference_bytes(value)))
        }
        Test::ArrayContains(value) if !filter::is_null_or_nan(value) => {
            Some(Place::Value(component(true), value_bytes(value)))
        }
        test => Some(Place::Value(component(false), value_bytes(&test.point()?))),
    }
}

/// The stretches of the field that the conditions or the cursors narrow down.
fn stretches(query: &Query, disjunct: &Disjunct) -> Option<Vec<Place>> {
    let narrows = |condition: &&Condition| {
        matches!(
            condition.test,
            Test::Less(_) | Test::LessOrEqual(_) | Test::Greater(_) | Test::GreaterOrEqual(_)
        )
    };
    let first = query.orders.first()?;
    let by_cursor = cursors(query);
    let field = disjunct.iter().find(narrows).map(|condition| &condition.field);
    let field = match field {
        Some(field) => field,
        None if by_cursor != Interval::default() => &first.field,
        None => return None,
    };
    let mut intervals = if field.is_document_id() {
        vec![ranges::name_interval(disjunct)]
    } else {
        let conditions = disjunct.iter().filter(|condition| condition.field == *field);
        conditions.filter_map(|condition| ranges::value_intervals(&condition.test)).fold(
            vec![Interval::default()],
            |all, (allowed, _)| {
                let shared = |left: &Interval| {
                    allowed.iter().filter_map(|right| left.intersect(right)).collect::<Vec<_>>()
                };
                all.iter().flat_map(shared).collect()
            },
        )
    };
    if *field == first.field {
        intervals = intervals.iter().filter_map(|interval| interval.intersect(&by_cursor)).collect();
    }
    let place = |interval| Place::Stretch(Component { field: field.clone(), elements: false }, interval);
    Some(intervals.into_iter().map(place).collect())
}

/// The values of the first ordered field between the cursors, those at the cursors included.
fn cursors(query: &Query) -> Interval {
    let Some(first) = query.orders.first() else { return Interval::default() };
    let bytes = |cursor: &Cursor| {
        let value = cursor.values.first()?;
        Some(if first.field.is_document_id() { position::reference_bytes(value) } else { value_bytes(value) })
    };
    let (start, end) = (query.start.as_ref().and_then(bytes), query.end.as_ref().and_then(bytes));
    let (least, most) = if first.descending { (end, start) } else { (start, end) };
    Interval { start: least.map(Edge::before), end: most.map(Edge::after) }
}

impl Interest {
    /// Adds a view. Returns where it lies, for [`Interest::remove`].
    pub fn add(&mut self, database: &DatabaseName, query: &Query, view: ViewId) -> Places {
        let bucket = match &query.scope {
            Scope::Group { id, .. } => {
                self.groups.entry(database.clone()).or_default().entry(id.clone()).or_default()
            }
            scope => self.collections.entry(collection_of(database, scope)).or_default(),
        };
        let places = Places::of(query, bucket);
        bucket.add(&places, view);
        places
    }

    /// Takes a view out.
    pub fn remove(&mut self, database: &DatabaseName, query: &Query, places: &Places, view: ViewId) {
        match &query.scope {
            Scope::Group { id, .. } => {
                let Some(groups) = self.groups.get_mut(database) else { return };
                if groups.get_mut(id).is_some_and(|bucket| bucket.remove(places, view)) {
                    groups.remove(id);
                }
                if groups.is_empty() {
                    self.groups.remove(database);
                }
            }
            scope => {
                let collection = collection_of(database, scope);
                if self.collections.get_mut(&collection).is_some_and(|bucket| bucket.remove(places, view)) {
                    self.collections.remove(&collection);
                }
            }
        }
    }

    /// Whether any view may be concerned with documents where this one is.
    pub fn is_near(&self, database: &DatabaseName, path: &DocumentPath) -> bool {
        self.buckets(database, path).next().is_some()
    }

    /// The views that a document may concern with one of these states.
    pub fn of(
        &self,
        database: &DatabaseName,
        path: &DocumentPath,
        states: [Option<&Fields>; 2],
    ) -> BTreeSet<ViewId> {
        let mut found = BTreeSet::new();
        for bucket in self.buckets(database, path) {
            found.extend(&bucket.all);
            bucket.find_named(path, &mut found);
            for fields in states.into_iter().flatten() {
                bucket.find(fields, &mut found);
            }
        }
        found
    }

    fn buckets(&self, database: &DatabaseName, path: &DocumentPath) -> impl Iterator<Item = &Bucket> {
        let collection = self.collections.get(&key::collection_prefix(database, path.collection()));
        let group = self.groups.get(database).and_then(|groups| groups.get(path.collection_id()));
        collection.into_iter().chain(group)
    }
}

fn collection_of(database: &DatabaseName, scope: &Scope) -> Vec<u8> {
    match scope {
        Scope::Collection(path) | Scope::Children(path) | Scope::Descendants(path) => {
            key::collection_prefix(database, path.segments())
        }
        Scope::Group { .. } => Vec::new(),
    }
}

impl Component {
    fn first_name(&self) -> &str {
        self.field.segments().first().map(String::as_str).unwrap_or_default()
    }
}

impl Values {
    fn find(&self, value: &[u8], found: &mut BTreeSet<ViewId>) {
        found.extend(self.points.get(value).into_iter().flatten());
        self.ranges.find(value, &mut |view| {
            found.insert(view);
        });
    }
}

impl Bucket {
    /// How many views lie at a value.
    fn views_at(&self, place: &Place) -> usize {
        let Place::Value(component, value) = place else { return 0 };
        let values = self.fields.get(component.first_name()).and_then(|fields| fields.get(component));
        values.and_then(|values| values.points.get(value)).map_or(0, BTreeSet::len)
    }

    fn find(&self, fields: &Fields, found: &mut BTreeSet<ViewId>) {
        if self.fields.is_empty() {
            return;
        }
        for components in fields.keys().filter_map(|name| self.fields.get(name)) {
            for (component, values) in components {
                match component.field.get(fields) {
                    Some(Value::Array(items)) if component.elements => {
                        items.iter().for_each(|item| values.find(&value_bytes(item), found));
                    }
                    Some(value) if !component.elements => values.find(&value_bytes(value), found),
                    _ => {}
                }
            }
        }
    }

    fn find_named(&self, path: &DocumentPath, found: &mut BTreeSet<ViewId>) {
        let Some(components) = self.fields.get(DOCUMENT_ID) else { return };
        let path = position::path_bytes(path.segments());
        let named = components.iter().filter(|(component, _)| component.field.is_document_id());
        named.for_each(|(_, values)| values.find(&path, found));
    }

    fn values(&mut self, component: &Component) -> &mut Values {
        let fields = self.fields.entry(component.first_name().to_owned()).or_default();
        fields.entry(component.clone()).or_default()
    }

    fn add(&mut self, places: &Places, view: ViewId) {
        let Some(places) = &places.0 else {
            self.all.insert(view);
            return;
        };
        for place in places {
            match place {
                Place::Value(component, value) => {
                    self.values(component).points.entry(value.clone()).or_default().insert(view);
                }
                Place::Stretch(component, interval) => self.values(component).ranges.add(interval, view),
            }
        }
    }

    /// Takes a view out. Returns whether the bucket is empty then.
    fn remove(&mut self, places: &Places, view: ViewId) -> bool {
        let Some(places) = &places.0 else {
            self.all.remove(&view);
            return self.all.is_empty() && self.fields.is_empty();
        };
        for place in places {
            let (Place::Value(component, _) | Place::Stretch(component, _)) = place;
            let Some(fields) = self.fields.get_mut(component.first_name()) else { continue };
            let Some(values) = fields.get_mut(component) else { continue };
            match place {
                Place::Value(_, value) => {
                    if let Some(views) = values.points.get_mut(value) {
                        views.remove(&view);
                        if views.is_empty() {
                            values.points.remove(value);
                        }
                    }
                }
                Place::Stretch(_, interval) => values.ranges.remove(interval, view),
            }
            if values.points.is_empty() && values.ranges.is_empty() {
                fields.remove(component);
            }
            if fields.is_empty() {
                self.fields.remove(component.first_name());
            }
        }
        self.all.is_empty() && self.fields.is_empty()
    }
}
