//! Listing: the documents of a collection page by page, and the collections under a parent.
//!
//! Page tokens are opaque and bound to their request: a check sum of what was asked, then where to go on.

use std::hash::{DefaultHasher, Hash, Hasher};

use access::keyspace::DOCUMENTS;
use access::{Caller, Session};
use base::key::{push_segment, split_segment};
use base::{DatabaseName, DocumentPath, FieldPath, Fields, ResourcePath, Status, Value};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kv::{Key, KeyRange, Row, Scan};
use prost::Message;
use wire::v1;

use super::present::allow_now;
use super::query::{authorize_reading, not_literal};
use super::reading::Selector;
use super::{Firestore, invalid, operation};
use crate::model::value::{from_wire, to_wire};
use crate::model::{Stored, key};
use crate::query::{self, Cursor, Found, IndexUse, Query, Scope};
use crate::status;
use crate::write::{decode_mask, project};

/// Documents or collections per page when the request does not say.
const PAGE_DEFAULT: usize = 100;
/// Documents or collections per page at most.
const PAGE_MAX: usize = 1_000;
/// Stored bytes after which a page ends early.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Bytes of the check sum in a page token.
const SUM_LEN: usize = 8;

/// Where a page token goes on, and the request it is good for.
pub(super) struct Token {
    sum: [u8; SUM_LEN],
}

impl Token {
    pub(super) fn of(request: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        request.hash(&mut hasher);
        Self { sum: hasher.finish().to_be_bytes() }
    }

    pub(super) fn write(&self, place: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode([&self.sum, place].concat())
    }

    /// The place in a token; `None` for an empty token, the first page.
    pub(super) fn read(&self, token: &str) -> Result<Option<Vec<u8>>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| status::bad_page_token())?;
        let place = bytes.strip_prefix(&self.sum).ok_or_else(status::bad_page_token)?;
        Ok(Some(place.to_vec()))
    }
}

fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked).map_err(|_| status::negative_page_size())? {
        0 => Ok(PAGE_DEFAULT),
        asked => Ok(asked.min(PAGE_MAX)),
    }
}

/// A document of a listing: one that exists, or the name of one that only has sub-collections.
enum Listed {
    Found(Found),
    Missing(DocumentPath),
}

impl Listed {
    fn found(&self) -> Option<&Found> {
        match self {
            Listed::Found(found) => Some(found),
            Listed::Missing(_) => None,
        }
    }
}

impl Firestore {
    /// `ListDocuments`.
    pub async fn list_documents(
        &self,
        caller: &Caller,
        request: v1::ListDocumentsRequest,
    ) -> Result<v1::ListDocumentsResponse, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let size = page_size(request.page_size)?;
        let mask = decode_mask(request.mask)?;
        let token =
            Token::of((&request.parent, &request.collection_id, &request.order_by, request.show_missing));
        let place = token.read(&request.page_token)?;
        if request.show_missing && !request.order_by.is_empty() {
            return Err(status::ordered_and_missing());
        }
        let scope = if request.collection_id.is_empty() {
            Scope::Children(parent)
        } else {
            Scope::Collection(parent.child(request.collection_id).map_err(invalid)?)
        };
        let mut asked = Query::all(scope);
        if !request.order_by.is_empty() {
            asked.orders = query::parse_order_by(&request.order_by)?;
            asked.orders_explicit = asked.orders.len();
            if matches!(asked.scope, Scope::Children(_)) && !is_by_name_ascending(&asked) {
                return Err(status::kind_required());
            }
        }
        asked.start = place.map(|place| read_place(&database, &asked, &place)).transpose()?;
        // One more than a page shows whether there is another.
        asked.limit = Some(size + 1);
        let subject = query::proof_path(&asked);
        let subject = ResourcePath::from_segments(subject).map_err(invalid)?;
        let selector = Selector::from(request.consistency_selector);
        let mut reading =
            self.reading(caller, operation("ListDocuments", &subject), &database, selector).await?;
        let in_transaction = reading.in_transaction();
        let mut proved = asked.clone();
        proved.limit = Some(size);
        let (literally, past) = authorize_reading(&mut reading, &database, &proved).await?;
        if literally {
            return Err(not_literal(&mut reading.session));
        }
        let (mut listed, more) = match &asked.scope {
            Scope::Collection(collection) if request.show_missing => {
                list_missing(&mut reading.session, &database, collection, asked.start.as_ref(), size).await?
            }
            _ => list_found(&mut reading.session, &database, &asked, &self.indexes, size).await?,
        };
        listed.truncate(size);
        if past {
            let found = listed.iter().filter_map(Listed::found).cloned().collect::<Vec<_>>();
            allow_now(&reading.session, &database, &found, in_transaction).await?;
        }
        let next_page_token = match listed.last() {
            Some(last) if more => token.write(&write_place(&database, &asked, last)?),
            _ => String::new(),
        };
        reading.finish();
        let documents = listed.into_iter().map(|listed| to_document(&database, listed, mask.as_deref()));
        Ok(v1::ListDocumentsResponse { documents: documents.collect::<Result<_, _>>()?, next_page_token })
    }

    /// `ListCollectionIds`, for administrators: the collections directly under a document or the root, also under a
    /// document that does not exist.
    pub async fn list_collection_ids(
        &self,
        caller: &Caller,
        request: v1::ListCollectionIdsRequest,
    ) -> Result<v1::ListCollectionIdsResponse, Status> {
        let (database, parent) = self.parent(&request.parent)?;
        let size = page_size(request.page_size)?;
        let token = Token::of(&request.parent);
        let place = token.read(&request.page_token)?;
        let selector = Selector::from(request.consistency_selector);
        let operation = operation("ListCollectionIds", &parent);
        let mut reading = self.reading(caller, operation, &database, selector).await?;
        reading.session.authorize_admin(&format!("/{parent}")).map_err(status::refused)?;
        let prefix = key::below_prefix(&database, parent.segments());
        let mut range = KeyRange::prefix(DOCUMENTS, &prefix);
        if let Some(place) = place {
            let last = String::from_utf8(place).map_err(|_| status::bad_page_token())?;
            range = KeyRange::between(behind(&prefix, &last), range.end);
        }
        let mut ids = Vec::new();
        let mut more = false;
        while let Some(id) = first_segment(&mut reading.session, &range, &prefix).await? {
            if ids.len() == size {
                more = true;
                break;
            }
            range = KeyRange::between(behind(&prefix, &id), range.end);
            ids.push(id);
        }
        reading.finish();
        let next_page_token = match ids.last() {
            Some(last) if more => token.write(last.as_bytes()),
            _ => String::new(),
        };
        Ok(v1::ListCollectionIdsResponse { collection_ids: ids, next_page_token })
    }
}

fn is_by_name_ascending(asked: &Query) -> bool {
    asked.field_orders().is_empty() && !asked.is_reverse()
}

/// The first key behind everything that starts with a prefix and a segment.
fn behind(prefix: &[u8], segment: &str) -> Key {
    let mut bytes = prefix.to_vec();
    push_segment(&mut bytes, segment);
    KeyRange::prefix(DOCUMENTS, &bytes).end
}

/// The segment that follows the prefix in the first key of a range: one row is read, however many lie below it.
async fn first_segment(
    session: &mut Session,
    range: &KeyRange,
    prefix: &[u8],
) -> Result<Option<String>, Status> {
    let scan = Scan { rows_max: 1, ..Scan::default() };
    let page = session.scan(range, scan).await?;
    let Some(row) = page.rows.first() else { return Ok(None) };
    let segment = row.key.as_bytes().strip_prefix(prefix).and_then(split_segment);
    match segment {
        Some((segment, _)) => Ok(Some(segment)),
        None => Err(super::internal("a document's key is unreadable")),
    }
}

/// The document in a row.
pub fn found_in(row: &Row) -> Result<Found, Status> {
    let (_, path) = key::decode(&row.key).ok_or_else(|| super::internal("a document's key is unreadable"))?;
    Ok(Found { path, stored: Stored::from_row(row)? })
}

/// A page of documents that exist, and whether there are more.
async fn list_found(
    session: &mut Session,
    database: &DatabaseName,
    asked: &Query,
    uses: &dyn IndexUse,
    size: usize,
) -> Result<(Vec<Listed>, bool), Status> {
    let mut results = query::Results::open_with(session, database, asked, uses).await?;
    let mut listed = Vec::new();
    let mut bytes = 0;
    while let Some(page) = results.page(session).await? {
        for found in page {
            if listed.len() >= size || bytes > PAGE_BYTES_MAX {
                return Ok((listed, true));
            }
            bytes += found.stored.body().len();
            listed.push(Listed::Found(found));
        }
    }
    Ok((listed, false))
}

/// A page of the documents of a collection and of the missing ones that have something below them, by name; and
/// whether there are more.
async fn list_missing(
    session: &mut Session,
    database: &DatabaseName,
    collection: &ResourcePath,
    start: Option<&Cursor>,
    size: usize,
) -> Result<(Vec<Listed>, bool), Status> {
    let own_prefix = key::collection_prefix(database, collection.segments());
    let below_prefix = key::below_prefix(database, collection.segments());
    let mut own = key::collection(database, collection.segments());
    // What lies below the collection's documents comes right behind the documents themselves.
    let mut below = KeyRange::between(own.end.clone(), KeyRange::prefix(DOCUMENTS, &below_prefix).end);
    if let Some(Value::Reference(last)) = start.and_then(|start| start.values.last()) {
        let (_, last) = base::name::parse_document(last).map_err(|_| status::bad_page_token())?;
        own.start = behind(&own_prefix, last.id());
        below.start = behind(&below_prefix, last.id());
    }
    let mut listed = Vec::new();
    let mut bytes = 0;
    let mut next_missing = first_segment(session, &below, &below_prefix).await?;
    let scan = Scan { rows_max: size + 1, bytes_max: PAGE_BYTES_MAX, ..Scan::default() };
    loop {
        let page = session.scan(&own, scan).await?;
        let rows = page.rows.iter().map(Some);
        // When no document is left, the rest of the missing ones follow.
        let end = page.next.is_none().then_some(None);
        for row in rows.chain(end) {
            let found = row.map(found_in).transpose()?;
            while let Some(missing) = &next_missing {
                let order = found
                    .as_ref()
                    .map(|found| base::order::compare_segments(missing, found.path.id()))
                    .unwrap_or(std::cmp::Ordering::Less);
                if order.is_gt() {
                    break;
                }
                if order.is_lt() {
                    if listed.len() >= size {
                        return Ok((listed, true));
                    }
                    let path = collection.child(missing.clone()).map_err(invalid)?;
                    listed.extend(DocumentPath::new(path).map(Listed::Missing));
                }
                below.start = behind(&below_prefix, missing);
                next_missing = first_segment(session, &below, &below_prefix).await?;
            }
            if let Some(found) = found {
                if listed.len() >= size || bytes > PAGE_BYTES_MAX {
                    return Ok((listed, true));
                }
                bytes += found.stored.body().len();
                listed.push(Listed::Found(found));
            }
        }
        match page.next {
            Some(next) => own = next,
            None => return Ok((listed, false)),
        }
    }
}

/// Where the next page goes on: the ordered values of the last document, its name last.
fn write_place(database: &DatabaseName, asked: &Query, last: &Listed) -> Result<Vec<u8>, Status> {
    let (path, fields) = match last {
        Listed::Found(found) if asked.field_orders().is_empty() => (&found.path, Fields::new()),
        Listed::Found(found) => (&found.path, found.stored.fields()?),
        Listed::Missing(path) => (path, Fields::new()),
    };
    let values = asked.field_orders().iter().filter_map(|order| order.field.get(&fields).cloned());
    let values = values.chain(std::iter::once(Value::Reference(path.name_in(database)))).map(to_wire);
    Ok(v1::Cursor { values: values.collect(), before: false }.encode_to_vec())
}

fn read_place(database: &DatabaseName, asked: &Query, place: &[u8]) -> Result<Cursor, Status> {
    let cursor = v1::Cursor::decode(place).map_err(|_| status::bad_page_token())?;
    let values = cursor.values.into_iter().map(from_wire).collect::<Result<Vec<_>, _>>();
    let values = values.map_err(|_| status::bad_page_token())?;
    // A token is made by us but comes from outside: the engine relies on a reference into this database.
    let name = match values.last() {
        Some(Value::Reference(name)) if values.len() == asked.orders.len() => name,
        _ => return Err(status::bad_page_token()),
    };
    match base::name::parse_document(name) {
        Ok((found, path)) if found == *database && asked.scope.contains(&path) => {
            Ok(Cursor { values, before: false })
        }
        _ => Err(status::bad_page_token()),
    }
}

fn to_document(
    database: &DatabaseName,
    listed: Listed,
    mask: Option<&[FieldPath]>,
) -> Result<v1::Document, Status> {
    match listed {
        Listed::Found(found) => {
            let fields = project(found.stored.wire_fields()?, mask);
            Ok(found.stored.to_wire(database, &found.path, fields))
        }
        Listed::Missing(path) => Ok(v1::Document { name: path.name_in(database), ..Default::default() }),
    }
}
