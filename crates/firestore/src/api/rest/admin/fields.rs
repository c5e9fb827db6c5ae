//! Fields with other indexes than the automatic ones, and TTL policies.

use base::{DatabaseName, FieldPath, Status};
use http::Method;
use serde_json::{Value as Json, json};

use super::indexes::kind;
use super::{Call, metadata, not_found, typed};
use crate::query::index::field::{FieldConfig, FieldIndex};
use crate::query::index::{Breadth, Kind};

fn as_json(database: &DatabaseName, group: &str, field: &FieldPath, config: &FieldConfig) -> Json {
    let index = |index: &FieldIndex| {
        let scope = match index.breadth {
            Breadth::Collection => "COLLECTION",
            Breadth::Group => "COLLECTION_GROUP",
        };
        let field = match index.kind {
            Kind::Ascending => json!({ "fieldPath": field.to_string(), "order": "ASCENDING" }),
            Kind::Descending => json!({ "fieldPath": field.to_string(), "order": "DESCENDING" }),
            Kind::Contains => json!({ "fieldPath": field.to_string(), "arrayConfig": "CONTAINS" }),
            Kind::Vector(dimension) => json!({
                "fieldPath": field.to_string(), "vectorConfig": { "dimension": dimension, "flat": {} },
            }),
        };
        json!({ "queryScope": scope, "fields": [field], "state": "READY" })
    };
    let own = config.indexes.as_deref();
    let indexes: Vec<Json> = own.unwrap_or(&FieldConfig::AUTOMATIC).iter().map(index).collect();
    let mut index_config = json!({ "indexes": indexes });
    if let (None, Some(config)) = (own, index_config.as_object_mut()) {
        config.insert("usesAncestorConfig".to_owned(), true.into());
        let ancestor = format!("{database}/collectionGroups/__default__/fields/*");
        config.insert("ancestorField".to_owned(), ancestor.into());
    }
    let name = format!("{database}/collectionGroups/{group}/fields/{field}");
    let mut whole = json!({ "name": name, "indexConfig": index_config });
    if let (true, Some(whole)) = (config.ttl, whole.as_object_mut()) {
        whole.insert("ttlConfig".to_owned(), json!({ "state": "ACTIVE" }));
    }
    whole
}

/// `GET …/collectionGroups/G/fields?filter=…`; `-` are all groups.
pub(super) async fn all(call: &Call<'_>, database: &DatabaseName, group: &str) -> Result<Json, Status> {
    if call.method != Method::GET {
        return Err(not_found());
    }
    let filter = call.parameter("filter").unwrap_or_default();
    let of_indexes = filter.contains("indexConfig.usesAncestorConfig");
    let of_ttl = filter.contains("ttlConfig");
    if !of_indexes && !of_ttl {
        return Err(Status::invalid(
            "`filter` must be `indexConfig.usesAncestorConfig:false`, `ttlConfig:*`, or both with OR.",
        ));
    }
    let all = call.firestore.list_fields(&call.caller, database).await?;
    let wanted = all.iter().filter(|((of, _), config)| {
        (group == "-" || of == group) && (of_indexes && config.indexes.is_some() || of_ttl && config.ttl)
    });
    let wanted: Vec<Json> =
        wanted.map(|((group, field), config)| as_json(database, group, field, config)).collect();
    Ok(json!({ "fields": wanted }))
}

/// `GET` and `PATCH …/collectionGroups/G/fields/PATH`.
pub(super) async fn one(
    call: &Call<'_>,
    database: &DatabaseName,
    group: &str,
    field: &str,
) -> Result<Json, Status> {
    if field == "*" || group == "__default__" {
        return Err(Status::invalid("What holds for every field cannot be changed."));
    }
    let field = FieldPath::parse(field).map_err(|error| Status::invalid(error.to_string()))?;
    match call.method {
        Method::GET => {
            let all = call.firestore.list_fields(&call.caller, database).await?;
            let config = all.get(&(group.to_owned(), field.clone())).cloned().unwrap_or_default();
            Ok(as_json(database, group, &field, &config))
        }
        Method::PATCH => {
            let (asked, mask) = (read(&call.body)?, call.parameter("updateMask"));
            let masked = |name: &str| {
                let camel = name.replace("_config", "Config");
                mask.as_deref().is_none_or(|mask| {
                    mask.split(',').any(|path| path.starts_with(name) || path.starts_with(&camel))
                })
            };
            let (of_indexes, of_ttl) = (masked("index_config"), masked("ttl_config"));
            let change = |before: FieldConfig| FieldConfig {
                indexes: if of_indexes { asked.indexes.clone() } else { before.indexes },
                ttl: if of_ttl { asked.ttl } else { before.ttl },
            };
            let updated = call.firestore.update_field(&call.caller, database, group, &field, change).await?;
            let whole = as_json(database, group, &field, &updated);
            let name = format!("{database}/collectionGroups/{group}/fields/{field}");
            let metadata = metadata("FieldOperationMetadata", "field", &name, true);
            Ok(call.firestore.begin_work(database, metadata, Some(Ok(typed("Field", whole))))?.json())
        }
        _ => Err(not_found()),
    }
}

/// Reads a `google.firestore.admin.v1.Field`. Without `indexConfig` the automatic indexes come back.
fn read(body: &Json) -> Result<FieldConfig, Status> {
    let ttl = body.get("ttlConfig").is_some_and(|ttl| !ttl.is_null());
    let Some(config) = body.get("indexConfig").filter(|config| !config.is_null()) else {
        return Ok(FieldConfig { indexes: None, ttl });
    };
    let listed = config.get("indexes").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut indexes = Vec::with_capacity(listed.len().min(8));
    for index in listed.iter().take(8) {
        let breadth = match index.get("queryScope").and_then(Json::as_str) {
            None | Some("QUERY_SCOPE_UNSPECIFIED" | "COLLECTION") => Breadth::Collection,
            Some("COLLECTION_GROUP") => Breadth::Group,
            Some(_) => return Err(Status::invalid("`queryScope` must be COLLECTION or COLLECTION_GROUP.")),
        };
        let field = index.get("fields").and_then(Json::as_array).and_then(|fields| fields.first());
        let text = |name: &str| field.and_then(|field| field.get(name)).and_then(Json::as_str);
        indexes.push(FieldIndex { breadth, kind: kind(text("order"), text("arrayConfig"))? });
    }
    Ok(FieldConfig { indexes: Some(indexes), ttl })
}
