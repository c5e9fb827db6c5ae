//! Partners: who a key stands for, what a partner may call, and what administrators do with them.

use access::{Attempts, Caller, Gate, Operation, Principal, Service};
use base::{Code, Status, Value};
use kv::Scan;

use super::Functions;
use crate::model::partner::{CLAIM, Partner, all_of, decode, encode, parts_of, row_of};

/// Attempts to change a partner before it is given up.
const ATTEMPTS_MAX: usize = 5;
/// Partners that are listed.
const LISTED_MAX: usize = 1000;

impl Functions {
    /// The account that a partner's key stands for.
    ///
    /// Errors: `UNAUTHENTICATED` for a key that is none or has ended, and for an account that is disabled.
    pub(super) async fn partner_of_key(&self, key: &str) -> Result<Caller, Status> {
        let bad = || Status::new(Code::Unauthenticated, "the X-Api-Key header is no partner's key");
        let (name, secret) = parts_of(key).ok_or_else(bad)?;
        let row = self.gate.peek(&row_of(&self.project, name)).await?.ok_or_else(bad)?;
        let partner = decode(&row)?;
        if !partner.has_key(secret, self.now_s()) {
            return Err(bad());
        }
        self.authenticate.account(&self.project, &partner.uid).await
    }

    /// Why a caller may not call a function, where it is a partner's account.
    pub(super) async fn unlike_partner(
        &self,
        caller: &Caller,
        function: &str,
    ) -> Result<Option<String>, Status> {
        let Principal::User(user) = &caller.who else { return Ok(None) };
        let Some(Value::String(name)) = user.claims.get(CLAIM) else { return Ok(None) };
        let Some(row) = self.gate.peek(&row_of(&self.project, name)).await? else { return Ok(None) };
        let partner = decode(&row)?;
        // A claim of that name may be the project's own.
        if partner.uid != user.uid {
            return Ok(None);
        }
        Ok(partner.may_call(function, self.now_s()).err().map(|unlike| unlike.to_string()))
    }

    fn now_s(&self) -> i64 {
        self.gate.clock().now().seconds
    }
}

/// Adds a partner.
///
/// Errors: `ALREADY_EXISTS`; `INVALID_ARGUMENT` for a name that can be none.
pub async fn add_partner(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    partner: &Partner,
) -> Result<(), Status> {
    let name = &partner.name;
    if !Partner::is_name(name) {
        let text =
            format!("`{name}` is not a partner's name: lower-case letters, digits and `-`, 40 at most");
        return Err(Status::invalid(text));
    }
    let change = change(gate, caller, project, name, "addPartner", |known| match known {
        Some(_) => Err(Status::new(Code::AlreadyExists, format!("there is a partner `{name}` already"))),
        None => Ok(partner.clone()),
    });
    change.await.map(drop)
}

/// Changes a partner. Returns what it is then.
///
/// Errors: `NOT_FOUND`, and what `new` says.
pub async fn change_partner(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    name: &str,
    verb: &'static str,
    new: impl Fn(Partner) -> Result<Partner, Status>,
) -> Result<Partner, Status> {
    change(gate, caller, project, name, verb, |known| new(known.ok_or_else(|| absent(name))?)).await
}

/// The partners of a project, by name.
pub async fn partners(gate: &Gate, caller: &Caller, project: &str) -> Result<Vec<Partner>, Status> {
    let resource = "/partners";
    let operation =
        Operation { service: Service::Functions, verb: "listPartners", resource: resource.to_owned() };
    let mut session = gate.begin(caller, operation).await?;
    session.authorize_admin(resource).map_err(|refusal| refusal.status(|_| only_administrators()))?;
    let page = session.scan(&all_of(project), Scan { rows_max: LISTED_MAX, ..Scan::default() }).await?;
    let partners = page.rows.iter().map(decode).collect::<Result<_, _>>()?;
    session.finish();
    Ok(partners)
}

async fn change(
    gate: &Gate,
    caller: &Caller,
    project: &str,
    name: &str,
    verb: &'static str,
    new: impl Fn(Option<Partner>) -> Result<Partner, Status>,
) -> Result<Partner, Status> {
    let resource = format!("/partners/{name}");
    let operation = Operation { service: Service::Functions, verb, resource: resource.clone() };
    let exhausted = || Status::new(Code::Aborted, "Others keep changing this partner.");
    let attempts = Attempts { max: ATTEMPTS_MAX, contended: &[], exhausted };
    let (row, resource, new) = (row_of(project, name), &resource, &new);
    let changed = gate.transact(caller, &operation, attempts, |mut session| {
        let row = row.clone();
        async move {
            let permit = session.authorize_admin(resource);
            let permit = permit.map_err(|refusal| refusal.status(|_| only_administrators()))?;
            let known = session.get(&row).await?.as_ref().map(decode).transpose()?;
            let partner = new(known)?;
            session.write(&permit, row, Some(encode(&partner)?));
            Ok::<_, Status>((session, partner))
        }
    });
    changed.await.map(|(partner, _)| partner)
}

fn only_administrators() -> String {
    "Only administrators may do this.".to_owned()
}

fn absent(name: &str) -> Status {
    Status::new(Code::NotFound, format!("there is no partner `{name}`: `hearth partner list` lists them"))
}
