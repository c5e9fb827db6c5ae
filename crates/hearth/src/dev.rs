//! `hearth dev`: a project on this machine, on the ports of the official suite.

mod follow;
mod live;
mod place;
mod share;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use access::{DevPermit, Mode};
use server::{Bound, Limits, Listening, Local, Share, UnixListening};

use crate::acts::ACTS;
use crate::admin;
use crate::cli::{Dev, PortOf};
use crate::failure::Failure;
use crate::house::House;
use crate::indexes;
use crate::project::Project;
use crate::rules;
use crate::screen::{Running, Screen};
use crate::services::{self, Addresses, Beginning, Part, Row};
use crate::settings;
use crate::stop::{Asked, Signals};
use follow::Followed;
use place::{Place, keep_out_of_git};
use share::{host_of, share, shared};

/// Runs until told to stop.
pub async fn run(ask: &Dev, started: Instant) -> Result<(), Failure> {
    let mut signals = Signals::catch()?;
    let running = Served::open(ask, Ports::AsAsked, started).await?;
    // Dev watches its files by itself.
    while signals.next().await == Asked::Reload {}
    running.close().await
}

/// What becomes of a port that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Nothing starts, and it is said who holds it.
    AsAsked,
    /// Another one serves as well.
    OrFree,
}

/// A project that is being served.
pub struct Served {
    house: House,
    listening: Vec<Listening>,
    admin: Option<UnixListening>,
    /// Service → address.
    addresses: Addresses,
    /// The project's id.
    project: String,
    /// Where everything goes at the end.
    export_to: Option<PathBuf>,
}

impl Served {
    /// Opens and serves a project, and says so.
    pub async fn open(ask: &Dev, ports: Ports, started: Instant) -> Result<Self, Failure> {
        let share = share(ask).map_err(Failure::usage)?;
        let screen = Screen::new(ask.json);
        let place = Place::of(ask);
        let project = Project::read(&place.project)?;
        let configured = project.id()?;
        let id = ask.project.clone().or(configured).unwrap_or_else(|| "demo-hearth".to_owned());
        let mut guarded = rules::of_project(&project)?;
        let export_to = export_to(ask)?;
        let mut house = open_house(ask, &place, &id).await?;
        if let Some(folder) = &ask.import {
            house.transfer().import(folder).await.map_err(|error| error.to_string())?;
        }
        let indexes = indexes::of_project(&place.project)?;
        rules::load_in_dev(&house.gate, &mut guarded)?;
        let (bound, addresses) = bind(ask, &project, ports).await?;
        let environment = variables(&addresses, &id).into_iter();
        let variables = environment.map(|(name, value)| (name.to_owned(), value)).collect();
        let postgres = settings::postgres(&place.project, ask.postgres.as_deref())?;
        house.begin(&Beginning { project: &project, variables, postgres }).await?;
        let listening = serve(ask, share, &house, bound, &addresses);
        house.begin_work();
        let mut notes: Vec<String> = place.note.into_iter().chain(project.notes.clone()).collect();
        notes.extend(services::not_served(&project));
        notes.extend(house.clock_note());
        if let Some((file, warnings)) = indexes {
            notes.extend(warnings);
            house.load_indexes(file);
        }
        let data = place.data.as_deref();
        let admin = admin::listen(&house, data, ACTS, &mut notes);
        screen.ready(&Running {
            verb: "dev",
            shared: shared(share, &addresses, ask.host).as_deref(),
            project: &id,
            services: &addresses,
            tls: false,
            data: data.map(Path::to_string_lossy).as_deref(),
            rules: &guarded,
            took_ms: started.elapsed().as_secs_f64() * 1000.0,
            notes: &notes,
            hints: &if ports == Ports::AsAsked { hints(&addresses, data, &id) } else { Vec::new() },
        });
        if !ask.json {
            tokio::spawn(live::tell(house.gate.log().watch(), id.clone(), screen));
        }
        let load_indexes = Box::new(house.index_loader());
        tokio::spawn(Followed::new(house.gate.clone(), screen, project, guarded, load_indexes).run());
        Ok(Self { house, listening, admin, addresses, project: id, export_to })
    }

    /// The environment in which SDKs and tools find what is served.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        variables(&self.addresses, &self.project)
    }

    /// Lets what is in flight finish, and closes.
    pub async fn close(self) -> Result<(), Failure> {
        let exported = match &self.export_to {
            Some(folder) => self.house.transfer().export(folder).await.map_err(|error| error.to_string()),
            None => Ok(()),
        };
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
        self.house.end_streams();
        for socket in self.listening {
            socket.stop().await;
        }
        self.house.close().await.map_err(|status| status.message)?;
        exported.map_err(Failure::from)
    }
}

/// The folder for the export at the end: a name of its own, or that of the import.
fn export_to(ask: &Dev) -> Result<Option<PathBuf>, Failure> {
    match &ask.export_on_exit {
        Some(folder) if folder.as_os_str().is_empty() => match &ask.import {
            Some(folder) => Ok(Some(folder.clone())),
            None => Err(Failure::usage("`--export-on-exit` needs a folder where there is no `--import`")),
        },
        folder => Ok(folder.clone()),
    }
}

async fn open_house(ask: &Dev, place: &Place, id: &str) -> Result<House, Failure> {
    let mode = Mode::Dev(DevPermit::for_development_only());
    let data = place.data.as_deref();
    let house = House::open(mode, identity::Settings::new(id), data).await?;
    if let Some(folder) = data.filter(|_| ask.data.is_none()) {
        keep_out_of_git(folder);
    }
    if ask.strict_indexes {
        house.require_indexes();
    }
    Ok(house)
}

fn serve(
    ask: &Dev,
    share: Share,
    house: &House,
    bound: Vec<(&'static Row, Bound)>,
    addresses: &Addresses,
) -> Vec<Listening> {
    let limits = Limits::default();
    let local = Local { hosts: ask.allow_host.clone(), origins: ask.allow_origin.clone(), share };
    let sockets = bound.into_iter().map(|(row, socket)| {
        socket.serve(house.dev_routes(row.name, addresses, &local, &limits), None, &limits)
    });
    sockets.collect()
}

/// Sockets for the services that are asked for, and their addresses.
async fn bind(
    ask: &Dev,
    project: &Project,
    ports: Ports,
) -> Result<(Vec<(&'static Row, Bound)>, Addresses), String> {
    let (mut bound, mut addresses) = (Vec::new(), Addresses::new());
    for (row, usual) in Row::listening() {
        if !(ask.only.is_empty() || ask.only.contains(&row) || row.part == Part::Suite) {
            continue;
        }
        if !row.is_wanted(project) {
            continue;
        }
        // The command line's port, else the project's, else the official suite's.
        let of = |whose: PortOf| ask.ports.iter().rev().find(|(of, _)| *of == whose).map(|(_, port)| *port);
        let asked = of(PortOf::Of(row)).or_else(|| of(PortOf::All));
        let wanted = asked.or_else(|| project.port(row.name));
        let host = host_of(ask, row);
        let address = SocketAddr::new(host, wanted.unwrap_or(usual));
        let socket = match server::bind(address).await {
            // A tool of the suite that nobody has asked for by its port does not keep services from starting.
            Err(_) if ports == Ports::OrFree || (wanted.is_none() && row.part == Part::Suite) => {
                server::bind(SocketAddr::new(host, 0)).await
            }
            bound => bound,
        };
        let socket = socket.map_err(|error| taken(row.name, address, &error))?;
        addresses.insert(row.name.to_owned(), share::from_here(socket.address));
        bound.push((row, socket));
    }
    Ok((bound, addresses))
}

fn taken(name: &str, address: SocketAddr, error: &std::io::Error) -> String {
    let holder = listeners::get_process_by_port(address.port(), listeners::Protocol::TCP).ok();
    let by = holder.map_or_else(String::new, |process| {
        format!(" ({} with pid {} listens there)", process.name, process.pid)
    });
    format!(
        "cannot listen on {address} for {name}: {error}{by}; stop it, or choose another port: `--ports {name}=PORT`, where 0 \
         picks a free one"
    )
}

/// How this program is called: by its path where no search finds it.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_else(|| "hearth".to_owned());
    if !called.contains('/') {
        return called;
    }
    let path = Path::new(&called).canonicalize();
    path.map_or(called, |path| path.display().to_string())
}

fn variables(addresses: &Addresses, id: &str) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    for (row, _) in Row::listening() {
        let Some(address) = addresses.get(row.name) else { continue };
        variables.extend(row.variables.iter().map(|of| (of.name, format!("{}{address}", of.before))));
    }
    variables.extend(["GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"].map(|name| (name, id.to_owned())));
    variables
}

fn hints(addresses: &Addresses, data: Option<&Path>, id: &str) -> Vec<String> {
    let mut hints = vec!["Point your SDKs here as to the emulators:".to_owned()];
    let variables = variables(addresses, id);
    hints.extend(variables.iter().map(|(name, value)| format!("  export {name}={value}")));
    if let Some(data) = data {
        // A command that works wherever it is pasted.
        let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
        hints.push(format!(
            "Who did what, by which rule:  {} log --data {} --follow",
            program(),
            data.display()
        ));
    }
    hints
}
