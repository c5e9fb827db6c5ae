//! Indexes as a service: which queries require, which they may have made for them, and what administrators say of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use access::{Caller, Gate, Operation, Service};
use arc_swap::ArcSwap;
use base::{Code, DatabaseName, FieldPath, Status, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Firestore;
use crate::query::index::definition::all_definitions;
use crate::query::index::field::{FieldConfig, FieldConfigs};
use crate::query::index::file::{Exemptions, IndexFile};
use crate::query::index::upkeep::drop_index;
use crate::query::index::{
    Builder, Built, Definition, INDEXES_PER_GROUP_MAX, Origin, Shape, Spec, State, Upkeep, build,
    definitions, missing, requirement,
};
use crate::query::{IndexUse, Query};
use crate::status;

/// How often it is looked for indexes that nobody uses.
const SWEPT_EVERY: Duration = Duration::from_secs(600);
/// Missing indexes that are remembered; others are not noted.
const SUGGESTIONS_MAX: usize = 200;

/// What is known of indexes beside their rows.
pub struct Indexes {
    gate: Gate,
    builder: Builder,
    upkeep: Upkeep,
    /// Queries are refused without the indexes that production requires.
    is_strict: AtomicBool,
    /// What the project's file says of fields of the default database.
    of_file: ArcSwap<FieldConfigs>,
    /// What was deployed of fields.
    deployed: ArcSwap<BTreeMap<DatabaseName, FieldConfigs>>,
    /// What follows from both.
    exemptions: ArcSwap<HashMap<DatabaseName, Exemptions>>,
    /// Held from the commit of what is said of a field until it is in force.
    pub(super) changing_fields: tokio::sync::Mutex<()>,
    default: DatabaseName,
    /// What queries lacked, and how often.
    lacked: Mutex<HashMap<(DatabaseName, Spec), u64>>,
}

/// An index as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexInfo {
    /// Its number within its database.
    pub id: u32,
    /// `(default)`, unless there are others.
    pub database: String,
    /// As in `firestore.indexes.json`.
    pub index: Json,
    /// The same in short.
    pub summary: String,
    /// `ready` or `building`.
    pub state: String,
    /// `query`, `file` or `administrator`.
    pub origin: String,
    /// RFC 3339; since this server started or, for those of queries, ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// An index that queries lacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// How many queries were refused without it, since this server started.
    pub refused: u64,
    /// As in `firestore.indexes.json`.
    pub index: Json,
    /// The same in short.
    pub summary: String,
    /// The arguments of `hearth indexes add`.
    pub arguments: String,
}

impl Indexes {
    /// In serve queries require their indexes; in dev they get them.
    pub fn new(gate: Gate, project: &str) -> Self {
        let is_strict = AtomicBool::new(gate.mode().dev().is_none());
        Self {
            upkeep: Upkeep::new(gate.clone()),
            builder: Builder::new(gate.clone()),
            gate,
            is_strict,
            of_file: ArcSwap::default(),
            deployed: ArcSwap::default(),
            exemptions: ArcSwap::default(),
            changing_fields: tokio::sync::Mutex::default(),
            default: DatabaseName::default_of(project),
            lacked: Mutex::default(),
        }
    }

    fn is_strict(&self) -> bool {
        self.is_strict.load(Ordering::Relaxed)
    }

    fn exemptions_of(&self, database: &DatabaseName) -> Exemptions {
        self.exemptions.load().get(database).cloned().unwrap_or_default()
    }

    /// What is particular about fields of a database: deployed, else of the file.
    pub(super) fn fields_of(&self, database: &DatabaseName) -> FieldConfigs {
        let mut fields = if *database == self.default {
            FieldConfigs::clone(&self.of_file.load())
        } else {
            FieldConfigs::new()
        };
        fields.extend(self.deployed.load().get(database).cloned().unwrap_or_default());
        fields.retain(|_, config| !config.is_usual());
        fields
    }

    /// Every field whose time ends documents.
    pub(super) fn expiring(&self) -> Vec<(DatabaseName, String, FieldPath)> {
        let mut databases: Vec<DatabaseName> = self.deployed.load().keys().cloned().collect();
        if !databases.contains(&self.default) {
            databases.push(self.default.clone());
        }
        let of = |database: &DatabaseName| {
            let fields = self.fields_of(database).into_iter().filter(|(_, config)| config.ttl);
            fields.map(|((group, field), _)| (database.clone(), group, field)).collect::<Vec<_>>()
        };
        databases.iter().flat_map(of).collect()
    }

    /// Takes in what was deployed before this process began.
    pub(super) fn restore_fields(&self, deployed: BTreeMap<DatabaseName, FieldConfigs>) {
        self.deployed.store(Arc::new(deployed));
        self.put_exemptions();
    }

    /// Puts in force what was deployed of one field.
    pub(super) fn put_field(&self, database: &DatabaseName, at: (String, FieldPath), config: FieldConfig) {
        let mut deployed = self.deployed.load().get(database).cloned().unwrap_or_default();
        deployed.insert(at, config);
        self.put_fields(database, Some(deployed));
    }

    /// Puts in force what was deployed of a database's fields.
    pub(super) fn put_fields(&self, database: &DatabaseName, fields: Option<FieldConfigs>) {
        self.deployed.rcu(|before| {
            let mut after = BTreeMap::clone(before);
            match &fields {
                Some(fields) => after.insert(database.clone(), fields.clone()),
                None => after.remove(database),
            };
            after
        });
        self.put_exemptions();
    }

    fn put_exemptions(&self) {
        let deployed = self.deployed.load();
        let databases = deployed.keys().chain([&self.default]);
        let all = databases.map(|database| (database.clone(), Exemptions::of(&self.fields_of(database))));
        self.exemptions.store(Arc::new(all.collect()));
    }

    /// Erases the entries of dropped indexes.
    pub(super) async fn erase_dropped(&self) -> Result<(), Status> {
        self.upkeep.erase_dropped().await
    }

    /// Indexes that a query would have liked. They are made where that is allowed for its caller. Returns whether any is.
    pub fn want(&self, caller: &Caller, database: &DatabaseName, shapes: &[Shape]) -> bool {
        let exemptions = self.exemptions_of(database);
        let allowed =
            shapes.iter().filter(|shape| !self.is_strict() || requirement::is_automatic(shape, &exemptions));
        self.builder.start(caller, database, allowed)
    }

    /// The indexes of a collection group, for administrators.
    pub async fn of_group(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        group: &str,
    ) -> Result<Vec<Definition>, Status> {
        let resource = format!("/{group}");
        let operation = Operation { service: Service::Firestore, verb: "ListIndexes", resource };
        let mut session = self.gate.begin(caller, operation).await?;
        session.set_project(&database.project);
        session.authorize_admin(&format!("/{group}")).map_err(status::refused)?;
        let found = definitions(&mut session, database, group).await;
        session.discard();
        found
    }
}

impl IndexUse for Indexes {
    fn check(
        &self,
        database: &DatabaseName,
        query: &Query,
        definitions: &[Definition],
    ) -> Result<(), Status> {
        if !self.is_strict() {
            return Ok(());
        }
        let exemptions = self.exemptions_of(database);
        let Some(missing) = missing(query, definitions, &exemptions) else { return Ok(()) };
        let mut lacked = self.lacked.lock();
        let key = (database.clone(), missing.spec.clone());
        let is_known = lacked.contains_key(&key);
        if !missing.is_building && (is_known || lacked.len() < SUGGESTIONS_MAX) {
            *lacked.entry(key).or_default() += 1;
        }
        Err(status::index_missing(database, &missing))
    }

    fn used(&self, database: &DatabaseName, ids: &[u32]) {
        self.upkeep.used(database, ids.iter().copied());
    }
}

impl Firestore {
    /// Has queries require the indexes that production requires, in dev as well.
    pub fn require_indexes(&self) {
        self.indexes.is_strict.store(true, Ordering::Relaxed);
    }

    /// Puts an index file in force: its exemptions hold at once, what it asks for is built.
    ///
    /// Errors: those of [`Firestore::build_indexes`].
    pub async fn load_indexes(
        self: &Arc<Self>,
        caller: &Caller,
        file: IndexFile,
    ) -> Result<Vec<IndexInfo>, Status> {
        let IndexFile { indexes, fields, .. } = file;
        self.indexes.of_file.store(Arc::new(fields));
        self.indexes.put_exemptions();
        self.build_indexes(caller, &self.default_database(), indexes, Origin::File).await
    }

    /// Defines indexes and fills them; returns them when they answer queries.
    ///
    /// Errors: `RESOURCE_EXHAUSTED` when a collection group has no room for more.
    pub async fn build_indexes(
        self: &Arc<Self>,
        caller: &Caller,
        database: &DatabaseName,
        specs: Vec<Spec>,
        origin: Origin,
    ) -> Result<Vec<IndexInfo>, Status> {
        let mut built = Vec::with_capacity(specs.len());
        // All are defined before the first is filled: writers maintain them already.
        for spec in specs {
            built.push(self.define(caller, database, &spec, origin).await?);
        }
        for definition in &mut built {
            match build::fill(&self.gate, database, definition.clone()).await? {
                Built::Readable => definition.state = State::Readable,
                Built::TooMany | Built::Useless => {}
            }
        }
        Ok(built.iter().map(|definition| self.info(database, definition)).collect())
    }

    async fn define(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        spec: &Spec,
        origin: Origin,
    ) -> Result<Definition, Status> {
        let new = Definition {
            shape: spec.shape(),
            id: 0,
            state: State::Building,
            origin,
            name_descends: spec.name_descends,
        };
        build::define(&self.gate, caller, database, &new).await?.ok_or_else(|| no_room(spec))
    }

    /// Defines an index on several fields for an administrator. It is to be filled with [`Firestore::fill_index`].
    ///
    /// Errors: `ALREADY_EXISTS`; `RESOURCE_EXHAUSTED` when the collection group has no room for more.
    pub async fn define_index(
        &self,
        caller: &Caller,
        database: &DatabaseName,
        spec: &Spec,
    ) -> Result<Definition, Status> {
        let existing = self.composite_indexes(caller, database).await?;
        if existing.iter().any(|found| found.shape == spec.shape()) {
            return Err(Status::new(Code::AlreadyExists, "index already exists"));
        }
        self.define(caller, database, spec, Origin::Administrator).await
    }

    /// Fills an index that was defined, until it answers queries.
    pub async fn fill_index(&self, database: &DatabaseName, definition: Definition) -> Result<(), Status> {
        build::fill(&self.gate, database, definition).await.map(drop)
    }

    /// The indexes on several fields of a database that were asked for: none that queries had made for them.
    pub async fn composite_indexes(
        &self,
        caller: &Caller,
        database: &DatabaseName,
    ) -> Result<Vec<Definition>, Status> {
        let (mut session, _) = self.begin_admin(caller, &database.project, "ListIndexes", "/").await?;
        self.check_database(database)?;
        let all = all_definitions(&mut session).await?;
        session.finish();
        let of_database = all.into_iter().filter(|(of, _)| of == database).map(|(_, definition)| definition);
        let is_composite = |definition: &Definition| {
            definition.origin != Origin::Query && definition.shape.components.len() > 1
        };
        Ok(of_database.filter(is_composite).collect())
    }

    /// Every index there is.
    pub async fn list_indexes(&self, caller: &Caller) -> Result<Vec<IndexInfo>, Status> {
        let all = self.all_indexes(caller).await?;
        Ok(all.iter().map(|(database, definition)| self.info(database, definition)).collect())
    }

    async fn all_indexes(&self, caller: &Caller) -> Result<Vec<(DatabaseName, Definition)>, Status> {
        let operation =
            Operation { service: Service::Firestore, verb: "ListIndexes", resource: "/".to_owned() };
        let mut session = self.gate.begin(caller, operation).await?;
        session.authorize_admin("/").map_err(status::refused)?;
        let all = all_definitions(&mut session).await?;
        session.finish();
        Ok(all)
    }

    /// Drops an index of the default database by its number. Its entries are erased in the background.
    ///
    /// Errors: `NOT_FOUND`.
    pub async fn drop_index(self: &Arc<Self>, caller: &Caller, id: u32) -> Result<IndexInfo, Status> {
        self.drop_index_of(caller, &self.default_database(), id).await
    }

    /// The same of any database.
    pub async fn drop_index_of(
        self: &Arc<Self>,
        caller: &Caller,
        of: &DatabaseName,
        id: u32,
    ) -> Result<IndexInfo, Status> {
        let all = self.all_indexes(caller).await?;
        let found = all.into_iter().find(|(database, definition)| database == of && definition.id == id);
        let (database, definition) = found.ok_or_else(|| {
            Status::new(Code::NotFound, format!("there is no index {id}; `hearth indexes list` shows them"))
        })?;
        drop_index(&self.gate, caller, &database, &definition).await?;
        let service = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(status) = service.indexes.upkeep.erase_dropped().await {
                tracing::warn!(%status, "the entries of a dropped index are erased later");
            }
        });
        Ok(self.info(&database, &definition))
    }

    /// What queries lacked since the server started, most often first.
    pub async fn suggest_indexes(&self, caller: &Caller) -> Result<Vec<Suggestion>, Status> {
        let operation =
            Operation { service: Service::Firestore, verb: "SuggestIndexes", resource: "/".to_owned() };
        let mut session = self.gate.begin(caller, operation).await?;
        session.authorize_admin("/").map_err(status::refused)?;
        session.finish();
        let lacked = self.indexes.lacked.lock();
        let mut suggestions: Vec<Suggestion> = lacked
            .iter()
            .map(|((_, spec), refused)| Suggestion {
                refused: *refused,
                index: spec.json(),
                summary: spec.to_string(),
                arguments: spec.arguments(),
            })
            .collect();
        suggestions.sort_by(|a, b| b.refused.cmp(&a.refused).then_with(|| a.summary.cmp(&b.summary)));
        Ok(suggestions)
    }

    /// Looks after indexes for as long as it is polled: drops those that no query uses, erases what is left of dropped ones.
    pub async fn run_upkeep(self: Arc<Self>) {
        loop {
            if let Err(status) = self.indexes.upkeep.sweep().await {
                tracing::warn!(%status, "the indexes could not be looked after");
            }
            tokio::time::sleep(SWEPT_EVERY).await;
        }
    }

    /// The database that administrators' commands are about.
    pub fn default_database(&self) -> DatabaseName {
        DatabaseName::default_of(&self.project)
    }

    fn info(&self, database: &DatabaseName, definition: &Definition) -> IndexInfo {
        let spec = Spec::of(&definition.shape, definition.name_descends);
        let used_s = self.indexes.upkeep.last_use(database, definition.id);
        IndexInfo {
            id: definition.id,
            database: database.database.clone(),
            index: spec.json(),
            summary: format!("{spec}{}", if spec.scope() == "COLLECTION" { "" } else { " of the group" }),
            state: match definition.state {
                State::Readable => "ready",
                State::Building => "building",
            }
            .to_owned(),
            origin: match definition.origin {
                Origin::Query => "query",
                Origin::File => "file",
                Origin::Administrator => "administrator",
            }
            .to_owned(),
            last_used: used_s.map(|seconds| Timestamp { seconds, nanos: 0 }.to_string()),
        }
    }
}

fn no_room(spec: &Spec) -> Status {
    let text = format!(
        "`{}` has {INDEXES_PER_GROUP_MAX} indexes, which is the most; drop one that is not needed to make {spec}",
        spec.group
    );
    Status::new(Code::ResourceExhausted, text)
}
