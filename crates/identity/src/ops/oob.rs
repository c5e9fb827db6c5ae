//! E-mail actions: a code that goes out by mail and comes back to reset a password, verify or change an address, or
//! sign in.
//!
//! Codes have 256 bits, are stored hashed and work once. In dev nothing is sent: codes are listed instead, and never
//! expire.
//!
//! Source: the identity reference, section 10.

use std::sync::atomic::{AtomicI64, Ordering};

use access::Permit;
use base::id::random_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kv::Key;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value as Json;

use super::sign_up::given;
use super::throttle::sign_ups_row;
use super::{RequestContext, SignedIn, UnitOfWork, Verb};
use crate::limits::{CLOCK_SKEW_S_MAX, OOB_CODES_LISTED_MAX};
use crate::model::decode;
use crate::model::key::Handle;
use crate::model::oob::{OobCode, OobKind, PlainCode};
use crate::model::session::hash;
use crate::model::user::{User, email_address};
use crate::status::{
    ADMIN_ONLY_OPERATION, EMAIL_EXISTS, EMAIL_NOT_FOUND, EXPIRED_OOB_CODE, Failure, INSUFFICIENT_PERMISSION,
    INVALID_EMAIL, INVALID_ID_TOKEN, INVALID_OOB_CODE, MISSING_EMAIL, MISSING_NEW_EMAIL, MISSING_OOB_CODE,
    MISSING_REQ_TYPE, PASSWORD_LOGIN_DISABLED, Refused, USER_DISABLED, USER_NOT_FOUND, not_implemented,
};
use crate::token::claims::Grant;

/// How often it is said that mail is expected.
const MAIL_WARNED_EVERY_S: i64 = 60;
const CODE_TEXT_BYTES_MAX: usize = 128;

/// What links are made of.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    pub origin: String,
    pub continue_url: Option<String>,
}

/// A code that came back, and where its row is.
#[derive(Clone)]
pub(crate) struct Code {
    pub key: Key,
    pub row: OobCode,
}

/// Stages a new code.
pub(super) fn issue_code(
    work: &mut UnitOfWork<'_>,
    permit: &Permit,
    kind: OobKind,
    email: &str,
    new_email: Option<String>,
    uid: Option<&str>,
    links: &Links,
) -> Result<PlainCode, Failure> {
    let code = URL_SAFE_NO_PAD.encode(random_bytes::<32>()?);
    let page = if work.identity.serves() { "/__/auth/action" } else { "/emulator/action" };
    let mut link =
        format!("{}{page}?mode={}&lang=en&oobCode={code}&apiKey=fake-api-key", links.origin, kind.mode());
    if let Some(url) = &links.continue_url {
        link.push_str(&format!("&continueUrl={}", utf8_percent_encode(url, NON_ALPHANUMERIC)));
    }
    if !work.identity.serves() {
        // No e-mail is sent: the terminal shows it instead.
        work.note("link", link.as_str().into());
    }
    let plain = PlainCode { oob_code: code.clone(), oob_link: link };
    let row = OobCode {
        kind,
        email: email.to_owned(),
        new_email,
        uid: uid.map(str::to_owned),
        created_s: work.now_s(),
        plain: (!work.identity.serves()).then(|| plain.clone()),
    };
    let key = work.realm().oob_code(&hash(code.as_bytes()));
    work.put(permit, key, &row)?;
    Ok(plain)
}

/// Finds a code that came back.
pub(super) async fn take_code(work: &mut UnitOfWork<'_>, code: &str) -> Result<Code, Failure> {
    if code.len() > CODE_TEXT_BYTES_MAX {
        return Err(INVALID_OOB_CODE.into());
    }
    let key = work.realm().oob_code(&hash(code.as_bytes()));
    let row: OobCode = work.row(&key).await?.ok_or(INVALID_OOB_CODE)?;
    // One that was made while the clock was ahead would live too long.
    let age_s = work.now_s().saturating_sub(row.created_s);
    if work.identity.serves() && !(-CLOCK_SKEW_S_MAX..row.kind.life_s()).contains(&age_s) {
        return Err(EXPIRED_OOB_CODE.into());
    }
    Ok(Code { key, row })
}

/// `accounts:sendOobCode`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SendOobCode {
    pub request_type: Option<Json>,
    pub id_token: Option<String>,
    pub email: Option<String>,
    pub new_email: Option<String>,
    pub continue_url: Option<String>,
    pub return_oob_link: bool,
}

/// To which address, and for administrators the code itself.
#[derive(Debug)]
pub(crate) struct OobSent {
    pub email: String,
    pub code: Option<PlainCode>,
}

impl Verb for SendOobCode {
    type Output = OobSent;
    const NAME: &'static str = "sendOobCode";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<OobSent, Failure> {
        let kind = match &self.request_type {
            Some(Json::String(name)) => OobKind::parse(name),
            Some(Json::Number(number)) => OobKind::parse(&number.to_string()),
            _ => None,
        };
        let kind = kind.filter(|kind| *kind != OobKind::RecoverEmail).ok_or(MISSING_REQ_TYPE)?;
        if self.return_oob_link && !work.is_admin() {
            return Err(INSUFFICIENT_PERMISSION.into());
        }
        let continue_url = given(self.continue_url.as_ref());
        if continue_url.is_some_and(|url| !is_absolute(url)) {
            return Err(Refused::text(
                "INVALID_CONTINUE_URI : ((expected an absolute URI with valid scheme and host))",
            )
            .into());
        }
        let new_email = match kind {
            OobKind::VerifyAndChangeEmail => {
                let email = given(self.new_email.as_ref()).ok_or(MISSING_NEW_EMAIL)?;
                Some(email_address(email).ok_or(INVALID_EMAIL)?)
            }
            _ => None,
        };
        let (email, is_sent) = match kind {
            OobKind::EmailSignin => (self.address()?, true),
            OobKind::PasswordReset => self.known_address(work).await?,
            _ => self.users_address(work, new_email.as_ref()).await?,
        };
        if !is_sent {
            work.proved("e-mail");
            if work.identity.serves() {
                // Known or not: the answer is the same, and so is the record.
                work.note("mail", "not sent: this server sends no e-mail".into());
                warn_of_mail(work.now_s());
            }
            return Ok(OobSent { email, code: None });
        }
        self.check_sends(work)?;
        let permit = work.admin_or("e-mail")?;
        let links =
            Links { origin: work.context.origin.clone(), continue_url: continue_url.map(str::to_owned) };
        let code = issue_code(work, &permit, kind, &email, new_email, None, &links)?;
        Ok(OobSent { email, code: self.return_oob_link.then_some(code) })
    }
}

impl SendOobCode {
    fn address(&self) -> Result<String, Refused> {
        email_address(given(self.email.as_ref()).ok_or(MISSING_EMAIL)?).ok_or(INVALID_EMAIL)
    }

    /// The address whose password is reset, and whether something is sent there.
    async fn known_address(&self, work: &mut UnitOfWork<'_>) -> Result<(String, bool), Failure> {
        let email = self.address()?;
        let is_known = work.uid_of(&Handle::Email(email.clone())).await?.is_some();
        // While nothing can be sent, what is known makes no difference at all.
        let sends = !work.identity.serves() || self.return_oob_link;
        match work.hides_emails().await? {
            true => Ok((email, is_known && sends)),
            false if is_known => Ok((email, true)),
            false => Err(EMAIL_NOT_FOUND.into()),
        }
    }

    /// The address of the user whom the code will be about, and whether something is sent there. Where addresses are hidden,
    /// nothing is when the new address is somebody's.
    async fn users_address(
        &self,
        work: &mut UnitOfWork<'_>,
        new_email: Option<&String>,
    ) -> Result<(String, bool), Failure> {
        let email = if self.return_oob_link && work.context.token.is_none() {
            let email = self.address()?;
            work.find(&Handle::Email(email)).await?.ok_or(USER_NOT_FOUND)?.email
        } else {
            let (token, user) = work.token_user().await?.ok_or(INVALID_ID_TOKEN)?;
            if new_email.is_some() {
                work.recent_login(&token)?;
            }
            user.email
        };
        let email = email.ok_or(MISSING_EMAIL)?;
        self.check_sends(work)?;
        let is_taken = match new_email {
            Some(new_email) => work.uid_of(&Handle::Email(new_email.clone())).await?.is_some(),
            None => false,
        };
        if is_taken && (work.is_admin() || !work.hides_emails().await?) {
            return Err(EMAIL_EXISTS.into());
        }
        Ok((email, !is_taken))
    }

    /// In serve nothing can be sent yet: administrators make links and send them themselves.
    fn check_sends(&self, work: &UnitOfWork<'_>) -> Result<(), Refused> {
        if work.identity.serves() && !self.return_oob_link {
            Err(not_implemented("Sending e-mail"))
        } else {
            Ok(())
        }
    }
}

/// Tells the operator, once in a while, that clients expect mail.
fn warn_of_mail(now_s: i64) {
    static WARNED_S: AtomicI64 = AtomicI64::new(i64::MIN);
    let before_s = WARNED_S.load(Ordering::Relaxed);
    if before_s.saturating_add(MAIL_WARNED_EVERY_S) <= now_s {
        WARNED_S.store(now_s, Ordering::Relaxed);
        tracing::warn!(
            "clients ask for e-mails to reset passwords, and none is sent: administrators can make the links and send \
             them; `hearth log --service identity` shows the requests"
        );
    }
}

/// Whether a URI names scheme and host.
pub(crate) fn is_absolute(uri: &str) -> bool {
    uri.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some())
}

/// `accounts:resetPassword`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResetPassword {
    pub oob_code: Option<String>,
    pub new_password: Option<String>,
}

impl Verb for ResetPassword {
    type Output = OobCode;
    const NAME: &'static str = "resetPassword";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<OobCode, Failure> {
        if !work.config().await?.allows_passwords() {
            return Err(PASSWORD_LOGIN_DISABLED.into());
        }
        let text = given(self.oob_code.as_ref()).ok_or(MISSING_OOB_CODE)?;
        let code = take_code(work, text).await?;
        let Some(password) = given(self.new_password.as_ref()) else {
            work.proved("e-mail code");
            return Ok(code.row);
        };
        if code.row.kind != OobKind::PasswordReset {
            return Err(INVALID_OOB_CODE.into());
        }
        work.check_new_password(password).await?;
        let before = work.find(&Handle::Email(code.row.email.clone())).await?.ok_or(INVALID_OOB_CODE)?;
        work.about(&before.uid);
        let password = work.new_password(password, &before.uid).await?;
        let permit = work.proved("e-mail code");
        work.forgive(&permit, &code.row.email);
        let mut user = before.clone();
        user.password = Some(password);
        user.password_updated_ms = Some(work.now_ms());
        user.email_verified = true;
        user.providers.clear();
        user.phone_number = None;
        user.valid_since_s = Some(work.now_s());
        work.end_sessions(&permit, &user.uid, i64::MAX).await?;
        work.erase(&permit, code.key);
        work.save(&permit, Some(&before), &user).await?;
        Ok(code.row)
    }
}

/// `accounts:signInWithEmailLink`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SignInWithEmailLink {
    pub id_token: Option<String>,
    pub email: Option<String>,
    pub oob_code: Option<String>,
}

impl Verb for SignInWithEmailLink {
    type Output = SignedIn;
    const NAME: &'static str = "signInWithEmailLink";

    fn contended(&self, context: &RequestContext) -> Vec<Key> {
        let mut rows = context.token_user_row();
        let email = self.email.as_deref().and_then(email_address);
        rows.extend(email.map(|email| context.realm.handle(&Handle::Email(email))));
        rows.extend(sign_ups_row(context, &context.realm));
        rows
    }

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<SignedIn, Failure> {
        let linked = match work.token_user().await? {
            None => None,
            Some((token, user)) => {
                if !(user.is_anonymous() && token.provider == "anonymous") {
                    work.recent_login(&token)?;
                }
                Some(user)
            }
        };
        let email = given(self.email.as_ref()).ok_or(MISSING_EMAIL)?;
        let email = email_address(email).ok_or(INVALID_EMAIL)?;
        let text = given(self.oob_code.as_ref()).ok_or(MISSING_OOB_CODE)?;
        let code = take_code(work, text).await?;
        if code.row.kind != OobKind::EmailSignin {
            return Err(INVALID_OOB_CODE.into());
        }
        if code.row.email != email {
            return Err(Refused::text(
                "INVALID_EMAIL : The email provided does not match the sign-in email address.",
            )
            .into());
        }
        let found = work.find(&Handle::Email(email.clone())).await?;
        if let (Some(linked), Some(found)) = (&linked, &found)
            && linked.uid != found.uid
        {
            return Err(EMAIL_EXISTS.into());
        }
        let before = linked.or(found);
        if before.as_ref().is_some_and(|user| user.disabled) {
            return Err(USER_DISABLED.into());
        }
        if before.is_none() && !work.config().await?.allows_signup() {
            return Err(ADMIN_ONLY_OPERATION.into());
        }
        let counted = if before.is_none() { work.sign_ups().await? } else { None };
        let now_ms = work.now_ms();
        let mut user = match &before {
            Some(user) => user.clone(),
            None => User { uid: work.new_uid()?, created_ms: now_ms, ..User::default() },
        };
        work.about(&user.uid);
        user.email = Some(email);
        user.email_verified = true;
        user.email_link_signin = true;
        let claims = match before {
            None => work.before_create(&mut user, "emailLink").await?,
            Some(_) => work.before_sign_in(&mut user, "emailLink").await?,
        };
        let permit = work.proved("e-mail code");
        work.erase(&permit, code.key);
        let issued = if user.disabled {
            None
        } else {
            user.last_login_ms = Some(now_ms);
            let grant = Grant { provider: "password".into(), auth_time_s: work.now_s(), claims };
            Some(work.issue(&permit, &mut user, grant).await?)
        };
        work.count_sign_up(&permit, counted)?;
        work.save(&permit, before.as_ref(), &user).await?;
        Ok(SignedIn { user, issued, is_new: before.is_none() })
    }
}

/// The emulator's list of waiting codes.
#[derive(Debug)]
pub(crate) struct ListOobCodes;

impl Verb for ListOobCodes {
    type Output = Vec<OobCode>;
    const NAME: &'static str = "listOobCodes";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Vec<OobCode>, Failure> {
        work.proved("emulator");
        let range = work.realm().oob_codes();
        let (rows, _) = work.rows(&range, OOB_CODES_LISTED_MAX).await?;
        let mut codes: Vec<(kv::Version, OobCode)> = Vec::with_capacity(rows.len());
        for row in &rows {
            codes.push((row.version, decode(row)?));
        }
        codes.sort_by_key(|(version, _)| *version);
        Ok(codes.into_iter().map(|(_, code)| code).collect())
    }
}
