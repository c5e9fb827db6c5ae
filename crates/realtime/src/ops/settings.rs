//! What administrators set for a database: its rules. And what tools ask about all of them.
//!
//! In dev rules are put for a database as tests do, and forgotten with the process; in production they are a row, durable
//! before they are in force, and in force again after a start.
//!
//! Source: `@firebase/rules-unit-testing`, the Admin SDKs' rules clients and `firebase deploy --only database`.

use access::{Caller, DevPermit, Operation, Rules, Service, keyspace};
use base::{Code, Status};
use bytes::Bytes;
use kv::{Key as RowKey, KeyRange, Scan};
use policy::{Coverage, Diagnostic, Severity, Source, rtdb};
use tokio::sync::Mutex;

use super::Realtime;
use super::namespace::Namespace;
use crate::failure::Failure;
use crate::model::SizeLimit;

/// The name that diagnostics give to rules that were put by their text.
const SOURCE_NAME: &str = "database.rules.json";
/// The rules of a database that nobody has put any for, in dev: everything is open.
const OPEN: &str = "{\n    \"rules\": {\n        \".read\": true,\n        \".write\": true\n    }\n}";
/// The same in production: everything is closed.
const CLOSED: &str = "{\n    \"rules\": {\n        \".read\": false,\n        \".write\": false\n    }\n}";
/// Names of databases that are listed.
const LISTED_MAX: usize = 10_000;

/// One release at a time: what is durable is in force.
static RELEASING: Mutex<()> = Mutex::const_new(());

/// Why rules were not put.
#[derive(Debug)]
pub enum RulesProblem {
    /// They have errors, a line for each.
    Invalid(String),
    /// They could not be put.
    Failed(Failure),
}

impl<F: Into<Failure>> From<F> for RulesProblem {
    fn from(failure: F) -> Self {
        RulesProblem::Failed(failure.into())
    }
}

impl Namespace {
    /// The text of the rules in force, for administrators.
    pub async fn rules_text(&self, caller: &Caller) -> Result<String, Failure> {
        let mut session = self.database.gate().begin(caller, self.about_rules("GetRules")).await?;
        session.authorize_admin("/.settings/rules")?;
        session.finish();
        Ok(match &*self.database.rules() {
            Rules::Enforced(enforced) => enforced.policy.source().text.to_string(),
            Rules::Open(_) => OPEN.to_owned(),
            Rules::Closed(_) => CLOSED.to_owned(),
        })
    }

    /// Puts rules in force, for administrators. A dry run only says whether they could be.
    pub async fn put_rules(
        &self,
        caller: &Caller,
        text: String,
        is_dry_run: bool,
    ) -> Result<(), RulesProblem> {
        let gate = self.database.gate();
        let _in_order = RELEASING.lock().await;
        let verb = if is_dry_run { "CheckRules" } else { "PutRules" };
        let mut session = gate.begin(caller, self.about_rules(verb)).await?;
        session.note("database", self.name().into());
        let permit = session.authorize_admin("/.settings/rules").map_err(Failure::from)?;
        let source = Source::new(SOURCE_NAME, text.as_str());
        let compiled = rtdb::compile(source.clone());
        if let Some(errors) = errors(&source, &compiled.diagnostics) {
            session.finish();
            return Err(RulesProblem::Invalid(errors));
        }
        if is_dry_run {
            session.finish();
            return Ok(());
        }
        if let Some(permit) = gate.mode().dev() {
            session.finish();
            gate.rules().database.load_for(permit, self.name(), source).map_err(|_| refused())?;
            return Ok(());
        }
        session.write(&permit, setting_key(self.name(), RULES), Some(Bytes::from(text)));
        session.commit().await?;
        self.put_in_force(source).map_err(|_| refused())?;
        Ok(())
    }

    /// Production's rules of this database from now on.
    fn put_in_force(&self, source: Source) -> Result<(), Box<access::RulesRefused>> {
        let rules = &self.database.gate().rules().database;
        if self.database.is_default() {
            rules.deploy(source)?;
        } else {
            rules.deploy_for(self.name(), source)?;
        }
        Ok(())
    }

    /// How large a write may be that does not say so itself, for administrators.
    pub async fn size_limit(&self, caller: &Caller) -> Result<SizeLimit, Failure> {
        let mut session = self.database.gate().begin(caller, self.about_limit("GetSetting")).await?;
        session.authorize_admin("/.settings/defaultWriteSizeLimit")?;
        session.finish();
        Ok(self.database.size_limit())
    }

    /// The same from now on. In dev it is forgotten with the process.
    pub async fn put_size_limit(&self, caller: &Caller, limit: SizeLimit) -> Result<(), Failure> {
        let gate = self.database.gate();
        let mut session = gate.begin(caller, self.about_limit("PutSetting")).await?;
        session.note("limit", limit.as_str().into());
        let permit = session.authorize_admin("/.settings/defaultWriteSizeLimit")?;
        if gate.mode().dev().is_some() {
            session.finish();
        } else {
            let key = setting_key(self.name(), LIMIT);
            session.write(&permit, key, Some(Bytes::from_static(limit.as_str().as_bytes())));
            session.commit().await?;
        }
        self.database.set_size_limit(limit);
        Ok(())
    }

    fn about_limit(&self, verb: &'static str) -> Operation {
        let resource = "/.settings/defaultWriteSizeLimit".to_owned();
        Operation { service: Service::Realtime, verb, resource }
    }

    /// How much of the rules has been covered since they are in force; `None` where there are none.
    pub fn coverage(&self, permit: DevPermit) -> Option<Coverage> {
        self.database.gate().rules().database.coverage(permit, self.name())
    }

    fn about_rules(&self, verb: &'static str) -> Operation {
        Operation { service: Service::Realtime, verb, resource: "/.settings/rules".to_owned() }
    }
}

impl Realtime {
    /// The permit for what exists in development only.
    pub fn dev(&self) -> Option<DevPermit> {
        self.gate().mode().dev()
    }

    /// The server's time: milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.gate().clock().now_micros().div_euclid(1000)
    }

    /// Puts what was set in production in force again, before the first request. The text of the rules of the project's own
    /// database, where some were put.
    pub async fn restore(&self) -> Result<Option<Source>, Status> {
        let mut of_default = None;
        for row in self.rows(KeyRange::prefix(keyspace::REALTIME_SETTINGS, &[])).await? {
            let key = row.key.as_bytes();
            let (name, setting) = key.split_at(key.iter().position(|byte| *byte == 0).unwrap_or(key.len()));
            let name = std::str::from_utf8(name).unwrap_or_default();
            let text = std::str::from_utf8(&row.value).map_err(|_| unreadable(name))?;
            let namespace = self.namespace(name).map_err(|_| unreadable(name))?;
            if setting == LIMIT {
                namespace.database.set_size_limit(SizeLimit::parse(text).ok_or_else(|| unreadable(name))?);
                continue;
            }
            let source = Source::new(SOURCE_NAME, text);
            namespace.put_in_force(source.clone()).map_err(|_| unreadable(name))?;
            if namespace.database.is_default() {
                of_default = Some(source);
            }
        }
        Ok(of_default)
    }

    async fn rows(&self, range: KeyRange) -> Result<Vec<kv::Row>, Status> {
        let admin = Caller::admin("rules");
        let operation = Operation { service: Service::Realtime, verb: "Start", resource: "/".to_owned() };
        let mut session = self.gate().begin(&admin, operation).await?;
        let (mut rest, mut rows) = (Some(range), Vec::new());
        while let Some(range) = rest {
            let page = session.reads().look(&range, Scan::default()).await?;
            rows.extend(page.rows);
            rest = page.next;
        }
        session.discard();
        Ok(rows)
    }

    /// The names of the databases that have data. Dev only: the emulator lists them for exports.
    pub async fn namespaces(&self, _permit: DevPermit) -> Result<Vec<String>, Failure> {
        let admin = Caller::admin("emulator");
        let operation =
            Operation { service: Service::Realtime, verb: "ListDatabases", resource: "/".to_owned() };
        let mut session = self.gate().begin(&admin, operation).await?;
        session.authorize_admin("/")?;
        let mut names = Vec::new();
        let mut range = KeyRange::prefix(keyspace::REALTIME, &[]);
        // From the first row of one database to the first row of the next.
        while names.len() < LISTED_MAX {
            let first = session.reads().look(&range, Scan { rows_max: 1, ..Scan::default() }).await?;
            let Some(row) = first.rows.first() else { break };
            let Some(name) = row.key.as_bytes().split(|byte| *byte == 0).next() else { break };
            names.push(String::from_utf8_lossy(name).into_owned());
            let mut after = name.to_vec();
            after.push(1);
            range.start = RowKey::new(keyspace::REALTIME, &after);
        }
        session.finish();
        Ok(names)
    }
}

/// What is wrong with rules, a line for each error. Tests of `@firebase/rules-unit-testing` look for `Parse error` where the
/// text is no JSON.
fn errors(source: &Source, diagnostics: &[Diagnostic]) -> Option<String> {
    let errors = rtdb::upload_error(source, diagnostics)?;
    let first = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    let is_json = first.is_some_and(|first| NO_JSON_CODES.iter().any(|code| first.code.starts_with(code)));
    Some(match errors.split_once(": ") {
        Some((place, text)) if is_json => format!("{place}: Parse error: {text}"),
        _ => errors,
    })
}

/// How the codes of errors begin that say that a text is no JSON.
const NO_JSON_CODES: [&str; 3] = ["json-", "unclosed-", "missing-comma"];

/// What follows a database's name in the key of its rules.
const RULES: &[u8] = b"\0rules";

/// What follows it in the key of its limit.
const LIMIT: &[u8] = b"\0limit";

fn setting_key(namespace: &str, setting: &[u8]) -> RowKey {
    RowKey::new(keyspace::REALTIME_SETTINGS, &[namespace.as_bytes(), setting].concat())
}

fn unreadable(name: &str) -> Status {
    Status::new(
        Code::DataLoss,
        format!("the stored settings of the database `{name}` cannot be put in force"),
    )
}

/// Rules without errors that are refused: a fault of ours.
fn refused() -> Failure {
    Failure::Unavailable(Status::new(Code::Internal, "the rules could not be put in force"))
}
