//! `hearth serve`: a project in production, on one port.

use std::time::Instant;

use access::Mode;
use server::Tls;

use crate::admin;
use crate::cli::Serve;
use crate::house::House;
use crate::project::Project;
use crate::rules;
use crate::screen::{Running, Screen};
use crate::services::{self, Addresses};
use crate::stop::{Asked, Signals};

/// Runs until told to stop. Rules are read at start and again on SIGHUP; rules that were deployed stand before the file's.
pub async fn run(ask: &Serve, started: Instant) -> Result<(), String> {
    let mut signals = Signals::catch()?;
    let screen = Screen::new(ask.json);
    let project = Project::read(&ask.project_dir).map_err(|error| error.to_string())?;
    let configured = project.id().map_err(|error| error.to_string())?;
    let mut guarded = rules::of_project(&project).map_err(|error| error.to_string())?;
    let id = ask
        .project
        .clone()
        .or(configured)
        .ok_or("which project? give `--project`, or a `.firebaserc` with a default one")?;
    let tls = match (&ask.tls_cert, &ask.tls_key) {
        (Some(certificates), Some(key)) => {
            Some(Tls::read(certificates, key).map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let mut house = House::open(Mode::Serve, settings(ask, &id)?, Some(&ask.data))
        .await
        .map_err(|error| error.to_string())?;

    let restored = house.restore().await.map_err(|status| {
        format!(
            "the deployed rules cannot be put in force: {}; production does not start without good rules",
            status.message
        )
    })?;
    let mut notes = project.notes.clone();
    notes.extend(services::not_served(&project));
    notes.extend(house.clock_note());
    notes.extend(rules::load_in_production(&house.gate, &mut guarded, restored, screen)?);

    let socket = server::bind(ask.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", ask.listen))?;
    let addresses = Addresses::from([("serve".to_owned(), socket.address)]);
    house.begin_work();
    let admin = admin::listen(&house, Some(&ask.data), &mut notes);
    let routes = server::guarded(house.routes());
    let routes = server::with_cors(routes, ask.allow_origin.clone());
    let listening = socket.serve(server::with_client_address(routes, ask.trusted_proxy.clone()), tls);
    screen.ready(&Running {
        verb: "serve",
        project: &id,
        services: &addresses,
        tls: ask.tls_cert.is_some(),
        data: Some(&ask.data.to_string_lossy()),
        rules: &guarded,
        took_ms: started.elapsed().as_secs_f64() * 1000.0,
        notes: &notes,
        hints: &[],
    });
    while signals.next().await == Asked::Reload {
        rules::reload(&house.gate, Project::read(&ask.project_dir), screen);
    }
    if let Some(admin) = admin {
        admin.stop().await;
    }
    house.end_streams();
    listening.stop().await;
    house.close().await.map_err(|status| status.message)
}

/// What the command line says of identity.
fn settings(ask: &Serve, project: &str) -> Result<identity::Settings, String> {
    if let Some(url) = ask.public_url.as_ref().filter(|url| !url.starts_with("https://")) {
        return Err(format!(
            "`--public-url {url}` does not begin with https://: links in e-mails carry codes"
        ));
    }
    Ok(identity::Settings {
        public_url: ask.public_url.clone(),
        sign_ups_per_address_hour: ask.sign_ups_per_hour,
        ..identity::Settings::new(project)
    })
}
