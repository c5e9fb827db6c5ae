//! `hearth serve`: a project in production, on one port.

use std::time::Instant;

use access::Mode;
use server::{Limits, Tls};

use crate::acts::ACTS;
use crate::admin;
use crate::cli::Serve;
use crate::failure::Failure;
use crate::house::{History, House};
use crate::project::Project;
use crate::rules;
use crate::screen::{Running, Screen};
use crate::services::{self, Addresses, Beginning};
use crate::stop::{Asked, Signals};
use crate::{indexes, sealing, settings};

/// Runs until told to stop. Rules are read at start and again on SIGHUP; rules that were deployed stand before the file's.
pub async fn run(ask: &Serve, started: Instant) -> Result<(), Failure> {
    let mut signals = Signals::catch()?;
    let screen = Screen::new(ask.json);
    let project = Project::read(&ask.project_dir)?;
    let configured = project.id()?;
    let mut guarded = rules::of_project(&project)?;
    let id = ask.project.clone().or(configured).ok_or_else(|| {
        Failure::usage("which project? give `--project`, or a `.firebaserc` with a default one")
    })?;
    let tls = tls(ask).map_err(Failure::usage)?;
    let history =
        History { ms: u64::from(ask.history_minutes) * 60_000, bytes: u64::from(ask.history_mib) << 20 };
    let identity = identity_settings(ask, &id).map_err(Failure::usage)?;
    let mut house = House::open_with(Mode::Serve, identity.clone(), Some(&ask.data), history).await?;

    if ask.log_requests {
        house.gate.keep_requests();
    }
    let indexes = indexes::of_project(&ask.project_dir)?;
    let restored = house.restore().await.map_err(|status| {
        format!(
            "the deployed rules cannot be put in force: {}; production does not start without good rules",
            status.message
        )
    })?;
    let mut notes = project.notes.clone();
    notes.extend(services::not_served(&project));
    notes.extend(house.clock_note());
    notes.extend(warnings(&identity, &project));
    notes.extend(rules::load_in_production(&house.gate, &mut guarded, restored, screen)?);

    let socket = server::bind(ask.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", ask.listen))?;
    let addresses = Addresses::from([("serve".to_owned(), socket.address)]);
    begin(ask, &house, &project).await?;
    house.begin_work();
    if let Some((file, warnings)) = indexes {
        notes.extend(warnings);
        house.load_indexes(file);
    }
    let admin = admin::listen(&house, Some(&ask.data), ACTS, &mut notes);
    let limits = Limits::from(&ask.limits);
    let routes = server::guarded(server::with_google_hosts(house.routes()), &limits);
    let routes = server::with_cors(routes, ask.allow_origin.clone());
    let listening =
        socket.serve(server::with_client_address(routes, ask.trusted_proxy.clone()), tls, &limits);
    screen.ready(&Running {
        verb: "serve",
        shared: None,
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
        reload_indexes(&house, ask, screen);
    }
    if let Some(admin) = admin {
        admin.stop().await;
    }
    house.end_streams();
    listening.stop().await;
    house.close().await.map_err(|status| status.message.into())
}

/// Has services know what the project is about.
async fn begin(ask: &Serve, house: &House, project: &Project) -> Result<(), String> {
    let postgres = settings::postgres(&ask.project_dir, ask.postgres.as_deref())?;
    house.begin(&Beginning { project, variables: Vec::new(), postgres }).await
}

/// The certificate and its key, where they are given.
fn tls(ask: &Serve) -> Result<Option<Tls>, String> {
    match (&ask.tls_cert, &ask.tls_key) {
        (Some(certificates), Some(key)) => {
            Tls::read(certificates, key).map(Some).map_err(|error| error.to_string())
        }
        _ => Ok(None),
    }
}

/// Reads the index file again; one with errors changes nothing.
fn reload_indexes(house: &House, ask: &Serve, screen: Screen) {
    match indexes::of_project(&ask.project_dir) {
        Ok(Some((file, warnings))) => {
            warnings.iter().for_each(|warning| screen.warn(warning));
            house.load_indexes(file);
        }
        Ok(None) => {}
        Err(error) => screen.warn(&format!("the indexes stay as they are: {error}")),
    }
}

/// What production should not be run without.
fn warnings(settings: &identity::Settings, project: &Project) -> Vec<String> {
    let mut warnings = Vec::new();
    if !project.codebases.is_empty() {
        let text = "firebase.json configures functions, which `hearth serve` does not run yet";
        warnings.push(text.to_owned());
    }
    if settings.seal.is_none() {
        warnings.push(
            "the keys that sign ID tokens lie unencrypted in the data folder: `openssl rand -base64 32 > FILE`, then \
             `--key-file FILE` (or HEARTH_KEY) seals them"
                .to_owned(),
        );
    }
    warnings.push(
        "no e-mail is sent: a client that asks for a password reset is answered as ever and gets none; \
         administrators make links (`generatePasswordResetLink` of the Admin SDKs) and send them"
            .to_owned(),
    );
    warnings
}

/// What the command line says of identity.
fn identity_settings(ask: &Serve, project: &str) -> Result<identity::Settings, String> {
    if let Some(url) = ask.public_url.as_ref().filter(|url| !url.starts_with("https://")) {
        return Err(format!(
            "`--public-url {url}` does not begin with https://: links in e-mails carry codes"
        ));
    }
    Ok(identity::Settings {
        public_url: ask.public_url.clone(),
        sign_ups_per_address_hour: ask.sign_ups_per_hour,
        seal: sealing::seal(ask.key_file.as_deref())?,
        ..identity::Settings::new(project)
    })
}
