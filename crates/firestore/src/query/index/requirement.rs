//! Which index a query requires where indexes are not made for queries: what production refuses without it.
//!
//! An index on one field of one collection is automatic, unless the project's index file exempts the field; conditions of
//! equality alone merge those. Everything else (several fields, any field of a collection group) has to be defined.
//!
//! Source: the Firestore reference, section 7.4.

use super::file::Exemptions;
use super::{Breadth, Definition, Shape, Spec, State};
use crate::query::plan;
use crate::query::shape::Query;

/// An index that a query requires and that is not there, or not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What it would be on.
    pub spec: Spec,
    /// It is defined and being built.
    pub is_building: bool,
}

/// The first index that a query lacks.
pub fn missing(query: &Query, definitions: &[Definition], exemptions: &Exemptions) -> Option<Missing> {
    let readable = || definitions.iter().filter(|definition| definition.state == State::Readable);
    query.disjuncts.iter().find_map(|disjunct| {
        let wanted = plan::wanted_by(query, disjunct);
        if wanted.iter().all(|shape| is_automatic(shape, exemptions))
            || plan::covers(query, disjunct, readable())
        {
            return None;
        }
        let is_building = plan::covers(query, disjunct, definitions.iter());
        Some(Missing { spec: plan::spec_of(query, disjunct)?, is_building })
    })
}

/// Whether an index is there without being asked for.
pub fn is_automatic(shape: &Shape, exemptions: &Exemptions) -> bool {
    match shape.components.as_slice() {
        [] => true,
        [only] => {
            shape.breadth == Breadth::Collection
                && !shape.has_vectors()
                && !exemptions.exempt(&shape.group, only)
        }
        _ => false,
    }
}
