//! Connections for data traffic: some that only read, some that write.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::bind::Text;
use super::connect::{Access, Tls};
use crate::execution::SqlFault;
use crate::sql::Statement;

/// How long one statement may run.
pub const STATEMENT_MS_MAX: u64 = 10_000;
/// How long a statement waits for a lock.
const LOCK_MS_MAX: u64 = 5_000;
/// How long a connection is waited for.
const WAIT_SECONDS_MAX: u64 = 5;
/// Statements that one connection keeps prepared; beyond it begins anew.
const PREPARED_MAX: usize = 1_000;

/// Connections to one database.
pub struct Pools {
    read: Pool,
    write: Pool,
    tls: Tls,
}

/// A connection out of a pool.
pub struct Connection {
    object: Option<Object>,
    tls: Tls,
    /// Whether a transaction may be open on it.
    dirty: bool,
}

impl Pools {
    /// Up to `count` connections of each kind. None is made yet.
    pub fn new(access: &Access, schema: &str, count: usize) -> Result<Self, String> {
        let pool = |read_only: &str, isolation: &str| {
            let statement = STATEMENT_MS_MAX.to_string();
            let lock = LOCK_MS_MAX.to_string();
            let access = access.with_settings(&[
                ("TimeZone", "UTC"),
                ("statement_timeout", &statement),
                ("lock_timeout", &lock),
                ("idle_in_transaction_session_timeout", &statement),
                ("default_transaction_read_only", read_only),
                ("default_transaction_isolation", isolation),
                ("search_path", schema),
                ("client_min_messages", "error"),
            ]);
            let (config, tls) = access.parts();
            let manager =
                Manager::from_config(config, tls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
            let wait = Some(Duration::from_secs(WAIT_SECONDS_MAX));
            let pool = Pool::builder(manager).max_size(count).wait_timeout(wait).create_timeout(wait);
            pool.runtime(Runtime::Tokio1).build().map_err(|error| error.to_string())
        };
        let (_, tls) = access.parts();
        Ok(Self { tls, read: pool("on", "repeatable read")?, write: pool("off", "read committed")? })
    }

    /// A connection that only reads.
    pub async fn read(&self) -> Result<Connection, SqlFault> {
        self.connection(&self.read).await
    }

    /// One that writes.
    pub async fn write(&self) -> Result<Connection, SqlFault> {
        self.connection(&self.write).await
    }

    async fn connection(&self, pool: &Pool) -> Result<Connection, SqlFault> {
        match pool.get().await {
            Ok(object) => Ok(Connection { object: Some(object), tls: self.tls.clone(), dirty: false }),
            Err(PoolError::Backend(error)) => Err(fault_of(&error)),
            Err(error) => Err(unreachable(&error.to_string())),
        }
    }

    /// Drops the connections and what they have prepared: tables were changed.
    pub fn renew(&self) {
        for pool in [&self.read, &self.write] {
            pool.retain(|_, _| false);
        }
    }
}

impl Connection {
    fn object(&self) -> Result<&Object, SqlFault> {
        self.object.as_ref().ok_or_else(|| unreachable("the connection is gone"))
    }

    /// Runs a statement that gives one row with one text. Statements of operations are prepared once for each connection.
    /// Dropped meanwhile, the connection is closed and the server asked to stop.
    pub async fn one(&mut self, statement: &Statement, keep: bool) -> Result<String, SqlFault> {
        let before = std::mem::replace(&mut self.dirty, true);
        let outcome = self.row(statement, keep).await;
        self.dirty = before;
        outcome
    }

    async fn row(&self, statement: &Statement, keep: bool) -> Result<String, SqlFault> {
        let object = self.object()?;
        let prepared = match keep {
            true => {
                if object.statement_cache.size() >= PREPARED_MAX {
                    object.statement_cache.clear();
                }
                object.prepare_cached(&statement.text).await
            }
            false => object.prepare(&statement.text).await,
        };
        let prepared = prepared.map_err(|error| fault_of(&error))?;
        let values: Vec<Text<'_>> = statement.parameters.iter().map(|value| Text(value.as_deref())).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let row = object.query_opt(&prepared, &values).await.map_err(|error| fault_of(&error))?;
        let text: Option<String> = match row {
            Some(row) => row.try_get(0).map_err(|error| fault_of(&error))?,
            None => None,
        };
        Ok(text.unwrap_or_else(|| "null".to_owned()))
    }

    /// Runs what has no values and no answer.
    pub async fn run(&self, text: &str) -> Result<(), SqlFault> {
        self.object()?.batch_execute(text).await.map_err(|error| fault_of(&error))
    }

    /// Begins a transaction. Until [`Connection::end`] nobody else gets the connection: dropped before, it is closed.
    pub async fn begin(&mut self, text: &str) -> Result<(), SqlFault> {
        self.dirty = true;
        self.run(text).await
    }

    /// Ends the transaction, with `COMMIT` or `ROLLBACK`.
    pub async fn end(&mut self, text: &str) -> Result<(), SqlFault> {
        self.run(text).await?;
        self.dirty = false;
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(object) = self.object.take().filter(|_| self.dirty) {
            // The server ends the transaction with the connection, and what runs when it is asked to.
            let client = Object::take(object);
            let (cancel, tls) = (client.cancel_token(), self.tls.clone());
            drop(client);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { cancel.cancel_query(tls).await });
            }
        }
    }
}

fn unreachable(why: &str) -> SqlFault {
    SqlFault { state: SqlState::CONNECTION_FAILURE.code().to_owned(), message: why.to_owned() }
}

/// An error as the machine takes it. What PostgreSQL did not say itself is a connection that failed.
pub fn fault_of(error: &tokio_postgres::Error) -> SqlFault {
    match error.as_db_error() {
        None => unreachable(&error.to_string()),
        Some(said) => {
            let constraint = said.constraint().map(|name| format!(" [{name}]")).unwrap_or_default();
            let detail = said.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            let message = format!("{}{constraint}{detail}", said.message());
            SqlFault { state: said.code().code().to_owned(), message }
        }
    }
}
