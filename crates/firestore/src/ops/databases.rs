//! Which databases exist. In dev whatever is named does; in production the project's default one, and those that
//! administrators have made over the Admin API.
//!
//! Invariant: who commits to a database that was made has its row in the read set, so that nothing is left in one that is
//! deleted meanwhile.

use std::collections::BTreeMap;

use access::keyspace::DATABASES;
use access::{Attempts, Caller, DevPermit, Operation, Permit, Service, Session};
use arc_swap::ArcSwap;
use base::{Code, DatabaseName, ResourcePath, Status};
use bytes::Bytes;
use kv::{Key, KeyRange, Row, Scan};
use serde::{Deserialize, Serialize};

use super::{Firestore, internal};
use crate::model::key::{below, push_database};
use crate::query::index::definition::all_definitions;
use crate::query::index::field;
use crate::query::index::upkeep::drop_index;
use crate::status;

/// Databases that a project may have beside the default one.
const DATABASES_MAX: usize = 100;
/// How often a change is tried when others are in its way.
pub const ATTEMPTS_MAX: usize = 5;

/// What is known of databases beside their rows.
pub struct Databases {
    on_demand: Option<DevPermit>,
    project: String,
    made: ArcSwap<BTreeMap<DatabaseName, Database>>,
    /// Held from a change's commit until it is known here.
    changing: tokio::sync::Mutex<()>,
}

/// A database that was made, or whose settings were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Random.
    pub uid: String,
    /// Microseconds.
    pub created: i64,
    /// Microseconds.
    pub updated: i64,
    /// As it was asked for; it means nothing here.
    #[serde(default)]
    pub location: String,
    /// It cannot be deleted.
    #[serde(default)]
    pub is_protected: bool,
}

impl Databases {
    /// Those that always are.
    pub fn new(on_demand: Option<DevPermit>, project: &str) -> Self {
        let (made, changing) = (ArcSwap::default(), tokio::sync::Mutex::default());
        Self { on_demand, project: project.to_owned(), made, changing }
    }

    /// Refuses databases nobody made.
    pub fn check(&self, database: &DatabaseName) -> Result<(), Status> {
        let is_default = database.is_default() && database.project == self.project;
        if self.on_demand.is_some() || is_default || self.made.load().contains_key(database) {
            return Ok(());
        }
        Err(status::no_database(database))
    }

    /// What must be there when something is committed to a database.
    pub fn row_to_hold(&self, database: &DatabaseName) -> Option<Key> {
        (self.on_demand.is_none() && !database.is_default()).then(|| key(database))
    }

    /// The databases of a project that are known: the default one and those that were made.
    pub fn of(&self, project: &str) -> Vec<(DatabaseName, Database)> {
        let default = DatabaseName::default_of(project);
        let made = self.made.load();
        let of_default = made.get(&default).cloned().unwrap_or_default();
        let mut all = vec![(default.clone(), of_default)];
        let others = made.iter().filter(|(name, _)| name.project == project && **name != default);
        all.extend(others.map(|(name, database)| (name.clone(), database.clone())));
        all
    }

    fn get(&self, name: &DatabaseName) -> Result<Database, Status> {
        self.check(name)?;
        Ok(self.made.load().get(name).cloned().unwrap_or_default())
    }

    fn put(&self, name: &DatabaseName, database: Option<Database>) {
        self.made.rcu(|before| {
            let mut after = BTreeMap::clone(before);
            match &database {
                Some(database) => after.insert(name.clone(), database.clone()),
                None => after.remove(name),
            };
            after
        });
    }
}

fn key(database: &DatabaseName) -> Key {
    let mut key = Vec::with_capacity(64);
    push_database(&mut key, database);
    Key::new(DATABASES, &key)
}

fn decode(row: &Row) -> Result<(DatabaseName, Database), Status> {
    let broken = || Status::new(Code::DataLoss, "What is known of a database is unreadable.");
    let (project, rest) = base::key::split_text(row.key.as_bytes()).ok_or_else(broken)?;
    let (database, _) = base::key::split_text(rest).ok_or_else(broken)?;
    let found = serde_json::from_slice(&row.value).map_err(|_| broken())?;
    Ok((DatabaseName { project, database }, found))
}

/// Whether a database may be called so: 4 to 63 lowercase letters, digits and hyphens, a letter first, no hyphen last.
fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (4..=63).contains(&id.len())
        && id.chars().all(is_plain)
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
}

impl Firestore {
    /// Reads what administrators have made and deployed: databases and fields. To be awaited before the first request.
    pub async fn restore(&self) -> Result<(), Status> {
        let resource = "/".to_owned();
        let operation = Operation { service: Service::Firestore, verb: "Restore", resource };
        let mut session = self.gate.begin(&Caller::admin("firestore"), operation).await?;
        session.authorize_admin("/").map_err(status::refused)?;
        let mut rest = Some(KeyRange::prefix(DATABASES, &[]));
        while let Some(range) = rest {
            let page = session.scan(&range, Scan::default()).await?;
            for row in &page.rows {
                let (name, database) = decode(row)?;
                self.databases.put(&name, Some(database));
            }
            rest = page.next;
        }
        let fields = field::all(&mut session).await?;
        session.discard();
        self.indexes.restore_fields(fields);
        Ok(())
    }

    /// A session of an administrator of a project that is served here.
    pub(super) async fn begin_admin(
        &self,
        caller: &Caller,
        project: &str,
        verb: &'static str,
        resource: &str,
    ) -> Result<(Session, Permit), Status> {
        let operation = Operation { service: Service::Firestore, verb, resource: resource.to_owned() };
        let mut session = self.gate.begin(caller, operation).await?;
        let permit = self.permit_admin(&mut session, project, resource)?;
        Ok((session, permit))
    }

    /// Refuses whoever is no administrator, on the record.
    pub async fn refuse_admin(&self, caller: &Caller, project: &str, path: &str) -> Result<(), Status> {
        let resource = format!("/{}", path.split_once('/').map_or("", |(_, rest)| rest));
        let (session, _) = self.begin_admin(caller, project, "Admin", &resource).await?;
        session.finish();
        Ok(())
    }

    /// The right of an administrator of a project that is served here.
    pub(super) fn permit_admin(
        &self,
        session: &mut Session,
        project: &str,
        resource: &str,
    ) -> Result<Permit, Status> {
        session.set_project(project);
        let permit = session.authorize_admin(resource).map_err(status::refused)?;
        if self.gate.mode().dev().is_none() && project != self.project {
            let text = format!("The project `{project}` is not served here.");
            return Err(Status::new(Code::PermissionDenied, text));
        }
        Ok(permit)
    }

    /// The databases of a project.
    pub async fn list_databases(
        &self,
        caller: &Caller,
        project: &str,
    ) -> Result<Vec<(DatabaseName, Database)>, Status> {
        let (session, _) = self.begin_admin(caller, project, "ListDatabases", "/databases").await?;
        session.finish();
        Ok(self.databases.of(project))
    }

    /// One database.
    ///
    /// Errors: `NOT_FOUND`.
    pub async fn get_database(&self, caller: &Caller, name: &DatabaseName) -> Result<Database, Status> {
        let (session, _) = self.begin_admin(caller, &name.project, "GetDatabase", &resource(name)).await?;
        let found = self.databases.get(name);
        session.finish();
        found
    }

    /// Makes a database.
    ///
    /// Errors: `ALREADY_EXISTS`, `INVALID_ARGUMENT` for its id, `RESOURCE_EXHAUSTED` beyond a hundred.
    pub async fn create_database(
        &self,
        caller: &Caller,
        name: &DatabaseName,
        location: &str,
        is_protected: bool,
    ) -> Result<Database, Status> {
        let now = self.gate.clock().now_micros();
        let uid = base::id::alphanumeric(32).map_err(|_| internal("no randomness"))?;
        let location = location.chars().take(64).collect();
        let made = Database { uid, created: now, updated: now, location, is_protected };
        self.change_database(caller, name, "CreateDatabase", |found| match found {
            Some(_) => Err(Status::new(Code::AlreadyExists, format!("Database already exists: {name}"))),
            None if name.is_default() => {
                Err(Status::new(Code::AlreadyExists, format!("Database already exists: {name}")))
            }
            None if !is_id(&name.database) => Err(Status::invalid(format!(
                "Invalid database id `{}`: it has 4 to 63 lowercase letters, digits and hyphens, and begins with a letter.",
                name.database.chars().take(100).collect::<String>()
            ))),
            None if self.databases.of(&name.project).len() > DATABASES_MAX => {
                let text = format!("The project has {DATABASES_MAX} databases, which is the most.");
                Err(Status::new(Code::ResourceExhausted, text))
            }
            None => Ok(made.clone()),
        })
        .await
    }

    /// Changes a database's settings.
    ///
    /// Errors: `NOT_FOUND`.
    pub async fn update_database(
        &self,
        caller: &Caller,
        name: &DatabaseName,
        is_protected: Option<bool>,
    ) -> Result<Database, Status> {
        let now = self.gate.clock().now_micros();
        self.change_database(caller, name, "UpdateDatabase", |found| {
            self.databases.check(name)?;
            let before = found.unwrap_or_default();
            let is_protected = is_protected.unwrap_or(before.is_protected);
            Ok(Database { updated: now, is_protected, ..before })
        })
        .await
    }

    async fn change_database(
        &self,
        caller: &Caller,
        name: &DatabaseName,
        verb: &'static str,
        change: impl Fn(Option<Database>) -> Result<Database, Status>,
    ) -> Result<Database, Status> {
        let _in_order = self.databases.changing.lock().await;
        let operation = Operation { service: Service::Firestore, verb, resource: resource(name) };
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let work = |mut session: Session| {
            let permit = self.permit_admin(&mut session, &name.project, &operation.resource);
            let change = &change;
            async move {
                let permit = permit?;
                let row = session.get(&key(name)).await?;
                let found = row.map(|row| decode(&row)).transpose()?.map(|(_, database)| database);
                let database = change(found)?;
                let value = serde_json::to_vec(&database).map_err(|_| internal("a database's row"))?;
                session.write(&permit, key(name), Some(Bytes::from(value)));
                Ok::<_, Status>((session, database))
            }
        };
        let (database, _) = self.gate.transact(caller, &operation, attempts, work).await?;
        self.databases.put(name, Some(database.clone()));
        Ok(database)
    }

    /// Deletes a database with all its documents and indexes. From the beginning on nobody finds it any more.
    ///
    /// Errors: `NOT_FOUND`; `FAILED_PRECONDITION` for the default one and for one that is protected.
    pub async fn delete_database(&self, caller: &Caller, name: &DatabaseName) -> Result<Database, Status> {
        let _in_order = self.databases.changing.lock().await;
        let operation =
            Operation { service: Service::Firestore, verb: "DeleteDatabase", resource: resource(name) };
        let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted: status::contention };
        let work = |mut session: Session| {
            let permit = self.permit_admin(&mut session, &name.project, &operation.resource);
            async move {
                let permit = permit?;
                let found = self.databases.get(name)?;
                session.get(&key(name)).await?;
                let refused = |text: &str| Err(Status::new(Code::FailedPrecondition, text));
                if name.is_default() {
                    return refused("The default database cannot be deleted.");
                }
                if found.is_protected {
                    return refused("The database has delete protection enabled. Disable it first.");
                }
                session.write(&permit, key(name), None);
                for row in session.scan(&field::all_of(name), Scan::default()).await?.rows {
                    session.write(&permit, row.key, None);
                }
                Ok((session, found))
            }
        };
        let (database, _) = self.gate.transact(caller, &operation, attempts, work).await?;
        self.databases.put(name, None);
        self.indexes.put_fields(name, None);
        self.clear_range(caller, name, &ResourcePath::ROOT, below(name, &ResourcePath::ROOT)).await?;
        let (mut session, _) =
            self.begin_admin(caller, &name.project, "ListIndexes", &resource(name)).await?;
        let indexes = all_definitions(&mut session).await?;
        session.finish();
        for (_, definition) in indexes.iter().filter(|(of, _)| of == name) {
            drop_index(&self.gate, caller, name, definition).await?;
        }
        self.indexes.erase_dropped().await?;
        Ok(database)
    }
}

fn resource(name: &DatabaseName) -> String {
    format!("/databases/{}", name.database)
}

/// A commit to a database that was made is held to its being there.
pub async fn hold(session: &mut Session, database: &DatabaseName, row: Option<Key>) -> Result<(), Status> {
    match row {
        Some(row) if session.get(&row).await?.is_none() => Err(status::no_database(database)),
        _ => Ok(()),
    }
}
