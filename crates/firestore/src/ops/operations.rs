//! Long-running operations of administrators: what was begun, and what it came to. They are kept in memory: an index that is
//! being built when the server stops is built on, its operation is forgotten.

use std::collections::VecDeque;

use access::Caller;
use base::{Code, DatabaseName, Status};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::{Firestore, internal};

/// Operations that are remembered; the oldest are forgotten.
const OPERATIONS_MAX: usize = 1000;

/// The operations, oldest first.
pub type Operations = Mutex<VecDeque<Work>>;

/// An operation.
#[derive(Clone, Debug)]
pub struct Work {
    database: DatabaseName,
    id: String,
    metadata: Json,
    /// None while it runs.
    result: Option<Result<Json, Status>>,
}

impl Work {
    /// As `google.longrunning.Operation`.
    pub fn json(&self) -> Json {
        let name = format!("{}/operations/{}", self.database, self.id);
        let mut whole = json!({ "name": name, "metadata": self.metadata });
        let Some(object) = whole.as_object_mut() else { return whole };
        match &self.result {
            None => {}
            Some(Ok(response)) => {
                object.insert("done".to_owned(), true.into());
                object.insert("response".to_owned(), response.clone());
            }
            Some(Err(status)) => {
                object.insert("done".to_owned(), true.into());
                let error = json!({ "code": status.code as i32, "message": status.message });
                object.insert("error".to_owned(), error);
            }
        }
        whole
    }
}

impl Firestore {
    /// Remembers an operation, done or not.
    pub fn begin_work(
        &self,
        database: &DatabaseName,
        metadata: Json,
        result: Option<Result<Json, Status>>,
    ) -> Result<Work, Status> {
        let id = base::id::alphanumeric(24).map_err(|_| internal("no randomness"))?;
        let work = Work { database: database.clone(), id, metadata, result };
        let mut operations = self.operations.lock();
        if operations.len() >= OPERATIONS_MAX {
            operations.pop_front();
        }
        operations.push_back(work.clone());
        Ok(work)
    }

    /// Notes what an operation came to.
    pub fn end_work(&self, begun: &Work, result: Result<Json, Status>) {
        let mut operations = self.operations.lock();
        if let Some(work) = operations.iter_mut().find(|work| work.id == begun.id) {
            work.result = Some(result);
        }
    }

    /// The operations of a database.
    pub async fn list_work(&self, caller: &Caller, database: &DatabaseName) -> Result<Vec<Work>, Status> {
        let (session, _) =
            self.begin_admin(caller, &database.project, "ListOperations", "/operations").await?;
        session.finish();
        Ok(self.operations.lock().iter().filter(|work| work.database == *database).cloned().collect())
    }

    /// One operation.
    ///
    /// Errors: `NOT_FOUND`.
    pub async fn get_work(&self, caller: &Caller, database: &DatabaseName, id: &str) -> Result<Work, Status> {
        let (session, _) = self.begin_admin(caller, &database.project, "GetOperation", "/operations").await?;
        session.finish();
        let operations = self.operations.lock();
        let found = operations.iter().find(|work| work.database == *database && work.id == id);
        found.cloned().ok_or_else(|| Status::new(Code::NotFound, "Requested entity was not found."))
    }
}
