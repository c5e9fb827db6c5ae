//! What is done for `hearth partner` where the data is.

use base::{Code, Status};
use functions::model::partner::{CLAIM, KEYS_MAX, NewKey, Partner};
use functions::ops::{add_partner, change_partner, partners};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::account;
use crate::admin::{Act, Site};

/// Characters of an account's password.
const PASSWORD_CHARS: usize = 24;

/// Adds a partner: its account, its claims, its first key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Add {
    pub name: String,
    pub email: String,
    pub role: String,
    pub functions: Vec<String>,
    pub collections: Vec<String>,
    pub expires_s: Option<i64>,
}

/// A new partner and what it is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Added {
    pub partner: Partner,
    pub key: String,
    /// The account's, where it was made.
    pub password: Option<String>,
}

impl Act for Add {
    const NAME: &'static str = "partners/add";
    type Answer = Added;

    async fn run(self, site: Site) -> Result<Added, Status> {
        let Self { name, email, role, functions, collections, expires_s } = self;
        let known = partners(&site.gate, &site.caller, &site.project).await?;
        if known.iter().any(|partner| partner.name == name) {
            return Err(Status::new(Code::AlreadyExists, format!("there is a partner `{name}` already")));
        }
        if !Partner::is_name(&name) {
            let text =
                format!("`{name}` is not a partner's name: lower-case letters, digits and `-`, 40 at most");
            return Err(Status::invalid(text));
        }
        let now_s = site.gate.clock().now().seconds;
        let key = new_key(&name, now_s)?;
        let (uid, mut claims, password) = match account::find(&site, &email).await? {
            Some((uid, claims)) => (uid, claims, None),
            None => {
                let password = base::id::alphanumeric(PASSWORD_CHARS)
                    .map_err(|error| Status::unavailable(error.to_string()))?;
                (account::create(&site, &email, &password).await?, json!({}), Some(password))
            }
        };
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("role".to_owned(), Json::from(role.as_str()));
            claims.insert(CLAIM.to_owned(), Json::from(name.as_str()));
        }
        account::set_claims(&site, &uid, &claims).await?;
        let partner = Partner {
            name,
            uid,
            email,
            role,
            functions,
            collections,
            keys: vec![key.kept],
            created_s: now_s,
            expires_s,
            suspended: false,
        };
        add_partner(&site.gate, &site.caller, &site.project, &partner).await?;
        Ok(Added { partner, key: key.text, password })
    }
}

fn new_key(name: &str, now_s: i64) -> Result<NewKey, Status> {
    NewKey::generate(name, now_s).map_err(|error| Status::unavailable(error.to_string()))
}

/// The partners of the project.
#[derive(Debug, Serialize, Deserialize)]
pub struct List {}

impl Act for List {
    const NAME: &'static str = "partners/list";
    type Answer = Vec<Partner>;

    async fn run(self, site: Site) -> Result<Vec<Partner>, Status> {
        partners(&site.gate, &site.caller, &site.project).await
    }
}

/// Has a partner do nothing any more, or again what it may. Its account is disabled with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Suspend {
    pub name: String,
    pub is_suspended: bool,
}

impl Act for Suspend {
    const NAME: &'static str = "partners/suspend";
    type Answer = Partner;

    async fn run(self, site: Site) -> Result<Partner, Status> {
        let Self { name, is_suspended } = self;
        let verb = if is_suspended { "suspendPartner" } else { "resumePartner" };
        let change = |partner: Partner| Ok(Partner { suspended: is_suspended, ..partner });
        // Its functions are closed first, and opened last.
        if is_suspended {
            let partner =
                change_partner(&site.gate, &site.caller, &site.project, &name, verb, change).await?;
            account::set_disabled(&site, &partner.uid, true).await?;
            return Ok(partner);
        }
        let keep = |partner: Partner| Ok(partner);
        let partner = change_partner(&site.gate, &site.caller, &site.project, &name, verb, keep).await?;
        account::set_disabled(&site, &partner.uid, false).await?;
        change_partner(&site.gate, &site.caller, &site.project, &name, verb, change).await
    }
}

/// Gives a partner another key; those it has end after a while.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rotate {
    pub name: String,
    pub keep_old_s: u32,
}

/// A partner and its new key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rotated {
    pub partner: Partner,
    pub key: String,
}

impl Act for Rotate {
    const NAME: &'static str = "partners/rotate";
    type Answer = Rotated;

    async fn run(self, site: Site) -> Result<Rotated, Status> {
        let now_s = site.gate.clock().now().seconds;
        let key = new_key(&self.name, now_s)?;
        let ends_s = now_s.saturating_add(self.keep_old_s.into());
        let change = |mut partner: Partner| {
            partner.keys.retain(|key| key.expires_s.is_none_or(|at_s| at_s > now_s));
            for old in &mut partner.keys {
                old.expires_s = Some(old.expires_s.map_or(ends_s, |at_s| at_s.min(ends_s)));
            }
            // One that ends at once has ended.
            partner.keys.retain(|key| key.expires_s.is_none_or(|at_s| at_s > now_s));
            if partner.keys.len() >= KEYS_MAX {
                let text = format!(
                    "`{}` has {KEYS_MAX} keys: wait until some have ended, or use `--keep-old 0s`",
                    partner.name
                );
                return Err(Status::new(Code::ResourceExhausted, text));
            }
            partner.keys.push(key.kept.clone());
            Ok(partner)
        };
        let changed =
            change_partner(&site.gate, &site.caller, &site.project, &self.name, "rotatePartner", change);
        Ok(Rotated { partner: changed.await?, key: key.text })
    }
}
