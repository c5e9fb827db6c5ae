//! `hearth partner`: other businesses whose servers call this project's functions.

mod account;
mod act;
mod report;

use access::log::Reader;
use base::{Clock, SystemClock, Timestamp};
use functions::model::partner::Partner;

use crate::admin::ask;
use crate::cli::{AddPartner, Partner as Verb, ReportPartner};
use crate::failure::Failure;
use crate::log::since;
use crate::table::{Table, print, print_json, print_text};
pub use act::{Add, Added, List, Rotate, Rotated, Suspend};
use report::Report;

/// Runs one of the verbs.
pub async fn run(verb: &Verb) -> Result<(), Failure> {
    match verb {
        Verb::Add(verb) => {
            let added = ask(&verb.folder, add(verb)?).await?;
            if verb.json { print_json(&added) } else { print_text(&introduction(&added, verb)) }
        }
        Verb::List(verb) => {
            let partners = ask(&verb.folder, List {}).await?;
            if verb.json { print_json(&partners) } else { print(&table(&partners)) }
        }
        Verb::Suspend(verb) => {
            let act = Suspend { name: verb.name.clone(), is_suspended: !verb.resume };
            let partner = ask(&verb.folder, act).await?;
            if verb.json { print_json(&partner) } else { print(&table(&[partner])) }
        }
        Verb::Rotate(verb) => {
            let act = Rotate { name: verb.name.clone(), keep_old_s: verb.keep_old.seconds() };
            let rotated = ask(&verb.folder, act).await?;
            let shown =
                |Rotated { partner, key }: &Rotated| format!("The new key of {}: {key}", partner.name);
            if verb.json { print_json(&rotated) } else { print_text(&shown(&rotated)) }
        }
        Verb::Report(verb) => report(verb).await,
    }
}

fn add(verb: &AddPartner) -> Result<Add, Failure> {
    let expires_s = match &verb.expires {
        Some(text) => Some(date(text).ok_or_else(|| {
            Failure::usage(format!(
                "`{text}` is neither a day (2027-01-31) nor a time (2027-01-31T15:00:00Z)"
            ))
        })?),
        None => None,
    };
    Ok(Add {
        name: verb.name.clone(),
        email: verb.email.clone(),
        role: verb.role.clone(),
        functions: verb.function.clone(),
        collections: verb.collection.clone(),
        expires_s,
    })
}

/// A day or a time, in seconds.
fn date(text: &str) -> Option<i64> {
    let day = format!("{text}T00:00:00Z");
    let time = Timestamp::parse(text).or_else(|_| Timestamp::parse(&day));
    time.ok().map(|time| time.seconds)
}

fn day(seconds: i64) -> String {
    let text = Timestamp { seconds, nanos: 0 }.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

async fn report(verb: &ReportPartner) -> Result<(), Failure> {
    let partners = ask(&verb.folder, List {}).await?;
    let partner = partners.into_iter().find(|partner| partner.name == verb.name).ok_or_else(|| {
        Failure::usage(format!("there is no partner `{}`: `hearth partner list` lists them", verb.name))
    })?;
    let from = since(&verb.since, SystemClock.now()).map_err(Failure::usage)?;
    let mut reader = Reader::open(&verb.folder.data).map_err(|error| Failure::usage(error.to_string()))?;
    let mut report = Report::new(&partner, from);
    while let Some(event) =
        reader.next_event().map_err(|error| format!("the access log cannot be read: {error}"))?
    {
        report.take(&event);
    }
    if verb.json { print_json(&report.json()) } else { print_text(&report.text()) }
}

fn table(partners: &[Partner]) -> Table {
    let mut table =
        Table::new(["PARTNER", "STATE", "FUNCTIONS", "COLLECTIONS", "EXPIRES", "KEYS", "ACCOUNT"]);
    let now_s = SystemClock.now().seconds;
    for partner in partners {
        let state = state(partner, now_s);
        let keys: Vec<&str> = partner.keys.iter().map(|key| key.id.as_str()).collect();
        let expires = partner.expires_s.map(day).unwrap_or_default();
        table.add([
            partner.name.as_str(),
            state,
            &partner.functions.join(", "),
            &partner.collections.join(", "),
            &expires,
            &keys.join(", "),
            &partner.email,
        ]);
    }
    table
}

fn state(partner: &Partner, now_s: i64) -> &'static str {
    match partner {
        partner if partner.suspended => "suspended",
        partner if partner.expires_s.is_some_and(|at_s| at_s <= now_s) => "expired",
        _ => "active",
    }
}

/// What is said of a new partner: its credentials, what the project has to say of it, and how it calls.
fn introduction(added: &Added, verb: &AddPartner) -> String {
    let Partner { name, uid, email, role, functions, collections, expires_s, .. } = &added.partner;
    let mut text = format!(
        "The partner {name} is there. Give it these; they are stored nowhere else:\n\n  key       {}\n  account   {email}",
        added.key
    );
    if let Some(password) = &added.password {
        text.push_str(&format!("\n  password  {password}"));
    }
    text.push_str(&format!("\n  (uid {uid}, claims role: '{role}', partner: '{name}')\n"));
    if !functions.is_empty() {
        text.push_str("\nhearth.toml, beside firebase.json:\n");
    }
    for function in functions {
        text.push_str(&format!(
            "\n  [functions.{function}]\n  require = \"auth.token.role == '{role}'\"\n  methods = [\"POST\"]\n  rate = \"60/m\"\n  \
             api_keys = true\n  run_as = \"caller\"\n"
        ));
    }
    if !collections.is_empty() {
        text.push_str("\nfirestore.rules, where it may read and add, and nothing else:\n");
    }
    let until = expires_s.map(|seconds| format!(" && request.time < timestamp.value({})", seconds * 1000));
    let until = until.unwrap_or_default();
    for collection in collections {
        text.push_str(&format!(
            "\n  match /{collection}/{{document}} {{\n    allow read, create: if request.auth != null && \
             request.auth.token.get('partner', '') == '{name}'{until};\n  }}\n"
        ));
    }
    if let Some(function) = functions.first() {
        let url = format!("{}/{function}", verb.url.trim_end_matches('/'));
        text.push_str(&format!("\nA test call:\n\n  curl -X POST {url} -H 'X-Api-Key: {}'\n", added.key));
    }
    text.push_str(&format!(
        "\nWhat it does:\n\n  hearth partner report {name} --data {}",
        verb.folder.data.display()
    ));
    text
}
