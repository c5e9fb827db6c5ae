//! Cloud Functions.

mod production;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use access::{Blocking, Gate};
use async_trait::async_trait;
use axum::Router;
use functions::Functions;
use functions::model::{Production, Settings};
use functions::ops::Guards;
use parking_lot::Mutex;

use super::{Addresses, Beginning, Callers, Part, Private, Row, Service, Socket, Variable, Work};
use crate::settings::{self, FILE_NAME};
use production::Served;

/// How often `hearth.toml` is looked at.
const LOOK_MILLIS: u64 = 500;
/// A call may wait as long as its function may take, and then take as long: an hour each at most. The gateway ends it before.
const PATIENCE_SECONDS: u64 = 2 * 3600 + 60;

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
        let functions = Functions::new(
            ground.gate.clone(),
            &ground.project,
            Arc::clone(&ground.authenticate),
            ground.attest(),
        );
        ground.identity.set_blocking(Arc::clone(&functions) as Arc<dyn Blocking>);
        Box::new(Calls { functions, gate: ground.gate.clone(), settings: Mutex::default() })
    },
};

struct Calls {
    functions: Arc<Functions>,
    gate: Gate,
    /// Set before the work begins, taken when the work begins.
    settings: Mutex<Option<Settings>>,
}

#[async_trait]
impl Service for Calls {
    fn routes(&self, _: &Addresses) -> Router {
        // Production's port is shared.
        match self.functions.is_dev() {
            true => functions::api::router(Arc::clone(&self.functions)),
            false => functions::api::shared_router(Arc::clone(&self.functions)),
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_secs(PATIENCE_SECONDS))
    }

    fn streams_bodies(&self) -> bool {
        true
    }

    async fn begin(&self, beginning: &Beginning<'_>) -> Result<(), String> {
        let project = beginning.project;
        let names: Vec<String> = project.codebases.iter().map(|codebase| codebase.name.clone()).collect();
        self.functions.restore_interests(&names).await.map_err(|status| status.message)?;
        if project.codebases.is_empty() {
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
            production: beginning.private.clone().map(|private| self.production(private)),
            secrets: beginning.secrets.clone(),
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

impl Calls {
    fn production(&self, private: Private) -> Arc<dyn Production> {
        Arc::new(Served::new(self.gate.clone(), self.functions.project(), private))
    }
}

pub use production::note;

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
