//! The tables of a service in its database.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::live::Server;
use super::records::TABLES;
use crate::migration;
use crate::postgres::{Access, fault_of};
use crate::project::Service;
use crate::schema::Schema;
use crate::sql;

/// The database of a service: the one that the URL names, else its own.
pub fn name_of(service: &Service, access: &Access) -> String {
    match access.database() {
        Some(name) => name.to_owned(),
        None => service.database.clone().unwrap_or_else(|| service.id.clone()),
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    let fault = fault_of(error);
    format!("PostgreSQL says {} ({})", fault.message, fault.state)
}

/// Makes what is missing of the database, the schema's tables and what Hearth keeps there. Says whether something was.
///
/// Errors: what PostgreSQL refuses.
pub async fn create(server: &Server, service: &Service, name: &str, schema: &Schema) -> Result<bool, String> {
    if server.access.is_owned() {
        let client = server.access.connect().await.map_err(|error| said(&error))?;
        let found = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await;
        if found.map_err(|error| said(&error))?.is_none() {
            let create = format!("CREATE DATABASE {}", sql::quoted(name));
            client.batch_execute(&create).await.map_err(|error| said(&error))?;
        }
    }
    let access = server.access.to_database(name).with_settings(&[("TimeZone", "UTC")]);
    let client = access.connect().await.map_err(|error| said(&error))?;
    client.batch_execute(TABLES).await.map_err(|error| said(&error))?;
    let place = sql::quoted(&service.database_schema);
    let prepare = format!("CREATE SCHEMA IF NOT EXISTS {place}; SET search_path = {place}");
    client.batch_execute(&prepare).await.map_err(|error| said(&error))?;
    let mut changed = false;
    for statement in migration::create(schema) {
        changed |= run(&client, &statement).await?;
    }
    if let Some((role, _)) = &server.roles.data {
        let role = sql::quoted(role);
        let grants = format!(
            "REVOKE CREATE ON SCHEMA {place} FROM PUBLIC; GRANT USAGE ON SCHEMA {place}, hearth TO {role}; \
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {place} TO {role}; \
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA {place} TO {role}; GRANT EXECUTE ON FUNCTION hearth.keep TO {role}"
        );
        client.batch_execute(&grants).await.map_err(|error| said(&error))?;
    }
    Ok(changed)
}

/// Runs a statement; what it makes may be there.
async fn run(client: &Client, statement: &str) -> Result<bool, String> {
    match client.batch_execute(statement).await {
        Ok(()) => Ok(statement.starts_with("CREATE TABLE")),
        Err(error) => match error.code() {
            Some(code) if [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT].contains(code) => Ok(false),
            _ => Err(format!("{} at: {statement}", said(&error))),
        },
    }
}
