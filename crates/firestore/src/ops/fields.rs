//! What administrators say of single fields: other indexes than the automatic ones, and whether its time ends documents.

use std::sync::Arc;

use access::{Attempts, Caller, Operation, Service, Session};
use base::{Code, DatabaseName, FieldPath, Status};

use super::Firestore;
use super::databases::ATTEMPTS_MAX;
use crate::query::index::definition::definitions;
use crate::query::index::field::{self, FieldConfig, FieldConfigs};
use crate::query::index::upkeep::drop_index;
use crate::query::index::{Origin, Spec};
use crate::status;

/// Fields of a database with something particular.
const FIELDS_MAX: usize = 1000;

impl Firestore {
    /// Every field with something particular, of the project's index file and deployed.
    pub async fn list_fields(
        &self,
        caller: &Caller,
        database: &DatabaseName,
    ) -> Result<FieldConfigs, Status> {
        let (session, _) = self.begin_admin(caller, &database.project, "ListFields", "/").await?;
        self.check_database(database)?;
        session.finish();
        Ok(self.indexes.fields_of(database))
    }

    /// Puts in force what is said of a field: at once for its automatic indexes and for the end of documents. Indexes of a whole
    /// group are built before this returns, or dropped.
    ///
    /// Errors: `FAILED_PRECONDITION` for a second field of a group that ends documents; `RESOURCE_EXHAUSTED` for too many.
    pub async fn update_field(
        self: &Arc<Self>,
        caller: &Caller,
        database: &DatabaseName,
        group: &str,
        path: &FieldPath,
        change: impl Fn(FieldConfig) -> FieldConfig,
    ) -> Result<FieldConfig, Status> {
        let resource = format!("/{group}");
        let in_order = self.indexes.changing_fields.lock().await;
        let operation = Operation { service: Service::Firestore, verb: "UpdateField", resource };
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let at = (group.to_owned(), path.clone());
        let work = |mut session: Session| {
            let permit = self.permit_admin(&mut session, &database.project, &operation.resource);
            let (change, at) = (&change, &at);
            async move {
                let permit = permit?;
                self.check_database(database)?;
                super::databases::hold(&mut session, database, self.databases.row_to_hold(database)).await?;
                let mut fields = self.indexes.fields_of(database);
                let before = fields.remove(at).unwrap_or_default();
                let after = change(before.clone());
                let other = fields.iter().find(|((of, _), config)| of == group && config.ttl);
                if let Some(((_, other), _)) = other.filter(|_| after.ttl) {
                    let text = format!(
                        "`{group}` has a TTL policy on `{other}` already: one field of a group may have one."
                    );
                    return Err(Status::new(Code::FailedPrecondition, text));
                }
                if fields.len() >= FIELDS_MAX {
                    let text = format!(
                        "The database has {FIELDS_MAX} fields with configurations, which is the most."
                    );
                    return Err(Status::new(Code::ResourceExhausted, text));
                }
                session.note("field", path.to_string().into());
                session.note("ttl", after.ttl.into());
                session.write(&permit, field::key(database, group, path), Some(field::value(&after)?));
                Ok::<_, Status>((session, (before, after)))
            }
        };
        let ((before, after), _) = self.gate.transact(caller, &operation, attempts, work).await?;
        self.indexes.put_field(database, at.clone(), after.clone());
        drop(in_order);
        let wanted = after.specs(group, path);
        let left: Vec<Spec> =
            before.specs(group, path).into_iter().filter(|spec| !wanted.contains(spec)).collect();
        self.drop_specs(caller, database, &left).await?;
        self.build_indexes(caller, database, wanted, Origin::Administrator).await?;
        Ok(after)
    }

    /// Drops the indexes with these shapes that there are.
    async fn drop_specs(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        specs: &[Spec],
    ) -> Result<(), Status> {
        for spec in specs {
            let (mut session, _) = self.begin_admin(caller, &database.project, "ListIndexes", "/").await?;
            let existing = definitions(&mut session, database, &spec.group).await?;
            session.finish();
            if let Some(found) = existing.iter().find(|definition| definition.shape == spec.shape()) {
                drop_index(&self.gate, caller, database, found).await?;
            }
        }
        if specs.is_empty() { Ok(()) } else { self.indexes.erase_dropped().await }
    }
}
