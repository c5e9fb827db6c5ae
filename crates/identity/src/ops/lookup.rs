//! Finding users: the signed-in user themselves, and for administrators by any handle, page by page, or by query.

use serde::Deserialize;
use serde_json::Value as Json;

use super::sign_up::given;
use super::{UnitOfWork, Verb};
use crate::limits::{LOOKUP_IDS_MAX, QUERY_ANSWER_USERS_MAX, QUERY_USERS_MAX};
use crate::model::decode;
use crate::model::key::Handle;
use crate::model::user::{User, email_address, phone_number};
use crate::status::{Failure, INVALID_PAGE_SELECTION, Refused, wrong_shape};

/// `accounts:lookup`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Lookup {
    pub id_token: Option<String>,
    pub local_id: Vec<String>,
    pub email: Vec<String>,
    pub phone_number: Vec<String>,
    pub federated_user_id: Vec<FederatedId>,
}

/// An identity elsewhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FederatedId {
    pub provider_id: String,
    pub raw_id: String,
}

impl Verb for Lookup {
    type Output = Vec<User>;
    const NAME: &'static str = "lookup";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Vec<User>, Failure> {
        if !work.is_admin() {
            let (_, user) = work.required_token_user().await?;
            work.proved("id token");
            return Ok(vec![user]);
        }
        let asked =
            self.local_id.len() + self.email.len() + self.phone_number.len() + self.federated_user_id.len();
        if asked > LOOKUP_IDS_MAX {
            return Err(wrong_shape("Too many user identifiers.").into());
        }
        work.admin()?;
        let mut found: Vec<User> = Vec::new();
        let handles = self
            .email
            .iter()
            .filter_map(|email| email_address(email).map(Handle::Email))
            .chain(self.phone_number.iter().map(|phone| by_phone(phone)))
            .chain(self.federated_user_id.iter().map(FederatedId::handle));
        for uid in &self.local_id {
            add(&mut found, work.user(uid).await?);
        }
        for handle in handles {
            add(&mut found, work.find(&handle).await?);
        }
        Ok(found)
    }
}

impl FederatedId {
    /// Derived identities are found by what they derive from.
    fn handle(&self) -> Handle {
        match self.provider_id.as_str() {
            "password" => Handle::Email(self.raw_id.to_lowercase()),
            "phone" => by_phone(&self.raw_id),
            provider => Handle::Federated(provider.to_owned(), self.raw_id.clone()),
        }
    }
}

/// However it is spaced. What is no number is found by nobody.
fn by_phone(text: &str) -> Handle {
    Handle::Phone(phone_number(text, false).unwrap_or_else(|| text.to_owned()))
}

fn add(found: &mut Vec<User>, user: Option<User>) {
    if let Some(user) = user
        && found.iter().all(|other| other.uid != user.uid)
    {
        found.push(user);
    }
}

/// `accounts:batchGet`.
#[derive(Debug, Default)]
pub(crate) struct BatchGet {
    /// `-1` for all, 20 when not given, 1000 at most.
    pub max_results: Option<i64>,
    pub next_page_token: Option<String>,
}

/// A page of users, by uid.
#[derive(Debug, Default)]
pub(crate) struct UserPage {
    pub users: Vec<User>,
    /// Given whenever the page is full, even if nothing follows.
    pub next_page_token: Option<String>,
}

impl Verb for BatchGet {
    type Output = UserPage;
    const NAME: &'static str = "batchGet";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<UserPage, Failure> {
        let rows_max = match self.max_results {
            None => 20,
            Some(-1) => QUERY_USERS_MAX,
            Some(count) => usize::try_from(count)
                .ok()
                .filter(|count| *count > 0)
                .ok_or(INVALID_PAGE_SELECTION)?
                .min(1000),
        };
        work.admin()?;
        let mut range = work.realm().users();
        if let Some(after) = given(self.next_page_token.as_ref()) {
            range.start = work.realm().user(after).successor();
        }
        let users = scan(work, range, rows_max).await?;
        let full = users.len() == rows_max;
        let next_page_token = users.last().filter(|_| full).map(|user| user.uid.clone());
        Ok(UserPage { users, next_page_token })
    }
}

async fn scan(work: &mut UnitOfWork<'_>, range: kv::KeyRange, rows_max: usize) -> Result<Vec<User>, Failure> {
    let mut users = Vec::new();
    let mut rest = Some(range);
    while let Some(range) = rest.take()
        && users.len() < rows_max
    {
        let (rows, next) = work.rows(&range, (rows_max - users.len()).min(1000)).await?;
        for row in &rows {
            users.push(decode(row)?);
        }
        rest = next;
    }
    Ok(users)
}

/// `accounts:query`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Query {
    pub return_user_info: Option<bool>,
    pub limit: Option<Json>,
    pub offset: Option<Json>,
    pub order: Option<Json>,
    pub sort_by: Option<Json>,
    pub expression: Vec<Expression>,
}

/// What to look for; one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Expression {
    pub email: Option<String>,
    pub phone_number: Option<String>,
    pub user_id: Option<String>,
}

/// How many there are, and which.
#[derive(Debug)]
pub(crate) struct Queried {
    pub count: usize,
    pub users: Option<Vec<User>>,
}

/// A name or its number, as protocol buffers allow.
fn choice<'a>(given: Option<&'a Json>, names: &[&'a str]) -> Result<Option<&'a str>, Refused> {
    match given {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(name)) if names.contains(&name.as_str()) => Ok(Some(name)),
        Some(Json::Number(number)) => {
            let index = number.as_u64().and_then(|index| usize::try_from(index).ok());
            Ok(Some(index.and_then(|index| names.get(index)).ok_or_else(|| wrong_shape("Invalid value."))?))
        }
        Some(_) => Err(wrong_shape("Invalid value.")),
    }
}

/// A count as number or text.
fn count(given: Option<&Json>, default: usize) -> Result<usize, Refused> {
    match given {
        None | Some(Json::Null) => Ok(default),
        Some(Json::String(text)) => text.parse().map_err(|_| wrong_shape("Invalid value.")),
        Some(other) => other
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .ok_or_else(|| wrong_shape("Invalid value.")),
    }
}

impl Verb for Query {
    type Output = Queried;
    const NAME: &'static str = "query";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Queried, Failure> {
        let order = choice(self.order.as_ref(), &["ORDER_UNSPECIFIED", "ASC", "DESC"])?;
        let sort_by = choice(
            self.sort_by.as_ref(),
            &["SORT_BY_FIELD_UNSPECIFIED", "USER_ID", "NAME", "CREATED_AT", "LAST_LOGIN_AT", "USER_EMAIL"],
        )?;
        let limit = count(self.limit.as_ref(), QUERY_ANSWER_USERS_MAX)?.min(QUERY_ANSWER_USERS_MAX);
        let offset = count(self.offset.as_ref(), 0)?;
        work.admin()?;
        let mut users = match self.expression.first() {
            Some(expression) => {
                let mut found = Vec::new();
                if let Some(uid) = &expression.user_id {
                    add(&mut found, work.user(uid).await?);
                }
                if let Some(email) = expression.email.as_deref().and_then(email_address) {
                    add(&mut found, work.find(&Handle::Email(email)).await?);
                }
                if let Some(phone) = &expression.phone_number {
                    add(&mut found, work.find(&by_phone(phone)).await?);
                }
                found
            }
            None => {
                let range = work.realm().users();
                scan(work, range, QUERY_USERS_MAX).await?
            }
        };
        let total = users.len();
        if !self.return_user_info.unwrap_or(true) {
            return Ok(Queried { count: total, users: None });
        }
        match sort_by {
            Some("NAME") => users.sort_by(|a, b| a.display_name.cmp(&b.display_name)),
            Some("CREATED_AT") => users.sort_by_key(|user| user.created_ms),
            Some("LAST_LOGIN_AT") => users.sort_by_key(|user| user.last_login_ms),
            Some("USER_EMAIL") => users.sort_by(|a, b| a.email.cmp(&b.email)),
            _ => {}
        }
        if order == Some("DESC") {
            users.reverse();
        }
        let users: Vec<User> = users.into_iter().skip(offset).take(limit).collect();
        Ok(Queried { count: users.len(), users: Some(users) })
    }
}
