//! A logged decision made again where the data is: by the rules and on the documents of its moment, and by today's.

use std::collections::BTreeMap;

use access::log::{Basis, Event, Verdict};
use access::{Rules, Rulesets};
use base::{Clock, Code, DatabaseName, Fields, Status, SystemClock, Timestamp};
use firestore::ops::replay::{Replay, Replayed, Written};
use kv::Version;
use policy::rules::{Asked, Ruleset};
use policy::value::json::fields_from_json;
use policy::{Auth, Method, Source, Who};
use prove::Language;
use prove::cases::{Answer, Explanation, Policy};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::verdict::{Difference, compare};
use crate::admin::{Act, Site};

/// Decisions of one request that are made again at most.
pub const DECISIONS_MAX: usize = 20;

/// The decisions of a request, from the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExplainRequest {
    /// The request's lines.
    pub events: Vec<Event>,
    /// The texts of rules that are kept beside the log, by their fingerprints.
    pub texts: BTreeMap<String, Text>,
    /// The project's rules, where no server runs that has rules in force.
    pub file: Option<Text>,
    /// Whether the explanations have colour.
    pub color: bool,
    /// How wide they may be.
    pub columns: Option<usize>,
}

/// A named text of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The file's name.
    pub name: String,
    pub text: String,
}

impl Text {
    fn source(&self) -> Source {
        Source::new(self.name.as_str(), self.text.as_str())
    }
}

/// One decision, then and today.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explained {
    /// Its line in the log.
    pub event: Event,
    /// By the rules and on the documents of its moment.
    pub then: Side,
    /// By the rules and on the documents of today.
    pub today: Side,
    /// Whether they differ and why, in a sentence.
    pub difference: String,
    /// What is not known, and what was taken instead.
    pub notes: Vec<String>,
}

/// A decision made again, or why it could not be.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Side {
    /// `allow` or `deny`; `None` where it is not known.
    pub verdict: Option<Verdict>,
    /// The explanation for people.
    pub text: String,
    /// The explanation for tools.
    pub explanation: Json,
}

impl Side {
    fn unknown(why: &str) -> Self {
        Self { text: format!("{why}\n"), ..Self::default() }
    }
}

impl Act for ExplainRequest {
    const NAME: &'static str = "explain/request";
    const NEEDS_RULES: bool = true;
    type Answer = Vec<Explained>;

    async fn run(self, site: Site) -> Result<Vec<Explained>, Status> {
        let mut explained = Vec::new();
        for event in self.events.iter().take(DECISIONS_MAX) {
            explained.push(self.explain(&site, event).await?);
        }
        Ok(explained)
    }
}

/// Rules of one time, or what is said in their place.
enum Of {
    Rules(Box<Policy>),
    Open,
    Unknown(String),
}

impl Of {
    fn ruleset(&self) -> Option<&Ruleset> {
        match self {
            Of::Rules(policy) => policy.ruleset(),
            Of::Open | Of::Unknown(_) => None,
        }
    }
}

impl ExplainRequest {
    async fn explain(&self, site: &Site, event: &Event) -> Result<Explained, Status> {
        let done = |then, difference: &str, notes| Explained {
            event: event.clone(),
            then,
            today: Side::default(),
            difference: difference.to_owned(),
            notes,
        };
        let of_documents = event.basis.as_deref().filter(|_| event.service == "firestore");
        let Some((basis, method)) = of_documents.zip(method(event)) else {
            return Ok(done(Side::unknown(&undecided(event)), "There is nothing to make again.", Vec::new()));
        };
        let asked = Asked::read(&basis.asked).unwrap_or_default();
        let database = DatabaseName {
            project: if event.project.is_empty() { site.project.clone() } else { event.project.clone() },
            database: asked.database.clone().unwrap_or_else(|| "(default)".to_owned()),
        };
        let mut notes = Vec::new();
        let written = match self.written(site, event, &database, &asked, method).await? {
            Ok(written) => written,
            Err(why) => {
                let kept = "What the line says is all that is known.";
                return Ok(done(Side::unknown(&why), kept, notes));
            }
        };
        let claims = claims(site, event, basis, &database.project, &mut notes).await?;
        let path: Vec<String> =
            event.path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let replay = Replay {
            database: &database,
            method,
            path: &path,
            who: Who { auth: auth(event, &claims), app: None, time: Timestamp::from_micros(basis.time) },
            query: asked.query.as_ref(),
            in_transaction: asked.in_transaction,
            written: &written,
        };
        let (then, today) = (self.rules_then(basis), self.rules_today(site, &database));
        let made = Both::make(site, &replay, Version(basis.state), &then, &today).await?;
        if let Some(reason) = &made.forgotten {
            notes.push(reason.clone());
        }
        let shown = |of: &Of, replayed: Option<&Replayed>| self.side(event, of, replayed);
        let then_side = shown(&then, made.then.as_ref().and_then(|(then, _)| then.as_ref()));
        let today_side = shown(&today, made.today.1.as_ref());
        notes.extend(disagreement(event, &then_side));
        let difference = compare(&Difference {
            logged: event.verdict,
            then: then_side.verdict,
            today: today_side.verdict,
            same_rules: match (&then, &today) {
                (Of::Rules(then), Of::Rules(today)) => Some(then.written.text == today.written.text),
                (Of::Open, Of::Open) => Some(true),
                (Of::Unknown(_), _) | (_, Of::Unknown(_)) => None,
                _ => Some(false),
            },
            crossed: made.crossed(),
            changed: made.changed(),
            time: made.depends_on_time(),
        });
        Ok(Explained { event: event.clone(), then: then_side, today: today_side, difference, notes })
    }

    /// What the commit made of its documents; why that is not known.
    async fn written(
        &self,
        site: &Site,
        event: &Event,
        database: &DatabaseName,
        asked: &Asked,
        method: Method,
    ) -> Result<Result<Written, String>, Status> {
        let mut written = Written::new();
        if let Some(version) = event.version {
            let kept = site.firestore.written_by(&site.caller, database, Version(version)).await?;
            written = kept.unwrap_or_default();
        }
        // Of a commit that came to nothing: what its lines say of each document.
        for other in &self.events {
            let Some(basis) = other.basis.as_deref() else { continue };
            let path = other.path.trim_start_matches('/').to_owned();
            match (other.method.as_str(), Asked::read(&basis.asked).and_then(|asked| asked.data)) {
                ("create" | "update", Some(data)) => {
                    written.entry(path).or_insert(Some(data));
                }
                ("delete", _) => {
                    written.entry(path).or_insert(None);
                }
                _ => {}
            }
        }
        let own = written.get(event.path.trim_start_matches('/'));
        let lacks_data = matches!(method, Method::Create | Method::Update) && !matches!(own, Some(Some(_)));
        let lacks_query = method == Method::List && asked.query.is_none();
        if lacks_data || lacks_query {
            let what = if lacks_data { "the data of this write" } else { "this query" };
            let why = asked.left_out.as_deref().unwrap_or("an older version wrote the line");
            return Ok(Err(format!(
                "{what} is not known, so that the rules cannot be asked again ({why}). In production the log keeps what requests \
                 ask with `hearth serve --log-requests`; values above 4 KiB are never kept."
            )));
        }
        Ok(Ok(written))
    }

    fn rules_then(&self, basis: &Basis) -> Of {
        match &basis.rules {
            None => Of::Open,
            Some(fingerprint) => match self.texts.get(fingerprint) {
                Some(text) => compiled(text.source()),
                None => Of::Unknown(format!(
                    "The rules of that moment are not known: the text with the fingerprint {fingerprint} is not among those kept \
                     (the last {}).",
                    access::log::texts::TEXTS_MAX
                )),
            },
        }
    }

    fn rules_today(&self, site: &Site, database: &DatabaseName) -> Of {
        let in_force: &Rulesets<Ruleset> = &site.gate.rules().firestore;
        let rules = match database.is_default() {
            true => in_force.current(&database.project),
            false => in_force.current_for(&database.project, &database.database),
        };
        match (&*rules, &self.file) {
            (Rules::Enforced(enforced), _) => compiled(policy::Policy::source(&enforced.policy).clone()),
            (_, Some(file)) => compiled(file.source()),
            (Rules::Open(_), None) => Of::Open,
            (Rules::Closed(why), None) => Of::Unknown(format!("No rules are in force today: {why}.")),
        }
    }

    fn side(&self, event: &Event, of: &Of, replayed: Option<&Replayed>) -> Side {
        let policy = match of {
            Of::Rules(policy) => policy,
            Of::Open => {
                let text = "allow: no rules are loaded, and dev allows everything then\n".to_owned();
                return Side { verdict: Some(Verdict::Allow), text, explanation: Json::Null };
            }
            Of::Unknown(why) => return Side::unknown(why),
        };
        let Some(replayed) = replayed else {
            return Side::unknown("The documents of that moment are not known.");
        };
        let who = event.who.as_deref().unwrap_or("nobody");
        let own = replayed.documents.get(event.path.trim_start_matches('/'));
        let missing = own.is_some_and(Option::is_none) && !replayed.decision.allowed;
        let answer = Answer {
            request: format!("{who} {} {}", replayed.method.name(), event.path),
            outcome: if replayed.decision.allowed { "allow" } else { "deny" }.to_owned(),
            decision: replayed.decision.clone(),
            trace: replayed.trace.clone(),
            source: policy.written.clone(),
            missing: missing.then(|| format!("there is no document {}", event.path)),
        };
        let explanation = Explanation::new(policy, &answer).within(self.columns);
        let verdict = if replayed.decision.allowed { Verdict::Allow } else { Verdict::Deny };
        Side { verdict: Some(verdict), text: explanation.text(self.color), explanation: explanation.json() }
    }
}

/// The decisions: of each moment by the rules of that moment and by those of today.
struct Both {
    then: Option<(Option<Replayed>, Option<Replayed>)>,
    /// By the rules of that moment, and by those of today.
    today: (Option<Replayed>, Option<Replayed>),
    forgotten: Option<String>,
}

impl Both {
    async fn make(
        site: &Site,
        replay: &Replay<'_>,
        state: Version,
        then: &Of,
        today: &Of,
    ) -> Result<Self, Status> {
        let rules: Vec<&Ruleset> = [then.ruleset(), today.ruleset()].into_iter().flatten().collect();
        let split = |mut made: Vec<Replayed>| {
            let last = today.ruleset().and_then(|_| made.pop());
            (made.pop(), last)
        };
        let mut forgotten = None;
        let past = match site.firestore.replay(&site.caller, Some(state), &rules, replay).await {
            Ok(made) => Some(split(made)),
            Err(status) if status.code == Code::FailedPrecondition => {
                forgotten = Some(format!(
                    "the change log no longer reaches back to {}, so that the documents of that moment are not known: today's are \
                     looked at only (`hearth serve --history-minutes` and `--history-mib` say how far it reaches)",
                    Timestamp::from_micros(state.0)
                ));
                None
            }
            Err(fault) => return Err(fault),
        };
        let now = Replay { who: Who { time: SystemClock.now(), ..replay.who }, ..*replay };
        let present = split(site.firestore.replay(&site.caller, None, &rules, &now).await?);
        Ok(Self { then: past, today: present, forgotten })
    }

    /// What today's rules say of the documents of that moment, and the rules of that moment of today's documents.
    fn crossed(&self) -> (Option<bool>, Option<bool>) {
        let allowed = |made: &Option<Replayed>| made.as_ref().map(|made| made.decision.allowed);
        (self.then.as_ref().and_then(|(_, today)| allowed(today)), allowed(&self.today.0))
    }

    /// The documents that a decision depended on and that are not as they were.
    fn changed(&self) -> Vec<String> {
        let Some(then) = &self.then else { return Vec::new() };
        let pairs = [(&then.0, &self.today.0), (&then.1, &self.today.1)];
        let mut changed = Vec::new();
        for (before, after) in
            pairs.into_iter().filter_map(|(before, after)| before.as_ref().zip(after.as_ref()))
        {
            let differ = before
                .documents
                .iter()
                .filter(|(path, was)| after.documents.get(*path).is_some_and(|is| is != *was));
            changed.extend(differ.map(|(path, _)| format!("/{path}")));
        }
        changed.sort();
        changed.dedup();
        changed
    }

    fn depends_on_time(&self) -> bool {
        let then = self.then.iter().flat_map(|(a, b)| [a, b]);
        let all = then.chain([&self.today.0, &self.today.1]);
        all.flatten().any(|made| made.decision.depends.time)
    }
}

fn compiled(source: Source) -> Of {
    match Policy::compile(source, Language::Firestore) {
        Ok(policy) => Of::Rules(Box::new(policy)),
        Err(refused) => Of::Unknown(format!("`{}` has errors today.", refused.text.name)),
    }
}

fn method(event: &Event) -> Option<Method> {
    Method::ALL.into_iter().find(|method| method.name() == event.method)
}

/// Whether the line's verdict is that of the rules: an error happened after they had allowed.
fn is_decided(event: &Event) -> bool {
    matches!(event.verdict, Verdict::Allow | Verdict::Deny)
}

/// What is to be said where the replay of that moment does not come to what the log says.
fn disagreement(event: &Event, then: &Side) -> Option<String> {
    let verdict = then.verdict.filter(|verdict| *verdict != event.verdict && is_decided(event))?;
    Some(format!(
        "the replay of that moment comes to {}, the log says {}: something that the decision depended on is not known \
         (claims of the token that the account does not have, or what came after it in the same request)",
        verdict.word(),
        event.verdict.word()
    ))
}

/// Why there was no decision of rules.
fn undecided(event: &Event) -> String {
    match event.verdict {
        Verdict::Admin => "An administrator did this: rules are not asked about administrators.".to_owned(),
        _ if event.basis.is_some() && event.service != "firestore" => format!(
            "Decisions about `{}` are not made again yet, only Firestore's: what the line says is all that is known.",
            event.service
        ),
        _ if event.service != "firestore" => {
            format!("No rules decide about this: the service `{}` did, by `{}`.", event.service, event.method)
        }
        _ if event.method.is_empty() => "The request ended before the rules were asked.".to_owned(),
        _ => "An older version wrote this line, without what the decision was made on.".to_owned(),
    }
}

fn auth<'a>(event: &'a Event, claims: &'a Fields) -> Option<Auth<'a>> {
    (event.caller == "user").then(|| Auth { uid: event.who.as_deref().unwrap_or_default(), token: claims })
}

/// The claims of the token, else those of the account at that moment.
async fn claims(
    site: &Site,
    event: &Event,
    basis: &Basis,
    project: &str,
    notes: &mut Vec<String>,
) -> Result<Fields, Status> {
    if let Some(claims) = fields_from_json(&basis.claims) {
        return Ok(claims);
    }
    let Some(uid) = event.who.as_deref().filter(|_| event.caller == "user") else { return Ok(Fields::new()) };
    let at = Version(basis.state);
    let account = match identity::past_claims(&site.gate, &site.caller, project, uid, at).await {
        Ok(account) => account,
        Err(status) if status.code == Code::FailedPrecondition => None,
        Err(fault) => return Err(fault),
    };
    notes.push(match &account {
        Some(_) => "the token is not kept: its claims are taken to be those of the account at that moment, without `auth_time` and \
                    `firebase` (`hearth serve --log-requests` keeps claims)"
            .to_owned(),
        None => "the token is not kept and the account of that moment is not known: `request.auth.token` is taken to be empty"
            .to_owned(),
    });
    Ok(account.unwrap_or_default())
}
