//! What the past may show: documents that a query found in an earlier state, as they are now.

use access::Session;
use base::{DatabaseName, Status};
use policy::Method;
use policy::rules::Action;

use super::decide::decide_read;
use super::operation;
use crate::model::{Stored, key};
use crate::query::Found;

/// Denies documents of a past state that have changed since, unless the rules allow listing them as they are now.
/// The query itself has been allowed at the present; nobody but an administrator sees what was hidden meanwhile.
///
/// Cost: one read each of the present.
pub async fn allow_now(
    past: &Session,
    database: &DatabaseName,
    found: &[Found],
    in_transaction: bool,
) -> Result<(), Status> {
    let Some(first) = found.first() else { return Ok(()) };
    let mut session = past.gate().begin(past.caller(), operation("ReadPast", first.path.as_path())).await?;
    let keys: Vec<_> = found.iter().map(|found| key::document(database, &found.path)).collect();
    let rows = session.get_many(&keys).await?;
    for (found, row) in found.iter().zip(rows) {
        let stored = row.as_ref().map(Stored::from_row).transpose()?;
        if stored.as_ref().is_some_and(|stored| stored.updated == found.stored.updated) {
            continue;
        }
        let fields = stored.map(|stored| stored.fields()).transpose()?;
        let resource = fields.as_ref().map(|fields| policy::Document { fields });
        let action = Action::new(Method::List, &database.database, found.path.segments());
        decide_read(&mut session, database, &Action { resource, in_transaction, ..action }).await?;
    }
    session.finish();
    Ok(())
}
