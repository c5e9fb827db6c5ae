//! `hearth app-check status`: what enforcement would refuse, and what to do next.

use access::Enforcement;
use attest::ServiceCounts;
use serde::Serialize;

use super::ReadCounts;
use crate::admin::ask;
use crate::cli::AppCheckStatus;
use crate::failure::Failure;
use crate::table::{Table, print, print_json, print_text};

/// Requests without which nothing can be said.
const REQUESTS_MIN: u64 = 100;

/// What can be said of a service.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Advice {
    #[serde(flatten)]
    counts: ServiceCounts,
    /// `None` where it is not known yet.
    safe_to_enforce: Option<bool>,
    /// Why.
    because: String,
    /// A command, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The word for a mode.
pub fn word(mode: Enforcement) -> &'static str {
    match mode {
        Enforcement::Off => "off",
        Enforcement::Unenforced => "unenforced",
        Enforcement::Enforced => "enforced",
    }
}

pub async fn run(verb: &AppCheckStatus) -> Result<(), Failure> {
    let hours = i64::from(verb.since.seconds()).div_euclid(3600).max(1);
    let folder = &verb.output.folder;
    let services = ask(folder, ReadCounts { hours }).await?;
    let data = folder.data.display().to_string();
    let advice: Vec<Advice> = services.into_iter().map(|counts| advise(counts, &data)).collect();
    if verb.output.json {
        return print_json(&advice);
    }
    let mut table = Table::new(["SERVICE", "MODE", "VALID", "INVALID", "MISSING", "SAFE TO ENFORCE?"]);
    for Advice { counts, safe_to_enforce, because, .. } in &advice {
        let [valid, invalid, missing] =
            [counts.valid, counts.invalid, counts.missing].map(|number| number.to_string());
        let safe = match safe_to_enforce {
            Some(true) => "yes: ",
            Some(false) => "no: ",
            None => "",
        };
        let verdict = format!("{safe}{because}");
        table.add([&counts.service, word(counts.enforcement), &valid, &invalid, &missing, &verdict]);
    }
    print(&table)?;
    for app in apps(&advice) {
        print_text(&app)?;
    }
    for Advice { next, .. } in &advice {
        if let Some(next) = next {
            print_text(&format!("Next: {next}"))?;
        }
    }
    Ok(())
}

/// The apps whose tokens were valid, each with its requests to all services.
fn apps(advice: &[Advice]) -> Vec<String> {
    let mut apps = std::collections::BTreeMap::<&str, u64>::new();
    for app in advice.iter().flat_map(|advice| &advice.counts.apps) {
        *apps.entry(&app.app).or_default() += app.requests;
    }
    let name = |app: &str| if app.is_empty() { "other apps".to_owned() } else { app.to_owned() };
    apps.into_iter().map(|(app, requests)| format!("{}: {requests} requests", name(app))).collect()
}

fn advise(counts: ServiceCounts, data: &str) -> Advice {
    let ServiceCounts { valid, invalid, missing, .. } = counts;
    let (service, refused, all) = (&counts.service, invalid + missing, valid + invalid + missing);
    let enforce = |mode: &str| Some(format!("hearth app-check enforce {service} {mode} --data {data}"));
    let share = || {
        // One decimal: 1 of 10,000 is not nothing.
        let tenths = (refused * 1000).div_ceil(all.max(1));
        format!("{}.{} % of {all} requests", tenths / 10, tenths % 10)
    };
    let (safe_to_enforce, because, next) = match counts.enforcement {
        Enforcement::Off => (None, "not counted".to_owned(), enforce("unenforced")),
        Enforcement::Enforced if refused > 0 => (None, format!("{} were refused", share()), None),
        Enforcement::Enforced => (None, "no request was refused".to_owned(), None),
        Enforcement::Unenforced if refused > 0 => {
            let next = format!("hearth log --service {} --since 1h --data {data}", log_name(service));
            (Some(false), format!("{} would be refused", share()), Some(next))
        }
        Enforcement::Unenforced if all < REQUESTS_MIN => {
            (None, format!("{all} requests so far; it takes {REQUESTS_MIN} to tell"), None)
        }
        Enforcement::Unenforced => {
            (Some(true), format!("all {all} requests had a valid token"), enforce("enforced"))
        }
    };
    Advice { safe_to_enforce, because, next, counts }
}

/// The service's name in the access log.
fn log_name(service: &str) -> &str {
    if service == "auth" { "identity" } else { service }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(enforcement: Enforcement, valid: u64, invalid: u64, missing: u64) -> Advice {
        let (service, id) = ("firestore".to_owned(), "firestore.googleapis.com".to_owned());
        advise(ServiceCounts { service, id, enforcement, valid, invalid, missing, apps: Vec::new() }, "D")
    }

    #[test]
    fn it_is_safe_when_nobody_would_be_refused_and_enough_have_come() {
        let of = |advice: Advice| (advice.safe_to_enforce, advice.because, advice.next.unwrap_or_default());
        let enforced = "hearth app-check enforce firestore enforced --data D".to_owned();
        let yes = (Some(true), "all 100 requests had a valid token".to_owned(), enforced);
        assert_eq!(of(advice(Enforcement::Unenforced, 100, 0, 0)), yes);
        let few = of(advice(Enforcement::Unenforced, 99, 0, 0));
        assert_eq!((few.0, few.2.as_str()), (None, ""));
        let one = of(advice(Enforcement::Unenforced, 9999, 0, 1));
        assert_eq!((one.0, one.1.as_str()), (Some(false), "0.1 % of 10000 requests would be refused"));
        assert!(one.2.starts_with("hearth log --service firestore"));
        assert!(of(advice(Enforcement::Off, 0, 0, 0)).2.ends_with("firestore unenforced --data D"));
        assert_eq!(of(advice(Enforcement::Enforced, 1, 1, 0)).1, "50.0 % of 2 requests were refused");
    }
}
