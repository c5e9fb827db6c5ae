//! Data Connect, with its PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use dataconnect::DataConnect;
use dataconnect::ops::{Server, State};
use dataconnect::postgres::{Access, Cluster, Local, Roles, StartError};
use dataconnect::project::Folder;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Addresses, Beginning, Callers, Part, Row, Service, Socket, Variable, Work};

/// How often the project's files are looked at.
const LOOK_MILLIS: u64 = 200;
/// How long a start that failed is not tried again.
const AGAIN_SECONDS: u64 = 3;
/// Files of one service.
const FILES_MAX: usize = 2_000;
/// Folders within folders.
const LEVELS_MAX: usize = 16;

pub static ROW: Row = Row {
    name: "dataconnect",
    part: Part::Product,
    socket: Socket::OwnIfConfigured(9399),
    callers: Callers::Own,
    feed: false,
    variables: &[
        Variable { name: "FIREBASE_DATA_CONNECT_EMULATOR_HOST", before: "http://" },
        Variable { name: "DATA_CONNECT_EMULATOR_HOST", before: "" },
        Variable { name: "FIREBASE_DATACONNECT_EMULATOR_HOST", before: "" },
    ],
    rules: None,
    portable: None,
    open: |ground| {
        let authenticate = Arc::clone(&ground.authenticate);
        let data = ground.data.clone();
        let dataconnect = DataConnect::new(ground.gate.clone(), &ground.project, data.clone(), authenticate);
        Box::new(Operations {
            dataconnect,
            data,
            plan: Mutex::default(),
            phase: watch::Sender::new(Phase::Idle),
        })
    },
};

struct Operations {
    dataconnect: Arc<DataConnect>,
    data: Option<PathBuf>,
    /// Set at the beginning, taken when the work begins.
    plan: Mutex<Option<Plan>>,
    phase: watch::Sender<Phase>,
}

/// Where the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Idle,
    Running,
    /// It is to end.
    Ending,
}

/// What there is to do.
struct Plan {
    folder: PathBuf,
    sources: Vec<String>,
    postgres: Option<Access>,
}

#[async_trait]
impl Service for Operations {
    fn routes(&self, _: &Addresses) -> Router {
        dataconnect::api::router(Arc::clone(&self.dataconnect))
    }

    async fn begin(&self, beginning: &Beginning<'_>) -> Result<(), String> {
        let project = beginning.project;
        if project.services.is_empty() {
            return Ok(());
        }
        let postgres = beginning.postgres.as_deref().map(Access::url).transpose()?;
        let (folder, sources) = (project.folder().to_owned(), project.services.clone());
        *self.plan.lock() = Some(Plan { folder, sources, postgres });
        Ok(())
    }

    async fn close(&self) {
        let mut phase = self.phase.subscribe();
        let running =
            self.phase.send_if_modified(|phase| std::mem::replace(phase, Phase::Ending) == Phase::Running);
        if running {
            let _ = phase.wait_for(|phase| *phase == Phase::Idle).await;
        }
    }

    fn work(&self) -> Option<Work> {
        let plan = self.plan.lock().take()?;
        self.dataconnect.set(State::Starting);
        self.phase.send_replace(Phase::Running);
        let (dataconnect, data, phase) =
            (Arc::clone(&self.dataconnect), self.data.clone(), self.phase.clone());
        Some(Box::pin(async move {
            let mut ending = phase.subscribe();
            let records = Arc::clone(&dataconnect).run_records();
            tokio::select! {
                () = records => {}
                () = serve(&dataconnect, &plan, data.as_deref(), &mut ending) => {}
            }
            phase.send_replace(Phase::Idle);
        }))
    }
}

/// Keeps the database running and what is in force up to date, until it is to end.
async fn serve(
    dataconnect: &Arc<DataConnect>,
    plan: &Plan,
    data: Option<&Path>,
    ending: &mut watch::Receiver<Phase>,
) {
    let temporary = data.is_none().then(temporary);
    loop {
        let started = tokio::select! {
            // Dropped, what was spawned ends by itself.
            _ = ending.wait_for(|phase| *phase == Phase::Ending) => break,
            started = start(plan, data, temporary.as_deref()) => started,
        };
        let (server, mut local) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!("{error}");
                dataconnect.set(State::Broken(error.to_string().into()));
                let over = ending.wait_for(|phase| *phase == Phase::Ending);
                tokio::select! {
                    _ = over => break,
                    () = sleep(Duration::from_secs(AGAIN_SECONDS)) => continue,
                }
            }
        };
        tokio::select! {
            _ = ending.wait_for(|phase| *phase == Phase::Ending) => {}
            how = ended(local.as_mut()) => {
                tracing::error!("PostgreSQL has ended ({how}): it is started again");
                continue;
            }
            () = follow(dataconnect, plan, &server) => {}
        }
        if let Some(local) = local {
            local.stop().await;
        }
        break;
    }
    if let Some(folder) = temporary
        && let Err(error) = std::fs::remove_dir_all(&folder)
    {
        tracing::debug!(%error, "`{}` stays", folder.display());
    }
}

async fn ended(local: Option<&mut Local>) -> String {
    match local {
        Some(local) => local.ended().await,
        None => std::future::pending().await,
    }
}

async fn start(
    plan: &Plan,
    data: Option<&Path>,
    temporary: Option<&Path>,
) -> Result<(Server, Option<Local>), StartError> {
    if let Some(access) = &plan.postgres {
        return Ok((Server { access: access.clone(), roles: Roles::default() }, None));
    }
    let own = data.map(|data| data.join("postgres"));
    let Some(folder) = own.as_deref().or(temporary) else { return Err(StartError::NoBinaries) };
    let local = Cluster::in_folder(folder, data.is_some())?.start().await?;
    Ok((Server { access: local.access.clone(), roles: local.roles.clone() }, Some(local)))
}

/// A folder for data that is not kept.
fn temporary() -> PathBuf {
    let name = base::id::document_id().unwrap_or_else(|_| std::process::id().to_string());
    std::env::temp_dir().join(format!("hearth-pg-{name}"))
}

/// Loads the project, and again whenever its files change.
async fn follow(dataconnect: &Arc<DataConnect>, plan: &Plan, server: &Server) {
    let mut seen = None;
    loop {
        let (folder, files) = read(plan);
        if seen.as_ref() != Some(&files) {
            let again = seen.is_some();
            if load(dataconnect, plan, server, folder, again).await {
                seen = Some(files);
            } else {
                // The texts are good: it is the database.
                sleep(Duration::from_secs(AGAIN_SECONDS)).await;
                continue;
            }
        }
        sleep(Duration::from_millis(LOOK_MILLIS)).await;
    }
}

/// Loads texts. `false`: nothing is wrong with them, and all the same not everything is in force.
async fn load(
    dataconnect: &Arc<DataConnect>,
    plan: &Plan,
    server: &Server,
    folder: Folder,
    again: bool,
) -> bool {
    let loaded = dataconnect.load(folder, plan.sources.clone(), server).await;
    for said in &loaded.diagnostics {
        match said.severity {
            dataconnect::diagnostic::Severity::Error => tracing::error!("{said}"),
            dataconnect::diagnostic::Severity::Warning => tracing::warn!("{said}"),
        }
    }
    for why in &loaded.refused {
        let kept = if again { "; what was in force before still is" } else { "" };
        tracing::error!("{why}{kept}");
    }
    let counts = (loaded.services, loaded.operations);
    tracing::info!("Data Connect: {} services with {} operations are in force", counts.0, counts.1);
    if dataconnect.is_dev() {
        for (service, name, text) in &loaded.outputs {
            write_output(&plan.folder.join(service).join(name), text);
        }
    }
    loaded.refused.is_empty()
        || loaded.diagnostics.iter().any(|said| said.severity == dataconnect::diagnostic::Severity::Error)
}

/// Writes a file for editors, where it is not there as it is.
fn write_output(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return;
    }
    let written =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    if let Err(error) = written {
        tracing::debug!(%error, "`{}` cannot be written", path.display());
    }
}

/// The files of all services.
fn read(plan: &Plan) -> (Folder, Vec<(String, String)>) {
    let mut files = Vec::new();
    for source in &plan.sources {
        walk(&plan.folder, &plan.folder.join(source), LEVELS_MAX, &mut files);
    }
    files.sort();
    files.dedup();
    let mut folder = Folder::default();
    files.iter().for_each(|(name, text)| folder.add(name, text));
    (folder, files)
}

fn walk(root: &Path, folder: &Path, levels: usize, files: &mut Vec<(String, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == "node_modules" || files.len() >= FILES_MAX {
            continue;
        }
        if path.is_dir() {
            if levels > 0 {
                walk(root, &path, levels - 1, files);
            }
            continue;
        }
        let wanted = [".gql", ".graphql", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
        if let (true, Ok(text)) = (wanted, std::fs::read_to_string(&path)) {
            let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((shown, text));
        }
    }
}
