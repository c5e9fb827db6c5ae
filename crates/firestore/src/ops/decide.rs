//! Asking the rules: the one place where this service has its operations decided.

use access::{DocumentSource, Documents, Grant, NoPending, Pending, Session, Subject};
use base::{DatabaseName, Fields, Status};
use kv::{Key, Row};
use policy::rules::Action;

use super::requests;
use crate::model::{Stored, key};
use crate::status;

/// The documents of a project, as rules read them.
pub struct Source<P> {
    /// The project.
    pub project: P,
}

impl<P: AsRef<str> + Send + Sync> DocumentSource for Source<P> {
    fn key(&self, database: &str, path: &[String]) -> Key {
        let database =
            DatabaseName { project: self.project.as_ref().to_owned(), database: database.to_owned() };
        let (id, collection) =
            path.split_last().map_or(("", path), |(id, collection)| (id.as_str(), collection));
        key::in_collection(&database, collection, id)
    }

    fn decode(&self, row: &Row) -> Result<Fields, Status> {
        Stored::from_row(row)?.fields()
    }
}

/// Decides a read.
pub async fn decide_read(
    session: &mut Session,
    database: &DatabaseName,
    action: &Action<'_>,
) -> Result<Grant, Status> {
    decide(session, database, action, &NoPending).await
}

/// Decides one document of a commit; `pending` is what the whole commit makes of its documents.
pub async fn decide(
    session: &mut Session,
    database: &DatabaseName,
    action: &Action<'_>,
    pending: &dyn Pending,
) -> Result<Grant, Status> {
    let in_force = &session.gate().rules().firestore;
    let rules = match database.is_default() {
        true => in_force.current(&database.project),
        false => in_force.current_for(&database.project, &database.database),
    };
    session.set_project(&database.project);
    let path = format!("/{}", action.path.join("/"));
    let subject = Subject { method: action.method.name(), path: &path };
    let source = Source { project: database.project.as_str() };
    let facts = Documents { source: &source, pending };
    let decided = session.authorize(&rules, subject, action, &facts).await;
    if let Some(evaluations) = session.gate().evaluations().filter(|evaluations| evaluations.are_wanted()) {
        requests::describe(evaluations, session, database, action, &rules, &decided);
    }
    decided.map_err(status::refused)
}
