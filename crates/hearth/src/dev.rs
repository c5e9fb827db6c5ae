//! `hearth dev`: a project on this machine, on the ports of the official suite.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use access::{DevPermit, Mode};
use axum::Router;

use crate::cli::{Dev, ServiceName};
use crate::house::House;
use crate::project::Project;
use crate::screen::{Running, Screen};
use crate::stop::{Asked, Signals};
use crate::watch::{self, Loaded};

/// Runs until told to stop.
pub async fn run(ask: &Dev, started: Instant) -> Result<(), String> {
    if !ask.host.is_loopback() {
        return Err(format!(
            "`--host {}` is not a loopback address: dev accepts unsigned tokens and `Bearer owner`, so it must not be \
             reachable from elsewhere; use `hearth serve` for that",
            ask.host
        ));
    }
    let mut signals = Signals::catch()?;
    let screen = Screen::new(ask.json);
    let project = Project::read(&ask.project_dir).map_err(|error| error.to_string())?;
    let id = ask.project.clone().or_else(|| project.id.clone()).unwrap_or_else(|| "demo-hearth".to_owned());
    let data = (!ask.ephemeral).then(|| ask.data.clone().unwrap_or_else(|| ask.project_dir.join(".hearth")));
    let mode = Mode::Dev(DevPermit::for_development_only());
    let house = House::open(mode, &id, data.as_deref()).await.map_err(|error| error.to_string())?;

    let rules = load_rules(&house, &project)?;
    let mut services = BTreeMap::new();
    let mut bound = Vec::new();
    for name in chosen(&ask.only) {
        let address = SocketAddr::new(ask.host, port(ask, &project, name));
        let socket = server::bind(address).await.map_err(|error| taken(name, address, &error))?;
        services.insert(name.name().to_owned(), socket.address);
        bound.push((name, socket));
    }
    let listening: Vec<_> = bound
        .into_iter()
        .map(|(name, socket)| socket.serve(routes(&house, name, &id, &services), None))
        .collect();
    if let (Some(path), Some(loaded)) = (&project.firestore_rules, &rules) {
        tokio::spawn(watch::watch(house.gate.clone(), path.clone(), loaded.source.clone(), screen));
    }
    screen.ready(&Running {
        verb: "dev",
        project: &id,
        services: &services,
        tls: false,
        data: data.as_deref().map(Path::to_string_lossy).as_deref(),
        rules: rules.as_ref(),
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
        notes: &project.notes,
        hints: &hints(&services, data.as_ref(), &id),
    });
    // Dev watches its files by itself.
    while signals.next().await == Asked::Reload {}
    for socket in listening {
        socket.stop().await;
    }
    house.close().await.map_err(|status| status.message)
}

/// Loads the project's rules. Broken rules do not keep dev from starting: everything is denied until they are mended.
fn load_rules(house: &House, project: &Project) -> Result<Option<Loaded>, String> {
    let Some(path) = &project.firestore_rules else { return Ok(None) };
    let shown_as = project.shown(path);
    let loaded = watch::load(&house.gate, path, &shown_as)
        .map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    if loaded.refused {
        house.gate.rules().firestore.close();
    }
    Ok(Some(loaded))
}

fn chosen(only: &[ServiceName]) -> Vec<ServiceName> {
    let all = [ServiceName::Auth, ServiceName::Firestore, ServiceName::Hub];
    all.into_iter()
        .filter(|name| only.is_empty() || only.contains(name) || *name == ServiceName::Hub)
        .collect()
}

/// The command line's port, else the project's, else the official suite's.
fn port(ask: &Dev, project: &Project, name: ServiceName) -> u16 {
    let asked = ask.ports.iter().rev().find(|(of, _)| *of == name).map(|(_, port)| *port);
    let (configured, usual) = match name {
        ServiceName::Auth => (project.ports.auth, 9099),
        ServiceName::Firestore => (project.ports.firestore, 8080),
        ServiceName::Hub => (project.ports.hub, 4400),
    };
    asked.or(configured).unwrap_or(usual)
}

fn routes(house: &House, name: ServiceName, id: &str, services: &BTreeMap<String, SocketAddr>) -> Router {
    let routes = match name {
        ServiceName::Auth => house.identity_routes(),
        // Admin SDKs that are sent here ask for the Rules API by its Google name.
        ServiceName::Firestore => server::with_google_hosts(house.firestore_routes()),
        ServiceName::Hub => server::hub::routes(id, services.clone()),
    };
    server::with_cors(server::guarded(routes), Vec::new())
}

fn taken(name: ServiceName, address: SocketAddr, error: &std::io::Error) -> String {
    format!(
        "cannot listen on {address} for {name}: {error}; is an emulator running? choose another with \
         `--ports {name}=0`",
        name = name.name()
    )
}

fn hints(services: &BTreeMap<String, SocketAddr>, data: Option<&PathBuf>, id: &str) -> Vec<String> {
    let mut hints = vec!["Point your SDKs here as to the emulators:".to_owned()];
    if let Some(auth) = services.get("auth") {
        hints.push(format!("  export FIREBASE_AUTH_EMULATOR_HOST={auth}"));
    }
    if let Some(firestore) = services.get("firestore") {
        hints.push(format!("  export FIRESTORE_EMULATOR_HOST={firestore}"));
    }
    hints.push(format!("  export GCLOUD_PROJECT={id}"));
    if let Some(data) = data {
        hints.push(format!("Who did what, by which rule:  hearth log --data {} --follow", data.display()));
    }
    hints
}
