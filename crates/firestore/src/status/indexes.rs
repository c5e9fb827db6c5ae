//! What a query is answered with that lacks its index.

use base::{Code, DatabaseName, Status};

use crate::query::index::{Breadth, Component, Kind, Missing, Spec};

/// A query without the index that it requires. Production's text and link, and then the command that adds the index to the
/// project's file.
pub fn index_missing(database: &DatabaseName, missing: &Missing) -> Status {
    let Missing { spec, is_building } = missing;
    let link = spec.link(database);
    let text = match (spec.fields.as_slice(), spec.breadth, is_building) {
        (_, _, false) if spec.shape().has_vectors() => vectors_missing(database, spec),
        ([only], Breadth::Group, _) => {
            let kind = match only.kind {
                Kind::Ascending => "COLLECTION_GROUP_ASC",
                Kind::Descending => "COLLECTION_GROUP_DESC",
                Kind::Contains | Kind::Vector(_) => "COLLECTION_GROUP_CONTAINS",
            };
            let state = if *is_building {
                "That index is currently building and cannot be used yet. See its status here"
            } else {
                "You can create it here"
            };
            let (group, field) = (&spec.group, &only.field);
            format!(
                "The query requires a {kind} index for collection {group} and field {field}. {state}: {link}"
            )
        }
        (_, _, true) => format!(
            "The query requires an index. That index is currently building and cannot be used yet. See its status \
             here: {link}"
        ),
        (_, _, false) => format!("The query requires an index. You can create it here: {link}"),
    };
    let command = match is_building {
        true => "hearth indexes list".to_owned(),
        false => format!("hearth indexes add {}", spec.arguments()),
    };
    Status::new(Code::FailedPrecondition, format!("{text} (with Hearth: {command})"))
}

/// Production names no link for an index on vectors, but a command.
fn vectors_missing(database: &DatabaseName, spec: &Spec) -> String {
    let field = |component: &Component| {
        let config = match component.kind {
            Kind::Ascending => "order=ASCENDING".to_owned(),
            Kind::Descending => "order=DESCENDING".to_owned(),
            Kind::Contains => "array-config=CONTAINS".to_owned(),
            Kind::Vector(dimension) => {
                format!(r#"vector-config='{{"dimension":"{dimension}","flat": "{{}}"}}'"#)
            }
        };
        format!(" --field-config={config},field-path={}", component.field)
    };
    let named = match database.database.as_str() {
        "(default)" => String::new(),
        id => format!(" --database={id}"),
    };
    format!(
        "Missing vector index configuration. Please create the required index with the following gcloud command: \
         gcloud firestore indexes composite create --project={}{named} --collection-group={} --query-scope={}{}",
        database.project,
        spec.group,
        spec.scope(),
        spec.fields.iter().map(field).collect::<String>()
    )
}
