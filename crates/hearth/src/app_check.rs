//! `hearth app-check`: apps, debug tokens, and which services require an app.

mod acts;
mod status;

use attest::AppInfo;

use crate::admin::ask;
use crate::cli::{AppCheck, AppCheckOutput, AppVerb, DebugToken, Mode};
use crate::failure::Failure;
use crate::table::{Table, print, print_json, print_text};

pub use acts::{
    AddApp, AddDebugToken, Enforce, ListApps, ListDebugTokens, ReadCounts, RemoveApp, RemoveDebugToken,
    RevokeApp,
};

/// Runs one of the verbs.
pub async fn run(verb: &AppCheck) -> Result<(), Failure> {
    match verb {
        AppCheck::Status(verb) => status::run(verb).await,
        AppCheck::Enforce(verb) => {
            let mode = match verb.mode {
                Mode::Off => access::Enforcement::Off,
                Mode::Unenforced => access::Enforcement::Unenforced,
                Mode::Enforced => access::Enforcement::Enforced,
            };
            let act = Enforce { service: verb.service.clone(), mode };
            let service = ask(&verb.output.folder, act).await?;
            if verb.output.json {
                return print_json(&service);
            }
            print_text(&format!("{} is {}", verb.service, status::word(service.enforcement_mode)))
        }
        AppCheck::App(verb) => app(verb).await,
        AppCheck::DebugToken(verb) => debug_token(verb).await,
    }
}

async fn app(verb: &AppVerb) -> Result<(), Failure> {
    match verb {
        AppVerb::Add(verb) => {
            let new = attest::NewApp {
                id: verb.id.clone(),
                platform: verb.platform.clone(),
                name: verb.name.clone(),
                ttl_s: verb.ttl.map(|ttl| i64::from(ttl.seconds())),
            };
            show(&verb.output, &[ask(&verb.output.folder, AddApp { new }).await?])
        }
        AppVerb::List(output) => show(output, &ask(&output.folder, ListApps {}).await?),
        AppVerb::Remove(verb) => ask(&verb.output.folder, RemoveApp { id: verb.id.clone() }).await,
        AppVerb::Revoke(verb) => {
            show(&verb.output, &[ask(&verb.output.folder, RevokeApp { id: verb.id.clone() }).await?])
        }
    }
}

fn show(output: &AppCheckOutput, apps: &[AppInfo]) -> Result<(), Failure> {
    if output.json {
        return print_json(&apps);
    }
    let mut table = Table::new(["APP", "NAME", "CREATED", "TOKENS LIVE", "REFUSED BEFORE", "DEBUG TOKENS"]);
    for app in apps {
        let since = app.valid_since.as_deref().unwrap_or("");
        let (ttl, debug) = (format!("{} min", app.ttl_s / 60), app.debug_tokens.to_string());
        table.add([app.id.as_str(), &app.name, &app.created, &ttl, since, &debug]);
    }
    print(&table)
}

async fn debug_token(verb: &DebugToken) -> Result<(), Failure> {
    match verb {
        DebugToken::Add(verb) => {
            let act =
                AddDebugToken { app: verb.app.clone(), name: verb.name.clone(), token: verb.token.clone() };
            let made = ask(&verb.output.folder, act).await?;
            if verb.output.json { print_json(&made) } else { print_text(&made.token) }
        }
        DebugToken::List(verb) => {
            let tokens = ask(&verb.output.folder, ListDebugTokens { app: verb.id.clone() }).await?;
            if verb.output.json {
                return print_json(&tokens);
            }
            let mut table = Table::new(["ID", "NAME", "CREATED"]);
            tokens.iter().for_each(|token| table.add([token.id.as_str(), &token.name, &token.created]));
            print(&table)
        }
        DebugToken::Remove(verb) => {
            let act = RemoveDebugToken { app: verb.app.clone(), id: verb.id.clone() };
            ask(&verb.output.folder, act).await
        }
    }
}
