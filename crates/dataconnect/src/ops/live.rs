//! What is in force: services with their connectors and databases. A load that fails keeps the last that was good.

use std::sync::Arc;

use base::Code;
use indexmap::IndexMap;

use super::{CONNECTIONS, DataConnect, State, schema};
use crate::diagnostic::{Diagnostic, Severity};
use crate::generated::{Edition, Files};
use crate::operation::{Api, Operation, Operations};
use crate::postgres::{Access, Pools, Roles, Shares};
use crate::project::{Folder, Project, Service};
use crate::schema::Schema;
use crate::status::Failure;

/// A server with databases.
#[derive(Clone)]
pub struct Server {
    /// How administrators reach it.
    pub access: Access,
    /// Who data traffic is.
    pub roles: Roles,
}

/// A database of services.
pub struct Database {
    /// Its name.
    pub name: String,
    /// How administrators reach it.
    pub access: Access,
    /// Connections for data traffic.
    pub pools: Pools,
    /// Who has how many of them.
    pub shares: Arc<Shares>,
}

/// A connector.
pub struct Connector {
    operations: Operations,
    /// What is wrong with the others.
    errors: Vec<Diagnostic>,
}

/// A service.
pub struct Served {
    /// Its id.
    pub id: String,
    /// Its location.
    pub location: String,
    /// The API of its schema.
    pub api: Api,
    connectors: IndexMap<String, Arc<Connector>>,
    /// Its database.
    pub database: Arc<Database>,
}

/// All services.
#[derive(Default)]
pub struct Live {
    services: IndexMap<String, Arc<Served>>,
    /// Those that have never been good, and why.
    broken: IndexMap<String, String>,
}

/// What a load came to.
#[derive(Default)]
pub struct Loaded {
    /// Everything there is to say, errors first.
    pub diagnostics: Vec<Diagnostic>,
    /// What the database refused, by service.
    pub refused: Vec<String>,
    /// Files for editors: a service's folder, a name below it, the text.
    pub outputs: Vec<(String, String, String)>,
    /// How many services and operations are in force.
    pub services: usize,
    /// See `services`.
    pub operations: usize,
}

/// A service whose texts were read.
struct Compiled {
    service: Service,
    api: Option<Api>,
    connectors: IndexMap<String, (Operations, Vec<Diagnostic>)>,
    errors: Vec<Diagnostic>,
}

fn errors(said: &[Diagnostic]) -> Vec<Diagnostic> {
    said.iter().filter(|said| said.severity == Severity::Error).cloned().collect()
}

fn compile(service: Service, loaded: &mut Loaded) -> Compiled {
    let (read, mut said) = Schema::read(&service.schema);
    let mut compiled = Compiled { service, api: None, connectors: IndexMap::new(), errors: errors(&said) };
    loaded.diagnostics.append(&mut said);
    if !compiled.errors.is_empty() {
        return compiled;
    }
    let files = Files::of(&read, Edition::CURRENT);
    let prelude = [("prelude.gql".to_owned(), crate::generated::PRELUDE.to_owned())];
    let named = files.named().map(|(name, text)| (format!("main/{name}"), text.to_owned()));
    for (name, text) in prelude.into_iter().chain(named) {
        loaded.outputs.push((compiled.service.folder.clone(), format!(".dataconnect/schema/{name}"), text));
    }
    match Api::new(read, &compiled.service.schema) {
        Err(said) => {
            compiled.errors.clone_from(&said);
            loaded.diagnostics.extend(said);
        }
        Ok(api) => {
            for connector in &compiled.service.connectors {
                let (operations, said) = api.compile(&connector.texts);
                compiled.connectors.insert(connector.id.clone(), (operations, errors(&said)));
                loaded.diagnostics.extend(said);
            }
            compiled.api = Some(api);
        }
    }
    compiled
}

impl DataConnect {
    /// Reads a project's texts and puts them in force on a server. `sources` are the folders of services.
    pub async fn load(&self, folder: Folder, sources: Vec<String>, server: &Server) -> Loaded {
        let read = tokio::task::spawn_blocking(move || {
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            let (project, diagnostics) = Project::read(&folder, &sources);
            let mut loaded = Loaded { diagnostics, ..Loaded::default() };
            let compiled: Vec<Compiled> =
                project.services.into_iter().map(|service| compile(service, &mut loaded)).collect();
            (compiled, loaded)
        });
        let Ok((compiled, mut loaded)) = read.await else {
            let refused = vec!["the project's texts could not be read".to_owned()];
            return Loaded { refused, ..Loaded::default() };
        };
        let before = self.live().unwrap_or_default();
        let mut live = Live::default();
        for compiled in compiled {
            let id = compiled.service.id.clone();
            match put(compiled, &before, &live, server).await {
                Ok(served) => {
                    live.services.insert(id, Arc::new(served));
                }
                Err(why) => {
                    match before.services.get(&id) {
                        Some(good) => drop(live.services.insert(id.clone(), Arc::clone(good))),
                        None => drop(live.broken.insert(id.clone(), why.clone())),
                    }
                    loaded.refused.push(format!("the service `{id}`: {why}"));
                }
            }
        }
        loaded.services = live.services.len();
        let connectors = live.services.values().flat_map(|served| served.connectors.values());
        loaded.operations = connectors.map(|connector| connector.operations.len()).sum();
        loaded.diagnostics.sort_by(|a, b| (a.severity, &a.place).cmp(&(b.severity, &b.place)));
        // Before the first call: what is there then is of earlier processes.
        for served in live.services.values() {
            self.complete_log(&served.database).await;
        }
        self.set(State::Live(Arc::new(live)));
        loaded
    }

    /// Every database in use.
    pub(super) fn databases(&self) -> Vec<Arc<Database>> {
        let mut found: Vec<Arc<Database>> = Vec::new();
        for served in self.live().iter().flat_map(|live| live.services.values()) {
            if !found.iter().any(|known| Arc::ptr_eq(known, &served.database)) {
                found.push(Arc::clone(&served.database));
            }
        }
        found
    }
}

/// Puts a service on its database.
async fn put(compiled: Compiled, before: &Live, live: &Live, server: &Server) -> Result<Served, String> {
    let Compiled { service, api, connectors, errors } = compiled;
    let Some(api) = api else {
        return Err(first(&errors).unwrap_or_else(|| "the schema cannot be used".to_owned()));
    };
    let name = schema::name_of(&service, &server.access);
    let known = [live, before].into_iter().flat_map(|live| live.services.values());
    let known = known.map(|served| &served.database).find(|database| database.name == name).cloned();
    let changed = schema::create(server, &service, &name, api.tables()).await?;
    let database = match known {
        Some(database) => {
            if changed {
                database.pools.renew();
            }
            database
        }
        None => {
            let access = server.access.to_database(&name);
            let pools = Pools::new(&access.as_role(&server.roles), &service.database_schema, CONNECTIONS)?;
            Arc::new(Database { name, access, pools, shares: Shares::new(CONNECTIONS) })
        }
    };
    let old = before.services.get(&service.id);
    let connectors = connectors.into_iter().map(|(id, (operations, errors))| {
        let good = old.and_then(|old| old.connectors.get(&id));
        // Operations of a broken edit are those from before, as far as their schema is the same.
        let connector = match good.filter(|_| !errors.is_empty() && !changed) {
            Some(good) => Arc::clone(good),
            None => Arc::new(Connector { operations, errors }),
        };
        (id, connector)
    });
    let connectors = connectors.collect();
    Ok(Served { id: service.id, location: service.location, api, connectors, database })
}

fn first(errors: &[Diagnostic]) -> Option<String> {
    errors.first().map(ToString::to_string)
}

impl Live {
    /// The service with this id.
    pub fn service(&self, id: &str) -> Result<Arc<Served>, Failure> {
        if let Some(served) = self.services.get(id) {
            return Ok(Arc::clone(served));
        }
        match self.broken.get(id) {
            Some(why) => {
                Err(Failure::of(Code::FailedPrecondition, format!("the service `{id}` is not served: {why}")))
            }
            None => Err(Failure::not_found(format!("there is no service `{id}`"))),
        }
    }

    /// All services.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.services.values()
    }
}

impl Served {
    /// An operation of a connector.
    pub fn operation(&self, connector: &str, name: &str) -> Result<&Operation, Failure> {
        let found = self.connectors.get(connector).ok_or_else(|| {
            Failure::not_found(format!("the service `{}` has no connector `{connector}`", self.id))
        })?;
        if let Some(operation) = found.operations.get(name) {
            return Ok(operation);
        }
        match first(&found.errors) {
            Some(error) => {
                let message = format!("the connector `{connector}` has errors: {error}");
                Err(Failure::of(Code::FailedPrecondition, message))
            }
            None => Err(Failure::not_found(format!("the connector `{connector}` has no operation `{name}`"))),
        }
    }
}
