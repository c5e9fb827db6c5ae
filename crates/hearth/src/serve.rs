//! `hearth serve`: a project in production, on one port.

use std::collections::BTreeMap;
use std::time::Instant;

use access::Mode;
use server::Tls;

use crate::cli::Serve;
use crate::house::House;
use crate::project::Project;
use crate::screen::{Running, Screen};
use crate::stop::{Asked, Signals};
use crate::watch::{self, Loaded};

/// Runs until told to stop. Rules are read at start and again on SIGHUP; rules that were deployed stand before the file's.
pub async fn run(ask: &Serve, started: Instant) -> Result<(), String> {
    let mut signals = Signals::catch()?;
    let screen = Screen::new(ask.json);
    let project = Project::read(&ask.project_dir).map_err(|error| error.to_string())?;
    let id = ask
        .project
        .clone()
        .or_else(|| project.id.clone())
        .ok_or("which project? give `--project`, or a `.firebaserc` with a default one")?;
    let tls = match (&ask.tls_cert, &ask.tls_key) {
        (Some(certificates), Some(key)) => {
            Some(Tls::read(certificates, key).map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let house = House::open(Mode::Serve, &id, Some(&ask.data)).await.map_err(|error| error.to_string())?;

    let released = house.deploy.restore().await.map_err(|status| {
        format!(
            "the deployed rules cannot be put in force: {}; production does not start without good rules",
            status.message
        )
    })?;
    let mut notes = project.notes.clone();
    let mut rules = None;
    if let Some(path) = &project.firestore_rules {
        let shown_as = project.shown(path);
        let loaded = watch::load(&house.gate, path, &shown_as)
            .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
        if loaded.refused && released.is_none() {
            screen.diagnostics(&loaded);
            return Err(format!("{shown_as} has errors; production does not start without good rules"));
        }
        if loaded.refused {
            screen
                .warn(&format!("{shown_as} has errors: it is not what is in force, the deployed rules are"));
        }
        rules = Some(loaded).filter(|loaded| !loaded.refused);
    }
    if let Some(released) = released {
        notes.push(format!(
            "rules: ruleset {} decides, deployed over the Rules API; a rules file comes after it",
            released.ruleset
        ));
        let source = released.source;
        rules = Some(Loaded { diagnostics: watch::warnings(&source), source, refused: false });
    }

    let socket = server::bind(ask.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", ask.listen))?;
    let services = BTreeMap::from([("serve".to_owned(), socket.address)]);
    let routes = server::with_google_hosts(house.firestore_routes().merge(house.identity_routes()));
    let rotation = tokio::spawn(std::sync::Arc::clone(&house.identity).run_rotation());
    let listening = socket.serve(server::with_cors(server::guarded(routes), ask.allow_origin.clone()), tls);
    screen.ready(&Running {
        verb: "serve",
        project: &id,
        services: &services,
        tls: ask.tls_cert.is_some(),
        data: Some(&ask.data.to_string_lossy()),
        rules: rules.as_ref(),
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
        notes: &notes,
        hints: &[],
    });
    while signals.next().await == Asked::Reload {
        // Rules may have come to a project that had none.
        let path = match Project::read(&ask.project_dir) {
            Ok(project) => project.firestore_rules,
            Err(error) => {
                screen.warn(&format!("the rules in force stay: {error}"));
                continue;
            }
        };
        let Some(path) = path else {
            screen.warn("there is no firestore.rules to load: the rules in force stay");
            continue;
        };
        match watch::load(&house.gate, &path, &project.shown(&path)) {
            Ok(loaded) => {
                screen.reloaded(&loaded);
                if house.gate.rules().firestore.is_deployed() {
                    screen.warn("deployed rules are in force: the file's wait until the release is deleted");
                }
            }
            Err(error) => {
                screen.warn(&format!("the rules cannot be read, the last good ones stay in force: {error}"))
            }
        }
    }
    listening.stop().await;
    rotation.abort();
    house.close().await.map_err(|status| status.message)
}
