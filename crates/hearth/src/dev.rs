//! `hearth dev`: a project on this machine, on the ports of the official suite.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use access::{DevPermit, Mode};
use server::{Limits, Local};

use crate::acts::ACTS;
use crate::admin;
use crate::cli::Dev;
use crate::failure::Failure;
use crate::house::House;
use crate::indexes;
use crate::project::Project;
use crate::rules;
use crate::screen::{Running, Screen};
use crate::services::{self, Addresses, Part, Row};
use crate::stop::{Asked, Signals};

/// Runs until told to stop.
pub async fn run(ask: &Dev, started: Instant) -> Result<(), Failure> {
    if !ask.host.is_loopback() {
        return Err(Failure::from(format!(
            "`--host {}` is not a loopback address: dev accepts unsigned tokens and `Bearer owner`, so it must not be \
             reachable from elsewhere; use `hearth serve` for that",
            ask.host
        )));
    }
    let mut signals = Signals::catch()?;
    let screen = Screen::new(ask.json);
    let project = Project::read(&ask.project_dir).map_err(|error| error.to_string())?;
    let configured = project.id().map_err(|error| error.to_string())?;
    let id = ask.project.clone().or(configured).unwrap_or_else(|| "demo-hearth".to_owned());
    let mut guarded = rules::of_project(&project).map_err(|error| error.to_string())?;
    let data = (!ask.ephemeral).then(|| ask.data.clone().unwrap_or_else(|| ask.project_dir.join(".hearth")));
    let mode = Mode::Dev(DevPermit::for_development_only());
    let settings = identity::Settings::new(&id);
    let mut house = House::open(mode, settings, data.as_deref()).await?;

    if ask.strict_indexes {
        house.require_indexes();
    }
    let indexes = indexes::of_project(&ask.project_dir)?;
    rules::load_in_dev(&house.gate, &mut guarded)?;
    let (bound, addresses) = bind(ask, &project).await?;
    let limits = Limits::default();
    let local = Local { hosts: ask.allow_host.clone(), origins: ask.allow_origin.clone() };
    let listening: Vec<_> = bound
        .into_iter()
        .map(|(row, socket)| {
            let routes = server::with_google_hosts(house.routes_of(row.name, &addresses));
            let routes = house.only_local_admins(routes, &local);
            let routes = server::with_cors(server::guarded(routes, &limits), Vec::new());
            let routes = server::with_local_hosts(routes, local.clone());
            socket.serve(server::with_client_address(routes, Vec::new()), None, &limits)
        })
        .collect();
    house.begin_work();
    let mut notes = project.notes.clone();
    notes.extend(services::not_served(&project));
    notes.extend(house.clock_note());
    if let Some((file, warnings)) = indexes {
        notes.extend(warnings);
        house.load_indexes(file);
    }
    let admin = admin::listen(&house, data.as_deref(), ACTS, &mut notes);
    screen.ready(&Running {
        verb: "dev",
        project: &id,
        services: &addresses,
        tls: false,
        data: data.as_deref().map(Path::to_string_lossy).as_deref(),
        rules: &guarded,
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
        notes: &notes,
        hints: &hints(&addresses, data.as_ref(), &id),
    });
    rules::follow(&house.gate, guarded, screen);
    // Dev watches its files by itself.
    while signals.next().await == Asked::Reload {}
    if let Some(admin) = admin {
        admin.stop().await;
    }
    house.end_streams();
    for socket in listening {
        socket.stop().await;
    }
    house.close().await.map_err(|status| status.message.into())
}

/// Sockets for the services that are asked for, and their addresses.
async fn bind(
    ask: &Dev,
    project: &Project,
) -> Result<(Vec<(&'static Row, server::Bound)>, Addresses), String> {
    let (mut bound, mut addresses) = (Vec::new(), Addresses::new());
    for (row, usual) in Row::listening() {
        if !(ask.only.is_empty() || ask.only.contains(&row) || row.part == Part::Suite) {
            continue;
        }
        // The command line's port, else the project's, else the official suite's.
        let asked = ask.ports.iter().rev().find(|(of, _)| *of == row).map(|(_, port)| *port);
        let port = asked.or_else(|| project.port(row.name)).unwrap_or(usual);
        let address = SocketAddr::new(ask.host, port);
        let socket = server::bind(address).await.map_err(|error| taken(row.name, address, &error))?;
        addresses.insert(row.name.to_owned(), socket.address);
        bound.push((row, socket));
    }
    Ok((bound, addresses))
}

fn taken(name: &str, address: SocketAddr, error: &std::io::Error) -> String {
    format!(
        "cannot listen on {address} for {name}: {error}; is an emulator running? choose another with \
         `--ports {name}=0`"
    )
}

fn hints(addresses: &Addresses, data: Option<&PathBuf>, id: &str) -> Vec<String> {
    let mut hints = vec!["Point your SDKs here as to the emulators:".to_owned()];
    for (row, _) in Row::listening() {
        let Some(address) = addresses.get(row.name) else { continue };
        hints.extend(row.variables.iter().map(|of| format!("  export {}={}{address}", of.name, of.before)));
    }
    hints.push(format!("  export GCLOUD_PROJECT={id}"));
    if let Some(data) = data {
        hints.push(format!("Who did what, by which rule:  hearth log --data {} --follow", data.display()));
    }
    hints
}
