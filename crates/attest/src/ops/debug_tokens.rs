//! Debug tokens: what stands for an attestation on developers' machines and in CI.

use access::Caller;
use base::Status;
use serde::{Deserialize, Serialize};

use super::{check_name, time};
use crate::model::rows::{
    DebugTokenRow, all_debug_tokens, app_key, debug_hash, debug_token_key, decode, encode, id_of,
};
use crate::{AppCheck, status};

/// Debug tokens of an app.
pub const DEBUG_TOKENS_MAX: usize = 20;

/// A debug token as administrators see it: never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebugTokenInfo {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// RFC 3339.
    pub created: String,
}

fn info(id: &str, row: &DebugTokenRow) -> DebugTokenInfo {
    DebugTokenInfo { id: id.to_owned(), name: row.name.clone(), created: time(row.created_s) }
}

/// Whether a text is a UUID of version 4.
pub fn is_uuid4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && parts.get(2).is_some_and(|part| part.starts_with('4'))
        && parts.get(3).is_some_and(|part| part.starts_with(['8', '9', 'a', 'b', 'A', 'B']))
}

/// A new UUID of version 4.
pub fn new_uuid4() -> Result<String, Status> {
    let random: [u8; 16] =
        base::id::random_bytes().map_err(|error| Status::unavailable(error.to_string()))?;
    let bits = (u128::from_be_bytes(random) & !(0xF << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

impl AppCheck {
    /// Makes a debug token of this text.
    pub async fn add_debug_token(
        &self,
        caller: &Caller,
        app: &str,
        name: &str,
        token: &str,
    ) -> Result<DebugTokenInfo, Status> {
        check_name(name)?;
        if !is_uuid4(token) {
            return Err(status::bad_debug_token());
        }
        let (project, id) = (&self.settings.project, &new_uuid4()?);
        let by = caller.id().unwrap_or_default().to_owned();
        let row =
            DebugTokenRow { name: name.to_owned(), hash: debug_hash(token), created_s: self.now_s(), by };
        let row = &row;
        let resource = format!("/apps/{app}/debugTokens/{id}");
        self.change(caller, "createDebugToken", &resource, |mut session, permit| async move {
            session.get(&app_key(project, app)).await?.ok_or_else(|| status::not_found("app", app))?;
            let known = session.all(all_debug_tokens(project, app), DEBUG_TOKENS_MAX).await?;
            if known.len() >= DEBUG_TOKENS_MAX {
                return Err(status::too_many("debug tokens", DEBUG_TOKENS_MAX));
            }
            session.write(&permit, debug_token_key(project, app, id), Some(encode(row)?));
            Ok((session, info(id, row)))
        })
        .await
    }

    /// The debug tokens of an app.
    pub async fn debug_tokens(&self, caller: &Caller, app: &str) -> Result<Vec<DebugTokenInfo>, Status> {
        let (mut session, _) =
            self.begin(caller, "listDebugTokens", &format!("/apps/{app}/debugTokens")).await?;
        let project = &self.settings.project;
        session.get(&app_key(project, app)).await?.ok_or_else(|| status::not_found("app", app))?;
        let rows = session.all(all_debug_tokens(project, app), DEBUG_TOKENS_MAX).await?;
        session.finish();
        rows.iter().map(|row| Ok(info(&id_of(row), &decode(row)?))).collect()
    }

    /// Deletes a debug token. App Check tokens that were obtained with it count until they end, or are revoked.
    pub async fn remove_debug_token(&self, caller: &Caller, app: &str, id: &str) -> Result<(), Status> {
        let project = &self.settings.project;
        let resource = format!("/apps/{app}/debugTokens/{id}");
        self.change(caller, "deleteDebugToken", &resource, |mut session, permit| async move {
            let key = debug_token_key(project, app, id);
            session.get(&key).await?.ok_or_else(|| status::not_found("debug token", id))?;
            session.write(&permit, key, None);
            Ok((session, ()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_a_uuid_of_version_4_and_little_else_is() {
        let made = new_uuid4().unwrap();
        assert!(is_uuid4(&made) && is_uuid4(&made.to_uppercase()), "{made}");
        for text in ["", "debug", "0af7651916cd43dd8448eb211c80319c", "6f9619ff-8b86-1011-b42d-00cf4fc964ff"]
        {
            assert!(!is_uuid4(text), "{text}");
        }
    }
}
