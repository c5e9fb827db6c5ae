//! The pages of a first result, each at the newest state. A result that is one page is kept for others who ask the same, for
//! as long as no commit touches it.

use std::sync::Arc;

use access::Session;
use base::{DatabaseName, Status};

use super::pump::Pump;
use super::state::{Loading, Phase};
use crate::listen::Response;
use crate::listen::image::Image;
use crate::query::{Cursor, Found, Query, Results, position};

/// Bytes of documents that are read before any of them is sent.
const CHUNK_BYTES: usize = 256 << 10;

impl Pump {
    /// Sends a result that was loaded for somebody else and is as the session sees it. Returns whether there was one. The
    /// session has decided already: what it may not see it does not get here either.
    pub(super) async fn show_loaded(
        &mut self,
        id: i32,
        session: &Session,
        query: &Query,
        is_literal: bool,
    ) -> Result<bool, Status> {
        let at = session.version();
        self.reached(at).await?;
        let Some(view) = self.targets.get(&id).and_then(|target| target.registration.view()) else {
            return Ok(false);
        };
        let Some(images) = self.hub().loaded(view, at) else { return Ok(false) };
        for image in images.iter() {
            if !self.show(id, query, image, is_literal).await? {
                break;
            }
        }
        Ok(true)
    }

    /// Sends documents of a result until there are enough of them for once.
    pub(super) async fn load_pages(
        &mut self,
        id: i32,
        session: &mut Session,
        database: &DatabaseName,
        query: &Query,
        is_literal: bool,
        mut loading: Loading,
    ) -> Result<Phase, Status> {
        let mut whole = (loading.after.is_none() && loading.sorted.is_none()).then(Vec::new);
        let mut results = match loading.sorted.take() {
            Some(sorted) => sorted,
            None => {
                let mut rest = query.clone();
                if let Some(after) = loading.after.take() {
                    rest.start = Some(after);
                }
                Results::open_with(session, database, &rest, &self.service.indexes).await?
            }
        };
        let mut bytes = 0;
        while bytes < CHUNK_BYTES {
            let Some(page) = results.page(session).await? else {
                let wanted = results.wanted().to_vec();
                self.service.indexes.want(session.caller(), database, &wanted);
                let view = self.targets.get(&id).and_then(|target| target.registration.view());
                if let (Some(view), Some(images)) = (view, whole) {
                    self.hub().keep_loaded(view, session.version(), images, bytes);
                }
                return Ok(Phase::Settling(session.version()));
            };
            if let Some(last) = page.last() {
                loading.after = Some(cursor_after(database, query, last)?);
            }
            for found in page {
                let image = Arc::new(Image::of(database, found));
                bytes += image.bytes();
                if !self.show(id, query, &image, is_literal).await? {
                    return Ok(Phase::Current);
                }
                if let Some(whole) = &mut whole {
                    whole.push(image);
                }
            }
        }
        loading.sorted = results.is_sorted().then_some(results);
        Ok(Phase::Loading(Box::new(loading)))
    }

    /// Sends a document. Returns whether its target goes on.
    async fn show(
        &mut self,
        id: i32,
        query: &Query,
        image: &Image,
        is_literal: bool,
    ) -> Result<bool, Status> {
        if is_literal && !self.check_literal(id, query, image).await? {
            return Ok(false);
        }
        if let Some(document) = image.document(Some(query))? {
            self.ready.push_back(Response::change(document, vec![id], Vec::new()));
        }
        Ok(true)
    }
}

/// The place behind a document, as a cursor.
fn cursor_after(database: &DatabaseName, query: &Query, found: &Found) -> Result<Cursor, Status> {
    let fields = found.stored.fields()?;
    let values = query.orders.iter().map(|order| match order.field.get(&fields) {
        Some(value) if !order.field.is_document_id() => value.clone(),
        _ => position::name_value(database, &found.path),
    });
    Ok(Cursor { values: values.collect(), before: false })
}
