//! The tables of a service in its database.

use tokio_postgres::Client;

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
    let changed = migrate(&client, service, schema).await?;
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

/// Brings the tables to the schema. What could lose data is not done here.
async fn migrate(client: &Client, service: &Service, schema: &Schema) -> Result<bool, String> {
    let run = async |sql: &str| {
        client.batch_execute(sql).await.map_err(|error| format!("{} at: {sql}", said(&error)))
    };
    run("BEGIN").await?;
    for statement in migration::shape(schema) {
        run(&statement).await?;
    }
    let wanted = catalog(client, "pg_temp").await;
    run("ROLLBACK").await?;
    let found = catalog(client, &service.database_schema).await?;
    let difference = migration::difference(schema, &wanted?, &found, service.validation);
    if difference.is_empty() {
        return Ok(false);
    }
    if let Some(step) = difference.all().find(|step| step.destructive) {
        return Err(format!(
            "the tables cannot be brought to the schema without losing data: it {}, which `{}` would do; run it yourself if that \
             is meant",
            step.description, step.sql
        ));
    }
    for check in difference.all().filter_map(|step| step.check.as_ref()) {
        let row = client.query_one(&check.sql, &[]).await.map_err(|error| said(&error))?;
        let count: i64 = row.try_get(0).map_err(|error| said(&error))?;
        if count != 0 {
            return Err(format!("the tables cannot be brought to the schema: {count} {}", check.message));
        }
    }
    for step in &difference.before {
        run(&step.sql).await?;
    }
    run("BEGIN").await?;
    run(migration::LOCK).await?;
    for step in &difference.steps {
        if let Err(why) = run(&step.sql).await {
            // The connection ends with this, and the transaction with it.
            return Err(format!("{} failed: {why}", step.description));
        }
    }
    run("COMMIT").await?;
    Ok(true)
}

async fn catalog(client: &Client, schema: &str) -> Result<migration::Catalog, String> {
    let row = client.query_one(migration::CATALOG, &[&schema]).await.map_err(|error| said(&error))?;
    let text: String = row.try_get(0).map_err(|error| said(&error))?;
    migration::Catalog::read(&text).map_err(|error| format!("the database's catalog cannot be read: {error}"))
}
