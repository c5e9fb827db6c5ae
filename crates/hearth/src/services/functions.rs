//! Cloud Functions: in `dev` only so far.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::Blocking;
use async_trait::async_trait;
use axum::Router;
use functions::Functions;
use functions::model::Settings;
use functions::ops::Guards;
use parking_lot::Mutex;

use super::{Addresses, Beginning, Callers, Part, Row, Service, Socket, Variable, Work};
use crate::settings::{self, FILE_NAME};

/// How often `hearth.toml` is looked at.
const LOOK_MILLIS: u64 = 500;

pub static ROW: Row = Row {
    name: "functions",
    part: Part::Product,
    socket: Socket::OwnIfConfigured(5001),
    callers: Callers::Own,
    feed: false,
    variables: &[
        Variable { name: "FUNCTIONS_EMULATOR_HOST", before: "" },
        Variable { name: "PUBSUB_EMULATOR_HOST", before: "" },
        Variable { name: "CLOUD_EVENTARC_EMULATOR_HOST", before: "http://" },
        Variable { name: "CLOUD_TASKS_EMULATOR_HOST", before: "" },
    ],
    rules: None,
    portable: None,
    open: |ground| {
        let functions =
            Functions::new(ground.gate.clone(), &ground.project, Arc::clone(&ground.authenticate));
        ground.identity.set_blocking(Arc::clone(&functions) as Arc<dyn Blocking>);
        Box::new(Calls { functions, settings: Mutex::default() })
    },
};

struct Calls {
    functions: Arc<Functions>,
    /// Set in `dev`, taken when the work begins.
    settings: Mutex<Option<Settings>>,
}

#[async_trait]
impl Service for Calls {
    fn routes(&self, _: &Addresses) -> Router {
        // Production's port is shared, and its workers are not built yet.
        if self.functions.is_dev() {
            functions::api::router(Arc::clone(&self.functions))
        } else {
            Router::new()
        }
    }

    fn streams_bodies(&self) -> bool {
        true
    }

    async fn begin(&self, beginning: &Beginning<'_>) -> Result<(), String> {
        let project = beginning.project;
        let names: Vec<String> = project.codebases.iter().map(|codebase| codebase.name.clone()).collect();
        self.functions.restore_interests(&names).await.map_err(|status| status.message)?;
        // Production's workers are not built yet.
        if project.codebases.is_empty() || !self.functions.is_dev() {
            return Ok(());
        }
        let ours = settings::read(project.folder())?.unwrap_or_default();
        self.functions.set_guards(guards(ours.guards)?);
        *self.settings.lock() = Some(Settings {
            project: self.functions.project().to_owned(),
            folder: project.folder().to_owned(),
            codebases: project.codebases.clone(),
            params: ours.params,
            variables: beginning.variables.clone(),
        });
        Ok(())
    }

    fn work(&self) -> Option<Work> {
        let settings = self.settings.lock().take()?;
        let functions = Arc::clone(&self.functions);
        Some(Box::pin(async move {
            let follow = follow(Arc::clone(&functions), settings.folder.clone());
            tokio::join!(functions.run(settings), follow);
        }))
    }
}

fn guards(texts: Vec<functions::ops::GuardText>) -> Result<Guards, String> {
    Guards::compile(FILE_NAME, texts).map_err(|errors| errors.join("\n"))
}

/// Takes up edits of `hearth.toml`; one with errors changes nothing.
async fn follow(functions: Arc<Functions>, folder: PathBuf) {
    let read = |folder: &Path| std::fs::read(folder.join(FILE_NAME)).ok();
    let mut seen = read(&folder);
    loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MILLIS)).await;
        let now = read(&folder);
        if now == seen {
            continue;
        }
        seen = now;
        match settings::read(&folder).and_then(|ours| guards(ours.unwrap_or_default().guards)) {
            Ok(guards) => {
                functions.set_guards(guards);
                tracing::info!(target: "function", "{FILE_NAME} reloaded");
            }
            Err(error) => tracing::error!("the guards of functions stay as they are: {error}"),
        }
    }
}
