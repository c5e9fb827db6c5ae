//! Indexes on several fields. Those on one field are the fields' own.

use std::sync::Arc;

use base::{Code, DatabaseName, FieldPath, Status};
use http::Method;
use serde_json::{Value as Json, json};

use super::{Call, metadata, not_found, typed};
use crate::query::index::{Breadth, Component, Definition, Kind, Spec, State};
use crate::query::nearest::DIMENSIONS_MAX;

fn as_json(database: &DatabaseName, definition: &Definition) -> Json {
    let spec = Spec::of(&definition.shape, definition.name_descends);
    let name = format!("{database}/collectionGroups/{}/indexes/{}", spec.group, definition.id);
    let state = if definition.state == State::Readable { "READY" } else { "CREATING" };
    json!({
        "name": name,
        "queryScope": spec.scope(),
        "fields": spec.whole_fields_json(),
        "state": state,
    })
}

/// `GET` and `POST …/collectionGroups/G/indexes`; `-` are all groups.
pub(super) async fn all(call: &Call<'_>, database: &DatabaseName, group: &str) -> Result<Json, Status> {
    match call.method {
        Method::GET => {
            let all = call.firestore.composite_indexes(&call.caller, database).await?;
            let wanted = all.iter().filter(|found| group == "-" || found.shape.group == group);
            let wanted: Vec<Json> = wanted.map(|found| as_json(database, found)).collect();
            Ok(json!({ "indexes": wanted }))
        }
        Method::POST => create(call, database, group).await,
        _ => Err(not_found()),
    }
}

/// `GET` and `DELETE …/collectionGroups/G/indexes/ID`.
pub(super) async fn one(
    call: &Call<'_>,
    database: &DatabaseName,
    group: &str,
    id: &str,
) -> Result<Json, Status> {
    let all = call.firestore.composite_indexes(&call.caller, database).await?;
    let found = all.iter().find(|found| found.shape.group == group && found.id.to_string() == id);
    let found = found.ok_or_else(|| Status::new(Code::NotFound, "Requested entity was not found."))?;
    match call.method {
        Method::GET => Ok(as_json(database, found)),
        Method::DELETE => {
            call.firestore.drop_index_of(&call.caller, database, found.id).await?;
            Ok(json!({}))
        }
        _ => Err(not_found()),
    }
}

async fn create(call: &Call<'_>, database: &DatabaseName, group: &str) -> Result<Json, Status> {
    let spec = read(group, &call.body)?;
    let defined = call.firestore.define_index(&call.caller, database, &spec).await?;
    let name = format!("{database}/collectionGroups/{group}/indexes/{}", defined.id);
    let metadata = metadata("IndexOperationMetadata", "index", &name, false);
    let work = call.firestore.begin_work(database, metadata, None)?;
    let answer = work.json();
    let (firestore, database) = (Arc::clone(call.firestore), database.clone());
    tokio::spawn(async move {
        let filled = firestore.fill_index(&database, defined.clone()).await;
        let built = Definition { state: State::Readable, ..defined };
        firestore.end_work(&work, filled.map(|()| typed("Index", as_json(&database, &built))));
    });
    Ok(answer)
}

/// Reads a `google.firestore.admin.v1.Index`.
fn read(group: &str, body: &Json) -> Result<Spec, Status> {
    let breadth = match body.get("queryScope").and_then(Json::as_str) {
        None | Some("QUERY_SCOPE_UNSPECIFIED" | "COLLECTION") => Breadth::Collection,
        Some("COLLECTION_GROUP") => Breadth::Group,
        Some(_) => return Err(Status::invalid("`queryScope` must be COLLECTION or COLLECTION_GROUP.")),
    };
    let fields = body.get("fields").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let fields = fields.iter().map(component).collect::<Result<Vec<_>, _>>()?;
    let spec = Spec::written(group, breadth, fields).map_err(Status::invalid)?;
    let is_vector = spec.fields.last().is_some_and(|last| matches!(last.kind, Kind::Vector(_)));
    if spec.fields.len() < 2 && !is_vector {
        let text = "this index is not necessary, configure using single field index controls";
        return Err(Status::invalid(text));
    }
    Ok(spec)
}

/// A field of an index: its path, and `order`, `arrayConfig` or `vectorConfig`.
pub(super) fn component(field: &Json) -> Result<Component, Status> {
    let text = |name: &str| field.get(name).and_then(Json::as_str);
    let path = text("fieldPath").unwrap_or_default();
    let path = FieldPath::parse(path).map_err(|error| Status::invalid(format!("`fieldPath`: {error}")))?;
    let kind = match field.get("vectorConfig") {
        Some(config) if text("order").is_none() && text("arrayConfig").is_none() => vector(config)?,
        Some(_) => return Err(Status::invalid("A field with `vectorConfig` has nothing else.")),
        None => kind(text("order"), text("arrayConfig"))?,
    };
    Ok(Component { field: path, kind })
}

/// `vectorConfig`: a dimension, and `flat`, the only kind there is.
fn vector(config: &Json) -> Result<Kind, Status> {
    let dimension =
        config.get("dimension").and_then(Json::as_u64).and_then(|number| u16::try_from(number).ok());
    let fits = |dimension: &u16| (1..=DIMENSIONS_MAX).contains(&usize::from(*dimension));
    match dimension.filter(fits) {
        Some(dimension) if config.get("flat").is_some() => Ok(Kind::Vector(dimension)),
        _ => Err(Status::invalid("`vectorConfig` must have a `dimension` from 1 to 2048, and `flat`.")),
    }
}

/// `order` or `arrayConfig`.
pub(super) fn kind(order: Option<&str>, array: Option<&str>) -> Result<Kind, Status> {
    match (order, array) {
        (Some("ASCENDING"), None) => Ok(Kind::Ascending),
        (Some("DESCENDING"), None) => Ok(Kind::Descending),
        (None, Some("CONTAINS")) => Ok(Kind::Contains),
        _ => {
            let text = "A field has either `order` (ASCENDING or DESCENDING) or `arrayConfig` (CONTAINS).";
            Err(Status::invalid(text))
        }
    }
}
