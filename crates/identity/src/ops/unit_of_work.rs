//! One verb at work: the gate's session, in terms of users.

use std::sync::Arc;

use access::{Permit, Session as GateSession};
use kv::{Key, KeyRange, Row, Scan};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Issued, RequestContext};
use crate::Identity;
use crate::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, RECENT_LOGIN_S_MAX, SESSIONS_PER_USER_MAX};
use crate::model::config::Config;
use crate::model::key::{Handle, Realm};
use crate::model::session::{RefreshToken, Session};
use crate::model::user::User;
use crate::model::{decode, encode};
use crate::password::PasswordHash;
use crate::status::{
    CREDENTIAL_TOO_OLD, EMAIL_EXISTS, FEDERATED_USER_ID_ALREADY_LINKED, Failure, MISSING_ID_TOKEN,
    PASSWORD_TOO_LONG, PHONE_NUMBER_EXISTS, Refused, TENANT_ID_MISMATCH, TOKEN_EXPIRED, USER_DISABLED,
    USER_NOT_FOUND, WEAK_PASSWORD,
};
use crate::token::claims::{Grant, IdToken, id_token};

/// What a verb reads and stages in one session. Nothing is written before its session is committed.
pub(crate) struct UnitOfWork<'a> {
    pub identity: &'a Identity,
    pub context: &'a RequestContext,
    session: GateSession,
    about: String,
}

impl<'a> UnitOfWork<'a> {
    pub fn new(identity: &'a Identity, context: &'a RequestContext, session: GateSession) -> Self {
        Self { identity, context, session, about: "/users".into() }
    }

    pub fn realm(&self) -> &'a Realm {
        &self.context.realm
    }

    pub fn is_admin(&self) -> bool {
        self.context.caller.is_admin()
    }

    pub fn now_ms(&self) -> i64 {
        self.session.now().micros().div_euclid(1000)
    }

    pub fn now_s(&self) -> i64 {
        self.session.now().seconds
    }

    /// Says which user this is about, for the record.
    pub fn about(&mut self, uid: &str) {
        self.about = format!("/users/{uid}");
    }

    /// Adds a fact to the record: never a value.
    pub fn note(&mut self, name: &'static str, value: serde_json::Value) {
        self.session.note(name, value);
    }

    /// The right of an administrator.
    pub fn admin(&mut self) -> Result<Permit, Failure> {
        Ok(self.session.authorize_admin(&self.about)?)
    }

    /// A right that was proved here; `ground` says how.
    pub fn proved(&mut self, ground: &'static str) -> Permit {
        self.session.authorize_self(ground, &self.about)
    }

    /// The administrator's right if one asks, else the one that was proved.
    pub fn admin_or(&mut self, ground: &'static str) -> Result<Permit, Failure> {
        if self.is_admin() { self.admin() } else { Ok(self.proved(ground)) }
    }

    /// A row.
    pub async fn row<T: DeserializeOwned>(&mut self, key: &Key) -> Result<Option<T>, Failure> {
        Ok(self.session.get(key).await?.map(|row| decode(&row)).transpose()?)
    }

    /// Some rows of a range, and what is left of it.
    pub async fn rows(
        &mut self,
        range: &KeyRange,
        rows_max: usize,
    ) -> Result<(Vec<Row>, Option<KeyRange>), Failure> {
        let page = self.session.scan(range, Scan { rows_max, ..Scan::default() }).await?;
        Ok((page.rows, page.next))
    }

    /// Stages a row.
    pub fn put<T: Serialize>(&mut self, permit: &Permit, key: Key, row: &T) -> Result<(), Failure> {
        self.session.write(permit, key, Some(encode(row)?));
        Ok(())
    }

    /// Stages a deletion.
    pub fn erase(&mut self, permit: &Permit, key: Key) {
        self.session.write(permit, key, None);
    }

    /// The project's settings.
    pub async fn config(&mut self) -> Result<Config, Failure> {
        let key = self.realm().config();
        Ok(self.row(&key).await?.unwrap_or_default())
    }

    /// Whether answers hide which addresses have an account: by default in serve, not in dev.
    pub async fn hides_emails(&mut self) -> Result<bool, Failure> {
        Ok(self.config().await?.hides_emails(self.identity.serves()))
    }

    /// A user by uid.
    pub async fn user(&mut self, uid: &str) -> Result<Option<User>, Failure> {
        let key = self.realm().user(uid);
        self.row(&key).await
    }

    /// The uid behind a handle.
    pub async fn uid_of(&mut self, handle: &Handle) -> Result<Option<String>, Failure> {
        let key = self.realm().handle(handle);
        self.row(&key).await
    }

    /// A user by a handle.
    pub async fn find(&mut self, handle: &Handle) -> Result<Option<User>, Failure> {
        match self.uid_of(handle).await? {
            Some(uid) => self.user(&uid).await,
            None => Ok(None),
        }
    }

    /// The user of the request's ID token, if there is one: it must still be good for them.
    pub async fn token_user(&mut self) -> Result<Option<(Arc<IdToken>, User)>, Failure> {
        let Some(token) = &self.context.token else { return Ok(None) };
        let token = token.as_ref().map_err(Clone::clone)?;
        self.about(&token.uid);
        if token.tenant.as_deref().unwrap_or_default() != self.realm().tenant {
            return Err(TENANT_ID_MISMATCH.into());
        }
        let user = self.user(&token.uid).await?.ok_or(USER_NOT_FOUND)?;
        if !user.accepts_token_of(token.iat_s) {
            return Err(TOKEN_EXPIRED.into());
        }
        if user.disabled {
            return Err(USER_DISABLED.into());
        }
        Ok(Some((token.clone(), user)))
    }

    /// The same where there must be one.
    pub async fn required_token_user(&mut self) -> Result<(Arc<IdToken>, User), Failure> {
        self.token_user().await?.ok_or(Failure::Refused(MISSING_ID_TOKEN))
    }

    /// In serve, a sensitive change needs a login of the last minutes.
    pub fn recent_login(&self, token: &IdToken) -> Result<(), Refused> {
        let age_s = self.now_s().saturating_sub(token.auth_time_s);
        if self.identity.serves() && age_s > RECENT_LOGIN_S_MAX { Err(CREDENTIAL_TOO_OLD) } else { Ok(()) }
    }

    /// Hashes a new password, if it may be one.
    pub async fn new_password(&self, password: &str) -> Result<PasswordHash, Failure> {
        // Clients count UTF-16 units; for what is near the minimum that is the same.
        let length = password.encode_utf16().count();
        if length < PASSWORD_CHARS_MIN {
            return Err(WEAK_PASSWORD.into());
        }
        if length > PASSWORD_CHARS_MAX {
            return Err(PASSWORD_TOO_LONG.into());
        }
        self.identity.passwords.hash(password).await
    }

    /// Stages a user and what leads to them.
    ///
    /// Errors: `EMAIL_EXISTS` and the like when someone else has a handle already.
    pub async fn save(
        &mut self,
        permit: &Permit,
        before: Option<&User>,
        after: &User,
    ) -> Result<(), Failure> {
        let realm = self.realm();
        let (old, new) = (before.map(User::handles).unwrap_or_default(), after.handles());
        for handle in &new {
            if old.contains(handle) {
                continue;
            }
            if self.uid_of(handle).await?.is_some_and(|uid| uid != after.uid) {
                return Err(taken(handle).into());
            }
            self.put(permit, realm.handle(handle), &after.uid)?;
        }
        for handle in old.iter().filter(|handle| !new.contains(handle)) {
            self.erase(permit, realm.handle(handle));
        }
        self.put(permit, realm.user(&after.uid), after)
    }

    /// Stages the end of a user.
    pub async fn remove(&mut self, permit: &Permit, user: &User) -> Result<(), Failure> {
        let realm = self.realm();
        for handle in user.handles() {
            self.erase(permit, realm.handle(&handle));
        }
        self.erase(permit, realm.user(&user.uid));
        self.end_sessions(permit, &user.uid, i64::MAX).await
    }

    /// Stages the end of a user's sessions that began up to a second.
    pub async fn end_sessions(&mut self, permit: &Permit, uid: &str, until_s: i64) -> Result<(), Failure> {
        for (key, session) in self.sessions(uid).await? {
            if session.created_ms.div_euclid(1000) <= until_s {
                self.erase(permit, key);
            }
        }
        Ok(())
    }

    async fn sessions(&mut self, uid: &str) -> Result<Vec<(Key, Session)>, Failure> {
        let range = self.realm().sessions(uid);
        let (rows, _) = self.rows(&range, SESSIONS_PER_USER_MAX + 1).await?;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in rows {
            let session = decode(&row)?;
            sessions.push((row.key, session));
        }
        Ok(sessions)
    }

    /// Stages a new session and makes its tokens. The user must be saved as well, with the times set here.
    pub async fn issue(&mut self, permit: &Permit, user: &mut User, grant: Grant) -> Result<Issued, Failure> {
        let mut sessions = self.sessions(&user.uid).await?;
        sessions.sort_by_key(|(_, session)| session.created_ms);
        let surplus = (sessions.len() + 1).saturating_sub(SESSIONS_PER_USER_MAX);
        for (key, _) in sessions.into_iter().take(surplus) {
            self.erase(permit, key);
        }
        let token = RefreshToken::new(&user.uid)?;
        let session = Session {
            provider: grant.provider.clone(),
            auth_time_s: grant.auth_time_s,
            created_ms: self.now_ms(),
            claims: grant.claims.clone(),
        };
        let key = self.realm().session(&user.uid, &token.hash());
        self.put(permit, key, &session)?;
        user.last_refresh_ms = Some(self.now_ms());
        Ok(Issued { id_token: self.id_token(user, &grant)?, refresh_token: token.text() })
    }

    /// An ID token for a user.
    pub fn id_token(&self, user: &User, grant: &Grant) -> Result<String, Failure> {
        let now_s = self.now_s();
        let claims = id_token(&self.realm().project, user, grant, now_s);
        self.identity.tokens.sign("JWT", &claims, now_s)
    }

    /// Ends well: what was staged can be committed.
    pub fn into_session(self) -> GateSession {
        self.session
    }

    /// Ends with a refusal.
    pub fn refuse(self, verb: &'static str, refused: &Refused) {
        self.session.refuse(verb, &self.about, refused.name());
    }
}

/// What to say when a handle is someone else's.
pub(super) fn taken(handle: &Handle) -> Refused {
    match handle {
        Handle::Email(_) => EMAIL_EXISTS,
        Handle::Phone(_) => PHONE_NUMBER_EXISTS,
        Handle::Federated(..) => FEDERATED_USER_ID_ALREADY_LINKED,
    }
}
