//! Asking the rules: the one place where this service has its operations decided.

use std::sync::Arc;

use access::{Documents, Grant, NoPending, Refusal, Rules, Session, Subject};
use base::Fields;
use policy::request::{Document, Method};
use policy::rules::{Action, Ruleset};

use super::Storage;
use crate::model::{BucketName, Object};

/// What is asked.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub bucket: &'a BucketName,
    /// The object's name, or the prefix that is listed without its last slash, between slashes.
    pub path: Vec<String>,
    /// What is there.
    pub resource: Option<&'a Object>,
    /// What would be there.
    pub new: Option<&'a Fields>,
}

impl Storage {
    /// Has the rules of a bucket decide.
    pub(super) async fn decide(&self, session: &mut Session, ask: Ask<'_>) -> Result<Grant, Refusal> {
        let rules = self.rules_of(ask.bucket);
        let path = format!("/b/{}/o/{}", ask.bucket, ask.path.join("/"));
        let subject = Subject { method: ask.method.name(), path: &path };
        let resource = ask.resource.map(Object::fields);
        let document = |fields| Document { fields };
        let action = Action {
            resource: resource.as_ref().map(document),
            new_resource: ask.new.map(document),
            ..Action::new(ask.method, ask.bucket.as_str(), &ask.path)
        };
        let facts = Documents { source: self.documents.as_ref(), pending: &NoPending };
        session.authorize(&rules, subject, &action, &facts).await
    }

    fn rules_of(&self, bucket: &BucketName) -> Arc<Rules<Ruleset>> {
        self.gate.rules().storage.of_part(&self.project, bucket.as_str())
    }
}
