//! Whoever is let in needs more documents than rules may read: 10, in Storage rules 2. Counted are paths that differ in
//! a written segment. The larger budget of batches and multi-document reads (20) is not looked at: each operation has its
//! 10 there too.
//!
//! ```text
//! allow read: if exists(/databases/$(d)/documents/a/1) && … && exists(/databases/$(d)/documents/k/1);
//! ```
//!
//! Put what is needed into fewer documents, or into claims.

use policy::{Diagnostic, Limits, Service, Span};

use super::{Finding, SERVICES};
use crate::readers::rules::Needs;

/// The finding.
pub const FINDING: Finding = Finding::warning("too-many-reads", SERVICES);

/// One condition.
pub fn of_condition(span: Span, service: Service, needs: Needs) -> Option<Diagnostic> {
    let limits = Limits::default();
    let max = match service {
        Service::Firestore => limits.document_reads_max,
        Service::Storage => limits.storage_document_reads_max,
    };
    let message =
        format!("whoever is let in here needs {} documents to be read, and {max} may be", needs.reads);
    let help = "put what is needed into fewer documents, or into claims";
    (needs.reads > max).then(|| FINDING.at(span, message).help(help))
}
