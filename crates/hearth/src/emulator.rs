//! `hearth emulator`: in the place of the official Firestore emulator, with its flags, its words and data in memory.
//!
//! Source: `src/emulator/downloadableEmulators.ts` of firebase-tools: it starts the jar with these flags, waits for the port,
//! puts rules when their file changes, and ends it with SIGINT.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use access::{DevPermit, Mode};
use policy::Source;
use server::{Bound, Limits, Local};

use crate::cli::{Edition, Emulator};
use crate::failure::Failure;
use crate::house::House;
use crate::services::Addresses;
use crate::stop::{Asked, Signals};

/// The service's row in the table.
const SERVICE: &str = "firestore";

/// Runs until told to stop.
pub async fn run(ask: &Emulator) -> Result<(), Failure> {
    let host = ask.address()?;
    if ask.database_edition == Edition::Enterprise {
        return Err(Failure::usage("`--database-edition enterprise` is not there; leave it out"));
    }
    let mut signals = Signals::catch()?;
    let permit = DevPermit::for_development_only();
    let house = House::open(Mode::Dev(permit), identity::Settings::new(&ask.project_id), None).await?;
    if let Some(file) = &ask.rules {
        load_rules(&house, file)?;
    }
    if let Some(export) = &ask.seed_from_export {
        house.import(permit, export).await.map_err(|status| status.message)?;
    }
    // Bound when the data is there: who starts this waits for the port.
    let mut bound = vec![bind(host, ask.port).await?];
    if let Some(port) = ask.websocket_port.filter(|port| *port != ask.port) {
        bound.push(bind(host, port).await?);
    }
    let address = bound.first().map(|socket| socket.address);
    let addresses: Addresses = address.map(|address| (SERVICE.to_owned(), address)).into_iter().collect();
    let limits = Limits::default();
    let listening: Vec<_> = bound
        .into_iter()
        .map(|socket| {
            socket.serve(house.dev_routes(SERVICE, &addresses, &Local::default(), &limits), None, &limits)
        })
        .collect();
    if let Some(address) = address {
        // Nobody is left to hear of a failure to speak.
        let _ = writeln!(std::io::stdout(), "API endpoint: http://{address}\nDev App Server is now running.");
    }
    while signals.next().await == Asked::Reload {}
    house.end_streams();
    for socket in listening {
        socket.stop().await;
    }
    house.close().await.map_err(|status| status.message.into())
}

async fn bind(host: IpAddr, port: u16) -> Result<Bound, String> {
    let address = SocketAddr::new(host, port);
    // The words that the Firebase CLI looks for.
    server::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: address already in use? {error}"))
}

fn load_rules(house: &House, file: &Path) -> Result<(), String> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
    let source = Source::new(&*shown, text);
    let loaded = house.gate.rules().firestore.load(source.clone());
    loaded.map(drop).map_err(|refused| {
        format!("{shown} has errors:\n{}", policy::diagnostic::render(&source, &refused.diagnostics, false))
    })
}
