//! A project on a database: operations by name, with who calls them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Fields, Timestamp, Value as Stored};
use dataconnect::diagnostic::{Severity, Text};
use dataconnect::migration;
use dataconnect::operation::{Api, Kind, Operation, Operations, Scope, stored};
use dataconnect::schema::Schema;
use dataconnect::sql::{self, Failure, Given};
use policy::{Auth, Who};
use serde_json::{Map, Value as Json};

use crate::server::{Server, Session};

pub const NOW: &str = "2026-11-30T12:00:00Z";

/// A project on a database.
pub struct House<'s> {
    pub server: &'s Server,
    pub database: String,
    pub api: Api,
    pub operations: Operations,
    session: RefCell<Session>,
}

static UUIDS: AtomicU64 = AtomicU64::new(1);

fn uuid() -> String {
    format!("{:032x}", UUIDS.fetch_add(1, Ordering::Relaxed))
}

impl<'s> House<'s> {
    pub fn new(server: &'s Server, database: &str, schema: &str, operations: &str) -> Self {
        let text = Text::new("schema.gql", schema);
        let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
        assert_eq!(diagnostics, []);
        server.run("postgres", &format!("CREATE DATABASE {database}")).unwrap();
        let ddl = migration::create(&schema).join(";\n");
        server.run(database, &format!("{ddl};")).unwrap();
        let api = Api::new(schema, &[text]).unwrap_or_else(|said| panic!("{said:#?}"));
        let (operations, diagnostics) = api.compile(&[Text::new("operations.gql", operations)]);
        let errors: Vec<String> = diagnostics
            .iter()
            .filter(|said| said.severity == Severity::Error)
            .map(ToString::to_string)
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        let session = RefCell::new(Session::new(server, database));
        Self { server, database: database.to_owned(), api, operations, session }
    }

    /// What an operation answers. Fails at the first field that fails.
    pub fn call(&self, name: &str, uid: Option<&str>, variables: Json) -> Result<Json, String> {
        let operation = self.operations.get(name).unwrap_or_else(|| panic!("no operation {name}"));
        self.answer(operation, uid, variables)
    }

    pub fn answer(&self, operation: &Operation, uid: Option<&str>, variables: Json) -> Result<Json, String> {
        let variables: Map<String, Json> = variables.as_object().cloned().unwrap_or_default();
        let variables = self.api.variables(operation, variables).map_err(|faults| format!("{faults:?}"))?;
        let token = Fields::new();
        let who = Who {
            auth: uid.map(|uid| Auth { uid, token: &token }),
            app: None,
            time: Timestamp::parse(NOW).unwrap(),
        };
        let Stored::Map(vars) = stored(&Json::Object(variables.clone())) else { unreachable!() };
        let response = Stored::Null;
        let scope =
            Scope { who, kind: operation.kind.name(), variables: &vars, response: &response, uuid: &uuid };
        let expression = |at: usize| operation.expressions[at].value(&scope);
        let default = |text: &str| self.api.default(text).expect("a default").value(&scope);
        let given = Given { variables: &variables, expression: &expression, default: &default, now: NOW };
        let schema = self.api.tables();
        let run = |statement: Result<sql::Statement, Failure>| {
            let statement = statement.map_err(|failure| failure.to_string())?;
            let ran = self.session.borrow_mut().execute(&statement);
            let text = ran.map_err(|(state, said)| format!("{state} {said}\n{}", statement.text))?;
            serde_json::from_str::<Json>(&text).map_err(|why| format!("{why}: {text:?}"))
        };
        match operation.kind {
            Kind::Query => run(sql::query(schema, &operation.selection, &given)),
            Kind::Mutation => {
                let mut answer = Map::new();
                for root in &operation.selection {
                    answer.insert(root.key.clone(), run(sql::mutation(schema, root, &given))?);
                }
                Ok(Json::Object(answer))
            }
        }
    }
}
