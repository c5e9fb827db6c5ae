//! The records of mutations: written with their effects, taken into the access log, taken out of the database.
//!
//! A record is a row of `hearth.record` until its lines are in the log's file for a while. A start completes the log from what is
//! there, and so does a round, from the commits of which nobody knew whether they were made.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use access::Gate;
use parking_lot::Mutex;
use tokio::time::sleep;
use tokio_postgres::Client;

use super::DataConnect;
use super::live::Database;

/// What Hearth keeps in a database. The role of data traffic may add a record and nothing else.
pub(super) const TABLES: &str = "\
CREATE SCHEMA IF NOT EXISTS hearth;
CREATE TABLE IF NOT EXISTS hearth.record (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  events text NOT NULL
);
CREATE OR REPLACE FUNCTION hearth.keep(commit text, events text) RETURNS text
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ INSERT INTO hearth.record (id, events) VALUES ($1::uuid, $2) RETURNING 'kept'::text $$;
REVOKE ALL ON FUNCTION hearth.keep FROM PUBLIC;";

/// Adds a record: its name and its events.
pub(super) const KEEP: &str = "SELECT hearth.keep($1::text, $2::text)";

/// How often records are taken out.
const ROUND_MILLIS: u64 = 2_000;
/// How long a record stays: longer than a call may take, so that one whose end is not known yet is left alone.
const KEPT_SECONDS: u64 = 40;
/// Records that are taken out at once.
const BATCH: usize = 2_000;

/// The names of records whose lines are in the log.
#[derive(Debug, Default)]
pub struct Records {
    written: Mutex<HashSet<(String, String)>>,
    /// The databases whose records of earlier processes are in the log.
    completed: Mutex<HashSet<String>>,
}

impl Records {
    /// A record's lines were handed to the log.
    pub(super) fn written(&self, database: &str, commit: String) {
        self.written.lock().insert((database.to_owned(), commit));
    }

    /// Of these records of a database those whose lines nobody handed to the log.
    fn unknown<'r>(&self, database: &str, records: &'r [(String, String)]) -> Vec<&'r (String, String)> {
        let written = self.written.lock();
        let is_known = |id: &str| written.contains(&(database.to_owned(), id.to_owned()));
        records.iter().filter(|(id, _)| !is_known(id)).collect()
    }

    fn forget(&self, database: &str, records: &[(String, String)]) {
        let mut written = self.written.lock();
        for (id, _) in records {
            written.remove(&(database.to_owned(), id.clone()));
        }
    }
}

impl DataConnect {
    /// Takes records out of the databases until it is dropped.
    pub async fn run_records(self: Arc<Self>) {
        let mut clients: Vec<(String, Client)> = Vec::new();
        loop {
            sleep(Duration::from_millis(ROUND_MILLIS)).await;
            for database in self.databases() {
                clients.retain(|(name, client)| *name != database.name || !client.is_closed());
                if !clients.iter().any(|(name, _)| *name == database.name) {
                    match database.access.connect().await {
                        Ok(client) => clients.push((database.name.clone(), client)),
                        Err(error) => {
                            tracing::debug!(%error, database = database.name, "no records: the database cannot be reached");
                            continue;
                        }
                    }
                }
                let Some((_, client)) = clients.iter().find(|(name, _)| *name == database.name) else {
                    continue;
                };
                if let Err(why) = self.take_out(&database, client, KEPT_SECONDS).await {
                    tracing::warn!(why, database = database.name, "records stay in the database");
                }
            }
        }
    }

    /// Completes the log from what a crash left in a database that this process has not served yet. A failure is left to a later
    /// round.
    pub(super) async fn complete_log(&self, database: &Database) {
        if !self.records.completed.lock().insert(database.name.clone()) {
            return;
        }
        let added = async {
            let client = database.access.connect().await.map_err(|error| error.to_string())?;
            let mut added = 0;
            loop {
                let (found, lines) = self.take_out(database, &client, 0).await?;
                added += lines;
                if found < BATCH {
                    return Ok::<usize, String>(added);
                }
            }
        };
        match added.await {
            Ok(0) => {}
            Ok(added) => tracing::info!("the access log was completed with the lines of {added} mutations"),
            Err(why) => tracing::warn!("the access log cannot be completed yet: {why}"),
        }
    }

    /// Takes the records of an age out of a database; the log gets the lines it lacks first. Gives how many there were, and how
    /// many the log lacked.
    async fn take_out(
        &self,
        database: &Database,
        client: &Client,
        age_s: u64,
    ) -> Result<(usize, usize), String> {
        let rows = client
            .query(
                &format!(
                    "SELECT id::text, events FROM hearth.record \
                     WHERE at <= clock_timestamp() - make_interval(secs => {age_s}) ORDER BY at LIMIT {BATCH}"
                ),
                &[],
            )
            .await
            .map_err(|error| error.to_string())?;
        let of_row = |row: &tokio_postgres::Row| {
            let id: String = row.try_get(0)?;
            Ok::<_, tokio_postgres::Error>((id.replace('-', ""), row.try_get(1)?))
        };
        let records: Vec<(String, String)> =
            rows.iter().map(of_row).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        if records.is_empty() {
            return Ok((0, 0));
        }
        let missing = self.missing(&database.name, &records)?;
        self.gate.complete_from(&missing).map_err(|status| status.message)?;
        let ids: Vec<String> = records.iter().map(|(id, _)| id.clone()).collect();
        client
            .execute("DELETE FROM hearth.record WHERE id = ANY($1::text[]::uuid[])", &[&ids])
            .await
            .map_err(|error| error.to_string())?;
        self.records.forget(&database.name, &records);
        Ok((records.len(), missing.len()))
    }

    /// The records that the log has no lines of.
    fn missing(&self, database: &str, records: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
        let unknown = self.records.unknown(database, records);
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let asked: BTreeSet<String> = unknown.iter().map(|(id, _)| id.clone()).collect();
        let there = match &self.data {
            Some(folder) => {
                self.gate.log().flush();
                Gate::recorded_commits(folder, &asked).map_err(|status| status.message)?
            }
            None => BTreeSet::new(),
        };
        Ok(unknown.into_iter().filter(|(id, _)| !there.contains(id)).cloned().collect())
    }
}
