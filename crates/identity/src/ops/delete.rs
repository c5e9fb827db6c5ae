//! The end of users: one, by themselves or an administrator; all of a project's, in dev.

use access::DevPermit;
use serde::Deserialize;

use super::sign_up::given;
use super::{UnitOfWork, Verb};
use crate::model::decode;
use crate::model::user::User;
use crate::status::{ADMIN_ONLY_OPERATION, Failure, MISSING_LOCAL_ID, USER_NOT_FOUND};

/// `accounts:delete`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Delete {
    pub id_token: Option<String>,
    pub local_id: Option<String>,
}

impl Verb for Delete {
    type Output = ();
    const NAME: &'static str = "delete";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<(), Failure> {
        let user = if work.is_admin() {
            let uid = given(self.local_id.as_ref()).ok_or(MISSING_LOCAL_ID)?;
            work.about(uid);
            work.user(uid).await?.ok_or(USER_NOT_FOUND)?
        } else {
            let (token, user) = work.required_token_user().await?;
            if !work.config().await?.allows_self_deletion() {
                return Err(ADMIN_ONLY_OPERATION.into());
            }
            work.recent_login(&token)?;
            user
        };
        let permit = work.admin_or("id token")?;
        work.remove(&permit, &user).await
    }
}

/// `DELETE /emulator/v1/projects/{p}/accounts`: a part of all users; whether there are more is the answer.
#[derive(Debug)]
pub(crate) struct DeleteSome {
    /// Only dev has this verb.
    pub permit: DevPermit,
}

/// Users deleted in one commit.
const AT_ONCE: usize = 500;

impl Verb for DeleteSome {
    type Output = bool;
    const NAME: &'static str = "deleteAll";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<bool, Failure> {
        let _only_in: DevPermit = self.permit;
        let range = work.realm().users();
        let (rows, next) = work.rows(&range, AT_ONCE).await?;
        let permit = work.proved("emulator");
        for row in &rows {
            let user: User = decode(row)?;
            work.remove(&permit, &user).await?;
        }
        let codes = work.realm().oob_codes();
        let (rows, more_codes) = work.rows(&codes, AT_ONCE).await?;
        for row in rows {
            work.erase(&permit, row.key);
        }
        Ok(next.is_some() || more_codes.is_some())
    }
}
