//! `PartitionQuery`, for administrators: names that cut a collection group into parts, so that several clients can read it
//! side by side.
//!
//! Page tokens are bound to their request and say behind which name to go on.

use access::Caller;
use base::{DatabaseName, DocumentPath, ResourcePath, Status, Value};
use prost::Message;
use wire::v1;
use wire::v1::partition_query_request::QueryType;

use super::list::Token;
use super::query::query_path;
use super::reading::Selector;
use super::{Firestore, operation};
use crate::model::value::to_wire;
use crate::query::{self, Query, Scope, position, split};
use crate::status;

impl Firestore {
    /// `PartitionQuery`. A query that is not all of a collection group by name is one part.
    pub async fn partition_query(
        &self,
        caller: &Caller,
        request: v1::PartitionQueryRequest,
    ) -> Result<v1::PartitionQueryResponse, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let Some(QueryType::StructuredQuery(asked)) = request.query_type else {
            return Err(Status::invalid("Query is required."));
        };
        let token = Token::of((&request.parent, request.partition_count, asked.encode_to_vec()));
        let asked = query::parse(&database, &parent, asked)?;
        let selector = Selector::from(request.consistency_selector);
        let operation = operation("PartitionQuery", &query_path(&asked));
        let mut reading = self.reading(caller, operation, &database, selector).await?;
        reading.session.authorize_admin(&format!("/{}", query_path(&asked))).map_err(status::refused)?;
        check(&parent, &asked)?;
        let count = usize::try_from(request.partition_count).unwrap_or_default();
        if count == 0 {
            return Err(Status::invalid("Partition count must be greater than zero."));
        }
        let size = usize::try_from(request.page_size).map_err(|_| status::negative_page_size())?;
        let size = if size == 0 { split::CUTS_MAX } else { size };
        let after =
            token.read(&request.page_token)?.map(|place| read_place(&database, &place)).transpose()?;
        let Some(group) = whole_group(&asked) else { return Ok(v1::PartitionQueryResponse::default()) };
        let split = split::split(&mut reading.session, &database, group, count.saturating_add(1)).await?;
        if split.wants_index {
            self.indexes.want(caller, &database, &[split::by_name(group)]);
        }
        reading.finish();
        let mut cuts = split.cuts;
        if let Some(after) = after {
            let after = position::path_bytes(after.segments());
            cuts.retain(|cut| position::path_bytes(cut.segments()) > after);
        }
        let more = cuts.len() > size;
        cuts.truncate(size);
        let next_page_token = match cuts.last() {
            Some(last) if more => token.write(last.name_in(&database).as_bytes()),
            _ => String::new(),
        };
        let cursor = |cut: &DocumentPath| v1::Cursor {
            values: vec![to_wire(Value::Reference(cut.name_in(&database)))],
            before: false,
        };
        Ok(v1::PartitionQueryResponse { partitions: cuts.iter().map(cursor).collect(), next_page_token })
    }
}

/// Refuses what production refuses, in its words.
fn check(parent: &ResourcePath, asked: &Query) -> Result<(), Status> {
    let refused = match asked {
        _ if *parent != ResourcePath::ROOT => "Ancestor queries are not supported.",
        Query { scope: Scope::Collection(_) | Scope::Children(_), .. } => {
            "Query must select all descendant collections."
        }
        Query { limit: Some(_), .. } => "Query limit is not supported.",
        Query { offset: 1.., .. } => "Query offset is not supported.",
        Query { projection: Some(_), .. } => "Property masks are not supported.",
        Query { start: Some(_), .. } => "Query start cursors are not supported.",
        Query { end: Some(_), .. } => "Query end cursors are not supported.",
        _ => return Ok(()),
    };
    Err(Status::invalid(refused))
}

/// The group that a query is all of, when it is written in the order of names.
fn whole_group(asked: &Query) -> Option<&str> {
    let is_plain = asked.disjuncts == [Vec::new()]
        && asked.field_orders().is_empty()
        && asked.orders_explicit == 1
        && !asked.is_reverse();
    match &asked.scope {
        Scope::Group { id, .. } if is_plain => Some(id),
        _ => None,
    }
}

fn read_place(database: &DatabaseName, place: &[u8]) -> Result<DocumentPath, Status> {
    let name = std::str::from_utf8(place).map_err(|_| status::bad_page_token())?;
    match base::name::parse_document(name) {
        Ok((found, path)) if found == *database => Ok(path),
        _ => Err(status::bad_page_token()),
    }
}
