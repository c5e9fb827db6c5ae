//! What a client asks to listen to, read and checked.

use std::sync::Arc;

use base::{DatabaseName, DocumentPath, Status};
use prost::Message;
use wire::v1;
use wire::v1::target::query_target::QueryType;
use wire::v1::target::{DocumentsTarget, QueryTarget, TargetType};

use crate::query::{self, Query, Scope};
use crate::status;
use crate::write::document_path;

/// Documents of one target.
pub const DOCUMENTS_MAX: usize = 1_000;

/// What a target is about.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Documents by name, each once.
    Documents(Vec<DocumentPath>),
    /// The result of a query; two that are the same have the same key.
    Query {
        /// The query.
        query: Arc<Query>,
        /// What it is known by.
        key: Arc<[u8]>,
    },
}

impl Asked {
    /// Reads a target of a database.
    ///
    /// Errors: `INVALID_ARGUMENT`, which ends the target and not the stream.
    pub fn read(database: &DatabaseName, target: Option<TargetType>) -> Result<Self, Status> {
        match target.ok_or_else(|| status::missing_part("A target type"))? {
            TargetType::Documents(documents) => read_documents(database, documents),
            TargetType::Query(query) => read_query(database, query),
        }
    }
}

fn read_documents(database: &DatabaseName, target: DocumentsTarget) -> Result<Asked, Status> {
    if target.documents.is_empty() {
        return Err(status::missing_part("A document"));
    }
    if target.documents.len() > DOCUMENTS_MAX {
        return Err(status::too_many_documents(DOCUMENTS_MAX));
    }
    let paths = target.documents.iter().map(|name| document_path(database, name));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    paths.dedup();
    Ok(Asked::Documents(paths))
}

fn read_query(database: &DatabaseName, target: QueryTarget) -> Result<Asked, Status> {
    let mut key = target.parent.clone().into_bytes();
    let (of, parent) =
        base::name::parse_resource(&target.parent).map_err(|error| Status::invalid(error.to_string()))?;
    if of != *database {
        return Err(status::other_database(&target.parent, database));
    }
    let Some(QueryType::StructuredQuery(asked)) = target.query_type else {
        return Err(status::missing_part("A structured query"));
    };
    key.push(0);
    asked.encode(&mut key).map_err(|error| Status::invalid(error.to_string()))?;
    let below_document = parent.is_document();
    let query = query::parse(database, &parent, asked)?;
    if query.nearest.is_some() {
        return Err(status::nearest_listen());
    }
    match &query.scope {
        Scope::Children(_) | Scope::Descendants(_) => return Err(status::all_collections_listen()),
        Scope::Group { .. } if below_document => return Err(status::group_below_document_listen()),
        Scope::Group { .. } | Scope::Collection(_) => {}
    }
    Ok(Asked::Query { query: Arc::new(query), key: key.into() })
}

/// Where a target resumes.
pub type Resume = v1::target::ResumeType;
