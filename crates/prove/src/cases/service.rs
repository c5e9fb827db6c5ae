//! Requests to Firestore and Storage: `alice get /rooms/1`, `alice create /rooms/1 {…}`, `alice list /rooms where …`.

use std::collections::HashMap;

use base::{Fields, Value};
use policy::decision::{Decision, Step};
use policy::document::{DocumentPath, Needed};
use policy::meter::Limits;
use policy::request::{Auth, Document, Method, Query, Request, Setting};
use policy::rules::{Ruleset, Service};
use policy::trace::Trace;

use super::World;
use super::answer::{Answer, user, words};
use super::query::query;
use super::value::fields;

/// Rounds of asking for documents: each names at least one more of a bounded number.
const ROUNDS_MAX: usize = 50;
const DATABASE: &str = "(default)";
const BUCKET: &str = "demo.appspot.com";

/// A request as it is written.
struct Asked {
    method: Method,
    path: Vec<String>,
    data: Option<Fields>,
    query: Option<Query>,
}

fn asked(service: Service, verb: &str, path: &str, rest: &str) -> Result<Asked, String> {
    let Some(method) = Method::ALL.into_iter().find(|method| method.name() == verb) else {
        return Err(format!(
            "`{verb}` is not a verb of these rules: use get, list, create, update or delete"
        ));
    };
    let path = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let (mut data, mut asked_query) = (None, None);
    if method == Method::List && service == Service::Firestore {
        asked_query = Some(query(rest)?);
    } else if method == Method::Create || method == Method::Update {
        let json = if rest.is_empty() { Ok(serde_json::json!({})) } else { serde_json::from_str(rest) };
        data = Some(fields(&json.map_err(|error| format!("`{rest}` is not JSON: {error}"))?)?);
    } else if !rest.is_empty() {
        return Err(format!("`{rest}` does not belong to `{verb}`"));
    }
    Ok(Asked { method, path, data, query: asked_query })
}

/// What the commit of this one write leaves.
fn after(asked: &Asked, existing: Option<&Fields>) -> Option<Fields> {
    match asked.method {
        Method::Create | Method::Update => Some(asked.data.clone().unwrap_or_default()),
        Method::Delete => None,
        Method::Get | Method::List => existing.cloned(),
    }
}

fn entry<'w>(entries: &'w Fields, path: &str) -> Option<&'w Fields> {
    match entries.get(&format!("/{path}")) {
        Some(Value::Map(fields)) => Some(fields),
        _ => None,
    }
}

pub(super) fn ask(ruleset: &Ruleset, text: &str, world: &World) -> Result<Answer, String> {
    let (name, verb, path, rest) = words(text)?;
    let service = ruleset.service();
    let asked = asked(service, verb, path, rest)?;
    let none = Fields::new();
    let who = name.map(|name| user(name, world, &none));
    let own = match service {
        Service::Firestore => entry(&world.documents, &asked.path.join("/")),
        Service::Storage => entry(&world.objects, &asked.path.join("/")),
    };
    let new = after(&asked, own).filter(|_| asked.method.is_write());
    let request = Request {
        method: asked.method,
        database: if service == Service::Firestore { DATABASE } else { BUCKET },
        path: &asked.path,
        auth: who.as_ref().map(|user| Auth { uid: user.uid, token: user.claims }),
        time: world.time,
        resource: own.filter(|_| asked.query.is_none()).map(|fields| Document { fields }),
        new_resource: new.as_ref().map(|fields| Document { fields }),
        query: asked.query.as_ref(),
        in_transaction: false,
        setting: Setting::Live,
    };
    let read = |need: &Needed| {
        let now = entry(&world.documents, need.path.path());
        let own = DocumentPath::new(DATABASE, &asked.path);
        let is_own = service == Service::Firestore && need.path == own;
        if need.after && is_own { after(&asked, now) } else { now.cloned() }
    };
    let decision = decide(ruleset, &request, &read, false)?.0;
    let (observed, trace) = decide(ruleset, &request, &read, true)?;
    if decision.allowed != observed.allowed || decision.causes != observed.causes {
        return Err("observing the decision changes it: this is a mistake of Hearth".to_owned());
    }
    let outcome = if decision.allowed { "allow" } else { "deny" }.to_owned();
    let of_one = matches!(asked.method, Method::Get | Method::Update | Method::Delete);
    let thing = if service == Service::Firestore { "document" } else { "object" };
    let missing =
        (own.is_none() && of_one && !decision.allowed).then(|| format!("there is no {thing} {path}"));
    let (request, source) = (text.trim().to_owned(), ruleset.source().clone());
    Ok(Answer { request, outcome, decision, trace, source, missing })
}

/// Decides, knowing nothing at first: the rules must ask for each document.
fn decide(
    ruleset: &Ruleset,
    request: &Request<'_>,
    read: &dyn Fn(&Needed) -> Option<Fields>,
    observed: bool,
) -> Result<(Decision, Trace), String> {
    let mut known: HashMap<Needed, Option<Fields>> = HashMap::new();
    for _ in 0..ROUNDS_MAX {
        let mut trace = Trace::reporting();
        let step = ruleset.decide(request, &known, &Limits::default(), observed.then_some(&mut trace));
        match step {
            Step::Decided(decision) => return Ok((decision, trace)),
            Step::Needs(needs) => {
                for need in needs {
                    let found = read(&need);
                    if known.insert(need, found).is_some() {
                        return Err(
                            "the rules ask twice for a document: this is a mistake of Hearth".to_owned()
                        );
                    }
                }
            }
        }
    }
    Err("the rules never decide: this is a mistake of Hearth".to_owned())
}
