//! From the protocol's query to ours: checks everything once and spells out what is implicit.
//!
//! Source: the documented limits of queries, and the texts of the official emulator, which are the real service's
//! where both are known.

use base::limits::{NOT_IN_VALUES_MAX, QUERY_DISJUNCTIONS_MAX};
use base::name::{NameError, check_id, parse_document};
use base::{DatabaseName, FieldPath, ResourcePath, Status, Value, field};
use wire::v1::structured_query as wq;
use wire::v1::{self, StructuredQuery};

use super::filter::{Condition, Disjunct, Filter, Test};
use super::nearest::Nearest;
use super::shape::{Cursor, Order, Query, Scope};
use crate::model::value::from_wire;

/// Filters, orders and the parent, counted together.
pub const QUERY_COMPONENTS_MAX: usize = 100;
/// Different fields with range or inequality filters.
pub const INEQUALITY_FIELDS_MAX: usize = 10;
/// How deep filters may be nested in filters.
pub const FILTER_DEPTH_MAX: usize = 20;

/// Reads a query that is asked of a parent (the root or a document).
///
/// Errors: `INVALID_ARGUMENT` with the real service's text.
pub fn parse(
    database: &DatabaseName,
    parent: &ResourcePath,
    query: StructuredQuery,
) -> Result<Query, Status> {
    let nearest = query.find_nearest.clone().map(Nearest::parse).transpose()?;
    if nearest.is_some() {
        check_nearest(&query)?;
    }
    let scope = scope(parent, query.from)?;
    let filter = match query.r#where {
        Some(filter) => read_filter(database, filter, 0)?,
        None => Filter::All(Vec::new()),
    };
    let explicit = query.order_by.into_iter().map(read_order).collect::<Result<Vec<_>, _>>()?;
    let disjuncts = check_filter(&filter)?;
    let orders = complete_orders(&filter, explicit.clone())?;
    check_scope(&scope, &filter, &orders)?;
    check_count(&filter, &explicit, parent)?;
    let cursor = |cursor: Option<v1::Cursor>| {
        cursor
            .filter(|cursor| !cursor.values.is_empty())
            .map(|cursor| read_cursor(database, &explicit, cursor))
            .transpose()
    };
    let (start, end) = (cursor(query.start_at)?, cursor(query.end_at)?);
    let offset = usize::try_from(query.offset).map_err(|_| Status::invalid("offset is negative"))?;
    let limit = match query.limit {
        Some(limit) => Some(usize::try_from(limit).map_err(|_| Status::invalid("limit is negative"))?),
        None => None,
    };
    Ok(Query {
        scope,
        filter,
        disjuncts,
        orders_explicit: explicit.len(),
        orders,
        start,
        end,
        offset,
        limit,
        projection: query.select.map(projection).transpose()?.flatten(),
        nearest,
    })
}

/// Refuses what has no meaning beside a search for the nearest.
fn check_nearest(query: &StructuredQuery) -> Result<(), Status> {
    let refused = match query {
        StructuredQuery { limit: Some(_), .. } => "A query limit cannot be used with FindNearest",
        StructuredQuery { offset: 1.., .. } => "A query offset cannot be used with FindNearest",
        StructuredQuery { start_at: Some(_), .. } | StructuredQuery { end_at: Some(_), .. } => {
            "A cursor cannot be used with FindNearest"
        }
        _ => return Ok(()),
    };
    Err(Status::invalid(refused))
}

/// The order of `ListDocuments`, written `rank desc, __name__`, with its implicit last order.
pub fn parse_order_by(text: &str) -> Result<Vec<Order>, Status> {
    let mut orders = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let mut words = part.split_whitespace();
        let field = field_path(words.next().unwrap_or_default())?;
        let descending = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(Status::invalid("Unrecognized ordering.")),
        };
        if words.next().is_some() {
            return Err(Status::invalid("Unrecognized ordering."));
        }
        orders.push(Order { field, descending });
    }
    complete_orders(&Filter::All(Vec::new()), orders)
}

fn scope(parent: &ResourcePath, from: Vec<wq::CollectionSelector>) -> Result<Scope, Status> {
    if parent.is_collection() {
        return Err(Status::invalid("The parent of a query must be a document or the database's root."));
    }
    let mut from = from.into_iter();
    let selector = from.next().unwrap_or_default();
    if from.next().is_some() {
        return Err(Status::invalid("StructuredQuery.from cannot have more than one collection selector."));
    }
    let id = selector.collection_id;
    if !id.is_empty() {
        check_id(&id).map_err(|error| match error {
            NameError::BadId if id.contains('/') => {
                Status::invalid(format!("Collection id \"{id}\" is invalid because it contains \"/\"."))
            }
            error => Status::invalid(error.to_string()),
        })?;
    }
    Ok(match (id.is_empty(), selector.all_descendants) {
        (true, true) => Scope::Descendants(parent.clone()),
        (true, false) => Scope::Children(parent.clone()),
        (false, true) => Scope::Group { parent: parent.clone(), id },
        (false, false) => {
            Scope::Collection(parent.child(id).map_err(|error| Status::invalid(error.to_string()))?)
        }
    })
}

pub(super) fn field_path(text: &str) -> Result<FieldPath, Status> {
    if text.is_empty() {
        return Err(Status::invalid("Invalid empty property path string."));
    }
    let path = FieldPath::parse(text).map_err(|error| match error {
        field::FieldPathError::Malformed(_) => Status::invalid(format!(
            "Invalid property path \"{text}\". Unquoted property paths must match regex \
             ([a-zA-Z_][a-zA-Z_0-9]*), and quoted property paths must match regex (`(?:[^`\\\\]|(?:\\\\.))+`)"
        )),
        error => Status::invalid(error.to_string()),
    })?;
    if !path.is_document_id() && path.segments().iter().any(|segment| base::name::is_reserved(segment)) {
        return Err(Status::invalid(format!("Invalid reserved name in field path {text}")));
    }
    Ok(path)
}

fn reference(field: Option<wq::FieldReference>) -> Result<FieldPath, Status> {
    field_path(&field.unwrap_or_default().field_path)
}

fn read_filter(database: &DatabaseName, filter: wq::Filter, depth: usize) -> Result<Filter, Status> {
    use wq::filter::FilterType;
    if depth > FILTER_DEPTH_MAX {
        return Err(Status::invalid(format!(
            "Filters are nested too deeply: the maximum is {FILTER_DEPTH_MAX} levels."
        )));
    }
    match filter.filter_type.ok_or_else(|| Status::invalid("Unknown Filter type."))? {
        FilterType::CompositeFilter(composite) => {
            use wq::composite_filter::Operator;
            let operator = composite.op();
            if composite.filters.is_empty() && operator == Operator::Or {
                return Err(Status::invalid("Composite filter must have at least one sub-filter."));
            }
            let parts = composite
                .filters
                .into_iter()
                .map(|part| read_filter(database, part, depth + 1))
                .collect::<Result<Vec<_>, _>>()?;
            match operator {
                Operator::And => Ok(Filter::All(distinct(parts))),
                Operator::Or => Ok(Filter::Any(parts)),
                Operator::Unspecified => Err(Status::invalid("Unsupported CompositeFilter operator.")),
            }
        }
        FilterType::FieldFilter(filter) => read_field_filter(database, filter),
        FilterType::UnaryFilter(filter) => {
            use wq::unary_filter::{OperandType, Operator};
            let test = match filter.op() {
                Operator::IsNan => Test::IsNan,
                Operator::IsNull => Test::IsNull,
                Operator::IsNotNan => Test::IsNotNan,
                Operator::IsNotNull => Test::IsNotNull,
                Operator::Unspecified => return Err(Status::invalid("Unknown UnaryFilter operator.")),
            };
            let Some(OperandType::Field(field)) = filter.operand_type else {
                return Err(Status::invalid("Unsupported UnaryFilter operand type (non-FIELD)."));
            };
            let field = reference(Some(field))?;
            if field.is_document_id() {
                return Err(not_a_key());
            }
            Ok(Filter::One(Condition { field, test }))
        }
    }
}

/// The parts of a conjunction without those that are there twice.
fn distinct(parts: Vec<Filter>) -> Vec<Filter> {
    let mut distinct: Vec<Filter> = Vec::with_capacity(parts.len());
    for part in parts {
        if !matches!(part, Filter::One(_)) || !distinct.contains(&part) {
            distinct.push(part);
        }
    }
    distinct
}

fn not_a_key() -> Status {
    Status::invalid("__key__ filter value must be a Key")
}

/// Checks a value that `__name__` is compared with.
fn check_key(database: &DatabaseName, value: &Value) -> Result<(), Status> {
    let Value::Reference(name) = value else { return Err(not_a_key()) };
    let (of, _) = parse_document(name).map_err(|error| not_a_document(name, error))?;
    if of != *database {
        return Err(Status::invalid(format!(
            "The request was for database '{database}' but was attempting to access database '{of}'"
        )));
    }
    Ok(())
}

fn not_a_document(name: &str, error: NameError) -> Status {
    match error {
        NameError::NotADocument(..) => {
            Status::invalid(format!("Resource name \"{name}\" lacks \"/\" at index {}.", name.len()))
        }
        error => Status::invalid(error.to_string()),
    }
}

fn read_field_filter(database: &DatabaseName, filter: wq::FieldFilter) -> Result<Filter, Status> {
    use wq::field_filter::Operator;
    let operator = filter.op();
    let field = reference(filter.field)?;
    let value = filter
        .value
        .filter(|value| value.value_type.is_some())
        .ok_or_else(|| Status::invalid("Cannot convert firestore.v1.Value with type unset."))?;
    let value = from_wire(value)?;
    let list = |value: Value, max: usize| {
        let name = operator.as_str_name();
        match value {
            Value::Array(items) if items.is_empty() => {
                Err(Status::invalid(format!("'{name}' requires an non-empty ArrayValue.")))
            }
            Value::Array(items) if items.len() > max => {
                Err(Status::invalid(format!("'{name}' supports up to {max} comparison values.")))
            }
            Value::Array(items) => Ok(items),
            _ => Err(Status::invalid(format!("'{name}' requires an ArrayValue."))),
        }
    };
    let test = match operator {
        Operator::LessThan => Test::Less(value),
        Operator::LessThanOrEqual => Test::LessOrEqual(value),
        Operator::GreaterThan => Test::Greater(value),
        Operator::GreaterThanOrEqual => Test::GreaterOrEqual(value),
        Operator::Equal => Test::Equal(value),
        Operator::NotEqual => Test::NotEqual(value),
        Operator::ArrayContains => Test::ArrayContains(value),
        Operator::In => Test::In(list(value, QUERY_DISJUNCTIONS_MAX)?),
        Operator::ArrayContainsAny => Test::ArrayContainsAny(list(value, QUERY_DISJUNCTIONS_MAX)?),
        Operator::NotIn => Test::NotIn(list(value, NOT_IN_VALUES_MAX)?),
        Operator::Unspecified => return Err(Status::invalid("Unknown FieldFilter operator.")),
    };
    if field.is_document_id() {
        match &test {
            Test::ArrayContains(_) | Test::ArrayContainsAny(_) => {
                return Err(Status::invalid("the name __key__ is reserved"));
            }
            Test::In(values) | Test::NotIn(values) => {
                values.iter().try_for_each(|value| check_key(database, value))?;
            }
            Test::Equal(value)
            | Test::NotEqual(value)
            | Test::Less(value)
            | Test::LessOrEqual(value)
            | Test::Greater(value)
            | Test::GreaterOrEqual(value) => check_key(database, value)?,
            Test::IsNull | Test::IsNan | Test::IsNotNull | Test::IsNotNan | Test::Present => {}
        }
    }
    Ok(Filter::One(Condition { field, test }))
}

/// Checks what operators may stand together, and gives the normal form.
fn check_filter(filter: &Filter) -> Result<Vec<Disjunct>, Status> {
    let conditions = filter.conditions();
    let negations = conditions
        .iter()
        .filter(|condition| {
            matches!(condition.test, Test::NotEqual(_) | Test::NotIn(_) | Test::IsNotNan | Test::IsNotNull)
        })
        .count();
    if negations > 1 {
        return Err(Status::invalid(
            "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.",
        ));
    }
    let has_not_in = conditions.iter().any(|condition| matches!(condition.test, Test::NotIn(_)));
    let has_any =
        conditions.iter().any(|condition| matches!(condition.test, Test::In(_) | Test::ArrayContainsAny(_)));
    if has_not_in && (has_any || has_or(filter)) {
        return Err(Status::invalid(
            "'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.",
        ));
    }
    let disjuncts = filter.disjuncts()?;
    for disjunct in &disjuncts {
        let contains = disjunct.iter().filter(|condition| matches!(condition.test, Test::ArrayContains(_)));
        if contains.count() > 1 {
            return Err(Status::invalid(
                "A maximum of 1 'ARRAY_CONTAINS' filter is allowed per disjunction.",
            ));
        }
    }
    let inequalities = inequality_fields(filter);
    if inequalities.len() > INEQUALITY_FIELDS_MAX {
        let names: Vec<_> = inequalities.iter().map(ToString::to_string).collect();
        return Err(Status::invalid(format!(
            "The query contains {} distinct inequality fields: [{}]. A query may not have more than \
             {INEQUALITY_FIELDS_MAX} distinct inequality fields.",
            inequalities.len(),
            names.join(", ")
        )));
    }
    let name_is_fixed = conditions.iter().any(|condition| {
        condition.field.is_document_id() && matches!(condition.test, Test::Equal(_) | Test::In(_))
    });
    let others = inequalities.iter().any(|field| !field.is_document_id());
    if name_is_fixed && others && !inequalities.iter().any(FieldPath::is_document_id) {
        return Err(Status::invalid(
            "Equality on key is not allowed if there are other inequality fields and key does not appear in \
             inequalities.",
        ));
    }
    Ok(disjuncts)
}

fn has_or(filter: &Filter) -> bool {
    match filter {
        Filter::Any(_) => true,
        Filter::All(parts) => parts.iter().any(has_or),
        Filter::One(_) => false,
    }
}

/// The fields with range or inequality filters that anything could pass, in path order.
fn inequality_fields(filter: &Filter) -> Vec<FieldPath> {
    let mut fields: Vec<_> = filter
        .conditions()
        .into_iter()
        .filter(|condition| condition.test.is_inequality() && !condition.test.is_impossible())
        .map(|condition| condition.field.clone())
        .collect();
    fields.sort();
    fields.dedup();
    fields
}

fn read_order(order: wq::Order) -> Result<Order, Status> {
    let descending = order.direction() == wq::Direction::Descending;
    Ok(Order { field: reference(order.field)?, descending })
}

/// Adds the other inequality fields in path order, then the name, in the last direction given.
fn complete_orders(filter: &Filter, mut orders: Vec<Order>) -> Result<Vec<Order>, Status> {
    let descending = orders.last().is_some_and(|order| order.descending);
    for field in inequality_fields(filter) {
        if !field.is_document_id() && orders.iter().all(|order| order.field != field) {
            orders.push(Order { field, descending });
        }
    }
    if let Some(at) = orders.iter().position(|order| order.field.is_document_id()) {
        if at + 1 < orders.len() {
            return Err(Status::invalid("order by clause cannot contain more fields after the key"));
        }
    } else {
        orders.push(Order { field: FieldPath::single(field::DOCUMENT_ID), descending });
    }
    for (index, order) in orders.iter().enumerate() {
        if orders.iter().take(index).any(|earlier| earlier.field == order.field) {
            return Err(Status::invalid(format!(
                "order by clause cannot contain duplicate fields {}",
                order.field
            )));
        }
    }
    Ok(orders)
}

/// Checks what the scope allows.
fn check_scope(scope: &Scope, filter: &Filter, orders: &[Order]) -> Result<(), Status> {
    let by_name_ascending = matches!(orders, [name] if !name.descending);
    let other = filter.conditions().into_iter().find(|condition| !condition.field.is_document_id());
    match scope {
        Scope::Collection(_) => Ok(()),
        Scope::Group { parent, .. } => {
            if *parent != ResourcePath::ROOT && (!by_name_ascending || other.is_some()) {
                return Err(Status::invalid("collection group queries are only allowed at the root parent"));
            }
            Ok(())
        }
        Scope::Children(_) | Scope::Descendants(_) => match other {
            Some(condition) => {
                Err(Status::invalid(format!("kind is required for filter: {}", condition.field)))
            }
            None if !by_name_ascending => {
                Err(Status::invalid("kind is required for all orders except __key__ ascending"))
            }
            None => Ok(()),
        },
    }
}

fn check_count(filter: &Filter, explicit: &[Order], parent: &ResourcePath) -> Result<(), Status> {
    let mut conditions = filter.conditions();
    conditions.dedup();
    let (filters, orders) = (conditions.len(), explicit.len());
    let ancestor = usize::from(*parent != ResourcePath::ROOT);
    if filters + orders + ancestor > QUERY_COMPONENTS_MAX {
        let article = if ancestor == 0 { "no" } else { "an" };
        return Err(Status::invalid(format!(
            "The query may not have more than {QUERY_COMPONENTS_MAX} filters + sort orders + ancestor total. \
             Currently there are {filters} filters, {orders} sort orders, and {article} ancestor filter."
        )));
    }
    Ok(())
}

fn read_cursor(database: &DatabaseName, orders: &[Order], cursor: v1::Cursor) -> Result<Cursor, Status> {
    if cursor.values.len() > orders.len() {
        return Err(Status::invalid("Cursor has too many values."));
    }
    let mut values = Vec::with_capacity(cursor.values.len());
    for (value, order) in cursor.values.into_iter().zip(orders) {
        let value = from_wire(value)?;
        if order.field.is_document_id() {
            let Value::Reference(name) = &value else {
                return Err(Status::invalid("Cursor __key__ value is not a document reference."));
            };
            let (of, _) = parse_document(name).map_err(|error| not_a_document(name, error))?;
            if of != *database {
                return Err(Status::invalid("The cursor key is in a different database than the query"));
            }
        }
        values.push(value);
    }
    Ok(Cursor { values, before: cursor.before })
}

/// The fields to give: none for `__name__` alone, all when none are listed.
fn projection(select: wq::Projection) -> Result<Option<Vec<FieldPath>>, Status> {
    if select.fields.is_empty() {
        return Ok(None);
    }
    let paths =
        select.fields.into_iter().map(|field| reference(Some(field))).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(paths.into_iter().filter(|path| !path.is_document_id()).collect()))
}
