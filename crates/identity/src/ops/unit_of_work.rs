//! One verb at work: the gate's session, in terms of users.

use std::sync::Arc;

use access::{Permit, Principal, Session as GateSession};
use base::{Code, Status, Timestamp};
use kv::{Key, KeyRange, Row, Scan};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rounds::Rounds;
use super::{Issued, RequestContext};
use crate::Identity;
use crate::limits::{CLOCK_SKEW_S_MAX, RECENT_LOGIN_S_MAX, SESSIONS_PER_USER_MAX};
use crate::model::config::Config;
use crate::model::key::{Handle, Realm};
use crate::model::session::{RefreshToken, Session};
use crate::model::user::User;
use crate::model::{decode, encode};
use crate::password::{Hashed, Hashing, PasswordHash};
use crate::status::{
    CREDENTIAL_TOO_OLD, EMAIL_EXISTS, FEDERATED_USER_ID_ALREADY_LINKED, Failure, INVALID_ID_TOKEN,
    MISSING_ID_TOKEN, PHONE_NUMBER_EXISTS, Refused, TENANT_ID_MISMATCH, TOKEN_EXPIRED, USER_DISABLED,
    USER_NOT_FOUND,
};
use crate::token::claims::{Grant, IdToken, id_token};
use crate::turns::Party;

/// What a verb reads and stages in one session. Nothing is written before its session is committed.
pub(crate) struct UnitOfWork<'a> {
    pub identity: &'a Identity,
    pub context: &'a RequestContext,
    rounds: &'a Rounds,
    session: GateSession,
    about: String,
    /// The clock's time, the same for the whole unit; the store's versions may be ahead of it.
    now: Timestamp,
}

impl<'a> UnitOfWork<'a> {
    pub fn new(
        identity: &'a Identity,
        context: &'a RequestContext,
        rounds: &'a Rounds,
        session: GateSession,
    ) -> Self {
        let now = identity.gate.clock().now();
        identity.clock_watch.compare(now.micros(), session.version().0);
        Self { identity, context, rounds, session, about: "/users".into(), now }
    }

    pub(super) fn rounds(&self) -> &'a Rounds {
        self.rounds
    }

    /// The id of the user that is made here.
    pub fn new_uid(&self) -> Result<String, Failure> {
        self.rounds.new_uid()
    }

    pub fn realm(&self) -> &'a Realm {
        &self.context.realm
    }

    pub fn is_admin(&self) -> bool {
        self.context.caller.is_admin()
    }

    pub fn now_ms(&self) -> i64 {
        self.now.micros().div_euclid(1000)
    }

    pub fn now_s(&self) -> i64 {
        self.now.seconds
    }

    /// Says which user this is about, for the record.
    pub fn about(&mut self, uid: &str) {
        self.about = format!("/users/{uid}");
    }

    /// Adds a fact to the record: never a value.
    pub fn note(&mut self, name: &'static str, value: serde_json::Value) {
        self.session.note(name, value);
    }

    /// What is made here is nobody's event: an import.
    pub fn without_events(&mut self) {
        self.session.without_events();
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
        if self.identity.serves() && token.is_from_the_future(self.now_s()) {
            return Err(INVALID_ID_TOKEN.into());
        }
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
        let recent = (-CLOCK_SKEW_S_MAX..=RECENT_LOGIN_S_MAX).contains(&age_s);
        if self.identity.serves() && !recent { Err(CREDENTIAL_TOO_OLD) } else { Ok(()) }
    }

    /// Refuses what may not be a new password.
    pub async fn check_new_password(&mut self, password: &str) -> Result<(), Failure> {
        Ok(self.config().await?.password_policy().check(password)?)
    }

    /// The hash of a new password of an account, if it may be one. See [`super::rounds`].
    pub async fn new_password(&mut self, password: &str, account: &str) -> Result<PasswordHash, Failure> {
        self.check_new_password(password).await?;
        let party = Party {
            account: account.to_owned(),
            address: self.context.network_text(),
            is_familiar: !matches!(self.context.caller.who, Principal::Unauthenticated),
        };
        match self.hashed(Hashing::New { password: password.to_owned() }, party).await? {
            Hashed::New(hash) => Ok(hash),
            Hashed::Matches(_) => Err(internal()),
        }
    }

    /// Whether a password is the stored one. See [`super::rounds`].
    pub async fn matches(
        &self,
        password: &str,
        stored: Option<&PasswordHash>,
        party: &Party,
    ) -> Result<bool, Failure> {
        let hashing = Hashing::Check { password: password.to_owned(), stored: stored.cloned() };
        Ok(self.hashed(hashing, party.clone()).await? == Hashed::Matches(true))
    }

    async fn hashed(&self, hashing: Hashing, party: Party) -> Result<Hashed, Failure> {
        // What dev does in place of hashing costs nothing.
        if !self.identity.serves() {
            return self.identity.passwords.compute(&hashing).await;
        }
        self.rounds.hashed(hashing, party)
    }

    /// Whether a password was hashed for this request already.
    pub fn has_hashed(&self) -> bool {
        self.rounds.has_hashed()
    }

    /// Notes a row that will be written, for the rounds to come.
    pub fn contend(&self, key: Key) {
        self.rounds.contend(key);
    }

    /// Notes a row that is used up even if the verb is refused.
    pub fn consume(&self, key: Key) {
        self.rounds.consume(key);
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
            self.release(permit, handle);
        }
        self.put(permit, realm.user(&after.uid), after)
    }

    /// Stages the end of a user.
    pub async fn remove(&mut self, permit: &Permit, user: &User) -> Result<(), Failure> {
        let realm = self.realm();
        for handle in user.handles() {
            self.release(permit, &handle);
        }
        self.erase(permit, realm.user(&user.uid));
        self.end_sessions(permit, &user.uid, i64::MAX).await
    }

    /// Stages the end of what leads to a user, and of what was counted under it.
    fn release(&mut self, permit: &Permit, handle: &Handle) {
        self.erase(permit, self.realm().handle(handle));
        if let Handle::Email(email) = handle {
            self.forgive(permit, email);
        }
    }

    /// Stages the end of a user's sessions that began up to a second. Up to now means all of them, those too that
    /// began while the clock was ahead.
    pub async fn end_sessions(&mut self, permit: &Permit, uid: &str, until_s: i64) -> Result<(), Failure> {
        let until_s = if until_s >= self.now_s() { i64::MAX } else { until_s };
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
        // A revocation of a time when the clock was ahead would refuse what is issued here.
        user.valid_since_s = user.valid_since_s.map(|since_s| since_s.min(self.now_s()));
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

/// A hashing that ended as another one does.
fn internal() -> Failure {
    Failure::Fault(Status::new(Code::Internal, "Internal error."))
}

/// What to say when a handle is someone else's.
pub(super) fn taken(handle: &Handle) -> Refused {
    match handle {
        Handle::Email(_) => EMAIL_EXISTS,
        Handle::Phone(_) => PHONE_NUMBER_EXISTS,
        Handle::Federated(..) => FEDERATED_USER_ID_ALREADY_LINKED,
    }
}
